"""Many designs priced by an evaluator whose layers add up: each different layer once, then sums of columns.

Simulators such as XPertSim price one network in milliseconds. A search weighs thousands of candidates, too many for
that; but these share their layers. A layer is known by its row of the workload (sizes, feature maps, array, chip) and
by whether it is the first; within one space this decides what its price depends on. Prices are remembered for the whole
study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import NaxboError
from nax_bo.hardware import CostBatch, Workload
from nax_bo.hardware.pricing.priced import SlotTerms
from nax_bo.hardware.protocol import LayerPricing
from nax_bo.hardware.workload import ABSENT
from nax_bo.systems import System

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

_FIELDS = tuple(f.name for f in fields(Workload) if f.name != "devices")
_UNPRICED = 1e30
"""Stands for what the evaluator refuses where tables must stay finite: no sum with it is chosen."""
ENERGY, LATENCY, AREA, LEAKAGE, TILES, UTILISATION = range(6)


@dataclass(frozen=True, slots=True)
class DesignWorkload(Workload):
    """A workload that knows the designs it describes: their values by variable, ``n`` each."""

    columns: Columns


class LayerwisePricing:
    """Costs of many designs of a system, and of their layers one by one (``SlotPricing``).

    Args:
        evaluator: Prices single layers.
        system: Decodes designs.
    """

    def __init__(self, evaluator: LayerPricing, system: System) -> None:
        self.evaluator, self.system = evaluator, system
        self.refusals: list[str] = []
        self._describe: Callable[[Columns], Workload] = system.describer()
        self._known: dict[bytes, tuple[float, ...]] = {}

    def describe(self, columns: Columns) -> DesignWorkload:
        """The workload of n designs, to be priced by this object."""
        found = self._describe(columns)
        values = {f.name: getattr(found, f.name) for f in fields(Workload)}
        return DesignWorkload(**values, columns=columns)

    def costs(self, columns: Columns) -> CostBatch:
        """Costs of n designs; NaN for those that the evaluator refuses."""
        w = self.describe(columns)
        prices = self._prices(w)
        total = prices.sum(axis=1)
        tiles = np.maximum(total[:, TILES], 1.0)
        leakage = total[:, LEAKAGE] * total[:, LATENCY]
        macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
        zero = np.zeros(len(total))
        return CostBatch(
            energy_pj=total[:, ENERGY] + leakage,
            latency_ns=total[:, LATENCY],
            area_um2=total[:, AREA],
            leakage_pj=leakage,
            response_ns=total[:, LATENCY],
            period_ns=zero,
            macs=np.broadcast_to(macs, w.shape).sum(axis=1),
            utilisation=(prices[:, :, TILES] * prices[:, :, UTILISATION]).sum(axis=1) / tiles,
            unplaced_bits=zero,
            missing_tiles=zero,
        )

    def slot_terms(self, workload: Workload, periods_ns: Floats) -> SlotTerms:
        """Terms of every slot; they do not depend on a clock of the chip, as each layer keeps its own."""
        assert isinstance(workload, DesignWorkload)  # of describe, as all that the inner optimum sees
        prices = np.nan_to_num(self._prices(workload), nan=_UNPRICED)
        zero = np.zeros(len(prices))
        latency = (prices[:, :, LATENCY],) * periods_ns.shape[1]
        return SlotTerms(prices[:, :, AREA], prices[:, :, ENERGY], prices[:, :, LEAKAGE], latency, zero, zero)

    def slot_clocks(self, workload: Workload) -> Floats:
        """No slot asks for a clock."""
        return np.zeros(workload.shape)

    def _prices(self, w: DesignWorkload) -> Floats:
        """Of every slot, n x L x 6; 0 where absent."""
        shape = w.shape
        columns = [np.broadcast_to(getattr(w, name), shape) for name in _FIELDS]
        first = np.broadcast_to(np.arange(shape[1]) == 0, shape)
        rows = np.ascontiguousarray(np.stack([*columns, first], axis=2, dtype=np.float64))
        keys = rows.reshape(-1, rows.shape[2]).view(np.dtype((np.void, rows.shape[2] * 8))).ravel()
        distinct, at, inverse = np.unique(keys, return_index=True, return_inverse=True)
        table = np.empty((len(distinct), 6))
        for k, (key, place) in enumerate(zip(distinct, at.tolist(), strict=True)):
            name = key.tobytes()
            if name not in self._known:
                self._known[name] = self._price(w, *divmod(place, shape[1]))
            table[k] = self._known[name]
        return table[inverse.reshape(-1)].reshape(*shape, 6)

    def _price(self, w: DesignWorkload, row: int, slot: int) -> tuple[float, ...]:
        if np.broadcast_to(w.kind, w.shape)[row, slot] == ABSENT:
            return (0.0,) * 6
        try:
            design = {name: values[row].item() for name, values in w.columns.items()}
            p = self.evaluator.layer_price(*self.system.decode(design), slot)
        except NaxboError as ex:  # what cannot be built has no price; the others go on
            self.refusals[:] = [ex.message]
            return (np.nan,) * 6
        return p.energy_pj, p.latency_ns, p.area_um2, p.leakage_mw, p.tiles, p.utilisation
