"""One chunk of designs, priced: mapped, settled on its tiles, then time, energy and area."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nax_bo.hardware.chip import technology
from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.area import Area, leakage_mw, price_area
from nax_bo.hardware.pricing.components.adc import AdcTable
from nax_bo.hardware.pricing.components.array import CellTable
from nax_bo.hardware.pricing.energy import price_energy
from nax_bo.hardware.pricing.stages import Context
from nax_bo.hardware.pricing.timing import Timing, conversion_ns, price_time
from nax_bo.hardware.profiles import REFERENCE_NM, Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import CROSSBAR, Workload
from nax_bo.hardware.workload.mapping import Mapping, map_slots, total
from nax_bo.hardware.workload.residency import Residency, fit_copies, settle
from nax_bo.hardware.workload.traffic import count_traffic


@dataclass(frozen=True, slots=True)
class Priced:
    """Everything about one chunk of designs.

    Attributes:
        energy: By component, n x L or broadcastable.
        energy_slot: Dynamic energy of every slot, n x L.
        leakage_mw: n.
        adc_pj, adc_um2: Per conversion and per converter of every slot.
        missing_tiles: Tiles that copies of weights lack, n.
    """

    context: Context
    timing: Timing
    energy: dict[str, Floats]
    energy_slot: Floats
    area: Area
    leakage_mw: Floats
    adc_pj: Floats
    adc_um2: Floats
    missing_tiles: Floats


@dataclass(frozen=True, slots=True)
class SlotTerms:
    """What slots add to a chip at given clocks, as if each stood alone; n designs, L slots, C clocks.

    Attributes:
        area_um2, energy_pj, leakage_mw: n x L; energy without leakage.
        latency_ns: C arrays n x L.
        shared_um2, shared_mw: Of what a chip has once, n.
    """

    area_um2: Floats
    energy_pj: Floats
    leakage_mw: Floats
    latency_ns: tuple[Floats, ...]
    shared_um2: Floats
    shared_mw: Floats


def price(w: Workload, profile: Profile, adc: AdcTable, cells: CellTable) -> Priced:
    """Price a chunk whose ``kind`` has its full shape."""
    c, missing_tiles = _context(w, profile, adc, cells)
    timing = price_time(c)
    adc_pj, adc_um2 = stages.adc_prices(c, timing.period_ns)
    energy = _energy(c, timing, adc_pj)
    area = price_area(c, adc_um2)
    of_slots_mw, shared_mw = leakage_mw(c, area)
    return Priced(
        context=c,
        timing=timing,
        energy=energy,
        energy_slot=stages.added(energy),
        area=area,
        leakage_mw=total(of_slots_mw) + shared_mw,
        adc_pj=adc_pj,
        adc_um2=adc_um2,
        missing_tiles=missing_tiles,
    )


def slot_terms(
    w: Workload, periods_ns: Floats, profile: Profile, adc: AdcTable, cells: CellTable
) -> SlotTerms:
    """Terms of a chunk at the clock periods ``n x C``; energies are those at the first of them."""
    c, _ = _context(w, profile, adc, cells)
    timings = [price_time(c, periods_ns[:, i : i + 1]) for i in range(periods_ns.shape[1])]
    adc_pj, adc_um2 = stages.adc_prices(c, timings[0].period_ns)
    area = price_area(c, adc_um2)
    of_slots_mw, shared_mw = leakage_mw(c, area)
    return SlotTerms(
        area.slot,
        stages.added(_energy(c, timings[0], adc_pj)),
        of_slots_mw,
        tuple(timing.slot_ns for timing in timings),
        stages.added(area.chip)[:, 0],
        shared_mw,
    )


def slot_clocks(w: Workload, profile: Profile) -> Floats:
    """Shortest clock period that the converters of every slot allow, ns, n x L; 0 off the crossbars."""
    delay = technology.delay_scale(REFERENCE_NM, w.technology_nm)
    return np.where(w.kind == CROSSBAR, conversion_ns(w, profile, delay), 0.0)


def _energy(c: Context, timing: Timing, adc_pj: Floats) -> dict[str, Floats]:
    energy = price_energy(c, adc_pj)
    energy["control"] = c.profile["tile.control_mw"] * c.residency.active * timing.slot_ns
    return energy


def _context(w: Workload, profile: Profile, adc: AdcTable, cells: CellTable) -> tuple[Context, Floats]:
    """A chunk on its chips, and the tiles that copies of weights lack.

    A pipeline that is no quicker than one layer after another (its layers share buffers and lanes) is not run as one.
    """

    def context(w: Workload, m: Mapping, r: Residency, scales: stages.Scales) -> Context:
        traffic = count_traffic(w, m, r, profile)
        return Context(w, m, r, traffic, profile, scales, adc, stages.adc_index(w), cells)

    def response_ns(w: Workload, m: Mapping, r: Residency) -> Floats:
        return price_time(context(w, m, r, stages.scales(w, profile))).response_ns

    w, mapping, missing_tiles = fit_copies(w, map_slots(w))
    residency, scales = settle(w, mapping, response_ns), stages.scales(w, profile)
    if w.pipelined.any():
        serial = replace(w, pipelined=np.zeros((1, 1)))
        apart, together = (price_time(context(x, mapping, residency, scales)) for x in (serial, w))
        slower = together.latency_ns >= apart.latency_ns
        w = replace(w, pipelined=np.where(slower[:, None], 0.0, w.pipelined))
    return context(w, mapping, residency, scales), missing_tiles
