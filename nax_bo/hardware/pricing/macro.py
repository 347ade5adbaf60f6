"""Predict efficiency and area of a stand-alone compute-in-memory macro from its structure, for silicon comparison.

A macro adds ``terms`` products per column and step. Four mechanisms, chosen from memory and method:

``charge``: every term moves a charge: a unit capacitor per SRAM cell (charge redistribution), or the lines of a
    resistive array that is read in voltage mode, once per input bit.
``bitline``: SRAM cells that discharge or drive a shared bit line.
``current``: cells that conduct for the whole step: ``V^2 G t`` per resistive cell, ``I V t`` per SRAM cell.
``digital``: an adder tree behind the cells, or (``in_cell``) a full adder and register in every cell.

Constants are those of a profile; section ``macro`` of ``published`` says where each comes from. Capacitances of wires
and gates and areas of analogue circuits scale linearly with the node, digital areas as :mod:`.technology`, energies
with the supply squared; unit capacitors are set by matching and do not scale. Not modelled: leakage, clock trees,
sparsity other than half ones, test circuits, and whatever a processor holds besides the macro except through one
factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware.chip import technology
from nax_bo.hardware.pricing.components.adc import silicon_capacitance_ff
from nax_bo.hardware.profiles import Profile, load_profile

Mechanism = Literal["charge", "bitline", "current", "digital"]

_READ_POWER = {
    "rram": "rram",
    "pcm": "pcm",
    "mram": "mram",
    "fefet": "fefet",
    "nor-flash": "flash",
    "flash": "flash",
}
_ACCUMULATOR_BITS = 24


@dataclass(frozen=True, slots=True)
class Macro:
    """One operating point of a macro.

    Attributes:
        mechanism: How products are added.
        tech_nm, supply_v: Node and supply; 2 to 500 nm, 0.2 to 5 V.
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


@dataclass(frozen=True, slots=True)
class _At:
    """Constants of a profile at the node of a macro."""

    macro: Macro
    profile: Profile

    def __call__(self, key: str) -> float:
        """A constant, linear in the node if it names one."""
        constant = self.profile.constants[key]
        return constant.value * (self.macro.tech_nm / constant.at_nm if constant.at_nm else 1.0)

    def energy_fj(self, capacitance_ff: float) -> float:
        """Energy of a capacitance at the macro's supply."""
        return capacitance_ff * self.macro.supply_v**2

    def digital_um2(self, key: str) -> float:
        """An area that shrinks as logic; below 7 and above 130 nm with the square of the node (extrapolation)."""
        constant, nm = self.profile.constants[key], self.macro.tech_nm
        inside = min(max(nm, technology.SMALLEST_NM), technology.LARGEST_NM)
        scale = float(technology.area_scale(constant.at_nm or nm, inside))
        return constant.value * scale * (nm / inside) ** 2


def predict(m: Macro, profile: str | Profile = "published") -> MacroCost:
    """Efficiency and area of a macro with the constants of a profile.

    Raises:
        InputError: Unknown profile.
    """
    at = _At(m, load_profile(profile) if isinstance(profile, str) else profile)
    cycle = m.cycle_ns or _cycle_ns(m, at)
    parts = _digital_energy(m, at) if m.mechanism == "digital" else _analog_energy(m, at, cycle)
    factor = at("macro.processor_factor") if m.processor else 1.0
    energy = sum(parts.values()) * factor
    area_mm2 = _area_um2(m, at) * factor * 1e-6
    passes = m.input_steps * m.weight_units
    tops = 2 * m.terms * m.outputs / (cycle * passes) * 1e-3
    return MacroCost(2e3 * m.terms / (energy * passes), tops, tops / area_mm2, area_mm2, parts, cycle)


def _analog_energy(m: Macro, at: _At, cycle_ns: float) -> dict[str, float]:
    """Energy of a column and step, fJ."""
    if m.mechanism == "charge":
        cells = at.energy_fj(m.terms * _charge_ff(m, at))
    elif m.mechanism == "bitline":
        cells = at.energy_fj(m.terms * m.weight_bits * at("macro.bitline_ff"))
    else:
        cells = m.terms * (_read_uw(m, at) * cycle_ns + at.energy_fj(at("macro.word_line_ff")))
    shared_by = max(m.outputs, m.cols / max(m.weight_bits, 1.0))
    converted = m.terms / shared_by * m.input_bits if m.input_bits > 1 else 0.0
    adc_ff = float(silicon_capacitance_ff(m.adc_bits)) * m.tech_nm / 28  # the law of designs called "silicon"
    if (
        m.resistive and m.mechanism == "charge"
    ):  # sampled and integrated on the line; inputs are pulses of one height
        adc_ff += at("macro.sample_ff") + at("macro.integrate_ff") * _phases(m)
        converted = 0.0
    return {
        "cells": cells,
        "dac": at.energy_fj(converted * at("macro.dac_ff_per_bit")),
        "adc": at.energy_fj(adc_ff),
        "sum": at.energy_fj(at("macro.sum_ff")),
    }


def _phases(m: Macro) -> float:
    """Read phases of an input in voltage mode: one per magnitude bit."""
    return max(1.0, m.input_bits - 1)


def _charge_ff(m: Macro, at: _At) -> float:
    """Capacitance that one term moves."""
    if m.resistive:
        return at("macro.word_line_ff") * _phases(m) * m.cells_per_weight
    return m.weight_bits * (at("array.sram_cell_ff") * at("macro.ones") + at("macro.switch_ff"))


def _read_uw(m: Macro, at: _At) -> float:
    """Power of a conducting cell; uW ns = fJ."""
    if m.resistive:
        return at(f"macro.{_READ_POWER.get(m.memory, 'rram')}_read_uw")
    return at("macro.sram_read_ua") * m.supply_v


def _digital_energy(m: Macro, at: _At) -> dict[str, float]:
    """Energy of an output and step, fJ: bit products, adder tree, accumulator; or adders and registers in the cells."""
    adder, register = at("macro.full_adder_ff"), at("macro.flip_flop_ff")
    if m.in_cell:
        width = m.weight_bits * m.weight_units + _carry_bits(m.terms)
        return {"cells": at.energy_fj(m.terms * width / m.weight_units * (adder + register))}
    products = m.terms * m.weight_bits * m.input_bits
    return {
        "tree": at.energy_fj(products * (at("macro.multiplier_ff") + adder) * at("macro.ones")),
        "accumulator": at.energy_fj(_ACCUMULATOR_BITS * register),
    }


def _carry_bits(terms: float) -> float:
    """Bits by which a sum of ``terms`` products grows."""
    bits = 0
    while 2**bits < terms:
        bits += 1
    return float(bits)


def _area_um2(m: Macro, at: _At) -> float:
    cells = max(m.rows * m.cols, m.terms * m.outputs * m.weight_bits) * m.groups * _cell_um2(m, at)
    control, layout = at("macro.control_um2"), at("macro.layout_factor")
    if m.mechanism == "digital":
        unit = at.digital_um2("digital.adder_area_per_bit_um2")
        products = m.terms * m.outputs * m.weight_bits * m.input_bits
        if m.in_cell:
            unit, products = unit + at.digital_um2("macro.flip_flop_um2"), m.rows * m.cols
        return (cells + products * unit + control) * layout
    bits = min(m.adc_bits, 10.0)
    converter = at("adc.sar_area_per_bit_um2") * bits + at("adc.sar_area_per_level_um2") * 2**bits
    columns = m.outputs * (converter + at("macro.column_um2"))
    lines = (m.rows * max(1.0, m.input_bits) + m.cols) * at("macro.line_um2")
    if m.resistive:
        lines += (m.rows + m.cols) * at("macro.nvm_line_um2")
    return (cells + columns + lines + control) * layout


def _cell_um2(m: Macro, at: _At) -> float:
    if m.resistive:
        return at("macro.nvm_cell_f2") * (m.tech_nm * 1e-3) ** 2
    if m.transistors <= 6:
        return at.digital_um2("macro.sram_6t_um2")
    transistors = m.transistors * at.digital_um2("macro.transistor_um2")
    capacitor = at("array.sram_cell_ff") / at("macro.capacitor_ff_per_um2")  # lies above the cell
    return max(transistors, capacitor) if m.mechanism == "charge" else transistors


def _cycle_ns(m: Macro, at: _At) -> float:
    """Time of a step where none is stated: read (unary pulses for multi-bit inputs), then one decision per bit."""
    if m.mechanism == "digital":
        return at("macro.step_ns")
    read = at("array.read_pulse_ns") * 2 ** (m.input_bits - 1) if m.resistive else at("macro.step_ns")
    decision = at("adc.sense_ns") + at("adc.sense_per_row_ns") * m.terms
    return read + max(1.0, m.adc_bits) * decision
