"""The analytical cost model: energy, latency and area of n designs in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.chip.devices import DEVICES, Device, device
from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.components.adc import adc_table
from nax_bo.hardware.pricing.components.array import cell_table
from nax_bo.hardware.pricing.priced import Priced, SlotTerms, price, slot_clocks, slot_terms
from nax_bo.hardware.pricing.timing import bound_by
from nax_bo.hardware.pricing.uncertainty import cost_spread
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.report import RESOURCES, ComponentCost, CostBatch, CostReport, Details, LayerCost
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload, slot_names
from nax_bo.hardware.workload.mapping import total
from nax_bo.network.spec import NetworkSpec

CostColumns = Mapping[str, Floats]

RANGED = ("read_pulse_ns", "cell_area_f2")
"""Fields of a device whose stated range moves its prices; that of its resistance is part of the array's spread."""

CHUNK_SLOTS = 8192
"""Slots priced at a time: their arrays stay in the processor's cache."""


class AnalyticalCostModel:
    """Closed-form cost of networks on crossbar chips, with the constants of one profile.

    ``evaluate`` is ``evaluate_batch`` of one design: there is one implementation.

    Args:
        profile: The constants.
        devices: The facts of every device by the name of its row.
    """

    def __init__(self, profile: Profile, devices: Mapping[str, Device] = DEVICES) -> None:
        self.profile, self.devices = profile, devices
        self._adc = adc_table(profile)
        self._cells = lru_cache(maxsize=64)(lambda names: cell_table(profile, names, devices))

    @property
    def name(self) -> str:
        """Name of the profile."""
        return self.profile.name

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design.

        Raises:
            InputError: Chip and network do not fit together, or the chip names an unknown device or memory.
        """
        priced = self._price(Workload.from_designs([network], [chip]))
        details = _details(priced)
        layers, components = _rows(slot_names(network), details)
        return CostReport(
            **{name: float(values[0]) for name, values in _totals(priced).items()},
            layers=layers,
            components=components,
            spread=cost_spread(priced, details["energy"], self._as_others_have_it(priced.context.workload)),
            model=self.name,
        )

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Price n designs; arrays of totals of shape (n,), breakdowns on request."""
        totals = _joined([_totals(self._price(w)) for w in _chunks(workload)])
        return CostBatch(**totals, _details=lambda: self._batch_details(workload))

    def slot_terms(self, workload: Workload, periods_ns: Floats) -> SlotTerms:
        """What every slot adds to a chip at given clock periods (n x C), for choices slot by slot."""
        return slot_terms(_full(workload), periods_ns, self.profile, self._adc, self._cells(workload.devices))

    def slot_clocks(self, workload: Workload) -> Floats:
        """Shortest clock period that the converters of every slot allow, ns, n x L; 0 off the crossbars."""
        return slot_clocks(_full(workload), self.profile)

    def _batch_details(self, workload: Workload) -> Details:
        parts = [_details(self._price(w)) for w in _chunks(workload)]
        return {kind: _joined([part[kind] for part in parts]) for kind in parts[0]}

    def _as_others_have_it(self, w: Workload) -> Iterator[list[Priced]]:
        """A design with each range that its devices' rows state for what is priced, at both ends."""
        for name in dict.fromkeys(device(d).name for d in w.devices):
            row = self.devices[name]
            for stated in row.ranges:
                if stated.field in RANGED and getattr(row, stated.field) is not None:
                    ends: list[dict[str, Any]] = [{stated.field: end} for end in (stated.low, stated.high)]
                    others = [replace(row, **end) for end in ends]
                    tables = [cell_table(self.profile, w.devices, {**self.devices, name: o}) for o in others]
                    yield [price(w, self.profile, self._adc, cells) for cells in tables]

    def _price(self, w: Workload) -> Priced:
        return price(w, self.profile, self._adc, self._cells(w.devices))


def _totals(x: Priced) -> dict[str, Floats]:
    w, mapping = x.context.workload, x.context.mapping
    leakage = x.leakage_mw * x.timing.latency_ns
    residency = x.context.residency
    cells = total(w.rows * w.cols * (w.pes_per_tile * w.arrays_per_pe) * mapping.tiles)
    idle = np.maximum(
        residency.installed[:, 0], 1.0
    )  # tiles that slots take in turns count as often as they are taken
    held = total(mapping.cells * w.duplication) / idle
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
    return {
        "energy_pj": total(x.energy_slot) + leakage,
        "latency_ns": x.timing.latency_ns,
        "area_um2": total(x.area.slot) + stages.added(x.area.chip)[:, 0],
        "leakage_pj": leakage,
        "response_ns": x.timing.response_ns,
        "period_ns": np.broadcast_to(x.timing.period_ns[:, 0], leakage.shape).copy(),
        "macs": total(macs),
        "utilisation": held / np.maximum(cells, 1.0),
        "unplaced_bits": x.context.traffic.unplaced,
        "missing_tiles": x.missing_tiles,
    }


def _details(x: Priced) -> Details:
    w, mapping, a = x.context.workload, x.context.mapping, x.area
    shape = w.kind.shape
    share = x.timing.slot_ns / x.timing.response_ns[:, None]
    leakage = x.leakage_mw * x.timing.latency_ns
    area: dict[str, Floats] = {}
    per_slot = {name: a.arrays * value for name, value in a.per_array.items()}
    per_tile = {name: a.tiles * value for name, value in a.per_tile.items()}
    shared = {name: value[:, 0] for name, value in a.chip.items()}
    for parts in (_component_totals(per_slot, shape), _component_totals(per_tile, shape), shared):
        for name, value in parts.items():
            area[name] = area[name] + value if name in area else value
    installed = w.rows * w.cols * (w.pes_per_tile * w.arrays_per_pe) * mapping.tiles
    layer = {
        "energy_pj": x.energy_slot + leakage[:, None] * share,
        "latency_ns": x.timing.slot_ns,
        "area_um2": a.slot,
        "tiles": mapping.touched,
        "arrays": mapping.arrays * w.duplication,
        "utilisation": mapping.cells * w.duplication / np.maximum(installed, 1.0),
        "passes": np.broadcast_to(x.context.residency.passes, shape),
        "bound": bound_by(x.timing, w.kind != ABSENT).astype(float),
        "loaded": np.broadcast_to(x.context.residency.loaded, shape) * (w.kind == CROSSBAR),
    }
    energy = _component_totals(x.energy, shape)
    return {"layer": layer, "energy": energy | {"leakage": leakage}, "area": area}


def _component_totals(parts: dict[str, Floats], shape: tuple[int, int]) -> dict[str, Floats]:
    """Sums over slots of every part of a breakdown, all at once; each of shape (n,)."""
    stacked = np.empty((len(parts), *shape))
    for i, part in enumerate(parts.values()):
        stacked[i] = part
    return dict(zip(parts, np.add.accumulate(stacked, axis=2)[:, :, -1], strict=True))


def _rows(names: tuple[str, ...], d: Details) -> tuple[tuple[LayerCost, ...], tuple[ComponentCost, ...]]:
    columns = {name: values[0].tolist() for name, values in d["layer"].items()}
    layers = tuple(
        LayerCost(
            name,
            energy,
            latency,
            area,
            int(tiles),
            int(arrays),
            used,
            int(passes),
            RESOURCES[int(bound)],
            loaded,
        )
        for name, energy, latency, area, tiles, arrays, used, passes, bound, loaded in zip(
            names, *columns.values(), strict=True
        )
    )
    energy, area = (
        {name: float(values[0]) for name, values in d[kind].items()} for kind in ("energy", "area")
    )
    rows = (ComponentCost(name, energy.get(name, 0.0), area.get(name, 0.0)) for name in stages.COMPONENTS)
    return layers, tuple(rows)


def _full(w: Workload, shape: tuple[int, int] | None = None) -> Workload:
    """The workload with ``kind`` at full shape, from which all other arrays take theirs."""
    shape = shape or w.shape
    return w if w.kind.shape == shape else replace(w, kind=np.broadcast_to(w.kind, shape))


def _chunks(w: Workload) -> Iterator[Workload]:
    n, slots = w.shape
    step = max(1, CHUNK_SLOTS // slots)
    if n <= step:
        yield _full(w, (n, slots))
        return
    for start in range(0, n, step):
        count = min(step, n - start)
        yield _full(w.take(slice(start, start + count)), (count, slots))


def _joined(parts: Sequence[CostColumns]) -> dict[str, Any]:
    """Columns of chunks one after another."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
