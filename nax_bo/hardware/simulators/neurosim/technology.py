"""Transistors and standard-cell gates of one CMOS node: areas, capacitances, resistances, leakage, delays.

Everything is in SI units (m, F, ohm, A, s). The formulas restate the layout rules of the NeuroSim family (MLP+NeuroSim,
Chen et al., TCAD 2018, doi:10.1109/TCAD.2018.2789723): a gate is folded when it is taller than its cell, FinFET nodes
(14 nm and below) count whole fins, and stage delays follow Horowitz's formula as in CACTI.
Floating-point operations keep the order of the reference where a ceiling depends on the last bit.
Not modelled: threshold voltage, transconductance (the reference ignores it too), wires inside a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from typing_extensions import override

from nax_bo.errors import InputError
from nax_bo.hardware.simulators.neurosim.transistor_data import FINS, TRANSISTORS, FinRow, TransistorRow

CELL_HEIGHT_F = 28
"""Cell height of every node: the reference means to stretch FinFET cells by 34/28, which as integers is 1."""
MIN_WIDTH_F = 2
PN_GAP_F = 3.5
M3_PITCH_F = 2.8
LINEAR_REGION_RATIO = 0.20
"""Resistance in the linear region over the effective switching resistance."""
IR_DROP_TOLERANCE = 0.25
"""Largest series resistance allowed to a switch, as a share of what it drives."""
WIRE_CAP_F_PER_M = 0.2e-15 / 1e-6
STEP_INPUT = 1e20
"""Slope (1/s) of an ideal step."""
_LN_HALF_SQUARED = math.log(0.5) ** 2
_MAX_FINS = {14: 3, 10: 3, 7: 2}


def horowitz(time_constant_s: float, input_ramp_per_s: float = STEP_INPUT) -> tuple[float, float]:
    """Delay of a stage and the slope (1/s) of its output; switching at half the supply.

    Horowitz, PhD thesis, Stanford 1984, in the form used by CACTI with beta = 0.5.
    """
    alpha = 1 / input_ramp_per_s / time_constant_s
    delay_s = time_constant_s * math.sqrt(_LN_HALF_SQUARED + 0.5 * alpha)
    return delay_s, 0.5 / delay_s


class Fold(NamedTuple):
    """How the n and p devices of a gate are folded into its cell."""

    folds_n: int
    folds_p: int
    height_n_m: float
    height_p_m: float


@dataclass(frozen=True, eq=False)
class Technology:
    """One node, roadmap and temperature; build it with `technology`, which makes each once (they hash by identity)."""

    node_nm: int
    feature_m: float
    planar: bool
    vdd_v: float
    pn_ratio: float
    gate_cap_f_per_m: float
    junction_f_per_m2: float
    sidewall_f_per_m: float
    channel_f_per_m: float
    resistance_multiplier: float
    on_n_a_per_m: float
    on_p_a_per_m: float
    off_n_a_per_m: float
    off_p_a_per_m: float
    fin_height_m: float
    fin_width_m: float
    fin_pitch_m: float
    revision: int = 13
    """Release of the reference whose circuits are priced: 13 (V1.3) or 14 (V1.4)."""

    # ---- sizes -------------------------------------------------------------------------------------------------

    @property
    def min_n_m(self) -> float:
        """Width of a minimum n device."""
        return MIN_WIDTH_F * self.feature_m

    @property
    def min_p_m(self) -> float:
        """Width of a p device as strong as the minimum n device."""
        return self.pn_ratio * MIN_WIDTH_F * self.feature_m

    @property
    def cell_height_m(self) -> float:
        """Height of a standard cell."""
        return self.feature_m * CELL_HEIGHT_F

    @property
    def standard_height_m(self) -> float:
        """Height of a standard cell in the layout; `cell_height_m` is what gates are asked to fit."""
        return self.cell_height_m

    @property
    def wire_pitch_f(self) -> float:
        """Pitch of the wires inside a decoder, in feature sizes."""
        return M3_PITCH_F

    @property
    def narrow_pitch_m(self) -> float:
        """Gate pitch that pass gates of columns are laid out with."""
        return (1.0 + 2.8) * self.feature_m

    @property
    def _gate_pitch_m(self) -> float:
        return (1.0 + 2.8) * self.feature_m if self.planar else (1.4 + 3.9) * self.feature_m

    @property
    def _diffusion_gap_m(self) -> float:
        return (2.8 if self.planar else 3.9) * self.feature_m

    @property
    def _edge_m(self) -> float:
        return (1.0 + 1.6 / 2) * 2 * self.feature_m

    def _fins(self, width_m: float) -> int:
        return math.ceil(width_m / self.fin_pitch_m)

    def _to_fin_width(self, width_m: float) -> float:
        return width_m * (self.fin_pitch_m / (2 * self.feature_m))

    def effective_width_m(self, width_m: float) -> float:
        """Electrical width: as drawn on planar nodes, whole fins on FinFET nodes."""
        if self.planar:
            return width_m
        return self._fins(self._to_fin_width(width_m)) * (2 * self.fin_height_m + self.fin_width_m)

    def enlarged(self, n_m: float, p_m: float) -> tuple[float, float]:
        """Widths of a gate grown until it fills a standard cell of unchanged area."""
        return _enlarged(self, n_m, p_m)

    # ---- gates -------------------------------------------------------------------------------------------------

    def fold(self, n_m: float, p_m: float, height_m: float) -> Fold:
        """Folding of a gate in a cell of ``height_m``."""
        if not self.planar:
            n_m, p_m = self._to_fin_width(n_m), self._to_fin_width(p_m)
        ratio = p_m / (p_m + n_m)
        gap_m = 0.0 if ratio in (0, 1) else PN_GAP_F * self.feature_m
        room_m = height_m - gap_m - self._edge_m
        if self.planar:
            return self._fold_planar(n_m, p_m, ratio, room_m)
        return self._fold_fins(n_m, p_m, ratio, room_m)

    def _fold_planar(self, n_m: float, p_m: float, ratio: float, room_m: float) -> Fold:
        max_p = ratio * room_m
        max_n = room_m if ratio == 0 else (0.0 if ratio == 1 else max_p / ratio * (1 - ratio))
        folds_p = math.ceil(p_m / max_p) if p_m > 0 and p_m > max_p else 1
        folds_n = math.ceil(n_m / max_n) if n_m > 0 and n_m > max_n else 1
        return Fold(folds_n, folds_p, min(n_m, max_n), min(p_m, max_p))

    def _fold_fins(self, n_m: float, p_m: float, ratio: float, room_m: float) -> Fold:
        sides = []
        for width_m, share in ((n_m, 1 - ratio), (p_m, ratio)):
            fins = self._fins(width_m)
            most = math.floor(share * room_m / self.fin_pitch_m) + 1
            folds = fins // most if fins > most else 1
            used = min(fins, most)
            sides.append((folds, (used - 1) * self.fin_pitch_m + self.fin_width_m if fins else 0.0))
        return Fold(sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    def _layout_fold(self, n_m: float, p_m: float, height_m: float) -> Fold:
        """Folding that layouts use; it may round differently from the one of capacitances."""
        return self.fold(n_m, p_m, height_m)

    def gate_size(
        self, kind: str, inputs: int, n_m: float, p_m: float, height_m: float
    ) -> tuple[float, float]:
        """Height and width of an ``inv``, ``nand`` or ``nor`` gate."""
        fold = self._layout_fold(n_m, p_m, height_m)
        pitch = self._gate_pitch_m
        width = 0.0
        for present, folds in ((n_m > 0, fold.folds_n), (p_m > 0, fold.folds_p)):
            if not present:
                continue
            region = (folds + 1) * pitch if folds > 1 else 2 * pitch
            if kind != "inv":
                shared = fold.folds_n == 1 and fold.folds_p == 1
                region = region * inputs - ((inputs - 1) * pitch if shared else 0.0)
            width = max(width, region)
        return height_m, width

    def gate_area(self, kind: str, inputs: int, n_m: float, p_m: float) -> float:
        """Area of a gate in a cell of standard height."""
        height, width = self.gate_size(kind, inputs, n_m, p_m, self.cell_height_m)
        return height * width

    def input_cap_f(self, width_m: float) -> float:
        """Gate capacitance of one device."""
        return self.gate_cap_f_per_m * self.effective_width_m(width_m)

    def gate_caps(
        self, kind: str, inputs: int, n_m: float, p_m: float, height_m: float
    ) -> tuple[float, float]:
        """Input and output capacitance of a gate in a cell of ``height_m``."""
        return self.input_cap_f(n_m) + self.input_cap_f(p_m), self.output_cap_f(
            kind, inputs, n_m, p_m, height_m
        )

    def output_cap_f(self, kind: str, inputs: int, n_m: float, p_m: float, height_m: float) -> float:
        """Junction, side-wall and overlap capacitance at a gate's output."""
        fold = self.fold(n_m, p_m, height_m)
        total = 0.0
        for is_p, width_m, folds, height in (
            (False, n_m, fold.folds_n, fold.height_n_m),
            (True, p_m, fold.folds_p, fold.height_p_m),
        ):
            if width_m <= 0:
                continue
            drain_m, wall_m = self._drain(kind, inputs, is_p, fold, folds=folds, height_m=height)
            total += drain_m * height * self.junction_f_per_m2
            total += wall_m * self.sidewall_f_per_m
            total += folds * height * self.channel_f_per_m
        return total

    def _drain(
        self, kind: str, inputs: int, is_p: bool, fold: Fold, *, folds: int, height_m: float
    ) -> tuple[float, float]:
        """Width of the drain region and length of its side wall."""
        gap = self._diffusion_gap_m
        drain = gap if folds == 1 else math.ceil((folds + 1) / 2) * gap
        source = gap if folds == 1 else ((folds + 1) // 2) * gap
        if kind == "inv":
            # both sides take the parity of the p folds: a slip of the reference that shows in its prices
            return drain, drain * 2 + height_m * (1 + (fold.folds_p + 1) % 2)
        series = is_p == (kind == "nor")
        odd = (folds + 1) % 2
        if fold.folds_n == 1 and fold.folds_p == 1:
            if series:
                return drain * inputs, drain * inputs * 2 + height_m
            shared = drain * ((inputs + 1) // 2)
            return shared, shared * 2 + height_m * (1 - (inputs + 1) % 2)
        if series:
            wide = drain * inputs + (inputs - 1) * source
            return wide, wide * 2 + height_m * (1 + odd) * inputs + height_m * (1 - odd) * (inputs - 1)
        return drain * inputs, drain * inputs * 2 + height_m * (1 + odd) * inputs

    def pass_gate_size(self, n_m: float, p_m: float, folds: int) -> tuple[float, float]:
        """Height and width of a pass gate whose height is free."""
        width = (folds + 1) * self._gate_pitch_m
        if self.planar:
            return p_m / folds + n_m / folds + PN_GAP_F * self.feature_m + self._edge_m, width
        perimeter = 2 * self.fin_height_m + self.fin_width_m
        height = PN_GAP_F * self.feature_m + self._edge_m
        for width_m in (n_m, p_m):
            fins = math.ceil(math.ceil(self._to_fin_width(width_m) / perimeter) / folds)
            height += (fins - 1) * self.fin_pitch_m + self.fin_width_m
        return height, width

    # ---- currents ----------------------------------------------------------------------------------------------

    def on_resistance_ohm(self, width_m: float, p_type: bool = False) -> float:
        """Effective switching resistance of one device."""
        current = self.on_p_a_per_m if p_type else self.on_n_a_per_m
        return self.resistance_multiplier * self.vdd_v / (current * self.effective_width_m(width_m))

    def conducting_ohm(self, width_m: float, p_type: bool = False) -> float:
        """Supply over on-current of one device, without the switching multiplier."""
        current = self.on_p_a_per_m if p_type else self.on_n_a_per_m
        return self.vdd_v / (current * self.effective_width_m(width_m))

    def leakage_w(self, kind: str, inputs: int, n_m: float, p_m: float) -> float:
        """Leakage power of one gate, averaged over its input states."""
        n_a = self.effective_width_m(n_m) * self.off_n_a_per_m
        p_a = self.effective_width_m(p_m) * self.off_p_a_per_m
        if kind == "inv":
            return (n_a + p_a) / 2 * self.vdd_v
        if kind == "nor":
            return (0.95 if inputs == 2 else 0.62) * n_a * inputs * self.vdd_v
        return (0.48 if inputs == 2 else 0.31) * p_a * inputs * self.vdd_v


@dataclass(frozen=True, kw_only=True, eq=False)
class FinTechnology(Technology):
    """A FinFET node as V1.4 prices it: cell sizes of the node, whole fins, bottom junctions only."""

    row: FinRow

    @property
    @override
    def standard_height_m(self) -> float:
        return self.cell_height_m * (self.row.cell_height_f / CELL_HEIGHT_F)

    @property
    @override
    def wire_pitch_f(self) -> float:
        return self.row.metal_pitch_f

    @property
    @override
    def narrow_pitch_m(self) -> float:
        return self.row.gate_pitch_f * self.feature_m

    @property
    @override
    def _gate_pitch_m(self) -> float:
        return self.row.gate_pitch_f * self.feature_m

    @property
    @override
    def _diffusion_gap_m(self) -> float:
        return (self.row.gate_pitch_f - self.row.gate_length_f) * self.feature_m

    def _stretched(self, height_m: float) -> float:
        """Height of a cell of this node asked to fit a cell of a planar one (rounded as in the reference)."""
        return height_m * (34.0 / CELL_HEIGHT_F) * (self.row.cell_height_f / 34.0)

    def _to_fins(self, width_m: float) -> float:
        return width_m * (1 / (2 * self.feature_m))

    @override
    def effective_width_m(self, width_m: float) -> float:
        return math.ceil(self._to_fins(width_m)) * self.row.effective_width_m

    @override
    def fold(self, n_m: float, p_m: float, height_m: float) -> Fold:
        return self._fold(self._to_fins(n_m), self._to_fins(p_m), height_m)

    @override
    def _layout_fold(self, n_m: float, p_m: float, height_m: float) -> Fold:
        return self._fold(n_m / (2 * self.feature_m), p_m / (2 * self.feature_m), height_m)

    def _fold(self, n_fins: float, p_fins: float, height_m: float) -> Fold:
        ratio = p_fins / (p_fins + n_fins)
        most = self.row.most_fins
        if height_m != self.cell_height_m:
            room = self._stretched(height_m)
            room -= (self.row.pn_gap_f + self.row.outer_f) * self.feature_m
            most = math.floor((room + self.fin_pitch_m) / 2 / (self.fin_width_m + self.fin_pitch_m))
        most_n, most_p = self._shared_fins(most, ratio)
        sides = []
        for fins, limit in ((math.ceil(n_fins), most_n), (math.ceil(p_fins), most_p)):
            folded = fins > limit
            sides.append((fins // limit if folded else 1, (limit if folded else fins) * self.fin_width_m))
        return Fold(sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    @staticmethod
    def _shared_fins(most: int, ratio: float) -> tuple[int, int]:
        """Fins of both sides of a cell that holds twice ``most``, shared like the widths; at least one each."""
        both = 2 * most
        if ratio in (0, 1):
            return (both, 0) if ratio == 0 else (0, both)
        n = int(both * (1 - ratio)) if ratio > 0.5 else both - int(both * ratio)
        n = min(max(n, 1), both - 1)
        return n, both - n

    @override
    def gate_size(
        self, kind: str, inputs: int, n_m: float, p_m: float, height_m: float
    ) -> tuple[float, float]:
        _, width = super().gate_size(kind, inputs, n_m, p_m, height_m)
        return self._stretched(height_m), width

    @override
    def pass_gate_size(self, n_m: float, p_m: float, folds: int) -> tuple[float, float]:
        height = (self.row.pn_gap_f + 2 * self.row.outer_f) * self.feature_m
        for width_m in (n_m, p_m):
            fins = math.ceil(math.ceil(width_m / (2 * self.feature_m)) / folds)
            height += (fins - 1) * self.fin_pitch_m + self.fin_width_m
        return height, (folds + 1) * self._gate_pitch_m

    @override
    def enlarged(self, n_m: float, p_m: float) -> tuple[float, float]:
        ratio, most, unit = p_m / (p_m + n_m), self.row.most_fins, 2 * self.feature_m
        n, p = math.ceil(n_m / unit), math.ceil(p_m / unit)
        if ratio in (0, 1):
            return (most * unit if ratio == 0 and n <= most else n_m), (
                most * unit if ratio == 1 and p <= most else p_m
            )
        if n > most or p > most:
            return n_m, p_m
        other = most / ratio * (1 - ratio) if ratio >= 0.5 else most / (1 - ratio) * ratio
        if other == int(other):  # grown only when both sides keep whole fins
            n, p = (int(other), most) if ratio >= 0.5 else (most, int(other))
        return n * unit, p * unit


@lru_cache(maxsize=4096)
def _enlarged(tech: Technology, n_m: float, p_m: float) -> tuple[float, float]:
    ratio = p_m / (p_m + n_m)
    if tech.planar:
        gap_m = 0.0 if ratio in (0, 1) else PN_GAP_F * tech.feature_m
        room_m = tech.cell_height_m - gap_m - tech._edge_m
        max_p = ratio * room_m
        max_n = room_m if ratio == 0 else (0.0 if ratio == 1 else max_p / ratio * (1 - ratio))
        fits = (n_m < max_n or ratio == 1) and (p_m < max_p or ratio == 0)
        return (max_n, max_p) if fits else (n_m, p_m)
    most = _MAX_FINS[tech.node_nm]
    unit = 2 * tech.feature_m
    fins_n, fins_p = math.ceil(n_m / unit), math.ceil(p_m / unit)
    if ratio in (0, 1):
        return (most * unit if ratio == 0 and fins_n <= most else n_m), (
            most * unit if ratio == 1 and fins_p <= most else p_m
        )
    if fins_n > most or fins_p > most:
        return n_m, p_m
    if ratio >= 0.5:
        return math.ceil(most / ratio * (1 - ratio)) * unit, most * unit
    return most * unit, math.ceil(most / (1 - ratio) * ratio) * unit


@lru_cache(maxsize=64)
def technology(node_nm: int, roadmap: str, temp_k: float = 300, revision: int = 13) -> Technology:
    """Transistors of one node (130 to 7 nm), roadmap ('LSTP' or 'HP') and temperature (300 to 400 K).

    In revision 14 the nodes from 14 nm down to 3 nm have figures of their own, for LSTP at 300 K only.

    Raises:
        InputError: if the node, the roadmap or the temperature is not tabulated.
    """
    if revision == 14 and node_nm in FINS:
        return _fin_technology(node_nm, roadmap, temp_k)
    if (node_nm, roadmap) not in TRANSISTORS:
        nodes = sorted({node for node, _ in TRANSISTORS}, reverse=True)
        raise InputError(
            f"tech_node_nm={node_nm} with roadmap={roadmap!r} is not tabulated",
            f"use one of {nodes} nm with roadmap 'LSTP' or 'HP'",
        )
    if not 300 <= temp_k <= 400:
        raise InputError(f"temp_k={temp_k} is outside the tabulated range", "use 300 to 400 K")
    return _tabulated(node_nm, TRANSISTORS[node_nm, roadmap], temp_k, revision)


def _fin_technology(node_nm: int, roadmap: str, temp_k: float) -> FinTechnology:
    if roadmap != "LSTP" or temp_k != 300:
        raise InputError(
            f"tech_node_nm={node_nm} with roadmap={roadmap!r} at {temp_k} K is not tabulated in V1.4",
            "use LSTP at 300 K, or a node of 22 nm or more",
        )
    row = FINS[node_nm]
    return FinTechnology(
        row=row,
        node_nm=node_nm,
        feature_m=node_nm * 1e-9,
        planar=False,
        vdd_v=row.vdd_v,
        pn_ratio=1,
        gate_cap_f_per_m=row.fin_gate_cap_f / row.effective_width_m,
        junction_f_per_m2=row.junction_f_per_m2,
        sidewall_f_per_m=0.0,
        channel_f_per_m=0.0,
        resistance_multiplier=row.resistance_multiplier,
        on_n_a_per_m=row.on_a_per_m,
        on_p_a_per_m=row.on_a_per_m,
        off_n_a_per_m=row.off_n_a_per_m,
        off_p_a_per_m=row.off_p_a_per_m,
        fin_height_m=0.0,
        fin_width_m=row.fin_width_m,
        fin_pitch_m=row.fin_pitch_m,
        revision=14,
    )


def _tabulated(node_nm: int, row: TransistorRow, temp_k: float, revision: int) -> Technology:
    planar = node_nm >= 22
    ratio = row.on_n_a_per_m[0] / row.on_p_a_per_m[0]
    over_built_in = 1 + row.vdd_v / 0.9

    def at_temperature(curve: tuple[float, ...]) -> float:
        position = int(temp_k) - 300
        low, rest = divmod(position, 10)
        high = min(low + 1, 10)
        return curve[low] + (curve[high] - curve[low]) * rest / 10

    return Technology(
        node_nm=node_nm,
        feature_m=node_nm * 1e-9,
        planar=planar,
        vdd_v=row.vdd_v,
        pn_ratio=ratio if planar else int(ratio),
        gate_cap_f_per_m=row.gate_cap_f_per_m * (1.2 if planar else 1.0) + row.fringe_cap_f_per_m,
        junction_f_per_m2=1e-3 / over_built_in**0.5,
        sidewall_f_per_m=2.5e-10 / over_built_in**0.33,
        channel_f_per_m=0.5e-10 / over_built_in**0.33,
        resistance_multiplier=row.resistance_multiplier,
        on_n_a_per_m=at_temperature(row.on_n_a_per_m),
        on_p_a_per_m=at_temperature(row.on_p_a_per_m),
        off_n_a_per_m=at_temperature(row.off_n_a_per_m),
        off_p_a_per_m=at_temperature(row.off_p_a_per_m),
        fin_height_m=row.fin_height_m,
        fin_width_m=row.fin_width_m,
        fin_pitch_m=row.fin_pitch_m,
        revision=revision,
    )
