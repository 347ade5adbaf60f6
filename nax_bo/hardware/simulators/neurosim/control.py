"""Control logic: row and multiplexer decoders, the thermometer encoder of a flash converter, max-pooling.

Energies are per use (J) and include the 5 % activity factor of control circuits (Lu et al., 2021,
doi:10.3389/frai.2021.659060); leakage in W, areas in m2, delays in s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from nax_bo.hardware.simulators.neurosim.technology import STEP_INPUT, Technology, horowitz

CONTROL_ACTIVITY = 0.05
MUX_DRIVER_SIZE = {22: 110, 14: 130, 10: 80, 7: 60, 5: 50, 3: 25}
"""Factor on the last driver of multiplexer decoders in revision 14; 1 for the other nodes."""


@dataclass(frozen=True)
class _Gate:
    """One gate type with its sizes and capacitances."""

    n_m: float
    p_m: float
    height_m: float
    width_m: float
    cap_in_f: float
    cap_out_f: float
    leakage_w: float
    pull_down_ohm: float
    pull_up_ohm: float

    @property
    def area_m2(self) -> float:
        return self.height_m * self.width_m

    @property
    def cap_f(self) -> float:
        return self.cap_in_f + self.cap_out_f


def _gate(tech: Technology, kind: str, inputs: int, n_m: float, p_m: float) -> _Gate:
    height, width = tech.gate_size(kind, inputs, n_m, p_m, tech.cell_height_m)
    cap_in, cap_out = tech.gate_caps(kind, inputs, n_m, p_m, height)
    return _Gate(
        n_m,
        p_m,
        height,
        width,
        cap_in,
        cap_out,
        tech.leakage_w(kind, inputs, n_m, p_m),
        tech.on_resistance_ohm(n_m),
        tech.on_resistance_ohm(p_m, p_type=True),
    )


@dataclass(frozen=True)
class Decoder:
    """Decoder with two-bit predecoding; with ``mux`` it drives the pass gates of a column multiplexer."""

    area_m2: float
    leakage_w: float
    energy_j: float
    """Energy of one selection, *with* the activity factor."""
    height_m: float
    width_m: float
    inverter: _Gate
    nand: _Gate
    nor: _Gate
    driver: _Gate
    nands: int
    nors: int

    def mux_delay_s(self, load_n_f: float, load_p_f: float) -> float:
        """Delay to open the selected pass gates (``mux`` decoders only)."""
        steps = [self.inverter.pull_down_ohm * (self.inverter.cap_out_f + self._first_load(load_n_f))]
        if self.nands:
            load = self.nor.cap_in_f * self.nors / 4 if self.nors else load_n_f
            steps.append(self.nand.pull_down_ohm * 2 * (self.nand.cap_out_f + load))
        if self.nors:
            steps.append(self.nor.pull_up_ohm * 2 * (self.nor.cap_out_f + self.nand.cap_in_f))
        total, ramp = 0.0, STEP_INPUT
        for time_constant in steps:
            delay, ramp = horowitz(time_constant, ramp)
            total += delay
        if not self.nors:
            ramp = STEP_INPUT  # the enable circuit takes its slope from the NOR stage, present or not
        nand_out = self.nand.cap_out_f if self.nands else 0.0
        for time_constant in (
            self.nand.pull_down_ohm * (nand_out + self.inverter.cap_in_f),
            self.driver.pull_up_ohm * (self.driver.cap_f + load_n_f),
            self.driver.pull_down_ohm * (self.driver.cap_out_f + load_p_f),
        ):
            delay, ramp = horowitz(time_constant, ramp)
            total += delay
        return total

    def _first_load(self, load_n_f: float) -> float:
        return self.nand.cap_in_f * 2 if self.nands else load_n_f


@lru_cache(maxsize=1024)
def decoder(tech: Technology, address_bits: int, mux: bool, height_m: float | None = None) -> Decoder:
    """Price of a decoder of ``address_bits``, free-standing or stacked in columns of ``height_m``."""
    n, p = tech.min_n_m, tech.min_p_m
    nor_inputs = math.ceil(address_bits / 2)
    nands = 4 * (address_bits // 2)
    nors = 2**address_bits if address_bits > 2 else 0
    inverter = _gate(tech, "inv", 1, *tech.enlarged(n, p))
    nand = _gate(tech, "nand", 2, *tech.enlarged(2 * n, p))
    nor = _gate(tech, "nor", max(nor_inputs, 1), *tech.enlarged(n, max(nor_inputs, 1) * p))
    size = 2 * MUX_DRIVER_SIZE.get(tech.node_nm, 1) if mux and tech.revision == 14 else 2
    driver = _gate(tech, "inv", 1, size * n, size * p)
    wires = nands + (address_bits % 2) * 2 if address_bits > 2 else 0
    wires_m = tech.wire_pitch_f * wires * tech.feature_m
    last = inverter if mux and tech.revision == 13 else driver
    tail_m = (nand.width_m if mux else 0.0) + 2 * last.width_m
    if height_m is None:
        height = max(nor.height_m * nors, nand.height_m * nands)
        width = inverter.width_m + nand.width_m + wires_m + nor.width_m + tail_m
    else:
        height = height_m
        nor_columns = _columns(nors, nor.height_m, height_m)
        width = nand.width_m * _columns(nands, nand.height_m, height_m) + wires_m + nor.width_m * nor_columns
        width += tail_m * nor_columns
    leakage = inverter.leakage_w * address_bits + nand.leakage_w * nands + nor.leakage_w * nors
    leakage += (nand.leakage_w + 2 * inverter.leakage_w if mux else 2 * driver.leakage_w) * nors
    return Decoder(
        height * width,
        leakage,
        _decoder_energy(tech, address_bits, mux, inverter=inverter, nand=nand, nor=nor, driver=driver)
        * CONTROL_ACTIVITY,
        height,
        width,
        inverter,
        nand,
        nor,
        driver,
        nands,
        nors,
    )


def _columns(count: int, gate_height_m: float, height_m: float) -> int:
    per_column = min(int(height_m / gate_height_m), count)
    return math.ceil(count / per_column) if per_column > 0 else 0


def _decoder_energy(
    tech: Technology, bits: int, mux: bool, *, inverter: _Gate, nand: _Gate, nor: _Gate, driver: _Gate
) -> float:
    nands = 4 * (bits // 2)
    nors = 2**bits if bits > 2 else 0
    nand_in, nand_out = (nand.cap_in_f, nand.cap_out_f) if nands else (0.0, 0.0)
    nor_in, nor_out = (nor.cap_in_f, nor.cap_out_f) if nors else (0.0, 0.0)
    paired = bits // 2 * 2
    cap = (inverter.cap_in_f + nand_in * 2) * paired
    cap += (inverter.cap_in_f + nor_in * nors / 2) * (bits - paired)
    cap += (nand_out + nor_in * nors / 4) * nands / 4
    if mux:
        cap += nor_out + nand_in
        cap += nand_out + 2 * driver.cap_in_f + 2 * driver.cap_out_f
    else:
        cap += nor_out + inverter.cap_in_f + driver.cap_f * 2
    return cap * tech.vdd_v**2


@dataclass(frozen=True)
class Encoder:
    """Thermometer-to-binary encoders of flash converters."""

    unit_width_m: float
    unit_height_m: float
    delay_s: float
    energy_j: float
    leakage_w: float

    def area_in_width(self, count: int, width_m: float) -> tuple[float, float]:
        """Area and height of ``count`` encoders under an array of ``width_m``."""
        per_row = min(math.ceil(width_m / self.unit_width_m), count)
        height = self.unit_height_m * math.ceil(count / per_row)
        return max(width_m, self.unit_width_m) * height, height


@lru_cache(maxsize=256)
def encoder(tech: Technology, levels: int) -> Encoder:
    """Price of one encoder of ``levels`` levels."""
    if tech.revision == 14:
        return _encoder14(tech, levels)
    n, p = tech.min_n_m, tech.min_p_m
    wide_inputs, gates = levels // 2, math.ceil(math.log2(levels))
    inverter = _gate(tech, "inv", 1, *tech.enlarged(n, p))
    nand = _gate(tech, "nand", 2, *tech.enlarged(2 * n, p))
    wide = _gate(tech, "nand", wide_inputs, *tech.enlarged(2 * n, p))
    first, ramp = horowitz(inverter.pull_down_ohm * 2 * (inverter.cap_out_f + nand.cap_in_f * 2))
    second, _ = horowitz(nand.pull_up_ohm * (nand.cap_out_f + wide.cap_in_f * wide_inputs), ramp)
    pairs = levels + gates
    cap = (inverter.cap_f + nand.cap_f) * pairs + wide.cap_f * gates
    return Encoder(
        unit_width_m=2 * inverter.width_m + nand.width_m + wide.width_m,
        unit_height_m=(levels - 1) * max(inverter.height_m, nand.height_m),
        delay_s=first + second,
        energy_j=cap * tech.vdd_v**2 * CONTROL_ACTIVITY,
        leakage_w=(inverter.leakage_w + nand.leakage_w) * pairs + wide.leakage_w * gates,
    )


def _encoder14(tech: Technology, levels: int) -> Encoder:
    """Encoder of revision 14: drawn widths, gates packed by area, latches leak too, switching neglected."""
    n, p = tech.min_n_m, tech.min_p_m
    wide_inputs, gates = levels // 2, math.ceil(math.log2(levels))
    inverter = _gate(tech, "inv", 1, n, p)
    nand = _gate(tech, "nand", 2, 4 * n, 2 * p)
    wide = _gate(tech, "nand", wide_inputs, 4 * n, 2 * p)
    first, ramp = horowitz(inverter.pull_down_ohm * (inverter.cap_out_f + nand.cap_in_f * 2))
    second, _ = horowitz(nand.pull_down_ohm * 2 * (nand.cap_out_f + wide.cap_in_f * wide_inputs), ramp)
    width = inverter.width_m + nand.width_m + wide.width_m
    area = (inverter.area_m2 + nand.area_m2) * (levels - 1) + wide.area_m2 * gates
    leakage = (nand.leakage_w + inverter.leakage_w * 5) * (levels - 1) + wide.leakage_w * gates
    return Encoder(width, area / width, first + second, 0.0, leakage)


@dataclass(frozen=True)
class MaxPool:
    """One 2 x 2 max-pooling unit: three comparators in three stages."""

    area_m2: float
    energy_j: float
    delay_s: float
    stages: int = 3


@lru_cache(maxsize=256)
def max_pool(tech: Technology, bits: int) -> MaxPool:
    """Price of a 2 x 2 max-pooling unit on ``bits``-bit values."""
    n, p = tech.min_n_m, tech.min_p_m
    inverter = _gate(tech, "inv", 1, *tech.enlarged(n, p))
    nand2 = _gate(tech, "nand", 2, *tech.enlarged(2 * n, p))
    nand3 = _gate(tech, "nand", 3, *tech.enlarged(3 * n, p))
    nor2 = _gate(tech, "nor", 2, *tech.enlarged(4 * n, p))
    nor_wide = _gate(tech, "nor", bits, *tech.enlarged(bits * 2 * n, p))
    compare_area = inverter.area_m2 * 4 + nand2.area_m2 * 4 + nand3.area_m2 * 3
    unit_area = (compare_area + inverter.area_m2 * 5) * bits
    unit_area += inverter.area_m2 * 7 + nand2.area_m2 + nor2.area_m2 + nor_wide.area_m2
    select = (
        nand2.cap_in_f + nor2.cap_in_f + inverter.cap_in_f * 2 + nor_wide.cap_in_f + inverter.cap_out_f * 5
    )
    compare = inverter.cap_f * 4 + nand2.cap_f * 4 + nand3.cap_f * 3
    energy = (select + compare * bits / 2) * tech.vdd_v**2 * CONTROL_ACTIVITY
    return MaxPool(unit_area * 3, energy * 3, _pool_delay(bits, inverter, nand2, nand3, nor_wide))


def _pool_delay(bits: int, inverter: _Gate, nand2: _Gate, nand3: _Gate, nor_wide: _Gate) -> float:
    through2 = nand2.pull_down_ohm * 2 * (nand2.cap_out_f + nand3.cap_in_f)
    through3 = nand3.pull_up_ohm * (nand3.cap_out_f + nand2.cap_in_f)
    last3 = nand3.pull_up_ohm * (nand3.cap_out_f + inverter.cap_out_f * 2)
    ramp = STEP_INPUT
    delays = []
    for time_constant in (through2, through3, through2, through3, through2, last3):
        delay, ramp = horowitz(time_constant, ramp)
        delays.append(delay)
    # a one-bit comparator has no middle bit: the reference subtracts one instead of adding none
    compare = sum(delays[:2]) - sum(delays[2:4]) + sum(delays[4:])
    nor_delay, _ = horowitz(nor_wide.pull_down_ohm * 2 * (inverter.cap_in_f * 2 + bits * inverter.cap_out_f))
    inv_delay, ramp = horowitz(inverter.pull_down_ohm * 2 * (inverter.cap_in_f + nor_wide.cap_out_f))
    gate_delay, _ = horowitz(inverter.pull_down_ohm * 2 * (inverter.cap_in_f * 2), ramp)
    return compare * bits / 2 + nor_delay + inv_delay + gate_delay
