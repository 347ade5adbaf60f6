"""Prices of a workload's slots: energy, time and area per component. One vectorised implementation for any batch.

Not modelled: control flow and instruction fetch, clock tree, temperature, yield, the settling of long wires (only the
dependence of sensing on the number of rows), write-verify cycles, and static current of idle cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware import technology
from nax_bo.hardware.components.adc import AdcTable, survey_prices
from nax_bo.hardware.components.array import CellTable
from nax_bo.hardware.components.buffer import BufferPrice, buffer_price
from nax_bo.hardware.mapping import Mapping
from nax_bo.hardware.profiles import REFERENCE_NM, Profile
from nax_bo.hardware.tables import Floats, column
from nax_bo.hardware.traffic import Traffic
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload

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


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock and time.

    Attributes:
        period_ns: n x 1.
        step_ns: Time per input pulse, n x L.
        slot_ns: Time of each slot, n x L.
        latency_ns: Interval between inferences, n.
        response_ns: Time from image to result, n; differs from ``latency_ns`` when pipelined.
    """

    period_ns: Floats
    step_ns: Floats
    slot_ns: Floats
    latency_ns: Floats
    response_ns: Floats


def total(values: Floats) -> Floats:
    """Sum over slots, left to right, so that padding never changes a digit."""
    return np.asarray(np.add.accumulate(values, axis=1)[:, -1])


def scales(w: Workload, p: Profile) -> Scales:
    """Technology factors and buffer prices of every design."""
    factors = technology.scaling(REFERENCE_NM, w.technology_nm)
    own_pj = p["buffer.tile_pj_per_bit"]
    if own_pj:
        tile, shared = _own_tile_buffer(w, p, factors), buffer_price(w.global_buffer_kb, w.technology_nm)
    else:
        tile, shared = _both_buffers(w)
    return Scales(factors.energy, factors.area, factors.delay, factors.supply_v, tile, shared)


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


def conversion_ns(w: Workload, s: Scales, p: Profile) -> Floats:
    """Shortest cycle of every slot's converters, ns: a bit decision, slower with more rows."""
    sense = p["adc.sense_ns"] + p["adc.sense_per_row_ns"] * w.rows
    return np.asarray((sense + w.flash * p["adc.encoder_delay_per_bit_ns"] * w.adc_bits) * s.delay)


def time(
    w: Workload, m: Mapping, t: Traffic, s: Scales, p: Profile, adc: AdcTable, cells: CellTable
) -> Timing:
    """Clock of the chip and time of every slot.

    One clock for the chip, set by its slowest converter stage (a clock domain per layer would let other layers run
    faster). Sampling decouples reading from converting: a pulse takes the longer of the read pulse and ``mux``
    conversions. Arithmetic, buffers, network and off-chip memory work at the same time; a slot takes the longest.
    """
    crossbar = w.kind == CROSSBAR
    slowest = np.where(crossbar, conversion_ns(w, s, p), 0.0).max(axis=1, keepdims=True)
    period = np.maximum(slowest, 1.0 / w.clock_ghz)
    convert = np.ceil(w.mux * adc.cycles[adc_index(w)]) * period
    step_ns = np.maximum(convert, cells.read_pulse_ns[w.device])
    mvm_ns = np.ceil(w.vectors / w.duplication) * m.streams * step_ns
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
    lanes = np.where(
        crossbar, p["digital.lanes_per_tile"] * np.maximum(m.tiles, 1.0), p["digital.macs_per_cycle"]
    )
    compute = np.where(crossbar, mvm_ns, macs / p["digital.macs_per_cycle"] * period)
    routers = np.ceil(np.maximum(m.tiles, 1.0) / p["interconnect.tiles_per_router"])
    digital = np.maximum(w.digital_ops / lanes, t.network / (p["interconnect.flit_bits"] * routers))
    port_ns = (t.global_read + t.global_write) / p["buffer.global_port_bits"] * period
    memory_ns = t.off_chip / (8.0 * w.dram_bandwidth_gb_s)
    write_ns = t.rewritten * w.rows * cells.write_pulse_ns[w.device] * crossbar
    fill_ns = (hops(m, p) * p["interconnect.hop_cycles"] * period + step_ns * crossbar) * (w.kind != ABSENT)
    busy_ns = np.maximum(compute, digital * period)
    slot_ns = np.maximum(np.maximum(busy_ns, port_ns), memory_ns) + fill_ns + write_ns
    response = total(slot_ns)
    latency = response
    if w.pipelined.any():
        shared = np.maximum(total(port_ns), total(memory_ns))
        interval = np.maximum(slot_ns.max(axis=1), shared)
        latency = np.where(w.pipelined[:, 0] != 0, interval, response)
    return Timing(period, step_ns, slot_ns, latency, response)


def hops(m: Mapping, p: Profile) -> Floats:
    """Mean hops between the global buffer, in the middle of the chip, and a tile; n x 1."""
    routers = np.ceil(np.sum(m.tiles, axis=1, keepdims=True) / p["interconnect.tiles_per_router"])
    return np.asarray(1.0 + np.sqrt(np.maximum(routers, 1.0)) / 2.0)


def adc_prices(w: Workload, s: Scales, p: Profile, adc: AdcTable, period_ns: Floats) -> tuple[Floats, Floats]:
    """Energy per conversion, pJ, and area of one converter, um2, of every slot."""
    index = adc_index(w)
    if adc.survey:
        rate = 1e9 / (period_ns * adc.cycles[index])
        return survey_prices(w.adc_bits.astype(float), np.minimum(rate, 1e10), w.technology_nm)
    shrink = (w.technology_nm / REFERENCE_NM) ** adc.area_exponent
    return adc.energy_pj[index] * s.energy + adc.thermal_pj[index], adc.area_um2[index] * shrink


def energy_pj(
    w: Workload, m: Mapping, t: Traffic, s: Scales, p: Profile, cells: CellTable, adc_pj: Floats
) -> dict[str, Floats]:
    """Dynamic energy per inference of every slot by component, n x L or broadcastable.

    Arrays that hold any weight run whole: all rows are driven and all columns converted (``driver.idle_activity``);
    only cells that hold weights draw read energy.
    """
    idle = p["driver.idle_activity"]
    array_reads = m.arrays * w.vectors * m.streams
    conversions = array_reads * w.cols * (idle + (1 - idle) * m.col_use)
    drives = array_reads * w.rows * (idle + (1 - idle) * m.row_use)
    v2 = s.supply_v**2
    cell_pj = _cell_pj(w, s, p, cells)
    drive_pj = (
        p["driver.energy_per_bit_pj"] * w.dac_bits * s.energy
        + p["driver.wire_ff_per_cell"] * 1e-3 * w.cols * v2
    )
    sums = w.vectors * w.matrix_cols * w.groups * (w.kind == CROSSBAR)
    adds = sums * (m.row_blocks - 1.0) * p["digital.partial_sum_bits"]
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind > CROSSBAR)
    per_read_bits = w.cols / m.cells_per_weight * p["digital.output_bits"]
    return {
        "array": m.cells * w.vectors * m.streams * cell_pj,
        "driver": drives * drive_pj,
        "adc": conversions * adc_pj,
        "sample_hold": conversions
        * ((p["sample_hold.energy_pj"] + p["sample_hold.mux_energy_pj"]) * s.energy),
        "shift_add": (
            conversions * p["digital.shift_add_energy_pj"] + adds * p["digital.adder_energy_per_bit_pj"]
        )
        * s.energy,
        "register": (
            m.arrays * w.vectors * w.rows * w.input_bits * p["register.energy_per_bit_pj"]
            + array_reads * per_read_bits * p["register.output_energy_per_bit_pj"]
        )
        * s.energy,
        "tile_buffer": (t.tile_read * s.tile.read_pj_per_bit + t.tile_write * s.tile.write_pj_per_bit)
        * p["buffer.energy_scale"],
        "global_buffer": (
            t.global_read * s.shared.read_pj_per_bit + t.global_write * s.shared.write_pj_per_bit
        )
        * p["buffer.energy_scale"],
        "interconnect": (
            t.tile_read * p["interconnect.bus_energy_per_bit_pj"]
            + t.network * hops(m, p) * p["interconnect.hop_energy_per_bit_pj"]
        )
        * s.energy,
        "digital": (
            w.digital_ops * p["digital.lane_energy_pj"]
            + macs * (w.weight_bits * w.input_bits / 64.0) * p["digital.mac_energy_pj"]
        )
        * s.energy,
        "off_chip": t.off_chip
        * column("off_chip_memory", "energy_pj_per_bit")[w.dram]
        * p["memory.energy_scale"],
        "rewrite": t.rewritten * m.cells * w.duplication * cells.write_pj[w.device],
    }


def _cell_pj(w: Workload, s: Scales, p: Profile, cells: CellTable) -> Floats:
    if p["array.cell_energy_fj"]:
        return np.asarray(p["array.cell_energy_fj"] * 1e-3 * s.energy)
    resistive = cells.read_pj[(w.device * 2 + w.offset).astype(np.intp)]
    return np.asarray(resistive + cells.charge_ff[w.device] * 1e-3 * s.supply_v**2)


def added(parts: dict[str, Floats]) -> Floats:
    """Sum of a breakdown, in its order."""
    first, *rest = parts.values()
    for part in rest:
        first = first + part
    return first


def array_area_um2(
    w: Workload, m: Mapping, s: Scales, p: Profile, cells: CellTable, adc_um2: Floats
) -> dict[str, Floats]:
    """Area of one array of every slot with everything that belongs to it, by component."""
    converters = np.ceil(w.cols / w.mux)
    override = p["array.cell_area_um2"]
    cell_um2 = override * s.area if override else cells.area_f2[w.device] * (w.technology_nm * 1e-3) ** 2
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


def tile_area_um2(s: Scales, p: Profile) -> dict[str, Floats]:
    """Area that every tile has besides its arrays, by component; n x 1."""
    router = p["interconnect.router_area_um2"] / p["interconnect.tiles_per_router"]
    return {
        "tile_buffer": s.tile.area_um2 * p["buffer.area_scale"],
        "interconnect": (p["interconnect.bus_area_um2"] + router) * s.area,
        "digital": p["digital.lanes_per_tile"] * p["digital.lane_area_um2"] * s.area,
        "control": p["tile.control_area_um2"] * s.area,
    }


def chip_area_um2(w: Workload, s: Scales, p: Profile) -> dict[str, Floats]:
    """Area that a chip has once, by component; n x 1. The digital unit is there if any product runs on it."""
    unit = (w.kind > CROSSBAR).any(axis=1, keepdims=True)
    return {
        "global_buffer": s.shared.area_um2 * p["buffer.area_scale"],
        "digital": unit * p["digital.macs_per_cycle"] * p["digital.mac_area_um2"] * s.area,
        "interconnect": p["interconnect.io_area_um2"] * s.area,
    }
