"""What every price depends on: a chunk of designs, where it stands, what it moves, and its technology factors.

:mod:`.timing`, :mod:`.energy` and :mod:`.area` price the slots of a :class:`Context`; one vectorised implementation for
any number of designs. Not modelled: control flow and instruction fetch, clock tree, temperature, yield, the settling
of long wires (only the dependence of sensing on the number of rows), write-verify cycles, and static current of idle
cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.chip import technology
from nax_bo.hardware.pricing.components.adc import SURVEY_MAX_HZ, AdcTable, survey_prices
from nax_bo.hardware.pricing.components.array import CellTable
from nax_bo.hardware.pricing.components.buffer import BufferPrice, buffer_price
from nax_bo.hardware.pricing.components.links import LinkPrice, link_price
from nax_bo.hardware.profiles import REFERENCE_NM, Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload
from nax_bo.hardware.workload.mapping import Mapping
from nax_bo.hardware.workload.residency import Residency
from nax_bo.hardware.workload.traffic import Traffic

COMPONENTS = (
    "array",
    "driver",
    "adc",
    "sample_hold",
    "shift_add",
    "register",
    "tile_buffer",
    "global_buffer",
    "interconnect",
    "digital",
    "off_chip",
    "rewrite",
    "control",
    "leakage",
)
"""Components of energy and area; ``rewrite`` and ``off_chip`` have no area, ``leakage`` is energy only."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Per-design factors from the reference node, n x 1."""

    energy: Floats
    area: Floats
    delay: Floats
    supply_v: Floats
    tile: BufferPrice
    shared: BufferPrice
    links: LinkPrice


@dataclass(frozen=True, slots=True)
class Context:
    """A chunk of designs with everything that its prices depend on; ``adc_index``: see :func:`adc_index`, n x L."""

    workload: Workload
    mapping: Mapping
    residency: Residency
    traffic: Traffic
    profile: Profile
    scales: Scales
    adc: AdcTable
    adc_index: NDArray[np.intp]
    cells: CellTable


def added(parts: dict[str, Floats]) -> Floats:
    """Sum of a breakdown, in its order."""
    first, *rest = parts.values()
    for part in rest:
        first = first + part
    return first


def scales(w: Workload, p: Profile) -> Scales:
    """Technology factors and buffer prices of every design."""
    factors = technology.scaling(REFERENCE_NM, w.technology_nm)
    own_pj = p["buffer.tile_pj_per_bit"]
    if own_pj:
        tile, shared = _own_tile_buffer(w, p, factors), buffer_price(w.global_buffer_kb, w.technology_nm)
    else:
        tile, shared = _both_buffers(w)
    links = link_price(w, p, factors, shared)
    return Scales(factors.energy, factors.area, factors.delay, factors.supply_v, tile, shared, links)


def _both_buffers(w: Workload) -> tuple[BufferPrice, BufferPrice]:
    capacities = np.empty((max(len(w.tile_buffer_kb), len(w.global_buffer_kb)), 2))
    capacities[:, :1], capacities[:, 1:] = w.tile_buffer_kb, w.global_buffer_kb
    both = buffer_price(capacities, w.technology_nm)
    parts = (both.read_pj_per_bit, both.write_pj_per_bit, both.area_um2, both.leakage_mw)
    return BufferPrice(*(part[:, :1] for part in parts)), BufferPrice(*(part[:, 1:] for part in parts))


def _own_tile_buffer(w: Workload, p: Profile, factors: technology.Scaling) -> BufferPrice:
    leakage = np.full_like(factors.energy, p["buffer.tile_leakage_mw"])
    pj = p["buffer.tile_pj_per_bit"] * factors.energy
    return BufferPrice(pj, pj, w.tile_buffer_kb * p["buffer.tile_um2_per_kb"] * factors.area, leakage)


def adc_index(w: Workload) -> NDArray[np.intp]:
    """Row of an :class:`AdcTable` for every slot."""
    return np.asarray((w.adc_bits + 17 * w.flash).astype(np.intp))


def hops(tiles: Floats, p: Profile) -> Floats:
    """Mean hops between the global buffer, in the middle of a chip of so many tiles, and one of them; n x 1."""
    routers = np.ceil(tiles / p["interconnect.tiles_per_router"])
    return np.asarray(1.0 + np.sqrt(np.maximum(routers, 1.0)) / 2.0)


def adc_prices(c: Context, period_ns: Floats, adc: AdcTable | None = None) -> tuple[Floats, Floats]:
    """Energy per conversion, pJ, and area of one converter, um2, of every slot; ``adc`` replaces the context's law."""
    w, law = c.workload, adc or c.adc
    index = c.adc_index
    if law.survey:
        rate = np.minimum(1e9 / (period_ns * law.cycles[index]), SURVEY_MAX_HZ)
        return survey_prices(w.adc_bits.astype(float), rate, w.technology_nm)
    shrink = (w.technology_nm / REFERENCE_NM) ** law.area_exponent
    return law.energy_pj[index] * c.scales.energy + law.thermal_pj[index], law.area_um2[index] * shrink
