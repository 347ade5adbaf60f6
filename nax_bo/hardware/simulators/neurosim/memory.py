"""Buffers: register files of flip-flops, or SRAM, behind a row decoder. Energies per bit, all in SI units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from nax_bo.hardware.simulators.neurosim.array import precharger, write_driver
from nax_bo.hardware.simulators.neurosim.array14 import sram_cell_f
from nax_bo.hardware.simulators.neurosim.control import CONTROL_ACTIVITY, decoder
from nax_bo.hardware.simulators.neurosim.digital import FLIP_FLOP_ACTIVITY, flip_flop
from nax_bo.hardware.simulators.neurosim.statistics import CELL_SRAM_F
from nax_bo.hardware.simulators.neurosim.technology import WIRE_CAP_F_PER_M, Technology

SENSE_ENABLE_F = 5
"""Width of the enabling device of a sense amplifier, in feature sizes."""


@dataclass(frozen=True)
class Buffer:
    """One buffer core."""

    bits: int
    line_bits: int
    area_m2: float
    read_j_per_bit: float
    write_j_per_bit: float
    leakage_w: float


@lru_cache(maxsize=512)
def buffer_core(tech: Technology, bits: int, line_bits: int, sram: bool, wire_ohm_per_m: float) -> Buffer:
    """Price of a core of ``bits`` bits with lines of ``line_bits``."""
    lines = math.ceil(bits / line_bits)
    address_bits = math.ceil(math.log2(lines)) if lines > 1 else 0
    if sram and tech.revision == 14:
        return _sram_core14(tech, bits, line_bits, wire_ohm_per_m)
    if not sram:
        register = flip_flop(tech)
        select = decoder(tech, address_bits, False, register.height_m * lines)
        area = register.area_m2 * bits + select.area_m2
        read = register.energy_j * bits + select.energy_j * (bits // line_bits)
        write = select.energy_j / CONTROL_ACTIVITY * (bits // line_bits)
        if tech.revision == 14:  # half of the flip-flops toggle, and a write costs what a read does
            read -= register.energy_j * bits * (1 - FLIP_FLOP_ACTIVITY)
            write += register.energy_j * bits * FLIP_FLOP_ACTIVITY
        return Buffer(
            bits, line_bits, area, read / bits, write / bits, register.leakage_w * bits + select.leakage_w
        )
    row_m = line_bits * CELL_SRAM_F[1] * tech.feature_m
    col_m = lines * CELL_SRAM_F[0] * tech.feature_m
    select = decoder(tech, address_bits, False, col_m)
    col_f = col_m * WIRE_CAP_F_PER_M
    charge_area, _, _, charge_leakage = precharger(tech, line_bits, row_m, col_f, col_m * wire_ohm_per_m)
    driver_area, _, driver_leakage = write_driver(tech, line_bits, row_m)
    # precharge energy reads a load that only the delay sets, and a synchronous buffer has no delay: it is free
    accesses = bits // line_bits
    read = select.energy_j * accesses
    write = select.energy_j / CONTROL_ACTIVITY * accesses + _write_energy(tech, line_bits) * accesses
    area = row_m * col_m + select.area_m2 + charge_area + driver_area
    leakage = select.leakage_w + charge_leakage + driver_leakage
    return Buffer(bits, line_bits, area, read / bits, write / bits, leakage)


def _write_energy(tech: Technology, line_bits: int) -> float:
    n, p = tech.enlarged(tech.min_n_m, tech.min_p_m)
    cap_in, cap_out = tech.gate_caps("inv", 1, n, p, tech.cell_height_m)
    return (cap_in + cap_out) * tech.vdd_v**2 * line_bits


def _sram_core14(tech: Technology, bits: int, line_bits: int, wire_ohm_per_m: float) -> Buffer:
    """SRAM core of revision 14: word lines cost energy, sense amplifiers leak; the cells' own energy is left out."""
    lines = math.ceil(bits / line_bits)
    cell_height, cell_width = sram_cell_f(tech)
    device_m = tech.feature_m * (1 if tech.planar else 2)
    row_m, col_m = line_bits * cell_width * tech.feature_m, lines * cell_height * tech.feature_m
    select = decoder(tech, math.ceil(math.log2(lines)) if lines > 1 else 0, False, col_m)
    charge_area, _, _, charge_leakage = precharger(
        tech, line_bits, row_m, col_m * WIRE_CAP_F_PER_M, col_m * wire_ohm_per_m
    )
    driver_area, _, driver_leakage = write_driver(tech, line_bits, row_m)
    row_f = row_m * WIRE_CAP_F_PER_M + 2 * tech.input_cap_f(device_m) * line_bits
    read = (select.energy_j + row_f * tech.vdd_v**2) * lines
    write = (
        select.energy_j / CONTROL_ACTIVITY + row_f * tech.vdd_v**2 + _write_energy(tech, line_bits)
    ) * lines
    area = row_m * col_m + select.area_m2 + charge_area + driver_area
    sensing = tech.leakage_w("inv", 1, SENSE_ENABLE_F * device_m, 0) * line_bits
    leakage = select.leakage_w + charge_leakage + driver_leakage + sensing
    return Buffer(bits, line_bits, area, read / bits, write / bits, leakage)
