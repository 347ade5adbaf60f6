"""Crossbar layers: drop-in replacements of ``nn.Conv2d`` and ``nn.Linear`` with the same weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.crossbar.adc import Converter
from nax_bo.crossbar.cells import Cells, program_cells
from nax_bo.crossbar.exact import exact_product, integer_product
from nax_bo.crossbar.quantise import InputRange, exact_dtype, largest_code, weight_codes, weight_scale
from nax_bo.crossbar.slicing import RowBlocks, row_blocks, slice_weights, weight_offset
from nax_bo.crossbar.training import WeightNoise
from nax_bo.crossbar.wires import Wire
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, Conditions, WeightMapping
from nax_bo.hardware.devices import Device

Mode = Literal["float", "ideal", "fast", "adaptive", "exact"]
MODES: tuple[Mode, ...] = ("float", "ideal", "fast", "adaptive", "exact")


@dataclass
class ReadState:
    """What all layers of a network share while they are read."""

    mode: Mode = "ideal"
    draw: int = 0
    generator: Generator | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a layer runs on.

    Attributes:
        array: Array settings.
        device: Cells.
        wire: Wire resistance per cell.
        mapping: How rows are spread over arrays.
        digital: The layer's products are computed digitally: quantised, otherwise exact, in every mode.
    """

    array: ArraySpec
    device: Device
    wire: Wire
    mapping: WeightMapping = "conventional"
    digital: bool = False


class CrossbarLayer(nn.Module):
    """What convolution and linear layers share. Weights stay trainable parameters under their usual names."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self, weight: nn.Parameter, bias: nn.Parameter | None, hardware: Hardware, state: ReadState
    ) -> None:
        super().__init__()
        self.weight = weight
        self.register_parameter("bias", bias)
        self.hardware = hardware
        self.state = state
        self.name = ""
        self.input_range: InputRange | None = None
        self.converter: Converter | None = None
        self.cells: Cells | None = None
        self.noise: WeightNoise | None = None
        self.train_noise_generator: Generator | None = None
        self._seen: tuple[float, float] | None = None

    @property
    @abstractmethod
    def groups(self) -> int:
        """Independent weight matrices."""

    @property
    @abstractmethod
    def blocks(self) -> RowBlocks:
        """Row blocks of one matrix."""

    @abstractmethod
    def patches(self, x: Tensor) -> Tensor:
        """Input vectors of ``x``, ``groups x vectors x rows``, rows in array order."""

    @abstractmethod
    def assemble(self, products: Tensor, x: Tensor) -> Tensor:
        """Layer output, without bias, from ``products: groups x vectors x cols``."""

    @abstractmethod
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's own linear map with another weight."""

    def matrix(self, weight: Tensor) -> Tensor:
        """``weight: out x ...`` as ``groups x rows x cols``, rows in array order."""
        grouped = weight.reshape(self.groups, weight.shape[0] // self.groups, -1)
        return self.blocks.arrange(grouped.transpose(1, 2), 1)

    def codes(self) -> tuple[Tensor, Tensor]:
        """Weight codes and scale per output.

        Raises:
            InputError: Weights are NaN or infinite.
        """
        if not bool(torch.isfinite(self.weight).all()):
            raise InputError(
                f"layer {self.name!r} has NaN or infinite weights", "Check that its training converged."
            )
        bits = self.hardware.array.weight_bits
        scale = weight_scale(self.weight, bits)
        return weight_codes(self.weight, scale, bits), scale

    def program(self, conditions: Conditions, generator: Generator, draws: int) -> None:
        """Write the present weights into the cells of ``draws`` chips."""
        if self.hardware.digital:
            return
        h = self.hardware
        codes, _ = self.codes()
        self.cells = program_cells(
            self.matrix(codes), h.array, h.device, h.wire, self.blocks.sizes, conditions, generator, draws
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self._train_forward(x)
        mode = self.state.mode
        if mode == "float":
            return self.linear(x, self.weight, self.bias)
        with torch.no_grad():
            return self._read(x, "ideal" if self.hardware.digital else mode)

    def _read(self, x: Tensor, mode: Mode) -> Tensor:
        inputs = self._range()
        codes, scale = self.codes()
        x_codes = inputs.codes(x)
        if mode == "ideal":
            array = self.hardware.array
            largest = float(inputs.high) * largest_code(array.weight_bits) * codes[0].numel()
            dtype = exact_dtype(largest)
            product = self.linear(x_codes.to(dtype), codes.to(dtype), None)
        elif mode == "exact":
            product = self.assemble(self._exact(self.patches(x_codes)), x)
        else:
            product = self._fast(x_codes)
        channel = self._per_channel(scale * inputs.scale, product)
        out = (product * channel).to(x.dtype)
        return out if self.bias is None else out + self._per_channel(self.bias, out)

    def _exact(self, patches: Tensor) -> Tensor:
        cells, converter = self._programmed()
        array, d = self.hardware.array, min(self.state.draw, len(cells.levels) - 1)
        variance = None if cells.read_variance is None else cells.read_variance[d]
        if cells.integer and variance is None and converter.lossless:
            codes, _ = self.codes()
            return integer_product(patches, self.matrix(codes), array)
        product = exact_product(
            patches, cells.levels[d], array, self.blocks.sizes, converter, variance, self.state.generator
        )
        return product * cells.gain[d]

    def _fast(self, x_codes: Tensor) -> Tensor:
        cells, _ = self._programmed()
        d = min(self.state.draw, len(cells.levels) - 1)
        array = self.hardware.array
        places = torch.tensor(slice_weights(array), dtype=torch.float32)
        matrix = torch.einsum("sgkn,s->gkn", cells.levels[d], places) - weight_offset(array)
        patches = self.patches(x_codes)
        return self.assemble(torch.bmm(patches, matrix) * cells.gain[d], x_codes)

    def _programmed(self) -> tuple[Cells, Converter]:
        if self.cells is None:
            raise InputError(
                f"layer {self.name!r} has not been programmed", "Call network.program(seed) first."
            )
        if self.converter is None:
            raise InputError(
                f"layer {self.name!r} has not been calibrated", "Call network.calibrate(images) first."
            )
        return self.cells, self.converter

    def _range(self) -> InputRange:
        if self.input_range is None:
            raise InputError(
                f"layer {self.name!r} has not been calibrated", "Call network.calibrate(images) first."
            )
        return self.input_range

    def _train_forward(self, x: Tensor) -> Tensor:
        return self.linear(self._train_input(x), self._train_weight(), self.bias)

    def _train_input(self, x: Tensor) -> Tensor:
        low, high = (float(v) for v in torch.aminmax(x.detach()))
        if self._seen is not None:
            before_low, before_high = self._seen
            low, high = 0.9 * before_low + 0.1 * low, 0.9 * before_high + 0.1 * high
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError(
                f"layer {self.name!r} was given NaN or infinite inputs", "Lower the learning rate."
            )
        self._seen = (low, high)
        r = InputRange.of(low, high, self.hardware.array.input_bits)
        return torch.fake_quantize_per_tensor_affine(x, r.scale, 0, r.low, r.high)

    def _train_weight(self) -> Tensor:
        with torch.no_grad():
            bits = self.hardware.array.weight_bits
            scale = weight_scale(self.weight, bits)
            codes = weight_codes(self.weight, scale, bits)
            if self.noise is not None and not self.hardware.digital:
                codes = codes + self.noise.sample(codes, self.train_noise_generator)
            change = codes.mul_(scale.reshape(-1, *[1] * (codes.ndim - 1))).sub_(self.weight)
        return self.weight + change

    def _per_channel(self, values: Tensor, out: Tensor) -> Tensor:
        return values.to(out.dtype)


class CrossbarConv2d(CrossbarLayer):
    """``nn.Conv2d`` whose weights stand in crossbars.

    Args:
        conv: The layer to replace; its parameters are shared, not copied.
        hardware: Arrays, cells and wires.
        state: Read state of the network.
    """

    def __init__(self, conv: nn.Conv2d, hardware: Hardware, state: ReadState) -> None:
        super().__init__(conv.weight, conv.bias, hardware, state)
        self.stride, self.dilation = conv.stride, conv.dilation
        self.kernel_size = conv.kernel_size
        self._groups = conv.groups
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        self._pad: list[int] | None = None if plain else list(conv._reversed_padding_repeated_twice)
        self._pad_mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        self.padding: tuple[int, ...] = tuple(conv.padding) if plain else (0, 0)  # type: ignore[arg-type]
        positions = math.prod(conv.kernel_size)
        self._blocks = row_blocks(
            conv.in_channels // conv.groups, positions, hardware.array.rows, hardware.mapping
        )

    @property
    @override
    def groups(self) -> int:
        return self._groups

    @property
    @override
    def blocks(self) -> RowBlocks:
        return self._blocks

    @override
    def patches(self, x: Tensor) -> Tensor:
        x = self._padded(x)
        columns = functional.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)  # type: ignore[arg-type]
        batch, _, positions = columns.shape
        grouped = columns.reshape(batch, self.groups, -1, positions).permute(1, 0, 3, 2)
        return self.blocks.arrange(grouped.reshape(self.groups, batch * positions, -1), 2)

    @override
    def assemble(self, products: Tensor, x: Tensor) -> Tensor:
        height, width = self._output_size(x)
        out = products.reshape(self.groups, len(x), height, width, -1).permute(1, 0, 4, 2, 3)
        return out.reshape(len(x), self.out_channels, height, width)

    @override
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self._pad is not None:
            x = self._padded(x)
        return functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self._groups)  # type: ignore[arg-type]

    @override
    def _per_channel(self, values: Tensor, out: Tensor) -> Tensor:
        return values.to(out.dtype).reshape(-1, 1, 1)

    def _padded(self, x: Tensor) -> Tensor:
        return x if self._pad is None else functional.pad(x, self._pad, self._pad_mode)

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        height, width = self._padded(x).shape[-2:]
        sizes = zip((height, width), self.padding, self.dilation, self.kernel_size, self.stride, strict=True)
        h, w = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, p, d, k, s in sizes)
        return h, w


class CrossbarLinear(CrossbarLayer):
    """``nn.Linear`` whose weights stand in crossbars; arguments as in :class:`CrossbarConv2d`."""

    def __init__(self, linear: nn.Linear, hardware: Hardware, state: ReadState) -> None:
        super().__init__(linear.weight, linear.bias, hardware, state)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._blocks = row_blocks(linear.in_features, 1, hardware.array.rows, hardware.mapping)

    @property
    @override
    def groups(self) -> int:
        return 1

    @property
    @override
    def blocks(self) -> RowBlocks:
        return self._blocks

    @override
    def patches(self, x: Tensor) -> Tensor:
        return x.reshape(1, -1, x.shape[-1])

    @override
    def assemble(self, products: Tensor, x: Tensor) -> Tensor:
        return products.reshape(*x.shape[:-1], self.out_features)

    @override
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(x, weight, bias)
