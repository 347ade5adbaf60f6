"""What the cost model answers: totals of many designs, and everything about one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nax_bo.hardware.tables import Floats

Details = Mapping[str, Mapping[str, Floats]]
"""``"layer" | "energy" | "area" -> name -> array``; see :meth:`CostBatch.details`."""


@dataclass(frozen=True)
class CostBatch:
    """Totals of n designs; every array has shape (n,).

    Attributes:
        energy_pj: Energy per inference, leakage included.
        latency_ns: Interval between inferences; that of one inference unless pipelined.
        area_um2: Chip area; off-chip memory not counted.
        leakage_pj: Part of ``energy_pj``.
        response_ns: From image to result.
        period_ns: Clock period.
        macs: Multiply-accumulates of matrix products per inference.
        utilisation: Share of the installed cells that hold weights (0 if there are none).
        unplaced_bits: Bits of feature maps or weights that fit nowhere; a design is feasible if 0.
    """

    energy_pj: Floats
    latency_ns: Floats
    area_um2: Floats
    leakage_pj: Floats
    response_ns: Floats
    period_ns: Floats
    macs: Floats
    utilisation: Floats
    unplaced_bits: Floats
    _details: Callable[[], Details] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.energy_pj)

    @property
    def edap_uj_ms_mm2(self) -> Floats:
        """Energy x delay x area per inference, uJ ms mm2."""
        return self.energy_pj * 1e-6 * (self.latency_ns * 1e-6) * (self.area_um2 * 1e-6)

    @property
    def tops_w(self) -> Floats:
        """Tera-operations per joule; 1 MAC = 2 operations."""
        return 2.0 * self.macs / self.energy_pj

    @property
    def tops_mm2(self) -> Floats:
        """Tera-operations per second and mm2."""
        return 2e-3 * self.macs / self.latency_ns / (self.area_um2 * 1e-6)

    @property
    def fps(self) -> Floats:
        """Inferences per second."""
        return 1e9 / self.latency_ns

    @property
    def power_mw(self) -> Floats:
        """Mean power while inferences follow each other at the interval, mW."""
        return self.energy_pj / self.latency_ns

    @property
    def feasible(self) -> np.ndarray:
        """Whether every feature map and weight has a place; bool."""
        return np.asarray(self.unplaced_bits == 0)

    def violations(self, index: int) -> tuple[str, ...]:
        """What is wrong with a design, in words; empty if feasible."""
        bits = float(self.unplaced_bits[index])
        if not bits:
            return ()
        return (f"{bits / 8192:.4g} kB fit into no on-chip buffer, and the chip has no off-chip memory",)

    def details(self) -> Details:
        """Breakdowns, computed on request.

        Returns:
            ``"layer"``: n x L arrays ``energy_pj``, ``latency_ns``, ``area_um2``, ``tiles``, ``arrays``,
            ``utilisation``. ``"energy"`` and ``"area"``: (n,) arrays per component that sum to the totals;
            ``"area"`` of layers leaves out what the chip has once (global buffer, digital unit).

        Empty mappings if the model that made the batch keeps none.
        """
        return self._details() if self._details else {"layer": {}, "energy": {}, "area": {}}

    @classmethod
    def stack(cls, reports: Sequence[CostReport]) -> CostBatch:
        """Totals of single reports, in order; without breakdowns."""
        columns: dict[str, Any] = {
            name: np.array([getattr(r, name) for r in reports], dtype=float) for name in _TOTALS
        }
        return cls(**columns)


_TOTALS = (
    "energy_pj", "latency_ns", "area_um2", "leakage_pj", "response_ns", "period_ns", "macs", "utilisation",
    "unplaced_bits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One slot of a network: energy (with its share of leakage), time, the area of its tiles."""

    name: str
    energy_pj: float
    latency_ns: float
    area_um2: float
    tiles: int = 0
    arrays: int = 0
    utilisation: float = 0.0


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """One kind of component over the whole chip."""

    name: str
    energy_pj: float
    area_um2: float


@dataclass(frozen=True)
class CostReport:
    """Cost of one design.

    Attributes:
        energy_pj, latency_ns, area_um2, leakage_pj, response_ns, period_ns, macs, utilisation, unplaced_bits: As in
            :class:`CostBatch`.
        layers: One row per slot; layer areas leave out what the chip has once.
        components: One row per component; energies and areas sum to the totals.
        edap_low_factor, edap_high_factor: Factors on EDAP that span the disagreement of sources (see
            :mod:`nax_bo.hardware.pricing.uncertainty`); 1 if unknown.
        model: Name of the profile or model.
    """

    energy_pj: float
    latency_ns: float
    area_um2: float
    leakage_pj: float = 0.0
    response_ns: float = 0.0
    period_ns: float = 0.0
    macs: float = 0.0
    utilisation: float = 0.0
    unplaced_bits: float = 0.0
    layers: tuple[LayerCost, ...] = ()
    components: tuple[ComponentCost, ...] = ()
    edap_low_factor: float = 1.0
    edap_high_factor: float = 1.0
    model: str = ""

    @property
    def edap_uj_ms_mm2(self) -> float:
        """Energy x delay x area per inference, uJ ms mm2."""
        return self.energy_pj * 1e-6 * (self.latency_ns * 1e-6) * (self.area_um2 * 1e-6)

    @property
    def tops_w(self) -> float:
        """Tera-operations per joule; 1 MAC = 2 operations."""
        return 2.0 * self.macs / self.energy_pj if self.energy_pj else 0.0

    @property
    def tops_mm2(self) -> float:
        """Tera-operations per second and mm2."""
        product = self.latency_ns * self.area_um2
        return 2e3 * self.macs / product if product else 0.0

    @property
    def fps(self) -> float:
        """Inferences per second."""
        return 1e9 / self.latency_ns if self.latency_ns else 0.0

    @property
    def power_mw(self) -> float:
        """Mean power while inferences follow each other at the interval, mW."""
        return self.energy_pj / self.latency_ns if self.latency_ns else 0.0

    @property
    def edap_low_uj_ms_mm2(self) -> float | None:
        """Least EDAP that sources of component data give; None if the model states no range."""
        return self.edap_uj_ms_mm2 * self.edap_low_factor if self._ranged else None

    @property
    def edap_high_uj_ms_mm2(self) -> float | None:
        """Largest EDAP that sources of component data give; None if the model states no range."""
        return self.edap_uj_ms_mm2 * self.edap_high_factor if self._ranged else None

    @property
    def _ranged(self) -> bool:
        return self.edap_high_factor > self.edap_low_factor

    @property
    def feasible(self) -> bool:
        """Whether every feature map and weight has a place."""
        return self.unplaced_bits == 0

    @property
    def violations(self) -> tuple[str, ...]:
        """What is wrong with the design, in words; empty if feasible."""
        return CostBatch.stack([self]).violations(0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, with derived figures."""
        totals = {name: getattr(self, name) for name in (*_TOTALS, *_DERIVED)}
        return {
            "model": self.model,
            **totals,
            "violations": list(self.violations),
            "layers": [_plain(row) for row in self.layers],
            "components": [_plain(row) for row in self.components],
        }


_DERIVED = (
    "edap_uj_ms_mm2",
    "edap_low_uj_ms_mm2",
    "edap_high_uj_ms_mm2",
    "tops_w",
    "tops_mm2",
    "fps",
    "power_mw",
    "feasible",
)


def _plain(row: LayerCost | ComponentCost) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
