"""One chunk of designs, priced: mapped, settled on its tiles, then time, energy and area."""

from __future__ import annotations

from dataclasses import dataclass

from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.area import Area, leakage_mw, price_area
from nax_bo.hardware.pricing.components.adc import AdcTable
from nax_bo.hardware.pricing.components.array import CellTable
from nax_bo.hardware.pricing.energy import price_energy
from nax_bo.hardware.pricing.stages import Context
from nax_bo.hardware.pricing.timing import Timing, price_time
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload
from nax_bo.hardware.workload.mapping import Mapping, map_slots
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


def price(w: Workload, profile: Profile, adc: AdcTable, cells: CellTable) -> Priced:
    """Price a chunk whose ``kind`` has its full shape."""

    def context(w: Workload, m: Mapping, r: Residency, scales: stages.Scales) -> Context:
        return Context(
            w, m, r, count_traffic(w, m, r, profile), profile, scales, adc, stages.adc_index(w), cells
        )

    def response_ns(w: Workload, m: Mapping, r: Residency) -> Floats:
        return price_time(context(w, m, r, stages.scales(w, profile))).response_ns

    w, mapping, missing_tiles = fit_copies(w, map_slots(w))
    c = context(w, mapping, settle(w, mapping, response_ns), stages.scales(w, profile))
    timing = price_time(c)
    adc_pj, adc_um2 = stages.adc_prices(c, timing.period_ns)
    energy = price_energy(c, adc_pj)
    energy["control"] = profile["tile.control_mw"] * c.residency.active * timing.slot_ns
    area = price_area(c, adc_um2)
    return Priced(
        context=c,
        timing=timing,
        energy=energy,
        energy_slot=stages.added(energy),
        area=area,
        leakage_mw=leakage_mw(c, area),
        adc_pj=adc_pj,
        adc_um2=adc_um2,
        missing_tiles=missing_tiles,
    )
