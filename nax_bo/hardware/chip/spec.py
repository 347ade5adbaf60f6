"""What a chip is: array settings per layer and everything that is shared.

The same ``ChipSpec`` is priced by the cost model and simulated by :mod:`nax_bo.crossbar`; they cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from nax_bo.errors import InputError
from nax_bo.hardware.chip.devices import device

AdcType = Literal["sar", "flash"]
Encoding = Literal["differential", "offset"]
Dataflow = Literal["layer_by_layer", "pipelined"]
WeightMapping = Literal["conventional", "kernel_position"]
TileUse = Literal["whole", "shared"]


def _within(name: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} = {value!r} is out of range", f"Use a number from {low:g} to {high:g}.")


def check_bits_per_cell(name: str, stored: float, bits: float) -> None:
    """Raise InputError if a cell is asked to hold more bits than the device called ``name`` stores."""
    if bits > stored:
        raise InputError(
            f"bits_per_cell = {bits:g}, but device {name!r} stores {stored:g} in a cell",
            f"Use bits_per_cell = {stored:g} or fewer, or a device that stores more (naxbo devices).",
        )


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """The crossbars that hold one layer.

    Attributes:
        rows, cols: Cells per array.
        bits_per_cell: Weight bits that one cell stores; the chip's device sets the limit.
        weight_bits: Bits of a weight, sign included.
        input_bits: Bits of an activation.
        dac_bits: Input bits applied per pulse; ``ceil(input_bits / dac_bits)`` pulses ("streams") per vector.
        encoding: ``"differential"``: positive and negative arrays, ``ceil((weight_bits - 1) / bits_per_cell)`` slices
            each. ``"offset"``: unsigned codes in ``ceil(weight_bits / bits_per_cell)`` slices and a reference column.
        adc_type: ``"sar"`` (small, bits + 1 cycles) or ``"flash"`` (2 ** bits - 1 comparators, one cycle).
        adc_bits: Resolution; the converter has ``2 ** adc_bits`` levels.
        adc_enob: Effective number of bits, at most ``adc_bits``; gives the converter's noise instead of
            :attr:`Conditions.converter_noise_lsb`. It has no price of its own: a converter is priced by its bits.
        adc_range: Input range of the converter as a fraction of the largest possible partial sum, or
            ``"calibrated"``: chosen per layer on data.
        mux: Columns that share one converter (column sharing).
        duplication: Copies of the layer's weights that work in parallel.
    """

    rows: int = 128
    cols: int = 128
    bits_per_cell: int = 2
    weight_bits: int = 8
    input_bits: int = 8
    dac_bits: int = 1
    encoding: Encoding = "differential"
    adc_type: AdcType = "sar"
    adc_bits: int = 8
    adc_range: float | Literal["calibrated"] = "calibrated"
    mux: int = 8
    duplication: int = 1
    adc_enob: float | None = None

    def __post_init__(self) -> None:
        _within("rows", self.rows, 1, 4096)
        _within("cols", self.cols, 1, 4096)
        _within("bits_per_cell", self.bits_per_cell, 1, 8)
        _within("weight_bits", self.weight_bits, 2, 16)
        _within("input_bits", self.input_bits, 1, 16)
        _within("dac_bits", self.dac_bits, 1, 8)
        _within("adc_bits", self.adc_bits, 1, 16)
        _within("mux", self.mux, 1, 4096)
        _within("duplication", self.duplication, 1, 65536)
        if self.adc_enob is not None:
            _within("adc_enob", self.adc_enob, 0.1, self.adc_bits)
        if self.encoding not in ("differential", "offset"):
            raise InputError(f"encoding = {self.encoding!r}", "Use 'differential' or 'offset'.")
        if self.adc_type not in ("sar", "flash"):
            raise InputError(f"adc_type = {self.adc_type!r}", "Use 'sar' or 'flash'.")
        if self.mux > self.cols:
            raise InputError(
                f"mux = {self.mux} columns share a converter, but an array has {self.cols}",
                "Use mux <= cols.",
            )
        if self.adc_range != "calibrated" and not (
            isinstance(self.adc_range, float) and 0 < self.adc_range <= 1
        ):
            raise InputError(f"adc_range = {self.adc_range!r}", "Use 'calibrated' or a fraction in (0, 1].")

    @property
    def slices(self) -> int:
        """Cells that hold one weight on one side (of a differential pair, or of the offset code)."""
        magnitude_bits = self.weight_bits - 1 if self.encoding == "differential" else self.weight_bits
        return -(-magnitude_bits // self.bits_per_cell)

    @property
    def cells_per_weight(self) -> int:
        """Cells that hold one weight altogether (the reference column of offset encoding not counted)."""
        return self.slices * (2 if self.encoding == "differential" else 1)

    @property
    def streams(self) -> int:
        """Input pulses per vector."""
        return -(-self.input_bits // self.dac_bits)


@dataclass(frozen=True, slots=True)
class ChipSpec:
    """A chip: one device technology, arrays per layer, hierarchy, buffers, links.

    Attributes:
        device: Name in :data:`nax_bo.hardware.chip.devices.DEVICES`.
        technology_nm: CMOS node of the peripherals, 7 to 130.
        arrays: One entry for all layers, or one per static layer of the network in order.
        digital_layers: Names of layers whose products run on the digital unit (attention products always do).
        pes_per_tile, arrays_per_pe: Hierarchy: chip, tile, PE, array.
        mapping: ``"conventional"`` unrolls a kernel along the rows; ``"kernel_position"`` gives each kernel position
            arrays of its own, which reads each input once.
        dataflow: ``"layer_by_layer"`` or ``"pipelined"`` (all layers work at once, on successive images,
            unless one after another is quicker).
        global_buffer_kb, tile_buffer_kb: On-chip buffers.
        dram: Off-chip memory, a name of the component library, or ``"none"``: inputs and outputs stay on chip.
        dram_bandwidth_gb_s: Off-chip bandwidth.
        clock_ghz: Upper limit of the clock; sensing may stretch it.
        tiles: Tiles on the chip; 0 for as many as the network needs. With fewer, layers are computed in passes, between
            which crossbars are rewritten, and nothing is pipelined; with more, some are idle and take area.
        tile_use: ``"whole"``: a layer occupies tiles of its own. ``"shared"``: a tile's arrays may hold several layers.
        noc_bits: Width of a flit and of the links of the network on chip.
        buffer_port_bits: Bits that the global buffer reads or writes per cycle.
        digital_macs: Multiply-accumulates (8 x 8 bits) per cycle of the digital unit.

    Raises:
        InputError: A number out of its range, an unknown device or word, or more bits in a cell than the device stores.
    """

    device: str = "rram"
    technology_nm: float = 22.0
    arrays: tuple[ArraySpec, ...] = (ArraySpec(),)
    digital_layers: tuple[str, ...] = ()
    pes_per_tile: int = 8
    arrays_per_pe: int = 8
    mapping: WeightMapping = "conventional"
    dataflow: Dataflow = "layer_by_layer"
    global_buffer_kb: float = 512.0
    tile_buffer_kb: float = 64.0
    dram: str = "lpddr4"
    dram_bandwidth_gb_s: float = 25.6
    clock_ghz: float = 1.0
    tiles: int = 0
    tile_use: TileUse = "whole"
    noc_bits: int = 32
    buffer_port_bits: int = 1024
    digital_macs: int = 1024

    def __post_init__(self) -> None:
        if not self.arrays:
            raise InputError("a chip without arrays", "Give one ArraySpec, or one per static layer.")
        stored = device(self.device).bits_per_cell
        for bits in sorted({array.bits_per_cell for array in self.arrays}, reverse=True):
            check_bits_per_cell(self.device, stored, bits)
        _within("technology_nm", self.technology_nm, 7, 130)
        _within("pes_per_tile", self.pes_per_tile, 1, 1024)
        _within("arrays_per_pe", self.arrays_per_pe, 1, 1024)
        _within("global_buffer_kb", self.global_buffer_kb, 1, 1 << 20)
        _within("tile_buffer_kb", self.tile_buffer_kb, 0.25, 1 << 16)
        _within("dram_bandwidth_gb_s", self.dram_bandwidth_gb_s, 0.1, 10_000)
        _within("clock_ghz", self.clock_ghz, 0.001, 10)
        _within("tiles", self.tiles, 0, 1_000_000)
        _within("noc_bits", self.noc_bits, 8, 4096)
        _within("buffer_port_bits", self.buffer_port_bits, 32, 16_384)
        _within("digital_macs", self.digital_macs, 1, 1 << 20)
        if self.tile_use not in ("whole", "shared"):
            raise InputError(f"tile_use = {self.tile_use!r}", "Use 'whole' or 'shared'.")
        if self.mapping not in ("conventional", "kernel_position"):
            raise InputError(f"mapping = {self.mapping!r}", "Use 'conventional' or 'kernel_position'.")
        if self.dataflow not in ("layer_by_layer", "pipelined"):
            raise InputError(f"dataflow = {self.dataflow!r}", "Use 'layer_by_layer' or 'pipelined'.")

    def array(self, layer: int, num_layers: int) -> ArraySpec:
        """Array settings of static layer ``layer`` of ``num_layers``.

        Raises:
            InputError: Per-layer settings were given for another number of layers.
        """
        if len(self.arrays) == 1:
            return self.arrays[0]
        if len(self.arrays) != num_layers:
            raise InputError(
                f"the chip has array settings for {len(self.arrays)} layers, the network has {num_layers} of them",
                "Give one ArraySpec for all layers, or one per static layer in order.",
            )
        return self.arrays[layer]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChipSpec:
        """Inverse of :meth:`to_dict`; raises InputError on unknown fields."""
        values = dict(data)
        values["arrays"] = tuple(_known(ArraySpec, a) for a in values.get("arrays", ({},)))
        if "digital_layers" in values:
            values["digital_layers"] = tuple(values["digital_layers"])
        chip: ChipSpec = _known(cls, values)
        return chip


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where and when the programmed chip is read, and how good its converters are; part of the study, not of the chip.

    Defaults and their sources are told in ``docs/assumptions.md``. Temperature is not among them: no shipped device has
    a cited coefficient.

    Attributes:
        time_s: Seconds since programming: drift, retention and slow fluctuations. Default one day.
        programming_noise, read_noise, faults, ir_drop, converter_errors: Which non-idealities are simulated.
        variation_scale: Multiplies the standard deviation of the programming noise (1: as cited).
        drift_compensation: Whether one gain per layer undoes the mean drift.
        converter_noise_lsb: Thermal noise of one conversion, rms in steps of the converter. 0.5 is the output noise of
            the hardware-aware training of Rasch et al. 2023, doi:10.1038/s41467-023-40770-4 (0.04 of 8-bit codes that
            reach 10), and costs one effective bit; published: from 0.29 (as much as quantisation) to 1, which already
            impairs inference significantly (ASiM, doi:10.1109/TVLSI.2025.3605286).
        converter_offset_lsb: Offset of each column's converter as manufactured, standard deviation in steps. Assumed,
            0.25 to 3: what costs up to 40 points uncompensated (doi:10.1145/3665314.3670819).
        offset_calibration: Whether each chip measures its offsets once and subtracts them.
        calibrated_offset_lsb: What that leaves, standard deviation in steps. 0.25 is assumed, 0.1 to 0.5: trimming in
            steps of one leaves 0.29.
        converter_gain_error: Standard deviation of each converter's gain. 0.5 % is the computing error of a 22 nm C-2C
            macro, 1 % over supply and temperature (Wang et al., JSSC 2023).
        converter_inl_lsb: Largest deviation of each converter's curve from a straight line, in steps. 0.5 is
            assumed, 0 to 1: the usual specification of a converter without missing codes.
        converter_finest_step: The smallest step that circuits resolve, as a fraction of the full swing of an array's
            sums: 2^-10, about 1 mV of 1 V, is assumed, 2^-9 to 2^-12. Ideal converters step by whole cell levels.

    Raises:
        InputError: A number is negative, infinite or NaN, or not a number; a switch is neither true nor false.
    """

    time_s: float = 86_400.0
    programming_noise: bool = True
    read_noise: bool = True
    faults: bool = True
    ir_drop: bool = True
    converter_errors: bool = True
    variation_scale: float = 1.0
    drift_compensation: bool = True
    converter_noise_lsb: float = 0.5
    converter_offset_lsb: float = 1.0
    offset_calibration: bool = True
    calibrated_offset_lsb: float = 0.25
    converter_gain_error: float = 0.005
    converter_inl_lsb: float = 0.5
    converter_finest_step: float = 2.0**-10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise InputError(f"{field.name} = {value!r}", "Give true or false, without quotes.")
            elif (
                not isinstance(value, (int, float))
                or isinstance(value, bool)
                or not math.isfinite(value)
                or value < 0
            ):
                raise InputError(f"{field.name} = {value!r}", "Give a number of at least 0.")

    @property
    def offset_sigma_lsb(self) -> float:
        """Standard deviation of the converters' offsets as they act, in steps: calibration never makes them worse."""
        if not self.offset_calibration:
            return self.converter_offset_lsb
        return min(self.converter_offset_lsb, self.calibrated_offset_lsb)

    def noise_lsb(self, array: ArraySpec) -> float:
        """Thermal noise of one conversion of ``array``, rms in steps of its converter; 0 if converters are ideal.

        From effective bits by their definition, ``SNDR = 6.02 ENOB + 1.76 dB`` (IEEE Std 1241) with quantisation noise
        of 1/12 squared steps: ``sqrt((4 ** (adc_bits - ENOB) - 1) / 12)``.
        """
        if not self.converter_errors:
            return 0.0
        if array.adc_enob is None:
            return self.converter_noise_lsb
        return math.sqrt((4.0 ** (array.adc_bits - array.adc_enob) - 1.0) / 12.0)

    @property
    def finest_step(self) -> float | None:
        """:attr:`converter_finest_step`, or ``None`` where converters are ideal."""
        return self.converter_finest_step if self.converter_errors else None


def _known(cls: type[Any], values: Mapping[str, Any]) -> Any:
    allowed = {f.name for f in fields(cls)}
    if unknown := sorted(set(values) - allowed):
        raise InputError(
            f"{cls.__name__} has no field {', '.join(map(repr, unknown))}",
            f"It has: {', '.join(sorted(allowed))}.",
        )
    return cls(**values)
