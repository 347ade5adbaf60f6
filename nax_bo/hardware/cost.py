"""The analytical cost model: energy, latency and area of n designs in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from nax_bo.hardware import pricing
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.components.adc import AdcTable, adc_table
from nax_bo.hardware.components.array import CellTable, cell_table
from nax_bo.hardware.mapping import Mapping, map_slots
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.report import ComponentCost, CostBatch, CostReport, Details, LayerCost
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.traffic import Traffic, count_traffic
from nax_bo.hardware.uncertainty import edap_band
from nax_bo.hardware.workload import ABSENT, Workload, slot_names
from nax_bo.network.spec import NetworkSpec

CHUNK_SLOTS = 4096
"""Slots priced at a time: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Priced:
    """Everything about one chunk of designs; dictionaries are by component."""

    scales: pricing.Scales
    mapping: Mapping
    traffic: Traffic
    timing: pricing.Timing
    energy: dict[str, Floats]
    energy_slot: Floats
    array_area: dict[str, Floats]
    tile_area: dict[str, Floats]
    chip_area: dict[str, Floats]
    area_slot: Floats
    leakage_mw: Floats
    adc_pj: Floats
    adc_um2: Floats


class AnalyticalCostModel:
    """Closed-form cost of networks on crossbar chips, with the constants of one profile.

    ``evaluate`` is ``evaluate_batch`` of one design: there is one implementation.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._adc = adc_table(profile)
        self._cells = lru_cache(maxsize=64)(lambda devices: cell_table(profile, devices))

    @property
    def name(self) -> str:
        """Name of the profile."""
        return self.profile.name

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design.

        Raises:
            InputError: Chip and network do not fit together, or the chip names an unknown device or memory.
        """
        w = _full(Workload.from_designs([network], [chip]))
        priced = self._price(w, self._adc)
        details = _details(w, priced)
        layers, components = _rows(slot_names(network), details)
        low, high = edap_band(self.profile, w, priced, details["energy"])
        return CostReport(
            **{name: float(values[0]) for name, values in _totals(w, priced).items()},
            layers=layers,
            components=components,
            edap_low=low,
            edap_high=high,
            model=self.name,
        )

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Price n designs; arrays of totals of shape (n,), breakdowns on request."""
        n, slots = workload.shape
        step = max(1, CHUNK_SLOTS // slots)
        parts = []
        for start in range(0, n, step):
            w = _full(workload.take(slice(start, min(start + step, n))), (min(step, n - start), slots))
            parts.append(_totals(w, self._price(w, self._adc)))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return CostBatch(**columns, _details=lambda: self._batch_details(workload))

    def _batch_details(self, workload: Workload) -> Details:
        w = _full(workload)
        return _details(w, self._price(w, self._adc))

    def _price(self, w: Workload, adc: AdcTable) -> Priced:
        p = self.profile
        cells: CellTable = self._cells(w.devices)
        mapping = map_slots(w)
        traffic = count_traffic(w, mapping, p)
        s = pricing.scales(w, p)
        timing = pricing.time(w, mapping, traffic, s, p, adc, cells)
        adc_pj, adc_um2 = pricing.adc_prices(w, s, p, adc, timing.period_ns)
        energy = pricing.energy_pj(w, mapping, traffic, s, p, cells, adc_pj)
        energy["control"] = p["tile.control_mw"] * mapping.tiles * timing.slot_ns
        array_area = pricing.array_area_um2(w, mapping, s, p, cells, adc_um2)
        tile_area, chip_area = pricing.tile_area_um2(s, p), pricing.chip_area_um2(w, s, p)
        tiles = mapping.tiles * (1.0 - traffic.rewritten)
        arrays = tiles * (w.pes_per_tile * w.arrays_per_pe)
        area_slot = arrays * pricing.added(array_area) + tiles * pricing.added(tile_area)
        leakage = _leakage_mw(p, s, tiles, arrays, array_area, tile_area, chip_area)
        return Priced(s, mapping, traffic, timing, energy, pricing.added(energy), array_area, tile_area, chip_area,
                      area_slot, leakage, adc_pj, adc_um2)  # fmt: skip


def _leakage_mw(
    p: Profile,
    s: pricing.Scales,
    tiles: Floats,
    arrays: Floats,
    array_area: dict[str, Floats],
    tile_area: dict[str, Floats],
    chip_area: dict[str, Floats],
) -> Floats:
    """Leakage of the whole chip, mW, n: converters and logic by area, buffers by CACTI, the off-chip interface."""
    logic = p["digital.leakage_uw_per_um2"] * 1e-3
    per_array = p["adc.leakage_uw_per_um2"] * 1e-3 * array_area["adc"] + logic * (
        array_area["shift_add"] + array_area["register"] + array_area["driver"]
    )
    per_tile = s.tile.leakage_mw + logic * (
        tile_area["digital"] + tile_area["interconnect"] + tile_area["control"]
    )
    slots = pricing.total(arrays * per_array + tiles * per_tile)
    shared = s.shared.leakage_mw + logic * chip_area["digital"] + p["interconnect.io_static_mw"]
    return slots + shared[:, 0]


def _totals(w: Workload, x: Priced) -> dict[str, Floats]:
    leakage = x.leakage_mw * x.timing.latency_ns
    cells = w.rows * w.cols * (w.pes_per_tile * w.arrays_per_pe) * x.mapping.tiles
    held = pricing.total(x.mapping.cells * w.duplication)
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
    return {
        "energy_pj": pricing.total(x.energy_slot) + leakage,
        "latency_ns": x.timing.latency_ns,
        "area_um2": pricing.total(x.area_slot) + pricing.added(x.chip_area)[:, 0],
        "leakage_pj": leakage,
        "response_ns": x.timing.response_ns,
        "period_ns": np.broadcast_to(x.timing.period_ns[:, 0], leakage.shape).copy(),
        "macs": pricing.total(macs),
        "utilisation": held / np.maximum(pricing.total(cells), 1.0),
        "unplaced_bits": x.traffic.unplaced,
    }


def _details(w: Workload, x: Priced) -> Details:
    shape = w.kind.shape
    share = x.timing.slot_ns / pricing.total(x.timing.slot_ns)[:, None]
    leakage = x.leakage_mw * x.timing.latency_ns
    tiles = x.mapping.tiles * (1.0 - x.traffic.rewritten)
    arrays = tiles * (w.pes_per_tile * w.arrays_per_pe)
    area: dict[str, Floats] = {}
    per_slot = {name: arrays * value for name, value in x.array_area.items()}
    per_tile = {name: tiles * value for name, value in x.tile_area.items()}
    shared = {name: value[:, 0] for name, value in x.chip_area.items()}
    for parts in (_component_totals(per_slot, shape), _component_totals(per_tile, shape), shared):
        for name, value in parts.items():
            area[name] = area[name] + value if name in area else value
    installed = w.rows * w.cols * (w.pes_per_tile * w.arrays_per_pe) * x.mapping.tiles
    layer = {
        "energy_pj": x.energy_slot + leakage[:, None] * share,
        "latency_ns": x.timing.slot_ns,
        "area_um2": x.area_slot,
        "tiles": x.mapping.tiles,
        "arrays": x.mapping.arrays * w.duplication,
        "utilisation": x.mapping.cells * w.duplication / np.maximum(installed, 1.0),
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
        LayerCost(name, energy, latency, area, int(tiles), int(arrays), used)
        for name, energy, latency, area, tiles, arrays, used in zip(names, *columns.values(), strict=True)
    )
    energy, area = (
        {name: float(values[0]) for name, values in d[kind].items()} for kind in ("energy", "area")
    )
    rows = (ComponentCost(name, energy.get(name, 0.0), area.get(name, 0.0)) for name in pricing.COMPONENTS)
    return layers, tuple(rows)


def _full(w: Workload, shape: tuple[int, int] | None = None) -> Workload:
    """The workload with ``kind`` at full shape, from which all other arrays take theirs."""
    shape = shape or w.shape
    return w if w.kind.shape == shape else replace(w, kind=np.broadcast_to(w.kind, shape))
