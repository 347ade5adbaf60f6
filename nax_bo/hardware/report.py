"""What the cost model answers: totals of many designs, and everything about one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.tables import Floats

RESOURCES = ("compute", "digital", "noc", "buffer", "dram", "reload")
"""What a layer may wait for: crossbars or multipliers, vector lanes, network on chip, port of the global buffer,
off-chip memory, loading of weights."""

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
        missing_tiles: Tiles that copies of weights lack on a chip with a fixed number; a design is feasible if 0, else
            it is priced without copies.
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
    missing_tiles: Floats
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
        return np.asarray((self.unplaced_bits == 0) & (self.missing_tiles == 0))

    def violations(self, index: int) -> tuple[str, ...]:
        """What is wrong with a design, in words; empty if feasible."""
        bits, tiles = float(self.unplaced_bits[index]), float(self.missing_tiles[index])
        found = []
        if bits:
            found.append(f"{bits / 8192:.4g} kB have no place on the chip, which has no off-chip memory")
        if tiles:
            found.append(f"copies of weights (duplication) need {tiles:.0f} tiles more than the chip has")
        return tuple(found)

    def bound_by(self) -> list[str]:
        """Of each design, the resource that the layers wait for that take most of the time; empty if unknown."""
        layer = self.details()["layer"]
        if "bound" not in layer:
            return [""] * len(self)
        times = [
            np.where(layer["bound"] == i, layer["latency_ns"], 0.0).sum(axis=1) for i in range(len(RESOURCES))
        ]
        return [RESOURCES[i] for i in np.argmax(times, axis=0)]

    def details(self) -> Details:
        """Breakdowns, computed on request.

        Returns:
            ``"layer"``: n x L arrays ``energy_pj``, ``latency_ns``, ``area_um2``, ``tiles``, ``arrays``,
            ``utilisation``, ``passes``, ``bound`` (index into :data:`RESOURCES`, -1: no slot), ``loaded``.
            ``"energy"`` and ``"area"``: (n,) arrays per component that sum to the totals; ``"area"`` of layers leaves
            out what the chip has once (global buffer, digital unit).

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
    "unplaced_bits", "missing_tiles",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One slot of a network: energy (with its share of leakage), time, the area of its tiles.

    Attributes:
        tiles, arrays: That hold its weights and their copies.
        utilisation: Share of the cells of its tiles that hold weights.
        passes: Times that its input vectors are applied, because its weights do not fit at once.
        bound_by: What it waits for longest; empty if the model does not say.
        loaded: Share of its weights that are loaded in every inference.
    """

    name: str
    energy_pj: float
    latency_ns: float
    area_um2: float
    tiles: int = 0
    arrays: int = 0
    utilisation: float = 0.0
    passes: int = 1
    bound_by: str = ""
    loaded: float = 0.0


@dataclass(frozen=True, slots=True)
class LayerPrice:
    """What one layer adds to a chip whose layers add up: energy without leakage, which follows from all latencies."""

    energy_pj: float
    latency_ns: float
    area_um2: float
    leakage_mw: float
    tiles: int
    utilisation: float


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """One kind of component over the whole chip."""

    name: str
    energy_pj: float
    area_um2: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Low and high factors on costs that span the disagreement of sources; (1, 1) where they agree or none is known.

    See :mod:`nax_bo.hardware.pricing.uncertainty`.
    """

    energy: tuple[float, float] = (1.0, 1.0)
    latency: tuple[float, float] = (1.0, 1.0)
    area: tuple[float, float] = (1.0, 1.0)
    edap: tuple[float, float] = (1.0, 1.0)

    @property
    def factors(self) -> dict[str, tuple[float, float]]:
        """By the cost's field in :class:`CostReport`."""
        return {field: getattr(self, field.partition("_")[0]) for field in _RANGED}


@dataclass(frozen=True)
class CostReport:
    """Cost of one design.

    Attributes:
        energy_pj, latency_ns, area_um2, leakage_pj, response_ns, period_ns, macs, utilisation, unplaced_bits,
            missing_tiles: As in :class:`CostBatch`.
        layers: One row per slot; layer areas leave out what the chip has once.
        components: One row per component; energies and areas sum to the totals.
        spread: How far sources disagree.
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
    missing_tiles: float = 0.0
    layers: tuple[LayerCost, ...] = ()
    components: tuple[ComponentCost, ...] = ()
    spread: Spread = Spread()
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

    def ends(self, field: str) -> tuple[float, float] | None:
        """Least and largest value that sources give of a cost; None if none is known to differ.

        Args:
            field: ``energy_pj``, ``latency_ns``, ``area_um2`` or ``edap_uj_ms_mm2``.
        """
        low, high = self.spread.factors[field]
        value = getattr(self, field)
        return (value * low, value * high) if high > low else None

    @property
    def feasible(self) -> bool:
        """Whether every feature map and weight has a place."""
        return self.unplaced_bits == 0 and self.missing_tiles == 0

    @property
    def writes(self) -> int:
        """Times that cells which layers take in turns are written in every inference; 0 if all weights stay."""
        return sum(layer.passes for layer in self.layers if layer.loaded > 0)

    @property
    def bound_by(self) -> str:
        """What the layers wait for that take most of the time; empty if the model does not say."""
        waits: dict[str, float] = {}
        for layer in self.layers:
            waits[layer.bound_by] = waits.get(layer.bound_by, 0.0) + layer.latency_ns
        return max(waits, key=lambda name: waits[name], default="")

    @property
    def violations(self) -> tuple[str, ...]:
        """What is wrong with the design, in words; empty if feasible."""
        return CostBatch.stack([self]).violations(0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, with derived figures."""
        totals = {name: getattr(self, name) for name in (*_TOTALS, *_DERIVED)}
        ranges = {
            name: end
            for field in _RANGED
            for name, end in zip(_end_names(field), self.ends(field) or (None, None), strict=True)
        }
        return {
            "model": self.model,
            **totals,
            **ranges,
            "violations": list(self.violations),
            "layers": [_plain(row) for row in self.layers],
            "components": [_plain(row) for row in self.components],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CostReport:
        """Inverse of :meth:`to_dict`; derived figures are computed anew.

        Raises:
            InputError: Fields are missing, or hold no numbers.
        """
        try:
            totals: dict[str, Any] = {n: _finite(data[n]) for n in _TOTALS if n in data}
            bare = cls(**totals)
            factors = {}
            for field in _RANGED:
                ends = [data.get(name) for name in _end_names(field)]
                if None not in ends:
                    low, high = (_finite(end) / getattr(bare, field) for end in ends)
                    factors[field.partition("_")[0]] = low, high
            layers = tuple(_row(LayerCost, row) for row in data.get("layers", ()))
            components = tuple(_row(ComponentCost, row) for row in data.get("components", ()))
            model = str(data.get("model", ""))
            return cls(**totals, layers=layers, components=components, spread=Spread(**factors), model=model)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as ex:
            raise InputError(
                f"this is not the plain form of a cost: {ex}", "Write it with to_dict()."
            ) from ex


_DERIVED = (
    "bound_by",
    "writes",
    "edap_uj_ms_mm2",
    "tops_w",
    "tops_mm2",
    "fps",
    "power_mw",
    "feasible",
)


_RANGED = ("energy_pj", "latency_ns", "area_um2", "edap_uj_ms_mm2")


def _end_names(field: str) -> tuple[str, str]:
    """``energy_low_pj`` and ``energy_high_pj`` of ``energy_pj``."""
    short, _, unit = field.partition("_")
    return f"{short}_low_{unit}", f"{short}_high_{unit}"


def _finite(value: Any) -> float:
    number = math.nan if value is None else float(value)  # JSON has no NaN and no infinity
    if isinstance(value, (bool, str)):
        raise ValueError(f"{value!r} is not a number")
    return number


def _row(kind: Any, row: Mapping[str, Any]) -> Any:
    texts = {"name", "bound_by"}
    return kind(**{k: str(v) if k in texts else _finite(v) for k, v in row.items()})


def _plain(row: LayerCost | ComponentCost) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
