"""Arrays as DNN+NeuroSim V1.4 builds them: sized drivers, partial row reads, flash reference columns, bounding boxes.

Differences from `array` (V1.3): flip-flops and pass gates keep their drawn widths; pass gates conduct without CACTI's
multiplier; bit-line delay and energy are part of the converter; shift-adders work once per digit and weight; rows
may be read in parts whose sums are added. RRAM, HP and other temperatures end at 22 nm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nax_bo.errors import EvaluationError
from nax_bo.hardware.simulators.neurosim.array import (
    ACCESS_VOLTAGE_V,
    ArrayPrices,
    access_transistor_width_f,
    level_shifters,
    precharger,
    reads_per_vector,
    stack,
    write_driver,
)
from nax_bo.hardware.simulators.neurosim.config import SMALLEST_RESISTIVE_14_NM, NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.control import decoder, encoder
from nax_bo.hardware.simulators.neurosim.converters import SAR, converter_area_m2
from nax_bo.hardware.simulators.neurosim.digital import FLIP_FLOP_ACTIVITY, ShiftAdd, adder, flip_flop
from nax_bo.hardware.simulators.neurosim.flash14 import flash_area_m2, flash_delay_s
from nax_bo.hardware.simulators.neurosim.statistics import CELL_1T1R_F
from nax_bo.hardware.simulators.neurosim.technology import (
    IR_DROP_TOLERANCE,
    LINEAR_REGION_RATIO,
    WIRE_CAP_F_PER_M,
    FinTechnology,
    Technology,
    horowitz,
    technology,
)
from nax_bo.hardware.simulators.neurosim.wires import wire_resistance_ohm_per_m

ROW_DRIVER_SIZE = {22: 14}
"""Size of the row pass gates of 1T1R arrays over the minimum; 6 for nodes not listed."""
SWITCH_RESISTANCE_SHARE = {22: 0.2, 14: 0.2, 10: 0.2, 7: 0.2, 5: 0.06, 3: 0.03}
"""Resistance of a switch matrix's pass gates over that of what they drive; 0.1 for nodes not listed."""
METAL_NM = {14: (32, 39), 10: (22, 32), 7: (20, 28.5), 5: (15, 17), 3: (12, 16)}
"""Widths of the first and second metal; both are the wire pitch unit for nodes not listed."""
SRAM_CELL_F = (10.0, 28.0)
_LN2, _DISTRIBUTED = 0.69, 0.38


def sram_cell_f(tech: Technology) -> tuple[float, float]:
    """Height and width of an SRAM cell in feature sizes."""
    return tech.row.sram_cell_f if isinstance(tech, FinTechnology) else SRAM_CELL_F


def array14(config: NeuroSimConfig) -> ArrayPrices:
    """Price the array of a configuration of revision 14.

    Raises:
        EvaluationError: if the node does not take RRAM, or the access transistor does not fit the cell.
    """
    if config.device == "RRAM" and config.tech_node_nm < SMALLEST_RESISTIVE_14_NM:
        raise EvaluationError(
            f"V1.4 does not price RRAM at {config.tech_node_nm} nm",
            f"use {SMALLEST_RESISTIVE_14_NM} nm or more, or SRAM",
        )
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k, 14)
    return _sram(config, tech) if config.device == "SRAM" else _resistive(config, tech)


@dataclass(frozen=True)
class _PassGate:
    n_m: float
    p_m: float
    resistance_ohm: float


def _fins(tech: Technology) -> int:
    return 1 if tech.planar else 2


def _pass_gate(tech: Technology, resistance_ohm: float, ratio: float) -> _PassGate:
    """Pass gate of a wanted resistance, both devices conducting alike, never below minimum."""
    unit, widths = tech.feature_m, []
    for p_type in (False, True):
        width = tech.conducting_ohm(_fins(tech) * unit, p_type) * unit * ratio / (resistance_ohm * 2)
        widths.append(max(width, unit) if tech.planar else 2 * math.ceil(width / unit) * unit)
    n, p = widths
    return _PassGate(n, p, 1 / (1 / tech.conducting_ohm(n) + 1 / tech.conducting_ohm(p, True)))


def _metal_ohm_per_m(config: NeuroSimConfig, level: int) -> float:
    pair = METAL_NM.get(config.tech_node_nm)
    return wire_resistance_ohm_per_m(pair[level] if pair else config.wire_width_nm, 300, 14)


@dataclass(frozen=True)
class _Block:
    """A peripheral block: area, height under the array or width beside it, delay, energies, leakage."""

    area_m2: float = 0.0
    extent_m: float = 0.0
    delay_s: float = 0.0
    energy_j: float = 0.0
    per_active_row_j: float = 0.0
    leakage_w: float = 0.0


@dataclass(frozen=True)
class _Back:
    """Multiplexer, converters and adders under an array."""

    adc_area_m2: float
    accum_area_m2: float
    mux: _Block
    decoder_width_m: float
    height_m: float
    conversion_s: float
    sensing_s: float
    adc_j: float
    accum_j: float
    leakage_w: float


def _multiplexer(
    tech: Technology, config: NeuroSimConfig, load_ohm: float, width_m: float
) -> tuple[_Block, float]:
    """Column multiplexer with its decoder, and the decoder's width."""
    mux, inputs = config.col_mux, config.converters
    if mux == 1:
        return _Block(), 0.0
    gate = _pass_gate(tech, load_ohm * IR_DROP_TOLERANCE, 1.0)
    cell = 2 * tech.narrow_pitch_m
    rows = math.ceil(inputs * mux / int(width_m / cell))
    room = width_m / math.ceil(inputs * mux / rows)
    gate_height, _ = tech.pass_gate_size(gate.n_m, gate.p_m, int(room / (0.5 * cell)) - 1)
    select = decoder(tech, math.ceil(math.log2(mux)), mux=True)
    height = max(select.height_m, gate_height * rows)
    free_height, _ = tech.pass_gate_size(gate.n_m, gate.p_m, 1)
    drain = tech.output_cap_f("inv", 1, gate.n_m, gate.p_m, free_height)
    cap_n, cap_p = tech.input_cap_f(gate.n_m), tech.input_cap_f(gate.p_m)
    through = 2.3 * gate.resistance_ohm * (drain + 0.5 * cap_n + 0.5 * cap_p)
    switching = cap_n * tech.vdd_v**2 + drain * 2 * config.read_voltage_v**2
    block = _Block(
        area_m2=height * width_m + select.area_m2,
        extent_m=height,
        delay_s=through + select.mux_delay_s(cap_n * inputs, cap_p * inputs),
        energy_j=mux * (switching * inputs + select.energy_j),
        leakage_w=select.leakage_w,
    )
    return block, select.width_m


def _partial_sums(tech: Technology, config: NeuroSimConfig, width_m: float) -> _Block:
    """Adders and registers that sum partial row reads."""
    extra = config.partial_reads - 1
    if extra < 1:
        return _Block()
    growth = math.ceil(math.log2(config.partial_reads))
    bits, units = config.adc_bits + growth, config.converters
    unit, register = adder(tech), flip_flop(tech)
    register_area, register_height = register.area_in_width(bits * units, width_m)
    adder_area = unit.area_per_bit_m2 * (bits - 1) * units
    clocked = register.clock_energy_j * bits * units
    clocked += register.data_energy_j * min(units * (config.adc_bits + growth / 2), bits * units)
    return _Block(
        area_m2=adder_area + register_area,
        extent_m=adder_area / width_m + register_height,
        energy_j=config.col_mux * extra * (unit.energy_j(bits - 1) * units + clocked * FLIP_FLOP_ACTIVITY),
        leakage_w=unit.leakage_per_bit_w * (bits - 1) * units + register.leakage_w * bits * units,
    )


def _back(
    tech: Technology,
    config: NeuroSimConfig,
    load_ohm: float,
    width_m: float,
    *,
    column_f: float,
    access_ohm: float,
) -> _Back:
    units, cells, mux = config.converters, config.cells_per_weight, config.col_mux
    multiplexer, decoder_width = _multiplexer(tech, config, load_ohm, width_m)
    leakage, adc_j, sensing = multiplexer.leakage_w, 0.0, 0.0
    if config.adc_type == SAR:
        area = converter_area_m2(tech, SAR, config.adc_bits) * units
        height, delay = area / width_m, (config.adc_bits + 1) * 1e-9
    else:
        levels = encoder(tech, 2**config.adc_bits)
        encoder_area, encoder_height = levels.area_in_width(units, width_m)
        cell_f = sram_cell_f(tech) if config.device == "SRAM" else CELL_1T1R_F
        area = flash_area_m2(tech, config, cell_f) * units
        height, area = area / width_m + encoder_height, area + encoder_area
        sensing = flash_delay_s(tech, config, column_f, access_ohm)
        delay = sensing + levels.delay_s
        adc_j = levels.energy_j * mux * units * config.partial_reads
        leakage += levels.leakage_w * units
    sums = _partial_sums(tech, config, width_m)
    accum_area, accum_j = sums.area_m2, sums.energy_j
    height += sums.extent_m
    leakage += sums.leakage_w
    reads = reads_per_vector(config)
    growth = math.ceil(math.log2(config.partial_reads)) if config.device == "SRAM" else 0
    bits = config.adc_bits + growth
    for wanted, width, pulses, uses in (
        (cells > 1, bits, cells, (cells - 1) * reads),
        (config.input_bits > 1, bits + cells, config.input_bits, reads),
    ):
        if wanted:
            unit = ShiftAdd(tech, units, width, pulses)
            part, part_height = unit.area_in_width(width_m)
            accum_area += part
            height += part_height
            accum_j += unit.energy_j * uses
            leakage += unit.leakage_w
    return _Back(
        adc_area_m2=area,
        accum_area_m2=accum_area,
        mux=multiplexer,
        decoder_width_m=decoder_width,
        height_m=height + multiplexer.extent_m,
        conversion_s=delay,
        sensing_s=sensing,
        adc_j=adc_j,
        accum_j=accum_j,
        leakage_w=leakage,
    )


# ---- resistive arrays ------------------------------------------------------------------------------------------


def _resistive(config: NeuroSimConfig, tech: Technology) -> ArrayPrices:
    side, mux = config.xbar_rows_cols, config.col_mux
    access_f = access_transistor_width_f(config)
    if access_f > CELL_1T1R_F[1]:
        raise EvaluationError(
            f"the access transistor is {access_f:.1f} F wide, wider than the {CELL_1T1R_F[1]} F cell",
            "raise r_on_ohm, or use a node with stronger transistors",
        )
    row_m, col_m = side * CELL_1T1R_F[1] * tech.feature_m, side * CELL_1T1R_F[0] * tech.feature_m
    access_m = access_f * _fins(tech) * tech.feature_m
    series = config.r_on_ohm * IR_DROP_TOLERANCE
    average_ohm = 2 / (1 / (config.r_on_ohm + series) + 1 / (config.r_off_ohm + series))
    wordline_f = row_m * WIRE_CAP_F_PER_M + tech.input_cap_f(access_m) * side
    column_f = col_m * WIRE_CAP_F_PER_M
    column_f += tech.output_cap_f("inv", 1, access_m, 0, tech.cell_height_m) * side
    register = flip_flop(tech)
    rows = _row_gates(tech, config, col_m, wordline_f, row_m * _metal_ohm_per_m(config, 1))
    shifters_area, shifter_cols, shifter_rows = level_shifters(tech, side, row_m, col_m)
    source = _source_gates(tech, config, average_ohm / config.rows_on * side, row_m)
    back = _back(tech, config, average_ohm / config.rows_on, row_m, column_f=column_f, access_ohm=0.0)
    return ArrayPrices(
        height_m=shifter_rows + source.extent_m + col_m + back.height_m,
        width_m=max(shifter_cols + rows.extent_m, back.decoder_width_m) + row_m,
        cell_area_m2=row_m * col_m,
        adc_area_m2=back.adc_area_m2,
        accum_area_m2=back.accum_area_m2,
        other_area_m2=shifters_area + rows.area_m2 + source.area_m2 + back.mux.area_m2,
        leakage_w=register.leakage_w * side * 2 + back.leakage_w,
        static_delay_s=max(rows.delay_s, back.mux.delay_s),
        converter_delay_s=back.conversion_s,
        access_ohm=0.0,
        adc_fixed_j=back.adc_j,
        adc_per_active_row_j=mux * wordline_f * tech.vdd_v**2,
        accum_fixed_j=back.accum_j,
        other_fixed_j=mux * register.energy_j * side + back.mux.energy_j,
        other_per_active_row_j=mux * rows.per_active_row_j,
        column_f=column_f,
        sensing_s=back.sensing_s,
    )


def _row_gates(
    tech: Technology, config: NeuroSimConfig, height_m: float, load_f: float, load_ohm: float
) -> _Block:
    """Row driver of a 1T1R array: four pass gates and a flip-flop per row."""
    side, size = config.xbar_rows_cols, ROW_DRIVER_SIZE.get(tech.node_nm, 6)
    n, p = tech.min_n_m * size, tech.min_p_m * size
    gate_height, columns = stack(side, tech.standard_height_m, height_m)
    real_height, gate_width = tech.gate_size("inv", 1, n, p, gate_height)
    _, register_width = flip_flop(tech).area_in_height(side, height_m)
    width = gate_width * 4 * columns + register_width
    drain = tech.output_cap_f("inv", 1, n, p, real_height)
    gates = tech.input_cap_f(n) + tech.input_cap_f(p)
    # both devices are taken as n-type: a slip of the reference
    resistance = 1 / (1 / tech.conducting_ohm(n) + 1 / tech.conducting_ohm(p))
    delay, _ = horowitz(resistance * (drain * 2 + gates * 0.5 + load_f) + load_ohm * load_f / 2)
    energy = drain * (2 * ACCESS_VOLTAGE_V**2 + 3 * config.read_voltage_v**2) + gates * 3 * tech.vdd_v**2
    return _Block(height_m * width, width, delay, per_active_row_j=energy)


def _source_gates(tech: Technology, config: NeuroSimConfig, load_ohm: float, width_m: float) -> _Block:
    """Source-line switch: two pass gates and a flip-flop per column."""
    side = config.xbar_rows_cols
    gate = _pass_gate(tech, load_ohm * SWITCH_RESISTANCE_SHARE.get(tech.node_nm, 0.1), LINEAR_REGION_RATIO)
    cell = 2 * tech.narrow_pitch_m
    rows = math.ceil(side / int(width_m / (cell * 2)))
    room = width_m / math.ceil(side / rows) / 2
    gate_height, _ = tech.pass_gate_size(gate.n_m, gate.p_m, int(room / (0.5 * cell)) - 1)
    _, register_height = flip_flop(tech).area_in_width(side, width_m)
    height = gate_height * rows + register_height
    return _Block(height * width_m, height)


# ---- SRAM arrays -----------------------------------------------------------------------------------------------


def _sram(config: NeuroSimConfig, tech: Technology) -> ArrayPrices:
    side, mux, feature = config.xbar_rows_cols, config.col_mux, tech.feature_m
    cell_height, cell_width = sram_cell_f(tech)
    row_m, col_m = side * cell_width * feature, side * cell_height * feature
    device_m = _fins(tech) * feature
    access_ohm = tech.on_resistance_ohm(device_m)
    wire_f = row_m * WIRE_CAP_F_PER_M
    row_f = wire_f + tech.input_cap_f(device_m) * side
    column_f = col_m * WIRE_CAP_F_PER_M
    if isinstance(tech, FinTechnology):
        column_f += tech.row.fin_drain_cap_f * side
    else:
        column_f += tech.output_cap_f("inv", 1, device_m, 0, tech.cell_height_m) * side
    register = flip_flop(tech)
    rows = _sram_row_gates(tech, config, col_m, wire_f, row_m * _metal_ohm_per_m(config, 1))
    half_on = access_ohm / max(config.rows_on // 2, 1)
    back = _back(tech, config, half_on, row_m, column_f=column_f, access_ohm=access_ohm)
    column_ohm = col_m * _metal_ohm_per_m(config, 0)
    charge_area, charge_height, charge_delay, charge_leakage = precharger(
        tech, side, row_m, column_f, column_ohm
    )
    driver_area, driver_height, driver_leakage = write_driver(tech, side, row_m)
    cell_leakage = tech.leakage_w("inv", 1, device_m, device_m) * 2
    leakage = (
        cell_leakage * side**2 + register.leakage_w * side + charge_leakage + driver_leakage + back.leakage_w
    )
    return ArrayPrices(
        height_m=charge_height + driver_height + col_m + back.height_m,
        width_m=max(rows.extent_m, back.decoder_width_m) + row_m,
        cell_area_m2=row_m * col_m,
        adc_area_m2=back.adc_area_m2 + charge_area,
        accum_area_m2=back.accum_area_m2,
        other_area_m2=rows.area_m2 + driver_area + back.mux.area_m2,
        leakage_w=leakage,
        static_delay_s=max(rows.delay_s, back.mux.delay_s) + charge_delay,
        converter_delay_s=back.conversion_s,
        access_ohm=access_ohm,
        adc_fixed_j=back.adc_j,
        adc_per_active_row_j=mux * row_f * tech.vdd_v**2,
        accum_fixed_j=back.accum_j,
        other_fixed_j=mux * register.energy_j * side + back.mux.energy_j,
        other_per_active_row_j=mux * rows.per_active_row_j,
        column_f=column_f,
        reference_f=row_f,
        sensing_s=back.sensing_s,
        leakage_in_use_w=cell_leakage * (side**2 - config.rows_on * config.converters),
    )


def _sram_row_gates(
    tech: Technology, config: NeuroSimConfig, height_m: float, wire_f: float, wire_ohm: float
) -> _Block:
    """Row driver of an SRAM array: a pair of pass gates and a flip-flop per row."""
    side = config.xbar_rows_cols
    gate = _pass_gate(tech, wire_ohm * SWITCH_RESISTANCE_SHARE.get(tech.node_nm, 0.1), LINEAR_REGION_RATIO)
    gate_height, columns = stack(side, tech.standard_height_m, height_m)
    real_height, gate_width = tech.gate_size("inv", 1, gate.n_m, gate.p_m, gate_height)
    _, register_width = flip_flop(tech).area_in_height(side, height_m)
    width = gate_width * 2 * columns + register_width
    drain = tech.output_cap_f("inv", 1, gate.n_m, gate.p_m, real_height)
    gates = tech.input_cap_f(gate.n_m) + tech.input_cap_f(gate.p_m)
    delay = _LN2 * gate.resistance_ohm * (drain * 2 + gates * 0.5)
    delay += wire_f * (_LN2 * gate.resistance_ohm + _DISTRIBUTED * wire_ohm)
    energy = drain * 3 * config.read_voltage_v**2 + gates * tech.vdd_v**2
    return _Block(height_m * width, width, delay, per_active_row_j=energy)
