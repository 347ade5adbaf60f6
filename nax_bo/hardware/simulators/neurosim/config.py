"""What the `neurosim` cost model is asked: one chip configuration and the layers of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nax_bo.errors import InputError
from nax_bo.hardware.simulators.neurosim.converters import ADC_TYPES

FEATURE_SIZE_NM = {130: 175, 90: 110, 65: 105, 45: 80, 32: 56, 22: 40, 14: 25, 10: 18, 7: 18}
"""Default wire pitch unit of each node."""
FEATURE_SIZE_14_NM = FEATURE_SIZE_NM | {14: 32, 10: 22, 7: 20, 5: 15, 3: 12}
"""The same in revision 14."""
SMALLEST_RESISTIVE_14_NM = 22
"""Smallest node for which revision 14 accepts RRAM, the HP roadmap, or a temperature other than 300 K."""
DEVICES = ("RRAM", "FeFET", "SRAM")


@dataclass(frozen=True)
class Quirks:
    """Behaviours of the reference simulator that a physical model would not have, or that its versions differ in."""

    floor_mux_per_weight: bool = True
    """Reads of adder trees and input shift-adds per vector are floor(mux / cells), hence 0 when mux < cells."""
    exact_reads_in_conventional_tile: bool = True
    """The adder tree of a conventional tile is read ceil(mux / cells) times all the same."""
    phantom_processing_elements: bool = True
    """Unmapped processing elements of an undivided tile cost what the last mapped one cost."""
    unit_clock_in_wires: bool = True
    """Wire and adder cycles are counted at 1 GHz although the clock may be slower."""
    stale_leakage: bool = True
    """Leakage of an adder tree is that of its last use, even by another layer."""
    activity_per_array_rows: bool = True
    """Active rows are counted; off: the active share of the mapped rows is applied to all rows."""
    round_up_buffer_cores: bool = True
    """Global buffer cores hold the largest input; off: their number is rounded down."""
    tile_sums_per_column: bool = True
    """Sums over tiles are counted per cell column; off: per weight and tile column."""
    revision: int = 13
    """Circuits, buffers and wires of DNN+NeuroSim V1.3 (13) or V1.4 (14); the other fields vary revision 13."""
    full_flash_amplifiers: bool = True
    """Flash comparators have n devices in their amplifier; off: only p devices are laid out there."""


V13 = Quirks()
"""Behaviour of DNN+NeuroSim V1.3."""
V14 = Quirks(
    revision=14,
    unit_clock_in_wires=False,
)
"""Behaviour of DNN+NeuroSim V1.4 with an X-Y bus, flip-flop buffers and no synchronised transfers."""
XPERTSIM = Quirks(
    exact_reads_in_conventional_tile=False,
    activity_per_array_rows=False,
    round_up_buffer_cores=False,
    tile_sums_per_column=False,
    full_flash_amplifiers=False,
)
"""Behaviour of XPertSim (Moitra et al., DAC 2023, arXiv:2303.17646), a modified V1.3."""


@dataclass(frozen=True)
class Activity:
    """Input and weight statistics that stand in for recorded traces; defaults are the reference tables' generator.

    Activations are ``max(0, N(0, activation_std))`` clipped below 1 (the first layer signed), weights
    ``N(0, weight_std)`` clipped to (-1, 1); both in two's complement or offset binary of their own width.
    """

    activation_std: float = 0.35
    weight_std: float = 0.25
    first_layer_signed: bool = True


@dataclass(frozen=True)
class NeuroSimLayer:
    """One row of a network table. ``in_h`` and ``in_w`` are what the kernel slides over, padding included."""

    in_h: int
    in_w: int
    c_in: int
    k_h: int
    k_w: int
    c_out: int
    maxpool_after: bool = False
    stride: int = 1
    zero_border: int | None = None
    """Width of the zero border inside ``in_h`` and ``in_w``; None infers it for the whole network."""
    signed_input: bool | None = None
    """Whether inputs have both signs; None means only the first layer of a network does."""

    def __post_init__(self) -> None:
        for name in ("in_h", "in_w", "c_in", "k_h", "k_w", "c_out", "stride"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"layer {name}={getattr(self, name)} must be at least 1", "check the layer table"
                )
        if self.k_h > self.in_h or self.k_w > self.in_w:
            raise InputError(
                f"kernel {self.k_h}x{self.k_w} is larger than its input {self.in_h}x{self.in_w}",
                "in_h and in_w must include the padding",
            )

    @property
    def num_input_vectors(self) -> int:
        """Kernel positions, rounded down once over both dimensions as the reference does."""
        return int((self.in_h - self.k_h + 1) / self.stride * (self.in_w - self.k_w + 1) / self.stride)

    @property
    def num_ops(self) -> int:
        """Operations as the reference counts them: by input positions, ignoring stride and padding."""
        return 2 * self.in_h * self.in_w * self.c_in * self.k_h * self.k_w * self.c_out


@dataclass(frozen=True)
class NeuroSimConfig:
    """One chip; names follow the reference tables. Defaults are the defaults of DNN+NeuroSim V1.3."""

    weight_bits: int = 8
    input_bits: int = 8
    device: str = "RRAM"
    bits_per_cell: int = 2
    xbar_rows_cols: int = 128
    col_mux: int = 8
    adc_type: str = "FLASH_MLSA_CSA"
    adc_bits: int = 5
    tech_node_nm: int = 22
    feature_size_nm: float | None = None
    roadmap: str = "LSTP"
    r_on_ohm: float = 6e3
    r_off_ohm: float = 9e5
    read_voltage_v: float = 0.5
    temp_k: float = 300
    mapping: str = "novel"
    dataflow: str = "layer_by_layer"
    pipeline_speedup: int = 8
    global_buffer_type: str = "RF"
    max_global_bus_width: int = 2048
    tile_buffer_core_dim: int = 32
    rows_parallel: int | None = None
    """Rows read at once (revision 14 only); None means all."""
    quirks: Quirks = V13
    activity: Activity = field(default_factory=Activity)

    def __post_init__(self) -> None:
        _choice("device", self.device, DEVICES)
        _choice("adc_type", self.adc_type, ADC_TYPES)
        _choice("mapping", self.mapping, ("novel", "conventional"))
        _choice("dataflow", self.dataflow, ("layer_by_layer", "pipeline"))
        _choice("global_buffer_type", self.global_buffer_type, ("RF", "SRAM"))
        for name in ("weight_bits", "input_bits", "bits_per_cell", "xbar_rows_cols", "col_mux", "adc_bits"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name}={getattr(self, name)} must be at least 1", "check the chip settings"
                )
        if self.col_mux > self.xbar_rows_cols:
            raise InputError(
                f"col_mux={self.col_mux} exceeds the {self.xbar_rows_cols} columns of an array",
                "share a converter among at most all columns",
            )
        if self.rows_parallel is not None and not 1 <= self.rows_parallel <= self.xbar_rows_cols:
            raise InputError(
                f"rows_parallel={self.rows_parallel} is not between 1 and the {self.xbar_rows_cols} rows of an array",
                "leave it out to read all rows at once",
            )
        if not 0 < self.r_on_ohm < self.r_off_ohm:
            raise InputError(
                f"{self.r_on_ohm=} and {self.r_off_ohm=} are not ordered", "need 0 < r_on < r_off"
            )

    @property
    def cell_bits(self) -> int:
        """Bits per cell in effect: SRAM stores one, no cell more than the weight has."""
        return 1 if self.device == "SRAM" else min(self.bits_per_cell, self.weight_bits)

    @property
    def cells_per_weight(self) -> int:
        """Columns of one weight."""
        return math.ceil(self.weight_bits / self.cell_bits)

    @property
    def wire_width_nm(self) -> float:
        """Wire pitch unit in effect."""
        if self.feature_size_nm is not None:
            return self.feature_size_nm
        known = FEATURE_SIZE_14_NM if self.quirks.revision == 14 else FEATURE_SIZE_NM
        return known[self.tech_node_nm]

    @property
    def partial_reads(self) -> int:
        """Reads that a column takes when only some rows are on at once (rounded down, as the reference does)."""
        return self.xbar_rows_cols // (self.rows_parallel or self.xbar_rows_cols)

    @property
    def rows_on(self) -> int:
        """Rows read at once."""
        return self.rows_parallel or self.xbar_rows_cols

    @property
    def converters(self) -> int:
        """Converters per array."""
        return self.xbar_rows_cols // self.col_mux


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name}={value!r} is unknown", f"use one of {', '.join(allowed)}")
