"""Repeated wires: the buses inside a processing element and the H-trees of tiles and of the chip.

Wire capacitance is 0.2 fF/um everywhere. An H-tree's repeaters are weakened until a wire is 10 % slower than the
fastest one. Root-to-leaf paths are always paid in full, as in the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from nax_bo.hardware.simulators.neurosim.technology import WIRE_CAP_F_PER_M, Technology

ASPECT_RATIO_AND_RESISTIVITY = {
    175: (1.60, 2.20e-8),
    110: (1.60, 2.52e-8),
    105: (1.70, 2.68e-8),
    80: (1.70, 3.31e-8),
    56: (1.80, 3.70e-8),
    40: (1.90, 4.03e-8),
    25: (2.00, 5.08e-8),
    18: (2.00, 6.35e-8),
}
"""Wire width in nm -> aspect ratio, resistivity in ohm m (NeuroSim V1.3 interconnect table, from ITRS)."""
_WIDEST_FIRST = (
    (175, 1.6, 2.01e-8),
    (110, 1.6, 2.20e-8),
    (105, 1.7, 2.21e-8),
    (80, 1.7, 2.37e-8),
    (56, 1.8, 2.63e-8),
    (40, 1.9, 2.97e-8),
    (32, 2.0, 3.25e-8),
    (22, 2.0, 3.95e-8),
    (20, 2.0, 4.17e-8),
    (15, 2.0, 4.98e-8),
    (12, 2.0, 5.80e-8),
)
"""Smallest width in nm, aspect ratio, resistivity in ohm m of wire classes (V1.4); its barrier term has no effect."""
TOGGLE_SHARE = 0.25
"""Share of bus bits that toggle from 0 to 1 per transfer."""


@lru_cache(maxsize=1024)
def wire_resistance_ohm_per_m(width_nm: float, temp_k: float = 300, revision: int = 13) -> float:
    """Resistance of a minimum wire.

    Widths between the tabulated ones take the nearest tabulated material, in revision 14 the next narrower one.
    """
    if revision == 14:
        aspect, resistivity = next(
            (entry[1:] for entry in _WIDEST_FIRST if width_nm >= entry[0]), _WIDEST_FIRST[-1][1:]
        )
        resistivity *= 1 + 0.00451 * abs(temp_k - 300)
        return resistivity / ((width_nm * 1e-9) ** 2 * aspect)
    nearest = min(ASPECT_RATIO_AND_RESISTIVITY, key=lambda known: abs(known - width_nm))
    aspect, resistivity = ASPECT_RATIO_AND_RESISTIVITY[nearest]
    resistivity *= 1 + 0.00451 * abs(temp_k - 300)
    return resistivity / ((width_nm * 1e-9) ** 2 * aspect)


@dataclass(frozen=True)
class Repeater:
    """Repeaters of a wire: inverter size, spacing, and what they cost."""

    size: float
    spacing_m: float
    resistance_ohm: float
    cap_in_f: float
    cap_out_f: float
    height_m: float
    width_m: float
    wire_share: float
    """Factor of the wire's own delay: 0.5, or 0.54 in revision 14."""

    def delay_s_per_m(self, resistance_ohm_per_m: float) -> float:
        """Delay of a repeated wire of given resistance."""
        span, cap = self.spacing_m, WIRE_CAP_F_PER_M
        delay = self.resistance_ohm * (self.cap_in_f + self.cap_out_f + cap * span)
        delay += (
            self.wire_share * resistance_ohm_per_m * span * cap * span
            + resistance_ohm_per_m * span * self.cap_in_f
        )
        return 0.7 * delay / span

    def energy_j_per_m(self, vdd_v: float, toggle_share: float = TOGGLE_SHARE) -> float:
        """Energy per bit and metre, with the toggle share."""
        cap = self.cap_in_f + self.cap_out_f + WIRE_CAP_F_PER_M * self.spacing_m
        return cap * vdd_v**2 / self.spacing_m * toggle_share


def _repeater(tech: Technology, size: float, spacing_m: float) -> Repeater:
    n, p = tech.min_n_m * size, tech.pn_ratio * 2 * tech.feature_m * size
    height, width = tech.gate_size("inv", 1, n, p, tech.cell_height_m)
    cap_in, cap_out = tech.gate_caps("inv", 1, n, p, height)
    resistance = tech.on_resistance_ohm(n) + tech.on_resistance_ohm(p, p_type=True)
    if tech.revision == 14:
        return Repeater(size, spacing_m, resistance / 2, cap_in, cap_out, height, width, 0.54)
    return Repeater(size, spacing_m, resistance, cap_in, cap_out, height, width, 0.5)


@lru_cache(maxsize=256)
def repeater(tech: Technology, resistance_ohm_per_m: float, slack: float) -> Repeater:
    """Repeaters for the fastest wire (``slack`` 0) or one slower by ``slack``."""
    unit = _repeater(tech, 1, 1.0)
    unit_caps = unit.cap_in_f + unit.cap_out_f
    rc = resistance_ohm_per_m * WIRE_CAP_F_PER_M
    size = math.floor(
        math.sqrt(unit.resistance_ohm * WIRE_CAP_F_PER_M / unit.cap_in_f / resistance_ohm_per_m)
    )
    spacing = math.sqrt(2 * unit.resistance_ohm * unit_caps / rc)
    best = _repeater(tech, size, spacing)
    if slack == 0:
        return best
    limit = best.delay_s_per_m(resistance_ohm_per_m) * (1 + slack)
    halved, delay = size, 0.0
    while delay < limit:
        halved //= 2
        spacing *= 0.9
        delay = _repeater(tech, halved, spacing).delay_s_per_m(resistance_ohm_per_m)
    return _repeater(tech, max(1, halved), spacing)


@dataclass(frozen=True)
class HTree:
    """H-tree over a grid of ``rows`` x ``cols`` units with ``bus_bits`` wires."""

    tech: Technology
    rows: int
    cols: int
    bus_bits: float
    wire_width_nm: float
    temp_k: float
    slack: float = 0.1

    @property
    def repeater(self) -> Repeater:
        """The repeaters of all its wires."""
        return repeater(self.tech, wire_resistance_ohm_per_m(self.wire_width_nm, self.temp_k), self.slack)

    @property
    def levels(self) -> int:
        """Number of vertical-horizontal stage pairs."""
        return math.ceil(math.log2(max(self.rows, self.cols)))

    @property
    def _main_bus_units(self) -> int:
        centre = math.floor(math.log2(min(self.rows, self.cols)))
        if self.cols - centre < 1:
            centre -= 1
        return min(self.cols - centre, centre)

    def area_m2(self, unit_height_m: float, unit_width_m: float, folding: float) -> float:
        """Area of the wires' repeaters, divided by the folding of the layout."""
        cell = self.repeater
        total, down, across = 0.0, 0.0, 0.0
        for level in range(1, self.levels):
            share = 2.0**self.levels / 2 / 2.0**level
            down += self.bus_bits * cell.width_m / folding
            across += self.bus_bits * cell.height_m / folding
            total += down * unit_height_m * share / 2 + across * unit_width_m * share / 2
        return total + self.bus_bits * cell.height_m / folding * self._main_bus_units * unit_width_m

    def delay_s(self, unit_height_m: float, unit_width_m: float) -> float:
        """Delay from the root to a leaf."""
        total, unit_delay = 0.0, 0.0
        for level in range(1, self.levels + 1):
            for unit_m in (unit_height_m, unit_width_m):
                length = unit_m * 2.0**self.levels / 2.0**level
                unit_delay = self.repeater.delay_s_per_m(self._resistance_ohm_per_m(length))
                total += length * unit_delay
        return total + self._main_bus_units * unit_width_m * unit_delay

    def energy_j_per_bit(self, unit_height_m: float, unit_width_m: float) -> float:
        """Energy of one bit from the root to a leaf."""
        length: float = sum(2.0**self.levels / 2 / 2.0**level for level in range(1, self.levels + 1))
        metres = length * (unit_height_m + unit_width_m) + self._main_bus_units * unit_width_m
        return metres * self.repeater.energy_j_per_m(self.tech.vdd_v)

    def _resistance_ohm_per_m(self, length_m: float) -> float:
        """Long wires are drawn two or four times wider, in one of two materials."""
        wide = 4 if length_m / self.tech.feature_m >= 100000 else 2
        width_nm = wide * self.wire_width_nm
        resistivity = 2.20e-8 if width_nm >= 175 else 2.52e-8
        resistivity *= 1 + 0.00451 * (self.temp_k - 300)
        return resistivity / ((width_nm * 1e-9) ** 2 * 1.6)


@dataclass(frozen=True)
class _RoutedWires:
    """Repeated wires of revision 14 over a grid of ``rows`` x ``cols`` units; energies without toggle shares."""

    tech: Technology
    rows: int
    cols: int
    bus_bits: float
    wire_width_nm: float
    temp_k: float
    slack: float = 0.1

    @property
    def repeater(self) -> Repeater:
        """The repeaters of all its wires."""
        ohm = wire_resistance_ohm_per_m(self.wire_width_nm, self.temp_k, 14)
        return repeater(self.tech, ohm, self.slack)

    @property
    def energy_j_per_bit_m(self) -> float:
        """Energy of a rising bit on a metre of wire, halved for falling ones."""
        return self.repeater.energy_j_per_m(self.tech.vdd_v, 0.5)

    @property
    def leakage_w_per_m(self) -> float:
        """Leakage of the repeaters of one wire."""
        n = max(1, self.repeater.size) * self.tech.min_n_m
        p = max(1, self.repeater.size) * self.tech.min_p_m
        return self.tech.leakage_w("inv", 1, n, p) / self.repeater.spacing_m

    def _delay_s(self, length_m: float, drawn_for_m: float | None = None) -> float:
        """Delay of a wire, drawn up to four times wider when it is long."""
        reach = (length_m if drawn_for_m is None else drawn_for_m) / self.tech.feature_m
        wide = 4 if reach >= 100000 else 2 if reach >= 10000 else 1
        ohm = wire_resistance_ohm_per_m(wide * self.wire_width_nm, self.temp_k, 14)
        return length_m * self.repeater.delay_s_per_m(ohm)


@dataclass(frozen=True)
class BalancedTree(_RoutedWires):
    """H-tree of revision 14: completed to a power of two, the main bus reaching half of it."""

    @property
    def levels(self) -> int:
        """Number of vertical-horizontal stage pairs."""
        return math.ceil(math.log2(max(self.rows, self.cols)))

    @property
    def _main_bus_units(self) -> float:
        centre = 2.0**self.levels / 2
        if 2.0**self.levels - centre < 1:
            centre -= 1
        return min(2.0**self.levels - centre, centre)

    def _length_m(self, unit_height_m: float, unit_width_m: float, levels: int) -> float:
        half = 2.0**self.levels / 2
        share = sum(half / 2.0**level for level in range(1, levels + 1))
        return share * (unit_height_m + unit_width_m) + self._main_bus_units * unit_width_m

    def area_m2(self, unit_height_m: float, unit_width_m: float, folding: float) -> float:
        """Area of the wires' repeaters, divided by the folding of the layout."""
        cell = self.repeater
        total, down, across = 0.0, 0.0, 0.0
        for level in range(1, self.levels):
            share = 2.0**self.levels / 2 / 2.0**level
            down += self.bus_bits * cell.width_m / folding
            across += self.bus_bits * cell.height_m / folding
            total += down * unit_height_m * share / 2 + across * unit_width_m * share / 2
        return total + self.bus_bits * cell.height_m / folding * self._main_bus_units * unit_width_m

    def delay_s(self, unit_height_m: float, unit_width_m: float) -> float:
        """Delay from the root to a leaf."""
        total, last_m = 0.0, unit_width_m
        for level in range(1, self.levels + 1):
            for unit_m in (unit_height_m, unit_width_m):
                last_m = unit_m * 2.0**self.levels / 2.0**level
                total += self._delay_s(last_m)
        return total + self._delay_s(self._main_bus_units * unit_width_m, last_m)

    def energy_j_per_bit(self, unit_height_m: float, unit_width_m: float) -> float:
        """Energy of one bit from the root to a leaf."""
        return self._length_m(unit_height_m, unit_width_m, self.levels) * self.energy_j_per_bit_m

    def leakage_w(self, unit_height_m: float, unit_width_m: float) -> float:
        """Leakage of one path of all wires; the last stage is not counted."""
        length_m = self._length_m(unit_height_m, unit_width_m, self.levels - 1)
        return length_m * self.leakage_w_per_m * self.bus_bits


@dataclass(frozen=True)
class CrossBus(_RoutedWires):
    """X-Y bus: inputs travel along rows of units, outputs along columns, each half-way."""

    def area_m2(self, unit_height_m: float, unit_width_m: float, folding: float) -> float:
        """Area of the wires' repeaters, divided by the folding of the layout."""
        cell = self.repeater
        length = cell.width_m * unit_height_m * self.rows + cell.height_m * unit_width_m * self.cols
        return self.bus_bits * length / folding

    def lengths_m(self, unit_height_m: float, unit_width_m: float) -> tuple[float, float]:
        """Way of an input and of an output."""
        down = self.rows - math.ceil(self.rows / 2) - 1
        return unit_width_m * math.ceil(self.cols / 2), unit_height_m * down

    def delays_s(self, unit_height_m: float, unit_width_m: float) -> tuple[float, float]:
        """Delay of an input and of an output."""
        across, down = self.lengths_m(unit_height_m, unit_width_m)
        return (
            self._delay_s(across, unit_width_m * self.cols),
            self._delay_s(down, unit_height_m * self.rows),
        )
