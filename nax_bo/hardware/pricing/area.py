"""Area and leakage: what belongs to an array, to a tile, and to the chip once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.pricing.stages import Context, added
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import CROSSBAR


@dataclass(frozen=True, slots=True)
class Area:
    """Areas in um2; dictionaries are by component.

    Attributes:
        arrays, tiles: Installed on the chip for every slot, n x L.
        per_array, per_tile: Of one array with all that belongs to it, and of a tile besides its arrays; n x L or n x 1.
        chip: What a chip has once, n x 1.
        slot: Of every slot's tiles, n x L.
    """

    arrays: Floats
    tiles: Floats
    per_array: dict[str, Floats]
    per_tile: dict[str, Floats]
    chip: dict[str, Floats]
    slot: Floats


def price_area(c: Context, adc_um2: Floats) -> Area:
    """Area of every slot and of the chip. Idle tiles and those that slots take in turns are spread over all slots."""
    w = c.workload
    tiles = c.mapping.tiles * c.residency.installed
    arrays = tiles * (w.pes_per_tile * w.arrays_per_pe)
    per_array, per_tile = array_area_um2(c, adc_um2), tile_area_um2(c)
    slot = arrays * added(per_array) + tiles * added(per_tile)
    return Area(arrays, tiles, per_array, per_tile, chip_area_um2(c), slot)


def array_area_um2(c: Context, adc_um2: Floats) -> dict[str, Floats]:
    """Area of one array of every slot with everything that belongs to it, by component."""
    w, m, s, p = c.workload, c.mapping, c.scales, c.profile
    converters = np.ceil(w.cols / w.mux)
    override = p["array.cell_area_um2"]
    cell_um2 = override * s.area if override else c.cells.area_f2[w.device] * (w.technology_nm * 1e-3) ** 2
    return {
        "array": w.rows * w.cols * cell_um2,
        "driver": w.rows * p["driver.area_um2"] * 2.0 ** (w.dac_bits - 1.0) * s.area,
        "adc": converters * adc_um2,
        "sample_hold": w.cols * ((p["sample_hold.area_um2"] + p["sample_hold.mux_area_um2"]) * s.area),
        "shift_add": (
            converters * p["digital.shift_add_per_adc"] * p["digital.shift_add_area_um2"]
            + p["digital.partial_sum_bits"] * p["digital.adder_area_per_bit_um2"]
        )
        * s.area,
        "register": (
            w.rows * w.input_bits * p["register.area_per_bit_um2"]
            + w.cols / m.cells_per_weight * p["digital.output_bits"] * p["register.output_area_per_bit_um2"]
        )
        * s.area,
    }


def tile_area_um2(c: Context) -> dict[str, Floats]:
    """Area that every tile has besides its arrays, by component; n x 1."""
    s, p = c.scales, c.profile
    router_um2 = s.links.router_um2 / p["interconnect.tiles_per_router"]
    return {
        "tile_buffer": s.tile.area_um2 * p["buffer.area_scale"],
        "interconnect": p["interconnect.bus_area_um2"] * s.area + router_um2,
        "digital": p["digital.lanes_per_tile"] * p["digital.lane_area_um2"] * s.area,
        "control": p["tile.control_area_um2"] * s.area,
    }


def chip_area_um2(c: Context) -> dict[str, Floats]:
    """Area that a chip has once, by component; n x 1. The digital unit is there if any product runs on it."""
    w, s, p = c.workload, c.scales, c.profile
    unit = (w.kind > CROSSBAR).any(axis=1, keepdims=True)
    return {
        "global_buffer": (s.shared.area_um2 + s.links.port_um2) * p["buffer.area_scale"],
        "digital": unit * w.digital_macs * p["digital.mac_area_um2"] * s.area,
        "interconnect": s.links.interface_um2,
    }


def leakage_mw(c: Context, a: Area) -> tuple[Floats, Floats]:
    """Leakage of every slot's tiles, n x L, and of what a chip has once, n.

    SRAM cells, converters and logic by area, buffers by CACTI, off-chip interface.
    """
    w, s, p = c.workload, c.scales, c.profile
    cells = w.rows * w.cols * c.cells.leakage_pw[w.device] * 1e-9
    logic = p["digital.leakage_uw_per_um2"] * 1e-3
    per_array = (
        cells
        + p["adc.leakage_uw_per_um2"] * 1e-3 * a.per_array["adc"]
        + logic * (a.per_array["shift_add"] + a.per_array["register"] + a.per_array["driver"])
    )
    per_tile = s.tile.leakage_mw + logic * (
        a.per_tile["digital"] + a.per_tile["interconnect"] + a.per_tile["control"]
    )
    width = np.maximum(s.links.port_um2, 0.0) * p["buffer.area_scale"]
    shared = s.shared.leakage_mw + logic * (a.chip["digital"] + width) + s.links.interface_mw
    return np.asarray(a.arrays * per_array + a.tiles * per_tile), np.asarray(shared[:, 0])
