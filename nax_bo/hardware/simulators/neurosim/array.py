"""One crossbar array with its drivers, multiplexers, converters and shift-adders.

`ArrayPrices` holds what one array costs: areas, leakage, the part of the clock period that does not depend on data,
and the energy of one input vector (one bit of every row) split into a fixed part, a part per active row and a part
per mapped column. All in SI units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nax_bo.errors import EvaluationError
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.control import Decoder, decoder, encoder
from nax_bo.hardware.simulators.neurosim.converters import SAR, converter_area_m2
from nax_bo.hardware.simulators.neurosim.digital import FlipFlop, ShiftAdd, flip_flop
from nax_bo.hardware.simulators.neurosim.statistics import CELL_1T1R_F, CELL_SRAM_F
from nax_bo.hardware.simulators.neurosim.technology import (
    IR_DROP_TOLERANCE,
    LINEAR_REGION_RATIO,
    WIRE_CAP_F_PER_M,
    Technology,
    horowitz,
    technology,
)
from nax_bo.hardware.simulators.neurosim.wires import wire_resistance_ohm_per_m

ACCESS_VOLTAGE_V = 1.1
SRAM_NMOS_F, SRAM_PMOS_F, SRAM_ACCESS_F = 2, 1, 1
MIN_SENSE_VOLTAGE_V = 0.1
LEVEL_SHIFTER_WIRING = 1.44
"""Wiring overhead of a level shifter's layout (silicon validation, alpha)."""
CLOCK_MARGIN = 1.4
"""Margin on the sensing cycle (silicon validation, beta)."""


@dataclass(frozen=True)
class ArrayPrices:
    """What one array costs; energies are for one binary input vector."""

    height_m: float
    width_m: float
    cell_area_m2: float
    adc_area_m2: float
    accum_area_m2: float
    other_area_m2: float
    leakage_w: float
    static_delay_s: float
    """Slowest path of a read without converter, before `CLOCK_MARGIN`."""
    converter_delay_s: float
    """Conversion time that does not depend on data (SAR; encoder of flash)."""
    access_ohm: float
    """Series resistance of an SRAM cell's access device; 0 for other devices."""
    adc_fixed_j: float
    adc_per_active_row_j: float
    accum_fixed_j: float
    other_fixed_j: float
    other_per_active_row_j: float
    column_f: float = 0.0
    reference_f: float = 0.0
    """Capacitance of a bit line, and what turning a reference column on switches (revision 14)."""
    sensing_s: float = 0.0
    """Time of flash comparators without their encoder (revision 14)."""
    leakage_in_use_w: float = 0.0
    """Leakage of SRAM cells that wait while others of a working array are read (revision 14)."""


@dataclass(frozen=True)
class _Switch:
    """A bank of pass gates with its scan register."""

    area_m2: float
    width_m: float
    height_m: float
    delay_s: float
    ramp_per_s: float
    energy_per_active_j: float


def access_transistor_width_f(config: NeuroSimConfig) -> float:
    """Width of the 1T1R access transistor in feature sizes; must fit the cell's 12."""
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k, config.quirks.revision)
    return (
        tech.on_resistance_ohm(tech.feature_m) * LINEAR_REGION_RATIO / (config.r_on_ohm * IR_DROP_TOLERANCE)
    )


def array13(config: NeuroSimConfig) -> ArrayPrices:
    """Price the array of a configuration of revision 13.

    Raises:
        EvaluationError: if the access transistor does not fit the cell.
    """
    return _sram_array(config) if config.device == "SRAM" else _resistive_array(config)


# ---- resistive arrays ------------------------------------------------------------------------------------------


def _resistive_array(config: NeuroSimConfig) -> ArrayPrices:
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k)
    side, mux = config.xbar_rows_cols, config.col_mux
    access_f = access_transistor_width_f(config)
    if access_f > CELL_1T1R_F[1]:
        raise EvaluationError(
            f"the access transistor is {access_f:.1f} F wide, wider than the {CELL_1T1R_F[1]} F cell",
            "raise r_on_ohm, or use a node with stronger transistors",
        )
    row_m, col_m = side * CELL_1T1R_F[1] * tech.feature_m, side * CELL_1T1R_F[0] * tech.feature_m
    cell_width_m = CELL_1T1R_F[1] * tech.feature_m
    wire_ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k)
    average_ohm = config.r_on_ohm * IR_DROP_TOLERANCE + (config.r_on_ohm + config.r_off_ohm) / 2
    bitline_f = col_m * WIRE_CAP_F_PER_M
    access_m = access_f * tech.feature_m * (1 if tech.planar else 2)
    wordline_f = row_m * WIRE_CAP_F_PER_M + tech.input_cap_f(access_m) * side
    column_f = bitline_f + tech.output_cap_f("inv", 1, access_m, 0, cell_width_m) * side
    register = flip_flop(tech)
    wordline = _wordline_switch(
        tech, register, config, height_m=col_m, load_f=wordline_f, load_ohm=row_m * wire_ohm
    )
    shifters_area, shifter_cols, shifter_rows = level_shifters(tech, side, row_m, col_m)
    sourceline_area, sourceline_height = _sourceline_switch(tech, register, side, average_ohm, row_m)
    multiplexer = _multiplexer(tech, config, average_ohm / side, row_m)
    back = _readout(tech, config, row_m)
    column_delay = column_f * average_ohm / (side // 2) * 0.2
    height = shifter_rows + sourceline_height + col_m + multiplexer.height_m + back.height_m
    width = max(shifter_cols + wordline.width_m, multiplexer.decoder_width_m) + row_m
    vdd2 = tech.vdd_v**2
    return ArrayPrices(
        height_m=height,
        width_m=width,
        cell_area_m2=row_m * col_m,
        adc_area_m2=back.converter_area_m2,
        accum_area_m2=back.shift_add_area_m2,
        other_area_m2=shifters_area + wordline.area_m2 + sourceline_area + multiplexer.area_m2,
        leakage_w=register.leakage_w * side * 2 + multiplexer.leakage_w + back.leakage_w,
        static_delay_s=max(wordline.delay_s, multiplexer.delay_s) + column_delay,
        converter_delay_s=back.delay_s,
        access_ohm=0.0,
        adc_fixed_j=mux * bitline_f * config.read_voltage_v**2 * math.ceil(side / mux)
        + back.encoder_energy_j,
        adc_per_active_row_j=mux * wordline_f * vdd2,
        accum_fixed_j=back.shift_add_energy_j,
        other_fixed_j=mux * register.energy_j * side + multiplexer.energy_j,
        other_per_active_row_j=mux * wordline.energy_per_active_j,
    )


def _wordline_switch(
    tech: Technology,
    register: FlipFlop,
    config: NeuroSimConfig,
    *,
    height_m: float,
    load_f: float,
    load_ohm: float,
) -> _Switch:
    """Row driver of a 1T1R array: four pass gates and a flip-flop per row."""
    side = config.xbar_rows_cols
    n, p = tech.enlarged(tech.min_n_m, tech.min_p_m)
    gate_height, columns = stack(side, tech.cell_height_m, height_m)
    _, gate_width = tech.gate_size("inv", 1, n, p, gate_height)
    _, register_width = register.area_in_height(side, height_m)
    width = gate_width * 4 * columns + register_width
    drain = tech.output_cap_f("inv", 1, n, p, gate_height)
    gates = tech.input_cap_f(n) + tech.input_cap_f(p)
    resistance = tech.on_resistance_ohm(n) * LINEAR_REGION_RATIO
    delay, ramp = horowitz(resistance * (drain * 5 + load_f) + load_ohm * load_f / 2)
    energy = drain * (2 * ACCESS_VOLTAGE_V**2 + 5 * config.read_voltage_v**2) + gates * 3 * tech.vdd_v**2
    return _Switch(height_m * width, width, height_m, delay, ramp, energy)


def stack(count: int, cell_height_m: float, height_m: float) -> tuple[float, int]:
    """Height given to each of ``count`` cells stacked in as few columns of ``height_m`` as fit, and the columns."""
    columns = math.ceil(count / max(int(height_m / cell_height_m), 1))
    return height_m / math.ceil(count / columns), columns


def level_shifters(tech: Technology, side: int, row_m: float, col_m: float) -> tuple[float, float, float]:
    """Area of word-, bit- and source-line level shifters, their width beside and height below the array."""
    n, p, height = tech.min_n_m, tech.min_p_m, tech.cell_height_m * 2.5
    low = tech.gate_size("inv", 1, n * 30, p * 40, height)
    latch = tech.gate_size("inv", 1, n * 64, p * 20, height)
    high = tech.gate_size("inv", 1, n * 128, p * 164, height)
    unit = max(low[0], latch[0], high[0]) * (low[1] + (2 * latch[1] + high[1]) * 2.5)
    bank = unit * side * LEVEL_SHIFTER_WIRING
    return bank * 3, 2 * bank / col_m, bank / row_m


def _sourceline_switch(
    tech: Technology, register: FlipFlop, side: int, load_ohm: float, width_m: float
) -> tuple[float, float]:
    """Area and height of the source-line switch: two pass gates and a flip-flop per column."""
    n, p = _pass_gate_widths(tech, load_ohm * IR_DROP_TOLERANCE)
    unit = 2 * (1.0 + 2.8) * tech.feature_m
    rows = math.ceil(side / int(width_m / (unit * 2)))
    gate_width = width_m / math.ceil(side / rows) / 2
    gate_height, _ = tech.pass_gate_size(n, p, int(gate_width / (0.5 * unit)) - 1)
    _, register_height = register.area_in_width(side, width_m)
    height = gate_height * rows + register_height
    return height * width_m, height


def _pass_gate_widths(tech: Technology, resistance_ohm: float) -> tuple[float, float]:
    """Device widths of a pass gate of given resistance, both devices conducting alike."""
    feature = tech.feature_m
    n = tech.on_resistance_ohm(feature) * feature * LINEAR_REGION_RATIO / (resistance_ohm * 2)
    p = tech.on_resistance_ohm(feature, p_type=True) * feature * LINEAR_REGION_RATIO / (resistance_ohm * 2)
    return tech.enlarged(n, p)


# ---- shared by all arrays --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Multiplexer:
    area_m2: float = 0.0
    height_m: float = 0.0
    decoder_width_m: float = 0.0
    delay_s: float = 0.0
    energy_j: float = 0.0
    leakage_w: float = 0.0


def _multiplexer(tech: Technology, config: NeuroSimConfig, load_ohm: float, width_m: float) -> _Multiplexer:
    """Column multiplexer and its decoder; nothing when every column has its converter."""
    mux, inputs = config.col_mux, config.converters
    if mux == 1:
        return _Multiplexer()
    n, p = _pass_gate_widths(tech, load_ohm * IR_DROP_TOLERANCE)
    unit = 2 * (1.0 + 2.8) * tech.feature_m
    gates = inputs * mux
    rows = math.ceil(gates / int(width_m / unit))
    gate_width = width_m / math.ceil(gates / rows)
    gate_height, _ = tech.pass_gate_size(n, p, int(gate_width / (0.5 * unit)) - 1)
    select = decoder(tech, math.ceil(math.log2(mux)), mux=True)
    height = max(select.height_m, gate_height * rows)
    free_height, _ = tech.pass_gate_size(n, p, 1)
    drain = tech.output_cap_f("inv", 1, n, p, free_height)
    cap_n, cap_p = tech.input_cap_f(n), tech.input_cap_f(p)
    on_n = tech.on_resistance_ohm(n) * LINEAR_REGION_RATIO
    on_p = tech.on_resistance_ohm(p, p_type=True) * LINEAR_REGION_RATIO
    through = 2.3 * 2 / (1 / on_n + 1 / on_p) * (drain + 0.5 * cap_n + 0.5 * cap_p)
    switching = cap_n * tech.vdd_v**2 + drain * 2 * config.read_voltage_v**2
    return _Multiplexer(
        area_m2=height * width_m + select.area_m2,
        height_m=height,
        decoder_width_m=select.width_m,
        delay_s=through + _selection_delay(select, cap_n * inputs, cap_p * inputs),
        energy_j=mux * (switching * inputs + select.energy_j) / config.input_bits,
        leakage_w=select.leakage_w,
    )


def _selection_delay(select: Decoder, load_n_f: float, load_p_f: float) -> float:
    return select.mux_delay_s(load_n_f, load_p_f)


@dataclass(frozen=True)
class _Readout:
    converter_area_m2: float
    shift_add_area_m2: float
    height_m: float
    delay_s: float
    encoder_energy_j: float
    shift_add_energy_j: float
    leakage_w: float


def _readout(tech: Technology, config: NeuroSimConfig, width_m: float) -> _Readout:
    """Converters with their encoders, and the shift-adders behind them."""
    units, cells, mux = config.converters, config.cells_per_weight, config.col_mux
    full = config.quirks.full_flash_amplifiers
    area = converter_area_m2(tech, config.adc_type, config.adc_bits, full) * units
    height, delay, energy, leakage = area / width_m, (config.adc_bits + 1) * 1e-9, 0.0, 0.0
    if config.adc_type != SAR:
        levels = encoder(tech, 2**config.adc_bits)
        encoder_area, encoder_height = levels.area_in_width(units, width_m)
        area += encoder_area
        height += encoder_height
        delay = levels.delay_s
        energy = levels.energy_j * mux * units
        leakage = levels.leakage_w * units
    shift_area, shift_energy = 0.0, 0.0
    weight_sum = ShiftAdd(tech, units, config.adc_bits, cells) if cells > 1 else None
    input_sum = (
        ShiftAdd(tech, units, config.adc_bits + cells, config.input_bits) if config.input_bits > 1 else None
    )
    for unit, uses in ((weight_sum, mux), (input_sum, reads_per_vector(config))):
        if unit is not None:
            part, part_height = unit.area_in_width(width_m)
            shift_area += part
            height += part_height
            shift_energy += unit.energy_j * uses
            leakage += unit.leakage_w
    return _Readout(area, shift_area, height, delay, energy, shift_energy, leakage)


def reads_per_vector(config: NeuroSimConfig) -> int:
    """Weights read one after the other per converter and vector."""
    if config.quirks.floor_mux_per_weight:
        return config.col_mux // config.cells_per_weight
    return math.ceil(config.col_mux / config.cells_per_weight)


# ---- SRAM arrays -----------------------------------------------------------------------------------------------


def _sram_array(config: NeuroSimConfig) -> ArrayPrices:
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k)
    side, mux, feature = config.xbar_rows_cols, config.col_mux, tech.feature_m
    row_m, col_m = side * CELL_SRAM_F[1] * feature, side * CELL_SRAM_F[0] * feature
    fins = 1 if tech.planar else 2
    fin_m = fins * feature
    nmos_m, pmos_m, access_m = SRAM_NMOS_F * fin_m, SRAM_PMOS_F * fin_m, SRAM_ACCESS_F * fin_m
    wire_ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k)
    row_f, col_f = row_m * WIRE_CAP_F_PER_M, col_m * WIRE_CAP_F_PER_M
    access_ohm = tech.on_resistance_ohm(access_m)
    access_f = tech.output_cap_f("inv", 1, access_m, 0, CELL_SRAM_F[1] * feature)
    register = flip_flop(tech)
    wordline = _sram_wordline(tech, register, config, height_m=col_m, load_f=row_f, load_ohm=row_m * wire_ohm)
    multiplexer = _multiplexer(tech, config, access_ohm / side / 2, row_m)
    back = _readout(tech, config, row_m)
    charge_area, charge_height, charge_delay, charge_leakage = precharger(
        tech, side, row_m, col_f, col_m * wire_ohm
    )
    driver_area, driver_height, driver_leakage = write_driver(tech, side, row_m)
    discharge = (access_ohm + tech.on_resistance_ohm(nmos_m)) * (
        access_f + col_f
    ) + col_m * wire_ohm * col_f / 2
    discharge *= math.log(tech.vdd_v / (tech.vdd_v - MIN_SENSE_VOLTAGE_V / 2))
    column_delay, _ = horowitz(discharge, wordline.ramp_per_s)
    cells = tech.leakage_w("inv", 1, nmos_m, pmos_m) * 2 * side * side
    return ArrayPrices(
        height_m=charge_height + driver_height + col_m + back.height_m + multiplexer.height_m,
        width_m=max(wordline.width_m, multiplexer.decoder_width_m) + row_m,
        cell_area_m2=row_m * col_m,
        adc_area_m2=back.converter_area_m2 + charge_area,
        accum_area_m2=back.shift_add_area_m2,
        other_area_m2=wordline.area_m2 + driver_area + multiplexer.area_m2,
        leakage_w=cells + register.leakage_w * side + charge_leakage + driver_leakage + back.leakage_w,
        static_delay_s=max(wordline.delay_s, multiplexer.delay_s) + charge_delay + column_delay,
        converter_delay_s=back.delay_s,
        access_ohm=access_ohm,
        adc_fixed_j=mux * 2 * side * col_f * tech.vdd_v**2 + back.encoder_energy_j,
        adc_per_active_row_j=0.0,
        accum_fixed_j=back.shift_add_energy_j,
        other_fixed_j=mux * register.energy_j * side + multiplexer.energy_j,
        other_per_active_row_j=mux * wordline.energy_per_active_j,
    )


def _sram_wordline(
    tech: Technology,
    register: FlipFlop,
    config: NeuroSimConfig,
    *,
    height_m: float,
    load_f: float,
    load_ohm: float,
) -> _Switch:
    """Row driver of an SRAM array: a pair of pass gates and a flip-flop per row."""
    side = config.xbar_rows_cols
    resistance = load_ohm * IR_DROP_TOLERANCE
    n, p = _pass_gate_widths(tech, resistance)
    gate_height, columns = stack(side, tech.cell_height_m, height_m)
    _, gate_width = tech.gate_size("inv", 1, n, p, gate_height)
    _, register_width = register.area_in_height(side, height_m)
    width = gate_width * 2 * columns + register_width
    drain = tech.output_cap_f("inv", 1, n, p, gate_height)
    gates = tech.input_cap_f(n) + tech.input_cap_f(p)
    delay, ramp = horowitz(resistance * (drain * 3 + load_f) + load_ohm * load_f / 2)
    energy = drain * 3 * config.read_voltage_v**2 + gates * tech.vdd_v**2
    return _Switch(height_m * width, width, height_m, delay, ramp, energy)


def precharger(
    tech: Technology, side: int, width_m: float, load_f: float, load_ohm: float
) -> tuple[float, float, float, float]:
    """Area, height, delay and leakage of the bit-line prechargers."""
    _, equal = tech.enlarged(0, tech.min_n_m)
    _, charge = tech.enlarged(0, 6 * tech.feature_m)
    charge_size = tech.gate_size("inv", 1, 0, charge, tech.cell_height_m)
    equal_size = tech.gate_size("inv", 1, 0, equal, tech.cell_height_m)
    per_row = min(int(width_m / max(charge_size[1], equal_size[1])), side)
    newer = tech.revision == 14
    unit_height = charge_size[0] * 2 + equal_size[0] if newer else charge_size[0] + equal_size[0] * 2
    height = math.ceil(side / per_row) * unit_height
    own_f = tech.output_cap_f("inv", 1, 0, charge, charge_size[0])
    own_f += tech.output_cap_f("inv", 1, 0, equal, equal_size[0])
    delay, _ = horowitz(
        tech.on_resistance_ohm(charge, p_type=True) * (load_f + own_f) + load_ohm * load_f / 2
    )
    return height * width_m, height, delay, tech.leakage_w("inv", 1, 0, charge) * side * (2 if newer else 1)


def write_driver(tech: Technology, side: int, width_m: float) -> tuple[float, float, float]:
    """Area, height and leakage of the SRAM write drivers."""
    n, p = tech.enlarged(tech.min_n_m, tech.min_p_m)
    unit_height, unit_width = tech.gate_size("inv", 1, n, p, tech.cell_height_m)
    per_row = min(int(width_m / unit_width), side)
    height = math.ceil(side / per_row) * unit_height * 3
    return height * width_m, height, tech.leakage_w("inv", 1, n, p) * 3 * side
