"""Predict efficiency and area of a stand-alone compute-in-memory macro from its structure, for silicon comparison.

A macro adds ``terms`` products per column and step. Four mechanisms, chosen from memory and method:

``charge``: every term moves a charge: a unit capacitor per SRAM cell (charge redistribution), or the lines of a
    resistive array that is read in voltage mode, once per input bit.
``bitline``: SRAM cells that discharge or drive a shared bit line.
``current``: cells that conduct for the whole step: ``V^2 G t`` per resistive cell, ``I V t`` per SRAM cell.
``digital``: an adder tree behind the cells, or (``in_cell``) a full adder and register in every cell.

Capacitances of wires and gates scale with the node, energies with the supply squared; unit capacitors are set by
matching and do not scale. Constants are cited, or are class-wide values rounded from the spread of 38 published
macros (marked "class"), never of a single one. Not modelled: leakage, clock trees, sparsity other than half ones,
test circuits, and whatever an "IMC processor" holds besides the macro except through one factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware import technology

Mechanism = Literal["charge", "bitline", "current", "digital"]

# energy; capacitances in fF at 28 nm unless said otherwise
_UNIT_CAPACITOR_FF = 2.0  # Jia et al. JSSC 2020 and Wang et al. VLSI 2022, CiMLoop@d6e1390 (MIT)
_ONES = 0.5  # share of input bits that switch
_SWITCH_FF = 1.2  # class: switches and input line of a charge cell
_CELL_A = 10e-6  # read current of an SRAM cell behind a lowered word line
_BITLINE_FF = 1.5  # class: share of bit and word line of a discharge cell
_FULL_ADDER_FF = 4.2  # zigzag-imc@df34a6f (BSD-3), unit gates at 28 nm
_FLIP_FLOP_FF = 2.1  # same
_MULTIPLIER_FF = 0.7  # same: one NOR gate per bit product
_DAC_FF_PER_BIT = 50.0  # zigzag-imc@df34a6f (BSD-3)
_WORD_LINE_FF = 1.0  # class: word line and select transistor of a resistive cell
_SUM_FF = 20.0  # class: shift-and-add of one column result
_ADC_FF_PER_BIT = 6.0  # class: comparator and logic of a slow in-array converter
_ADC_FF_PER_4N = 0.01  # class: noise-limited part, up to 8 bit; zigzag-imc has 0.001 and 100 fF per bit
_CELL_W = {  # read power of a cell that is on, V^2 G, from the rows of nax_bo.hardware.devices
    "rram": 0.2**2 * 40e-6,  # 25 kohm, Wan et al. 2022; read at 0.2 V as ISAAC
    "pcm": 0.2**2 * 20.7e-6,  # IBM HERMES
    "mram": 0.1**2 / 6e3,  # 3 to 6 kohm at 0.25 V leaves half of the voltage to the transistor
    "fefet": 0.1**2 / 70e3,  # 500-domain FeFET
    "nor-flash": 0.2**2 * 20e-6,  # class: as PCM
}
_SAMPLE_FF, _INTEGRATE_FF = (
    80.0,
    17.0,
)  # 1.2 and 0.25 pJ at 130 nm and 1.8 V, NeuRRAM, hwcomponents-library@8b56f7e
_PROCESSOR = 1.35  # class: energy and area of a processor over its macro

# area; um2 at 32 nm unless said otherwise, linear in the node where circuits are analogue
_SRAM_6T_UM2_28 = 0.1145  # 146 F2, NVMExplorer (MIT)
_TRANSISTOR_UM2_28 = 0.0447  # 426 F2 for 10T1C at 65 nm (Jia, CiMLoop@d6e1390, MIT), moved to 28 nm as logic
_CAPACITOR_FF_PER_UM2 = 2.0  # metal-oxide-metal capacitor over the cell, order of foundry kits
_NVM_CELL_F2 = 53.0  # 1T1R, TSMC 40 nm, doi:10.1109/ISSCC.2018.8310392
_NVM_LINE_UM2_130 = (
    475.0  # write driver per row and column at 130 nm: 21 % of 1.16 mm2 over 512 lines, Wan 2022
)
_FULL_ADDER_UM2_28 = 4.789  # zigzag-imc@df34a6f (BSD-3)
_FLIP_FLOP_UM2_28 = 3.684  # same
_COLUMN_UM2 = 200.0  # class: accumulation and timing of one column result
_LINE_UM2 = 3.5  # class: driver of one row or precharge of one column
_CONTROL_UM2 = 15_000.0  # class: control and test interface
_LAYOUT = 1.4  # class: bounding box over circuits (70 % density)

# time, ns
_STEP_NS_28 = 3.0  # class: one digital or SRAM step where the source names no cycle
_READ_NS = 10.0  # read pulse, CiMLoop@d6e1390 (MIT)
_BIT_NS_28 = 1.28  # one bit decision: (0.00653 x 100 rows + 0.640) ns, zigzag-imc@df34a6f (BSD-3)


@dataclass(frozen=True, slots=True)
class Macro:
    """One operating point of a macro.

    Attributes:
        mechanism: How products are added.
        tech_nm, supply_v: Node and supply.
        memory: ``sram``, or a resistive memory (write drivers, read current): ``rram``, ``pcm``, ``mram``, ``fefet``,
            ``nor-flash``; others are taken as ``rram``.
        transistors: Per cell, for SRAM.
        rows, cols: Cells of one array.
        terms: Products added per column and step (length of the dot product).
        outputs: Columns converted, or sums formed, per step.
        adc_bits: Resolution of the result; 0 for digital.
        input_bits, weight_bits: Handled per step, in bits (1.5 for ternary).
        input_steps, weight_units: Steps per full input and units per full weight.
        cycle_ns: Time of a step; None to predict it.
        in_cell: Digital, with a full adder and register in every cell.
        groups: Stored weights that share one compute unit.
        processor: Whether the figure includes a surrounding processor.
        cells_per_weight: Cells that hold one weight (resistive).
    """

    mechanism: Mechanism
    tech_nm: float
    supply_v: float
    memory: str
    transistors: float
    rows: float
    cols: float
    terms: float
    outputs: float
    adc_bits: float
    input_bits: float
    weight_bits: float
    input_steps: float = 1.0
    weight_units: float = 1.0
    cycle_ns: float | None = None
    in_cell: bool = False
    groups: float = 1.0
    processor: bool = False
    cells_per_weight: float = 1.0

    def __post_init__(self) -> None:
        if not (2 <= self.tech_nm <= 500 and 0.2 <= self.supply_v <= 5):
            raise InputError(
                f"macro at {self.tech_nm} nm and {self.supply_v} V", "Use 2 to 500 nm and 0.2 to 5 V."
            )
        positive = (self.rows, self.cols, self.terms, self.outputs, self.input_bits, self.weight_bits)
        if min(positive) <= 0 or self.adc_bits < 0:
            raise InputError(
                f"macro with sizes {positive}", "Rows, columns, terms, outputs and bits are positive."
            )

    @property
    def resistive(self) -> bool:
        """Whether cells are resistive."""
        return self.memory != "sram"


@dataclass(frozen=True, slots=True)
class MacroCost:
    """Prediction at the macro's full precision; 1 MAC = 2 operations.

    Attributes:
        tops_w, tops, tops_mm2, area_mm2: Efficiency, throughput, density, area.
        energy_fj: Energy of one column and step by part.
        cycle_ns: Time of one step.
    """

    tops_w: float
    tops: float
    tops_mm2: float
    area_mm2: float
    energy_fj: dict[str, float]
    cycle_ns: float


def predict(m: Macro) -> MacroCost:
    """Efficiency and area of a macro."""
    cycle = m.cycle_ns or _cycle_ns(m)
    parts = _digital_energy(m) if m.mechanism == "digital" else _analog_energy(m, cycle)
    factor = _PROCESSOR if m.processor else 1.0
    energy = sum(parts.values()) * factor
    area_mm2 = _area_um2(m) * factor * 1e-6
    passes = m.input_steps * m.weight_units
    tops = 2 * m.terms * m.outputs / (cycle * passes) * 1e-3
    return MacroCost(2e3 * m.terms / (energy * passes), tops, tops / area_mm2, area_mm2, parts, cycle)


def _analog_energy(m: Macro, cycle_ns: float) -> dict[str, float]:
    """Energy of a column and step, fJ."""
    v2, size = m.supply_v**2, m.tech_nm / 28
    if m.mechanism == "charge":
        cells = m.terms * _charge_ff(m) * v2
    elif m.mechanism == "bitline":
        cells = m.terms * m.weight_bits * _BITLINE_FF * v2
    else:
        watt = _CELL_W.get(m.memory, _CELL_W["rram"]) if m.resistive else _CELL_A * m.supply_v
        cells = m.terms * (watt * cycle_ns * 1e6 + _WORD_LINE_FF * size * v2)
    shared_by = max(m.outputs, m.cols / max(m.weight_bits, 1.0))
    converters = m.terms / shared_by * m.input_bits * _DAC_FF_PER_BIT * v2 if m.input_bits > 1 else 0.0
    adc = _adc_energy(m)
    if m.resistive and m.mechanism == "charge":  # sampled and integrated on the line before conversion
        adc += (_SAMPLE_FF + _INTEGRATE_FF * max(1.0, m.input_bits - 1)) * size * v2
        converters = 0.0  # inputs are pulses of one height
    return {"cells": cells, "dac": converters, "adc": adc, "sum": _SUM_FF * size * v2}


def _charge_ff(m: Macro) -> float:
    """Capacitance that one term moves."""
    size = m.tech_nm / 28
    if m.resistive:
        phases = max(1.0, m.input_bits - 1)  # one per magnitude bit
        return _WORD_LINE_FF * size * phases * m.cells_per_weight
    return m.weight_bits * (_UNIT_CAPACITOR_FF * _ONES + _SWITCH_FF * size)


def _adc_energy(m: Macro) -> float:
    """In-array converter, fJ: noise-limited up to 8 bit; finer results are integrated, in proportion to their bits."""
    exact = min(m.adc_bits, 8.0)
    longer = max(1.0, m.adc_bits / 8.0)
    capacitance = (_ADC_FF_PER_BIT * exact + _ADC_FF_PER_4N * 4**exact) * longer
    return float(capacitance * m.tech_nm / 28 * m.supply_v**2)


def _digital_energy(m: Macro) -> dict[str, float]:
    """Energy of an output and step, fJ: bit products, adder tree, accumulator; or adders and registers in the cells."""
    v2, size = m.supply_v**2, m.tech_nm / 28
    if m.in_cell:
        width = m.weight_bits * m.weight_units + _carry_bits(m.terms)
        adders = m.terms * width / m.weight_units * (_FULL_ADDER_FF + _FLIP_FLOP_FF) * size * v2
        return {"cells": adders}
    products = m.terms * m.weight_bits * m.input_bits
    tree = products * (_MULTIPLIER_FF + _FULL_ADDER_FF) * _ONES * size * v2
    accumulator = 24 * _FLIP_FLOP_FF * size * v2
    return {"tree": tree, "accumulator": accumulator}


def _carry_bits(terms: float) -> float:
    """Bits by which a sum of ``terms`` products grows."""
    bits = 0
    while 2**bits < terms:
        bits += 1
    return float(bits)


def _area_um2(m: Macro) -> float:
    size = m.tech_nm / 32
    cells = max(m.rows * m.cols, m.terms * m.outputs * m.weight_bits) * m.groups
    control = _CONTROL_UM2 * size
    if m.mechanism == "digital":
        unit = _FULL_ADDER_UM2_28 + (_FLIP_FLOP_UM2_28 if m.in_cell else 0.0)
        products = m.rows * m.cols if m.in_cell else m.terms * m.outputs * m.weight_bits * m.input_bits
        return (cells * _cell_um2(m) + products * unit * _logic_scale(m.tech_nm) + control) * _LAYOUT
    bits = min(m.adc_bits, 10.0)
    converter = 81.9 * bits + 2.133 * 2**bits  # the structural law of components.adc
    columns = m.outputs * (converter + _COLUMN_UM2) * size
    lines = (m.rows * max(1.0, m.input_bits) + m.cols) * _LINE_UM2 * size
    if m.resistive:
        lines += (m.rows + m.cols) * _NVM_LINE_UM2_130 * m.tech_nm / 130
    return (cells * _cell_um2(m) + columns + lines + control) * _LAYOUT


def _cell_um2(m: Macro) -> float:
    if m.resistive:
        return _NVM_CELL_F2 * (m.tech_nm * 1e-3) ** 2
    at_28 = _SRAM_6T_UM2_28 if m.transistors <= 6 else _TRANSISTOR_UM2_28 * m.transistors
    transistors = at_28 * _logic_scale(m.tech_nm)
    has_capacitor = m.mechanism == "charge" and m.transistors > 6  # the capacitor lies above its cell
    return max(transistors, _UNIT_CAPACITOR_FF / _CAPACITOR_FF_PER_UM2) if has_capacitor else transistors


def _logic_scale(tech_nm: float) -> float:
    """Digital area relative to 28 nm; below 7 and above 130 nm with the square of the node (stated extrapolation)."""
    inside = min(max(tech_nm, technology.SMALLEST_NM), technology.LARGEST_NM)
    return float(technology.area_scale(28, inside)) * (tech_nm / inside) ** 2


def _cycle_ns(m: Macro) -> float:
    size = m.tech_nm / 28
    if m.mechanism == "digital":
        return _STEP_NS_28 * size
    read = _READ_NS * (2 ** (m.input_bits - 1)) if m.resistive else _STEP_NS_28 * size
    columns = max(1.0, m.adc_bits) * _BIT_NS_28 * size
    return read + columns
