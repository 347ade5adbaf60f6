"""Crossbar layers: drop-in replacements of ``nn.Conv2d`` and ``nn.Linear`` with the same weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.crossbar.arithmetic.adaptive import carrying_pairs
from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.calibration import DEFAULT_VECTORS, best_converter
from nax_bo.crossbar.arithmetic.converter_errors import ConverterErrors, draw_errors
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.linearised import Moments, gain_of, moments, offset_of
from nax_bo.crossbar.arithmetic.quantise import (
    InputRange,
    exact_dtype,
    largest_code,
    weight_codes,
    weight_scale,
)
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.converter_training import converted_product
from nax_bo.crossbar.physics.cells import Cells, program_cells
from nax_bo.crossbar.physics.slicing import row_blocks, slice_weights
from nax_bo.crossbar.physics.wires import Wire
from nax_bo.crossbar.response import Response, fit
from nax_bo.crossbar.training import TrainingState
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, Conditions, WeightMapping
from nax_bo.hardware.chip.devices import Device

Mode = Literal["float", "ideal", "fast", "adaptive", "exact"]
MODES: tuple[Mode, ...] = ("float", "ideal", "fast", "adaptive", "exact")
Pass = Literal["read", "calibrate", "fit fast", "fit all"]


@dataclass
class ReadState:
    """What all layers of a network share while they are read."""

    mode: Mode = "ideal"
    draw: int = 0
    generator: Generator | None = None
    work: Pass = "read"
    converter_in_loop: bool = False
    ranges: Mapping[CrossbarLayer, InputRange] = field(default_factory=dict)  # known when calibrating
    vectors: int = DEFAULT_VECTORS  # calibrated on
    conditions: Conditions | None = None  # calibrated for


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a layer runs on.

    Attributes:
        array: Array settings.
        device: Cells.
        wire: Wire resistance per cell.
        mapping: How rows are spread over arrays.
        digital: The layer's products are computed digitally: quantised, otherwise exact, in every mode.
        coverage: Fraction of the converters' error energy that the adaptive mode simulates exactly.
        weight_clip: Weights are clipped at this many root mean squares of their channel; ``None``: not at all.
    """

    array: ArraySpec
    device: Device
    wire: Wire
    mapping: WeightMapping = "conventional"
    digital: bool = False
    coverage: float = 0.99
    weight_clip: float | None = None


@dataclass(frozen=True)
class Fit:
    """What the cheap modes know of the exact one.

    Attributes:
        fast: Response of the fast mode.
        adaptive: Response of the adaptive mode, and the pairs that it simulates; ``None`` until it is used.
        sums: What converters are given.
    """

    fast: Response
    adaptive: tuple[Response, Tensor] | None
    sums: Moments


class CrossbarLayer(nn.Module):
    """What convolution and linear layers share. Weights stay trainable parameters under their usual names."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, hardware: Hardware, state: ReadState) -> None:
        super().__init__()
        self.weight = weight
        self.bias = bias  # a parameter, registered as such, or None
        self.hardware = hardware
        self.name = "layer"
        self.input_range: InputRange | None = None
        self.converter: Converter | None = None
        self.cells: Cells | None = None
        self.errors: list[ConverterErrors | None] = []
        self.fit: Fit | None = None
        self.training_state = TrainingState(clip=hardware.weight_clip)
        self._state = state
        self._written: tuple[Tensor, Tensor] | None = None
        self._arrays: Arrays | None = None
        self._arrays_draw = 0
        self._linear_weight: Tensor | None = None
        self._fast_weight: tuple[Tensor, Tensor] | None = None

    @property
    @abstractmethod
    def geometry(self) -> Geometry:
        """How vectors and products lie."""

    @abstractmethod
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's own linear map with another weight."""

    @abstractmethod
    def input_image(self, x: Tensor) -> Tensor:
        """Input as ``batch x channels x height x width``, for :attr:`geometry`."""

    @abstractmethod
    def output_image(self, y: Tensor) -> Tensor:
        """Output in the same form, contiguous."""

    @abstractmethod
    def from_image(self, y: Tensor, x: Tensor) -> Tensor:
        """Inverse of :meth:`output_image` for the output of input ``x``."""

    def codes(self) -> tuple[Tensor, Tensor]:
        """Codes of the present weights, and scale per output.

        Raises:
            InputError: Weights are NaN or infinite.
        """
        weight = self.weight.detach().float()
        if not bool(torch.isfinite(weight).all()):
            raise InputError(
                f"layer {self.name!r} has NaN or infinite weights", "Check that its training converged."
            )
        bits = self.hardware.array.weight_bits
        scale = weight_scale(weight, bits, self.hardware.weight_clip)
        return weight_codes(weight, scale, bits), scale

    def program(self, conditions: Conditions, generator: Generator, draws: int) -> None:
        """Write the present weights into the cells of ``draws`` chips."""
        self.program_chips(conditions, [generator] * draws)

    def program_chips(self, conditions: Conditions, generators: Sequence[Generator]) -> None:
        """Write the present weights into the cells of one chip per generator."""
        self._arrays, self._fast_weight = None, None
        before, self._written = self._written, self.codes()
        if before is not None and not torch.equal(before[0], self._written[0]):
            self.fit = None  # other weights: converters see other sums
        h = self.hardware
        if h.digital:
            return
        matrix, blocks = self.geometry.matrix(self._written[0]), self.geometry.blocks.sizes
        self.cells = program_cells(
            matrix, h.array, h.device, h.wire, blocks=blocks, conditions=conditions, generators=generators
        )
        self.errors = [self.converter_errors(conditions, generator) for generator in generators]

    def converter_errors(self, conditions: Conditions, generator: Generator) -> ConverterErrors | None:
        """Errors of the layer's converters on one chip."""
        array, geometry = self.hardware.array, self.geometry
        shape = (array.slices, geometry.groups, len(geometry.blocks.sizes), geometry.cols)
        return draw_errors(shape, array, conditions, generator)

    @override
    def forward(self, x: Tensor) -> Tensor:
        if x.device != self.weight.device:
            raise InputError(
                f"layer {self.name!r} is on {self.weight.device} and is given a tensor on {x.device}",
                "Move the network and the images to one device.",
            )
        if self.training:
            return self._train(x)
        if self._state.mode == "float":
            return self.linear(x, self.weight, self.bias)
        with torch.no_grad():
            return self._read(x.float()).to(x.dtype)

    def _read(self, x: Tensor) -> Tensor:
        state = self._state
        if state.work == "calibrate":
            self._calibrate(x)
            return self.read_ideal(x)
        if self.hardware.digital or state.mode == "ideal":
            return self.read_ideal(x)
        if state.work != "read":
            return self._fit(x, adaptive=state.work == "fit all")
        if state.mode == "exact":
            return self._read_exact(x)
        return self._read_fast(x) if state.mode == "fast" else self._read_adaptive(x)

    def _train(self, x: Tensor) -> Tensor:
        bits = self.hardware.array
        state = self.training_state
        xq = state.quantise(x, bits.input_bits)
        weight = state.noisy(self.weight, bits.weight_bits)
        if (
            not self._state.converter_in_loop
            or self.hardware.digital
            or x.numel() == 0
            or state.inputs is None
        ):
            return self.linear(xq, weight, self.bias)
        unit = weight_scale(self.weight, bits.weight_bits, state.clip) * state.inputs.scale
        image = self.input_image(xq)
        y = converted_product(image, weight, unit, self.geometry, bits, state.inputs, state.sums)
        y = self.from_image(y, x)
        return y if self.bias is None else y + self._per_channel(self.bias)

    def _calibrate(self, x: Tensor) -> None:
        array = self.hardware.array
        if not bool(torch.isfinite(x).all()):
            raise InputError(
                f"layer {self.name!r} receives NaN or infinite values",
                "Check the images and earlier weights.",
            )
        self.input_range = self._state.ranges.get(self) or InputRange.fitted(x, array.input_bits)
        self.fit, self._arrays, self._fast_weight = None, None, None
        if not self.hardware.digital:
            matrix = self.geometry.matrix(self.codes()[0])
            conditions = self._state.conditions
            self.converter = best_converter(
                self.input_image(x),
                matrix,
                self.geometry,
                array,
                self.input_range,
                self._state.vectors,
                0.0 if conditions is None else conditions.noise_lsb(array),
                None if conditions is None else conditions.finest_step,
            )

    def read_ideal(self, x: Tensor) -> Tensor:
        """Output with quantised weights and inputs and nothing else; integer products are exact."""
        inputs, array = self.calibrated_range(), self.hardware.array
        codes, scale = self.codes()
        largest = float(inputs.high) * largest_code(array.weight_bits) * codes[0].numel()
        dtype = exact_dtype(largest)
        product = self.linear(inputs.codes(x).to(dtype), codes.to(dtype), None)
        return self._finish(product, scale * inputs.scale, x)

    def _read_exact(self, x: Tensor) -> Tensor:
        arrays = self.arrays()
        _, scale = self._programmed_codes()
        if arrays.lossless and arrays.gain == 1:
            codes, _ = self._programmed_codes()
            largest = float(arrays.inputs.high) * largest_code(arrays.array.weight_bits) * codes[0].numel()
            dtype = exact_dtype(largest)
            product = self.linear(arrays.inputs.codes(x).to(dtype), codes.to(dtype), None)
            return self._finish(product, scale * arrays.inputs.scale, x)
        image = self.input_image(x)
        y = arrays.read(image, scale * arrays.inputs.scale, self._bias(scale), self._state.generator)
        return self.from_image(y, x)

    def _finish(self, product: Tensor, scale: Tensor, x: Tensor) -> Tensor:
        out = (product * self._per_channel(scale.to(product.dtype))).to(x.dtype)
        return out if self.bias is None else out.add_(self._per_channel(self._bias(out)))

    def _read_fast(self, x: Tensor) -> Tensor:
        weight, bias = self._effective()
        y = self.linear(self.calibrated_range().quantised(x), weight, bias)
        return self._fitted().fast.add_residual(y, self._state.generator)

    def _read_adaptive(self, x: Tensor) -> Tensor:
        fitted = self._fitted()
        found = fitted.adaptive
        if found is None:
            raise AssertionError("the network fits the adaptive mode before it reads in it")
        r, pairs = found
        y = self._with_pairs(x, self._linear_image(x), pairs)
        bias = r.bias + self._offset(fitted.sums, ~pairs)
        y = y.mul_(r.gain.reshape(-1, 1, 1)).add_(bias.reshape(-1, 1, 1))
        return r.add_residual(self.from_image(y, x), self._state.generator)

    def _with_pairs(self, x: Tensor, linear: Tensor, pairs: Tensor) -> Tensor:
        scale = self._code_value()
        return self.arrays().read(
            self.input_image(x), scale, self._bias(scale), self._state.generator, pairs=pairs, linear=linear
        )

    def _code_value(self) -> Tensor:
        """Output value of one code unit, per channel."""
        return self._programmed_codes()[1] * self.calibrated_range().scale

    def _linear_image(self, x: Tensor) -> Tensor:
        """Output with the programmed cells but without converters and read noise."""
        self.arrays()
        if self._linear_weight is None:
            self._linear_weight = self._programmed_weight(self.arrays().levels)
        return self._image_of(self._linear_weight, x)

    def _image_of(self, weight: Tensor, x: Tensor) -> Tensor:
        """Output with ``weight`` and quantised inputs."""
        return self.output_image(
            self.linear(self.calibrated_range().quantised(x), weight, self._bias_or_none())
        )

    def _fit(self, x: Tensor, *, adaptive: bool) -> Tensor:
        exact = self._read_exact(x)
        if self.fit is None:
            linear, sums = self._linear_image(x), moments(self.input_image(x), self.arrays())
            programmed = self._programmed_weight(gain_of(self.arrays(), sums))
            cells = self._image_of(programmed, x)
            ideal = self._image_of(self._written_weight(), x)
            centred = self.output_image(exact) - self._offset(sums).reshape(-1, 1, 1)
            fast = self._shaped(fit(ideal, cells, centred), x)
            found = self._fit_adaptive(x, linear, sums) if adaptive else None
            self.fit, self._fast_weight = Fit(fast, found, sums), None
        return exact

    def _fit_adaptive(self, x: Tensor, linear: Tensor, sums: Moments) -> tuple[Response, Tensor]:
        """Response and pairs of the adaptive mode; without read noise, which the two modes would draw differently."""
        image, scale = self.input_image(x), self._code_value()
        pairs = carrying_pairs(image, self.arrays(), self.hardware.coverage)
        quiet = self.arrays().quiet()
        exact = quiet.read(image, scale, self._bias(scale), None)
        cheap = quiet.read(image, scale, self._bias(scale), None, pairs=pairs, linear=linear)
        centred = exact - self._offset(sums, ~pairs).reshape(-1, 1, 1)
        return self._shaped(fit(cheap, cheap, centred), x), pairs

    def _offset(self, sums: Moments, pairs: Tensor | None = None) -> Tensor:
        """What the converters of this chip add to each output on average; those of some pairs only, if given."""
        return offset_of(self.arrays(), sums, pairs) * self._code_value()

    def _shaped(self, response: Response, x: Tensor) -> Response:
        return replace(response, residuals=self.from_image(response.residuals, x).contiguous())

    def arrays(self) -> Arrays:
        """The arrays of the chip that is being read.

        Raises:
            InputError: The network has not been calibrated or not been programmed.
        """
        draw = self._state.draw
        if self._arrays is None or self._arrays_draw != draw:
            if self.cells is None:
                raise _not_programmed(self.name)
            self._arrays = self.arrays_of(self.cells, draw, self.errors[draw])
            self._arrays_draw = draw
            self._linear_weight, self._fast_weight = None, None
        return self._arrays

    def arrays_of(self, cells: Cells, draw: int, errors: ConverterErrors | None = None) -> Arrays:
        """The arrays of chip ``draw`` of ``cells``; raises InputError if the network has not been calibrated."""
        if self.converter is None:
            raise _not_calibrated(self.name)
        variance = None if cells.read_variance is None else cells.read_variance[draw].contiguous()
        levels, gain = cells.levels[draw].contiguous(), float(cells.gain[draw])
        array, inputs = self.hardware.array, self.calibrated_range()
        return Arrays(
            self.geometry, array, inputs, self.converter, levels, cells.integer, variance, gain, errors
        )

    def _programmed_weight(self, levels: Tensor) -> Tensor:
        """Weight that ``levels: slices x groups x rows x cols`` stand for."""
        arrays = self.arrays()
        places = levels.new_tensor(slice_weights(arrays.array))
        matrix = torch.einsum("sgkn,s->gkn", levels, places) * arrays.gain
        _, scale = self._programmed_codes()
        weight = self.geometry.weight(matrix).reshape(self.weight.shape)
        return weight * scale.reshape(-1, *[1] * (weight.ndim - 1))

    def _written_weight(self) -> Tensor:
        codes, scale = self._programmed_codes()
        return codes * scale.reshape(-1, *[1] * (codes.ndim - 1))

    def _effective(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the fast mode: programmed cells, and the mean response of the converters."""
        self.arrays()
        if self._fast_weight is None:
            r, ideal = self._fitted().fast, self._written_weight()
            gain = r.gain.reshape(-1, *[1] * (ideal.ndim - 1))
            programmed = self._programmed_weight(gain_of(self.arrays(), self._fitted().sums))
            weight = gain * ideal + r.spread * (programmed - ideal)
            self._fast_weight = (
                weight,
                self._bias(r.bias) * r.gain + r.bias + self._offset(self._fitted().sums),
            )
        return self._fast_weight

    def _bias(self, like: Tensor) -> Tensor:
        return torch.zeros_like(like) if self.bias is None else self.bias.detach().float()

    def _bias_or_none(self) -> Tensor | None:
        return None if self.bias is None else self.bias.detach().float()

    def _programmed_codes(self) -> tuple[Tensor, Tensor]:
        if self._written is None:
            raise _not_programmed(self.name)
        return self._written

    def calibrated_range(self) -> InputRange:
        """How inputs are quantised; raises InputError if the network has not been calibrated."""
        if self.input_range is None:
            raise _not_calibrated(self.name)
        return self.input_range

    def _fitted(self) -> Fit:
        if self.fit is None:
            raise _not_calibrated(self.name)
        return self.fit

    def _per_channel(self, values: Tensor) -> Tensor:
        return values


class CrossbarConv2d(CrossbarLayer):
    """``nn.Conv2d`` whose weights stand in crossbars.

    Args:
        conv: The layer to replace; its parameters are shared, not copied.
        hardware: Arrays, cells and wires.
        state: Read state of the network.
    """

    def __init__(self, conv: nn.Conv2d, hardware: Hardware, state: ReadState) -> None:
        super().__init__(conv.weight, conv.bias, hardware, state)
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.groups, self.in_channels, self.out_channels = conv.groups, conv.in_channels, conv.out_channels
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        self.padding = (int(conv.padding[0]), int(conv.padding[1])) if plain else (0, 0)
        # other paddings are applied to the image beforehand
        self._pad: list[int] | None = None if plain else list(conv._reversed_padding_repeated_twice)
        self._pad_mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        channels, positions = conv.in_channels // conv.groups, math.prod(conv.kernel_size)
        blocks = row_blocks(channels, positions, hardware.array.rows, hardware.mapping)
        self._geometry = Geometry(
            conv.in_channels,
            conv.out_channels,
            conv.groups,
            (conv.kernel_size[0], conv.kernel_size[1]),
            (conv.stride[0], conv.stride[1]),
            (conv.dilation[0], conv.dilation[1]),
            self.padding,
            blocks,
        )

    @property
    @override
    def geometry(self) -> Geometry:
        return self._geometry

    @override
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        g = self._geometry
        return functional.conv2d(self.input_image(x), weight, bias, g.stride, g.padding, g.dilation, g.groups)

    @override
    def input_image(self, x: Tensor) -> Tensor:
        return x if self._pad is None else functional.pad(x, self._pad, self._pad_mode)

    @override
    def output_image(self, y: Tensor) -> Tensor:
        return y.contiguous()

    @override
    def from_image(self, y: Tensor, x: Tensor) -> Tensor:
        return y

    @override
    def _per_channel(self, values: Tensor) -> Tensor:
        return values.reshape(-1, 1, 1)


class CrossbarLinear(CrossbarLayer):
    """``nn.Linear`` whose weights stand in crossbars; arguments as in :class:`CrossbarConv2d`."""

    def __init__(self, linear: nn.Linear, hardware: Hardware, state: ReadState) -> None:
        super().__init__(linear.weight, linear.bias, hardware, state)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        blocks = row_blocks(linear.in_features, 1, hardware.array.rows, hardware.mapping)
        one = (1, 1)
        self._geometry = Geometry(linear.in_features, linear.out_features, 1, one, one, one, (0, 0), blocks)

    @property
    @override
    def geometry(self) -> Geometry:
        return self._geometry

    @override
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(x, weight, bias)

    @override
    def input_image(self, x: Tensor) -> Tensor:
        return x.reshape(-1, x.shape[-1]).t()[None, :, None, :]

    @override
    def output_image(self, y: Tensor) -> Tensor:
        return y.reshape(-1, y.shape[-1]).t()[None, :, None, :].contiguous()

    @override
    def from_image(self, y: Tensor, x: Tensor) -> Tensor:
        return y[0, :, 0, :].t().reshape(*x.shape[:-1], self.out_features)


def _not_calibrated(name: str) -> InputError:
    return InputError(f"layer {name!r} has not been calibrated", "Call network.calibrate(images) first.")


def _not_programmed(name: str) -> InputError:
    return InputError(f"layer {name!r} has not been programmed", "Call network.program(seed) first.")
