"""Power and area of a profile's reference tile and chip with everything active, through the formulas for designs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.area import array_area_um2, tile_area_um2
from nax_bo.hardware.pricing.components.adc import adc_table
from nax_bo.hardware.pricing.components.array import cell_table
from nax_bo.hardware.pricing.energy import price_energy
from nax_bo.hardware.pricing.stages import Context
from nax_bo.hardware.profiles import REFERENCE_NM, Profile, load_profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload
from nax_bo.hardware.workload.mapping import Mapping
from nax_bo.hardware.workload.residency import Residency
from nax_bo.hardware.workload.traffic import Traffic

DEVICE = "rram-isaac"


@dataclass(frozen=True, slots=True)
class Peak:
    """A fully active chip.

    Attributes:
        tile_power_mw, tile_area_mm2: One tile, with its share of a router.
        chip_power_w, chip_area_mm2: All tiles and the off-chip interface; no global buffer.
        power_mw, area_um2: Parts of one tile by component.
    """

    tile_power_mw: float
    tile_area_mm2: float
    chip_power_w: float
    chip_area_mm2: float
    power_mw: dict[str, float]
    area_um2: dict[str, float]


def peak(profile: str | Profile) -> Peak:
    """Power and area of the reference chip of a profile at its reference node.

    In every stage all arrays take one input pulse and convert all columns, buffers, bus and routers move the bits
    that ``reference_chip`` names, and the vector lanes finish one result each.

    Raises:
        InputError: Unknown profile.
    """
    p = load_profile(profile) if isinstance(profile, str) else profile
    c = {key.split(".")[1]: p[key] for key in p.constants if key.startswith("reference_chip.")}
    w = _workload(p, c)
    full = Context(
        workload=w,
        mapping=_full_tile(c),
        residency=_resident(),
        traffic=_traffic(c),
        profile=p,
        scales=stages.scales(w, p),
        adc=adc_table(p),
        adc_index=stages.adc_index(w),
        cells=cell_table(p, (DEVICE,)),
    )
    adc_pj, adc_um2 = stages.adc_prices(full, np.ones((1, 1)))
    pulse = replace(full, workload=replace(w, input_bits=np.ones((1, 1))))  # one pulse of one bit per stage
    power = {name: float(np.sum(pj)) / c["stage_ns"] for name, pj in price_energy(pulse, adc_pj).items()}
    power["control"] = p["tile.control_mw"]
    arrays = c["pes_per_tile"] * c["arrays_per_pe"]
    area = {name: arrays * float(um2[0, 0]) for name, um2 in array_area_um2(full, adc_um2).items()}
    for name, um2 in tile_area_um2(full).items():
        area[name] = area.get(name, 0.0) + float(um2[0, 0])
    tile_mw, tile_um2 = sum(power.values()), sum(area.values())
    return Peak(
        tile_mw,
        tile_um2 * 1e-6,
        (tile_mw * c["tiles"] + p["interconnect.io_static_mw"]) * 1e-3,
        (tile_um2 * c["tiles"] + p["interconnect.io_area_um2"]) * 1e-6,
        power,
        area,
    )


def _workload(p: Profile, c: dict[str, float]) -> Workload:
    side = c["array_side"]
    return Workload.from_arrays(
        (DEVICE,),
        matrix_rows=side,
        matrix_cols=side,
        vectors=1,
        in_elements=side,
        out_elements=side,
        digital_ops=p["digital.lanes_per_tile"],
        rows=side,
        cols=side,
        offset=1,
        adc_bits=c["adc_bits"],
        mux=side / c["adcs_per_array"],
        weight_bits=c["weight_bits"],
        input_bits=c["weight_bits"],
        bits_per_cell=c["bits_per_cell"],
        tile_buffer_kb=c["tile_buffer_kb"],
        technology_nm=REFERENCE_NM,
        noc_bits=p["interconnect.flit_bits"],
    )


def _full_tile(c: dict[str, float]) -> Mapping:
    arrays = c["pes_per_tile"] * c["arrays_per_pe"]
    one = np.ones((1, 1))
    return Mapping(
        cells_per_weight=np.ceil(c["weight_bits"] / c["bits_per_cell"]) * one,
        streams=one,
        row_blocks=one,
        arrays=arrays * one,
        tiles=one,
        touched=one,
        tile_rows=one,
        tile_cols=one,
        row_use=one,
        col_use=one,
        cells=arrays * c["array_side"] ** 2 * one,
    )


def _resident() -> Residency:
    one: Floats = np.ones((1, 1))
    return Residency(one, one, 0.0 * one, one, one, one, one)


def _traffic(c: dict[str, float]) -> Traffic:
    zero: Floats = np.zeros((1, 1))
    one_hop = zero + c["network_bits_per_stage"] / 1.5  # a single router counts as 1.5 hops, see stages.hops
    return Traffic(zero + c["tile_bits_per_stage"], zero, zero, zero, one_hop, zero, zero, zero[0])
