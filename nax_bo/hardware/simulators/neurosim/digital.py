"""Digital blocks: flip-flops, adders, adder trees, shift-adders.

Each function prices one block for one `Technology`; energies are per use (J), leakage in W, areas in m2.
Activity factors of the silicon-validated model (Lu et al., Front. Artif. Intell. 2021, doi:10.3389/frai.2021.659060):
adders toggle 15 %, accumulator flip-flops 50 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from nax_bo.hardware.simulators.neurosim.technology import STEP_INPUT, Technology, horowitz

ADDER_ACTIVITY = 0.15
FLIP_FLOP_ACTIVITY = 0.5


@dataclass(frozen=True)
class FlipFlop:
    """Price of one flip-flop."""

    height_m: float
    width_m: float
    area_m2: float
    clock_energy_j: float
    data_energy_j: float
    leakage_w: float

    @property
    def energy_j(self) -> float:
        """Energy of one clocked access with data."""
        return self.clock_energy_j + self.data_energy_j

    def area_in_height(self, count: int, height_m: float) -> tuple[float, float]:
        """Area and width of ``count`` flip-flops stacked in columns of ``height_m``."""
        per_column = min(int(height_m / self.height_m), count)
        width = self.width_m * math.ceil(count / max(per_column, 1))
        return width * height_m, width

    def area_in_width(self, count: int, width_m: float) -> tuple[float, float]:
        """Area and height of ``count`` flip-flops laid in rows of ``width_m``."""
        per_row = min(int(width_m / self.width_m), count)
        height = self.height_m * math.ceil(count / max(per_row, 1))
        return height * width_m, height


@lru_cache(maxsize=64)
def flip_flop(tech: Technology) -> FlipFlop:
    """A flip-flop the size of twelve minimum inverters; the devices inside are enlarged in revision 13."""
    n, p = tech.min_n_m, tech.min_p_m
    if tech.revision == 13:
        n, p = tech.enlarged(n, p)
    height, width = tech.gate_size("inv", 1, tech.min_n_m, tech.min_p_m, tech.cell_height_m)
    cap_in, cap_out = tech.gate_caps("inv", 1, n, p, height)
    gate_caps = tech.input_cap_f(n) + tech.input_cap_f(p)
    vdd2 = tech.vdd_v**2
    return FlipFlop(
        height_m=height,
        width_m=width * 12,
        area_m2=height * width * 12,
        clock_energy_j=((cap_in + cap_out) * 4 + gate_caps * 2) * vdd2,
        data_energy_j=((cap_out * 3 + cap_in) + 2 * cap_out + (cap_in + cap_out)) * vdd2,
        leakage_w=tech.leakage_w("inv", 1, n, p) * 8,
    )


@dataclass(frozen=True)
class Adder:
    """Ripple-carry adder of nine NAND2 gates per bit."""

    area_per_bit_m2: float
    leakage_per_bit_w: float
    first_energy_j: float
    next_energy_j: float
    first_delay_s: float
    bit_delay_s: float

    def energy_j(self, bits: int) -> float:
        """Energy of one addition, with the activity factor."""
        return (self.first_energy_j + self.next_energy_j * (bits - 1)) * ADDER_ACTIVITY

    def delay_s(self, bits: int) -> float:
        """Delay of one addition."""
        return self.first_delay_s + self.bit_delay_s * max(bits - 2, 0)


@lru_cache(maxsize=64)
def adder(tech: Technology) -> Adder:
    """Price of adder bits at a node."""
    n, p = tech.enlarged(2 * tech.min_n_m, tech.min_p_m)
    height, width = tech.gate_size("nand", 2, n, p, tech.cell_height_m)
    cap_in, cap_out = tech.gate_caps("nand", 2, n, p, height)
    pull_down = tech.on_resistance_ohm(n) * 2
    pull_up = tech.on_resistance_ohm(p, p_type=True)
    stages = (
        pull_down * (cap_out + cap_in * 3),
        pull_up * (cap_out + cap_in * 2),
        pull_down * (cap_out + cap_in * 3),
        pull_up * (cap_out + cap_in * 2),
        pull_down * (cap_out + cap_in * 3),
        pull_up * (cap_out + cap_in),
        pull_down * cap_out,
    )
    delays = []
    ramp = STEP_INPUT
    for time_constant in stages:
        delay, ramp = horowitz(time_constant, ramp)
        delays.append(delay)
    vdd2 = tech.vdd_v**2
    return Adder(
        area_per_bit_m2=height * width * 9,
        leakage_per_bit_w=tech.leakage_w("nand", 2, n, p) * 9,
        first_energy_j=(cap_in * 14 + cap_out * 7) * vdd2,
        next_energy_j=(cap_in * 13 + cap_out * 7) * vdd2,
        first_delay_s=sum(delays) - delays[2] - delays[3],
        bit_delay_s=delays[2] + delays[3],
    )


@dataclass(frozen=True)
class AdderTree:
    """``trees`` parallel adder trees; stage widths grow by a bit, stage sizes halve (rounded down)."""

    tech: Technology
    inputs: int
    bits: int
    trees: int

    def _stages(self, inputs: int) -> list[tuple[int, int]]:
        stages, count, bits = [], inputs, self.bits
        for _ in range(math.ceil(math.log2(inputs)) if inputs > 1 else 0):
            count //= 2
            stages.append((count, bits))
            bits += 1
        return stages

    @property
    def stages(self) -> int:
        """Depth of the full tree."""
        return math.ceil(math.log2(self.inputs)) if self.inputs > 1 else 0

    @property
    def area_m2(self) -> float:
        """Area of all trees."""
        bits = sum(count * bits for count, bits in self._stages(self.inputs))
        return bits * adder(self.tech).area_per_bit_m2 * self.trees

    def energy_j(self, inputs: int) -> float:
        """Energy of one use of all trees with ``inputs`` operands."""
        unit = adder(self.tech)
        return sum(count * unit.energy_j(bits) for count, bits in self._stages(inputs)) * self.trees

    def cycles(self, inputs: int, clock_hz: float) -> int:
        """Clock cycles of one use with ``inputs`` operands."""
        unit = adder(self.tech)
        if self.tech.revision == 14:  # carries of later stages overlap; even one operand passes a stage
            later = max(len(self._stages(inputs)) - 1, 0)
            return math.ceil((unit.delay_s(self.bits) + later * unit.delay_s(2)) * clock_hz) if inputs else 0
        return sum(math.ceil(unit.delay_s(bits) * clock_hz) for _, bits in self._stages(inputs))

    def leakage_w(self, inputs: int) -> float:
        """Leakage of the stages that ``inputs`` operands use."""
        unit = adder(self.tech)
        return sum(count * bits for count, bits in self._stages(inputs)) * unit.leakage_per_bit_w * self.trees


@dataclass(frozen=True)
class ShiftAdd:
    """``units`` shift-and-add registers that accumulate ``pulses`` partial results of ``bits`` bits."""

    tech: Technology
    units: int
    bits: int
    pulses: int

    @property
    def flip_flops(self) -> int:
        """Register bits in total."""
        return (self.bits + self.pulses) * self.units

    def area_in_width(self, width_m: float) -> tuple[float, float]:
        """Area and height when laid under an array of ``width_m``."""
        adders = adder(self.tech).area_per_bit_m2 * self.bits * self.units
        _, register_height = flip_flop(self.tech).area_in_width(self.flip_flops, width_m)
        height = adders / width_m + self.tech.standard_height_m + register_height
        return height * width_m, height

    @property
    def energy_j(self) -> float:
        """Energy of one use of all units."""
        registers = flip_flop(self.tech).energy_j * self.flip_flops * FLIP_FLOP_ACTIVITY
        return adder(self.tech).energy_j(self.bits) * self.units + registers

    @property
    def leakage_w(self) -> float:
        """Leakage of all units."""
        adders = adder(self.tech).leakage_per_bit_w * self.bits * self.units
        return adders + flip_flop(self.tech).leakage_w * self.flip_flops
