"""Predict efficiency and area of a stand-alone compute-in-memory macro from its structure, for silicon comparison.

A macro adds ``terms`` products per column and step. Its mechanism decides what a product costs:

``charge``: a unit capacitor per SRAM cell, or the lines of a resistive array that is read in voltage mode.
``bitline``: SRAM cells that discharge or drive a shared bit line.
``current``: cells that conduct: SRAM cells for at most ``read_ns``; resistive ones for a time that grows with the root
    of the step, since designs with slow steps lower their read currents.
``digital``: an adder tree behind the cells, or (``in_cell``) a full adder and register in every cell.

Whatever the mechanism, a column result costs one conversion and the circuits beside it, and an input is converted once
for all columns that it serves. A conversion is priced at no more bits than a sum of ``terms`` products can have.

Constants are those of section ``macro`` of a profile. Those that its sources call "fitted" were found from the silicon
points of the comparison, around physical priors and with every publication weighing the same; see
``benchmarks/silicon_fit.py``. Capacitances of wires and gates scale with the node, those of cells with its root
(unit capacitors are set by matching), those of column circuits with a power ``column_exponent``; areas of cells and
logic with its square, of analogue circuits linearly; energies with the supply squared. Not modelled: leakage, clock
trees, sparsity other than half ones, test circuits, and whatever a processor holds besides the macro except through one
factor each for energy and area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware.profiles import Profile, load_profile

Mechanism = Literal["charge", "bitline", "current", "digital"]


@dataclass(frozen=True, slots=True)
class Macro:
    """One operating point of a macro.

    Attributes:
        mechanism: How products are added.
        tech_nm, supply_v: Node and supply; 2 to 500 nm, 0.2 to 5 V.
        memory: ``sram``, or the name of a resistive memory; those are priced alike.
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


_CELL_EXPONENT = 0.5
"""Growth of a cell's capacitance with the node: between that of wires (1) and of matched unit capacitors (0)."""


@dataclass(frozen=True, slots=True)
class _At:
    """Constants of a profile for a macro."""

    macro: Macro
    profile: Profile

    def __call__(self, key: str, exponent: float = 1.0) -> float:
        """A constant of section ``macro``; if it names a node, it is moved with a power of the node."""
        constant = self.profile.constants[f"macro.{key}"]
        return (
            constant.value * (self.macro.tech_nm / constant.at_nm) ** exponent
            if constant.at_nm
            else constant.value
        )

    def column(self, key: str) -> float:
        """A capacitance of the circuits of a column."""
        return self(key, self("column_exponent"))

    def energy_fj(self, capacitance_ff: float) -> float:
        """Energy of a capacitance at the macro's supply."""
        return capacitance_ff * self.macro.supply_v**2


def predict(m: Macro, profile: str | Profile = "published") -> MacroCost:
    """Efficiency and area of a macro with the constants of a profile.

    Raises:
        InputError: Unknown profile.
    """
    at = _At(m, load_profile(profile) if isinstance(profile, str) else profile)
    cycle = m.cycle_ns or _cycle_ns(m, at)
    parts = _digital_energy(m, at) if m.mechanism == "digital" else _analog_energy(m, at, cycle)
    energy = sum(parts.values()) * (at("processor_energy") if m.processor else 1.0)
    area_mm2 = _area_um2(m, at) * (at("processor_area") if m.processor else 1.0) * 1e-6
    passes = m.input_steps * m.weight_units
    tops = 2 * m.terms * m.outputs / (cycle * passes) * 1e-3
    return MacroCost(2e3 * m.terms / (energy * passes), tops, tops / area_mm2, area_mm2, parts, cycle)


def _analog_energy(m: Macro, at: _At, cycle_ns: float) -> dict[str, float]:
    """Energy of a column and step, fJ."""
    shared_by = max(m.outputs, m.cols / max(m.weight_bits, 1.0))
    bits = min(m.adc_bits, _sum_bits(m))
    converter = at.column("converter_ff_per_bit") * bits + at.column("converter_noise_ff") * _noise_levels(
        bits
    )
    return {
        "cells": _cells_fj(m, at, cycle_ns),
        "dac": at.energy_fj(m.terms / shared_by * m.input_bits * at.column("dac_ff_per_bit")),
        "adc": at.energy_fj(converter),
        "column": at.energy_fj(at.column("column_ff")),
    }


def _cells_fj(m: Macro, at: _At, cycle_ns: float) -> float:
    if not m.resistive and m.mechanism == "current":
        return m.terms * at("sram_read_ua") * m.supply_v * min(cycle_ns, at("read_ns"))
    if not m.resistive:
        key = "charge_ff" if m.mechanism == "charge" else "bitline_ff"
        return at.energy_fj(m.terms * m.weight_bits * at(key, _CELL_EXPONENT))
    line = at("word_line_ff") if m.mechanism == "charge" else at.column("word_line_ff")
    lines = at.energy_fj(m.terms * line)
    if m.mechanism == "charge":  # voltage mode: the lines move once per magnitude bit of the input
        return lines * max(1.0, m.input_bits - 1) * m.cells_per_weight
    conducting_ns = math.sqrt(cycle_ns * at("read_ns"))
    return lines + m.terms * m.cells_per_weight * at("nvm_read_uw") * conducting_ns


def _sum_bits(m: Macro) -> float:
    """Bits of the exact sum of ``terms`` products of digits."""
    largest = max(2**m.input_bits - 1, 1.0) * max(2**m.weight_bits - 1, 1.0)
    return math.log2(m.terms * largest + 1)


def _noise_levels(bits: float) -> float:
    """What a noise-limited conversion grows with: fourfold per bit up to 8; finer results are integrated."""
    return float(4.0 ** min(bits, 8.0) * max(1.0, bits / 8.0))


def _digital_energy(m: Macro, at: _At) -> dict[str, float]:
    """Energy of an output and step, fJ: bit products and adders, accumulator."""
    products = m.terms * m.weight_bits * m.input_bits
    if m.in_cell:  # an adder and a register in each cell of a column wide enough for the sum
        width = 1 + math.ceil(math.log2(m.terms)) / (m.weight_bits * m.weight_units)
        products = 2 * m.terms * m.weight_bits * width
    return {
        "tree": at.energy_fj(products * at("product_ff")),
        "accumulator": at.energy_fj(at("accumulator_ff")),
    }


def _area_um2(m: Macro, at: _At) -> float:
    cells = max(m.rows * m.cols, m.terms * m.outputs * m.weight_bits) * m.groups * _cell_um2(m, at)
    control, layout = at("control_um2"), at("layout_factor")
    if m.mechanism == "digital":
        products = m.terms * m.outputs * m.weight_bits * m.input_bits
        if m.in_cell:
            products = 2 * m.rows * m.cols
        return (cells + products * at("product_um2", 2.0) + control) * layout
    bits = min(m.adc_bits, 10.0)
    converter = at("converter_um2_per_bit") * bits + at("converter_um2_per_level") * 2**bits
    lines = (m.rows * max(1.0, m.input_bits) + m.cols) * at("line_um2")
    if m.resistive:
        lines += (m.rows + m.cols) * at("nvm_line_um2")
    return (cells + m.outputs * (converter + at("column_um2")) + lines + control) * layout


def _cell_um2(m: Macro, at: _At) -> float:
    f2_um2 = (m.tech_nm * 1e-3) ** 2
    if m.resistive:
        return at("nvm_cell_f2") * f2_um2
    if m.transistors <= 6:
        return at("sram_6t_f2") * f2_um2
    transistors = m.transistors * at("transistor_um2", 2.0)
    return max(transistors, at("capacitor_um2")) if m.mechanism == "charge" else transistors


def _cycle_ns(m: Macro, at: _At) -> float:
    """Time of a step where none is stated: set-up and read, then one decision per bit of a converter."""
    decisions = 0.0 if m.mechanism == "digital" else m.adc_bits * at("decision_ns")
    return at("step_ns") + decisions
