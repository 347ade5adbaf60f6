"""Crossbar layers: drop-in replacements of ``nn.Conv2d`` and ``nn.Linear`` with the same weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

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
from nax_bo.crossbar.generators import moved
from nax_bo.crossbar.physics.cells import Cells, program_cells
from nax_bo.crossbar.physics.slicing import row_blocks, slice_weights
from nax_bo.crossbar.physics.wires import Wire
from nax_bo.crossbar.response import Response, fit
from nax_bo.crossbar.sites import Fit, Site
from nax_bo.crossbar.training import TrainingState
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, Conditions, WeightMapping
from nax_bo.hardware.chip.devices import Device

Mode = Literal["float", "ideal", "fast", "adaptive", "exact"]
MODES: tuple[Mode, ...] = ("float", "ideal", "fast", "adaptive", "exact")
Pass = Literal["read", "calibrate", "fit fast", "fit all"]
Source = Callable[[], tuple[Tensor, Tensor | None]]
"""Gives the present weight and bias of a layer whose parameters another module holds."""


@dataclass
class ReadState:
    """What all layers of a network share while they are read."""

    mode: Mode = "ideal"
    draw: int = 0
    generator: Generator | None = None
    work: Pass = "read"
    converter_in_loop: bool = False
    passes: int = 0  # forward passes of the network so far: calls are counted within one
    inside: bool = False  # such a pass is running
    ranges: Mapping[CrossbarLayer, InputRange] = field(default_factory=dict)  # known when calibrating
    vectors: int = DEFAULT_VECTORS  # calibrated on
    conditions: Conditions | None = None  # calibrated for
    quick_wires: bool = False


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


class CrossbarLayer(nn.Module):
    """What convolution and linear layers share. Weights stay trainable parameters under their usual names."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        hardware: Hardware,
        state: ReadState,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        self.weight = weight if source is None else weight.detach()
        self.bias = (
            bias if source is None or bias is None else bias.detach()
        )  # a parameter, registered, or None
        self.source = source
        self.hardware = hardware
        self.name = "layer"
        self.sites = [Site()]
        self.site = 0
        self.last_pass, self.calls = -1, 0
        self.cells: Cells | None = None
        self.errors: list[ConverterErrors | None] = []
        self._training = [TrainingState(clip=hardware.weight_clip)]
        self._state = state
        self._written: tuple[Tensor, Tensor] | None = None

    @override
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moving a network takes what its chips hold along, and the noise that it is trained with."""
        before = self.weight.device
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        place = self.weight.device
        if place == before:
            return self
        for site in self.sites:
            site.arrays = site.fast_weight = site.linear_weight = None
        if self._written is not None:
            self._written = self._written[0].to(place), self._written[1].to(place)
        if self.cells is not None:
            variance = self.cells.read_variance
            variance = None if variance is None else variance.to(place)
            self.cells = replace(self.cells, levels=self.cells.levels.to(place), read_variance=variance)
        self.errors = [
            e if e is None or e.curve is None else replace(e, curve=e.curve.to(place)) for e in self.errors
        ]
        for state in self._training:
            state.generator = moved(state.generator, place)
            state.noise = None if state.noise is None else state.noise.to(place)
        return self

    @property
    def here(self) -> Site:
        """The call that is being computed, or was last."""
        return self.sites[self.site]

    @property
    def input_range(self) -> InputRange | None:
        """Input range of the present call; ``None`` before calibration."""
        return self.here.input_range

    @property
    def converter(self) -> Converter | None:
        """Converters of the present call; ``None`` before calibration."""
        return self.here.converter

    @property
    def fit(self) -> Fit | None:
        """What the cheap modes know of the exact one at the present call."""
        return self.here.fit

    @property
    def fitted(self) -> bool:
        """Whether the cheap modes know the exact one at every call."""
        return self.hardware.digital or all(site.fit is not None for site in self.sites)

    def forget_fit(self) -> None:
        """Let the cheap modes be fitted anew."""
        for site in self.sites:
            site.fit = None

    @property
    def training_state(self) -> TrainingState:
        """Noise and range of the training path, those of the first call."""
        return self._training[0]

    @training_state.setter
    def training_state(self, state: TrainingState) -> None:
        self._training = [state]

    def _training_here(self, call: int) -> TrainingState:
        while len(self._training) <= call:  # ranges differ between calls, noise does not
            first = self._training[0]
            self._training.append(TrainingState(first.noise, first.generator, first.clip))
        return self._training[call]

    def follow(self) -> None:
        """Take the present weights of a layer whose parameters another module holds."""
        if self.source is not None:
            with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
                self.weight, self.bias = _given(self.source)

    def _next_call(self) -> int:
        """Number of this call in the present forward pass of the network, from 0."""
        if self.last_pass != self._state.passes:
            self.last_pass, self.calls = self._state.passes, 0
        self.calls += 1
        return self.calls - 1

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
        self.follow()
        weight = self.weight.detach().float()
        if not bool(torch.isfinite(weight).all()):
            raise InputError(
                f"layer {self.name!r} has NaN or infinite weights", "Check that its training converged."
            )
        bits = self.hardware.array.weight_bits
        scale = weight_scale(weight, bits, self.hardware.weight_clip)
        return weight_codes(weight, scale, bits), scale

    def weights_clipped(self) -> float:
        """Share of the present weights that lie beyond the largest code."""
        codes, scale = self.codes()
        limit = scale * (largest_code(self.hardware.array.weight_bits) + 0.5)
        weight = self.weight.detach().float()
        return float((weight.abs() > limit.reshape(-1, *[1] * (codes.ndim - 1))).float().mean())

    def program(self, conditions: Conditions, generator: Generator, draws: int) -> None:
        """Write the present weights into the cells of ``draws`` chips."""
        self.program_chips(conditions, [generator] * draws)

    def program_chips(self, conditions: Conditions, generators: Sequence[Generator]) -> None:
        """Write the present weights into the cells of one chip per generator."""
        for site in self.sites:
            site.arrays = site.fast_weight = None
        before, self._written = self._written, self.codes()
        if before is not None and not torch.equal(before[0], self._written[0]):
            self.forget_fit()  # other weights: converters see other sums
        h = self.hardware
        if h.digital:
            return
        matrix, blocks = self.geometry.matrix(self._written[0]), self.geometry.blocks.sizes
        self.cells = program_cells(
            matrix,
            h.array,
            h.device,
            h.wire,
            blocks=blocks,
            conditions=conditions,
            generators=generators,
            quick=self._state.quick_wires,
        )
        self.errors = [self.converter_errors(conditions, generator) for generator in generators]

    def converter_errors(self, conditions: Conditions, generator: Generator) -> ConverterErrors | None:
        """Errors of the layer's converters on one chip."""
        array, geometry = self.hardware.array, self.geometry
        shape = (array.slices, geometry.groups, len(geometry.blocks.sizes), geometry.cols)
        return draw_errors(shape, array, conditions, generator)

    @override
    def forward(self, x: Tensor) -> Tensor:
        self.follow()
        if x.device != self.weight.device:
            raise InputError(
                f"layer {self.name!r} is on {self.weight.device} and is given a tensor on {x.device}",
                "Move the network and the images to one device.",
            )
        if self.training:
            y = self._train(x)
            if self.source is not None:  # keep no graph: the layer can be copied
                self.weight, self.bias = (
                    self.weight.detach(),
                    None if self.bias is None else self.bias.detach(),
                )
            return y
        if self._state.mode == "float":
            return self.plain(x)
        with torch.no_grad():
            return self._read(x.float()).to(x.dtype)

    def plain(self, x: Tensor) -> Tensor:
        """What the layer computes without a chip."""
        return self.linear(x, self.weight, self.bias)

    def _read(self, x: Tensor) -> Tensor:
        state, call = self._state, self._next_call()
        if state.work == "calibrate":
            self.sites = [*self.sites[:call], Site()]
            self.site = len(self.sites) - 1
            self._calibrate(x)
            return self.read_ideal(x)
        if state.inside and call >= len(self.sites):
            raise InputError(
                f"layer {self.name!r} is called more often than the {len(self.sites)} times of calibration",
                "Calibrate on images for which the model calls it as often.",
            )
        self.site = call % len(self.sites)
        if self.hardware.digital or state.mode == "ideal":
            return self.read_ideal(x)
        if state.work != "read":
            return self._fit(x, adaptive=state.work == "fit all")
        if state.mode == "exact":
            return self._read_exact(x)
        return self._read_fast(x) if state.mode == "fast" else self._read_adaptive(x)

    def _train(self, x: Tensor) -> Tensor:
        bits = self.hardware.array
        state = self._training_here(self._next_call())
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
        here = self.here
        here.input_range = self._state.ranges.get(self) or InputRange.fitted(x, array.input_bits)
        here.inputs_clipped = here.input_range.clipped(x)
        if not self.hardware.digital:
            matrix = self.geometry.matrix(self.codes()[0])
            conditions = self._state.conditions
            here.converter = best_converter(
                self.input_image(x),
                matrix,
                self.geometry,
                array,
                here.input_range,
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
        here = self.here
        if here.linear_weight is None:
            here.linear_weight = self._programmed_weight(self.arrays().levels)
        return self._image_of(here.linear_weight, x)

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
            self.here.fit, self.here.fast_weight = Fit(fast, found, sums), None
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
        here = self.here
        if here.arrays is None or here.draw != draw:
            if self.cells is None:
                raise _not_programmed(self.name)
            here.arrays, here.draw = self.arrays_of(self.cells, draw, self.errors[draw]), draw
            here.linear_weight, here.fast_weight = None, None
        return here.arrays

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
        here = self.here
        if here.fast_weight is None:
            r, ideal = self._fitted().fast, self._written_weight()
            gain = r.gain.reshape(-1, *[1] * (ideal.ndim - 1))
            programmed = self._programmed_weight(gain_of(self.arrays(), self._fitted().sums))
            weight = gain * ideal + r.spread * (programmed - ideal)
            here.fast_weight = (
                weight,
                self._bias(r.bias) * r.gain + r.bias + self._offset(self._fitted().sums),
            )
        return here.fast_weight

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
    """``nn.Conv2d`` or ``nn.Conv1d`` whose weights stand in crossbars.

    Args:
        conv: The layer to replace; its parameters are shared, not copied.
        hardware: Arrays, cells and wires.
        state: Read state of the network.
        source: Where weight and bias come from, if not from ``conv``.
    """

    def __init__(
        self, conv: nn.Conv2d | nn.Conv1d, hardware: Hardware, state: ReadState, source: Source | None = None
    ) -> None:
        super().__init__(*_initial(conv, source), hardware, state, source)
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.groups, self.in_channels, self.out_channels = conv.groups, conv.in_channels, conv.out_channels
        self.padding, self.padding_mode = conv.padding, conv.padding_mode
        self._padded = [int(p) for p in conv._reversed_padding_repeated_twice]
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        # other paddings are applied to the image beforehand
        self._pad: list[int] | None = None if plain else self._padded
        self._pad_mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        channels, positions = conv.in_channels // conv.groups, math.prod(conv.kernel_size)
        blocks = row_blocks(channels, positions, hardware.array.rows, hardware.mapping)
        self._geometry = Geometry(
            conv.in_channels,
            conv.out_channels,
            conv.groups,
            _two(conv.kernel_size, 1),
            _two(conv.stride, 1),
            _two(conv.dilation, 1),
            _two(tuple(map(int, conv.padding)), 0) if plain else (0, 0),
            blocks,
        )

    @property
    @override
    def geometry(self) -> Geometry:
        return self._geometry

    @property
    def _one_dimensional(self) -> bool:
        return len(self.kernel_size) == 1

    @override
    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == len(self.kernel_size) + 1:  # one image, without the axis of images
            return self.forward(x[None])[0]
        return super().forward(x)

    @override
    def plain(self, x: Tensor) -> Tensor:
        if self.padding_mode != "zeros":
            return self.linear(x, self.weight, self.bias)
        convolve = functional.conv1d if self._one_dimensional else functional.conv2d
        return convolve(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    @override
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        g = self._geometry
        if self._one_dimensional:
            padded = self._padded_input(x)
            return functional.conv1d(padded, weight, bias, g.stride[1], g.padding[1], g.dilation[1], g.groups)
        return functional.conv2d(self.input_image(x), weight, bias, g.stride, g.padding, g.dilation, g.groups)

    def _padded_input(self, x: Tensor) -> Tensor:
        return x if self._pad is None else functional.pad(x, self._pad, self._pad_mode)

    @override
    def input_image(self, x: Tensor) -> Tensor:
        padded = self._padded_input(x)
        return padded.unsqueeze(2) if self._one_dimensional else padded

    @override
    def output_image(self, y: Tensor) -> Tensor:
        return (y.unsqueeze(2) if self._one_dimensional else y).contiguous()

    @override
    def from_image(self, y: Tensor, x: Tensor) -> Tensor:
        return y.squeeze(2) if self._one_dimensional else y

    @override
    def _per_channel(self, values: Tensor) -> Tensor:
        return values.reshape(-1, *[1] * len(self.kernel_size))


class CrossbarLinear(CrossbarLayer):
    """``nn.Linear`` whose weights stand in crossbars; arguments as in :class:`CrossbarConv2d`."""

    def __init__(
        self, linear: nn.Linear, hardware: Hardware, state: ReadState, source: Source | None = None
    ) -> None:
        super().__init__(*_initial(linear, source), hardware, state, source)
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


def _initial(layer: Any, source: Source | None) -> tuple[Tensor, Tensor | None]:
    return (layer.weight, layer.bias) if source is None else _given(source)


def _given(source: Source) -> tuple[Tensor, Tensor | None]:
    """As plain tensors: the layer does not register another module's parameters as its own."""
    weight, bias = source()
    return weight.view_as(weight), None if bias is None else bias.view_as(bias)


def _two(sizes: tuple[int, ...], other: int) -> tuple[int, int]:
    """(height, width) of what may have a width alone."""
    return (other, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _not_calibrated(name: str) -> InputError:
    return InputError(f"layer {name!r} has not been calibrated", "Call network.calibrate(images) first.")


def _not_programmed(name: str) -> InputError:
    return InputError(f"layer {name!r} has not been programmed", "Call network.program(seed) first.")
