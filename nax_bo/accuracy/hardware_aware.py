"""Crossbar layers as they are trained: inputs quantised with a learned step, weights as a fresh chip would hold them.

The step of the input codes is trained with the weights (learned step size quantisation, Esser et al. 2020,
arXiv:1902.08153); ranges taken from the largest input waste most codes when there are few. Weight noise is drawn anew
at each step and is the same forward and backward (Joshi et al. 2020, doi:10.1038/s41467-020-16108-9). What wires take
away from each weight is measured now and then (:func:`measure_ir_drop`) and added to the weights in between. So are the
ranges of converters (:func:`measure_converters`), whose noise and offsets are added to the outputs, anew at each step.
Converters' rounding, gain and curvature, and read noise, are not in the loop: :func:`nax_bo.accuracy.training.train`
calibrates for them afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from typing_extensions import override

from nax_bo.crossbar import CrossbarConv2d, CrossbarLinear, CrossbarNetwork
from nax_bo.crossbar.arithmetic.calibration import best_converter
from nax_bo.crossbar.arithmetic.exact import places
from nax_bo.crossbar.arithmetic.quantise import InputRange, weight_scale
from nax_bo.crossbar.generators import generator_on
from nax_bo.crossbar.physics.cells import NOMINAL, program_cells
from nax_bo.crossbar.physics.slicing import slice_weights
from nax_bo.hardware.chip import Conditions

Layer = CrossbarConv2d | CrossbarLinear

_SMALLEST_STEP = 1e-8
_VECTORS = 256
"""On so many of a layer's input vectors a converter's range is estimated."""


class HardwareAwareLayer(nn.Module):
    """Stands in for a crossbar layer while it is trained.

    Args:
        layer: The layer; its weights are shared.
        example: Inputs as the untrained network gives them: the step starts where their error is least.

    Raises:
        InputError: ``example`` holds NaN or infinity.
    """

    def __init__(self, layer: Layer, example: Tensor) -> None:
        super().__init__()
        self.layer = layer
        start = InputRange.fitted(example, layer.hardware.array.input_bits)
        self.low, self.high = start.low, start.high
        self.log_step = nn.Parameter(torch.tensor(math.log(start.scale), device=example.device))
        self.ir_drop: Tensor | None = None  # change of each weight by wires, in weight codes
        self.converters: ConverterSpread | None = None

    @override
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.ir_drop = None if self.ir_drop is None else self.ir_drop.to(self.log_step.device)
        return self

    @property
    def input_range(self) -> InputRange:
        """The range of input codes that has been learned."""
        return InputRange(max(math.exp(float(self.log_step.detach())), _SMALLEST_STEP), self.low, self.high)

    def measured(self) -> dict[str, Tensor]:
        """What has been measured of wires and converters, by name; :meth:`remember` puts it back."""
        found = {} if self.ir_drop is None else {"ir_drop": self.ir_drop}
        if self.converters is not None:
            found["converters"] = torch.tensor(astuple(self.converters), dtype=torch.float64)
        return found

    def remember(self, measured: Mapping[str, Tensor]) -> None:
        """Inverse of :meth:`measured`."""
        self.ir_drop = measured.get("ir_drop")
        self.converters = (
            ConverterSpread(*measured["converters"].tolist()) if "converters" in measured else None
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        codes = cast(Tensor, _LearnedStep.apply(x, self.log_step, self.low, self.high))  # type: ignore[no-untyped-call]
        layer = self.layer
        weight = layer.training_state.noisy(layer.weight, layer.hardware.array.weight_bits)
        if self.ir_drop is not None:
            clip, bits = layer.training_state.clip, layer.hardware.array.weight_bits
            value = weight_scale(layer.weight, bits, clip).reshape(-1, *[1] * (weight.ndim - 1))
            weight = weight + self.ir_drop * value
        y = layer.linear(codes, weight, layer.bias)
        return y if self.converters is None else y + self._converter_errors(y, self.converters)

    def _converter_errors(self, y: Tensor, spread: ConverterSpread) -> Tensor:
        """Noise of every output and one offset per channel, as of a chip that is seen for the first time."""
        layer, generator = self.layer, self.layer.training_state.generator
        with torch.no_grad():
            scale = weight_scale(layer.weight, layer.hardware.array.weight_bits, layer.training_state.clip)
            step = self.log_step.detach().exp().clamp_min_(_SMALLEST_STEP)
            unit = (scale * step).reshape(-1, *[1] * (y.ndim - 2))
            noise = torch.randn(y.shape, generator=generator, device=y.device).mul_(spread.noise)
            noise += spread.offset * torch.randn(unit.shape, generator=generator, device=y.device)
            return noise.mul_(unit)


@dataclass(frozen=True)
class ConverterSpread:
    """What converters add to an output of a layer, standard deviations in units of weight step times input step.

    Attributes:
        noise: Of noise, independent between outputs.
        offset: Of offsets: one per channel, the same for all images and positions.
    """

    noise: float
    offset: float


@contextmanager
def hardware_aware(network: CrossbarNetwork, images: Tensor) -> Iterator[dict[str, HardwareAwareLayer]]:
    """Replace the crossbar layers of ``network.model`` while the context lasts; yields the replacements by path.

    Args:
        network: Just made by :func:`nax_bo.crossbar.noise_aware`.
        images: On which the steps of the input codes are first chosen.
    """
    layers = {
        p: m for p, m in network.model.named_modules() if isinstance(m, (CrossbarConv2d, CrossbarLinear))
    }
    examples = _inputs(network, layers, images)
    replaced = {
        path: HardwareAwareLayer(layer, examples[path]) for path, layer in layers.items() if path in examples
    }
    try:
        for path, layer in replaced.items():
            _put(network.model, path, layer)
        yield replaced
    finally:
        for path in replaced:
            _put(network.model, path, layers[path])


def measure_ir_drop(layers: Iterable[HardwareAwareLayer]) -> float:
    """Update what wires do to the present weights of ``layers``; returns its root mean square relative to the weights'.

    Nothing is done, and 0 returned, where cells draw no current through the wires (SRAM) or layers are digital.
    """
    changed, total = 0.0, 0.0
    for trained in layers:
        h = trained.layer.hardware
        if h.digital or not h.device.resistive:
            continue
        ideal = _weight_codes(trained.layer, NOMINAL)
        trained.ir_drop = _weight_codes(trained.layer, replace(NOMINAL, ir_drop=True)) - ideal
        changed += float(trained.ir_drop.square().sum())
        total += float(ideal.square().sum())
    return math.sqrt(changed / total) if total > 0 else 0.0


def measure_converters(
    network: CrossbarNetwork, layers: Mapping[str, HardwareAwareLayer], images: Tensor, conditions: Conditions
) -> None:
    """Update what converters add to the outputs of ``layers``, from the ranges that ``images`` would give them now."""
    inputs = _inputs(network, layers, images)
    for path, trained in layers.items():
        layer = trained.layer
        array, blocks = layer.hardware.array, layer.geometry.blocks.sizes
        noise, offset = conditions.noise_lsb(array), conditions.offset_sigma_lsb
        if layer.hardware.digital or not conditions.converter_errors or noise == offset == 0:
            continue
        found = best_converter(
            layer.input_image(inputs[path].float()),
            layer.geometry.matrix(layer.codes()[0]),
            layer.geometry,
            array,
            trained.input_range,
            _VECTORS,
            noise,
            conditions.finest_step,
        )
        place = places(array, torch.device("cpu"))  # slices x streams
        size = found.step * math.sqrt(len(blocks))
        trained.converters = ConverterSpread(
            size * noise * float(place.square().sum().sqrt()), size * offset * float(place.sum(1).norm())
        )


def _weight_codes(layer: Layer, conditions: Conditions) -> Tensor:
    """What the layer's cells hold once programmed, summed over slices, shaped like its weight, but for a constant."""
    h, geometry = layer.hardware, layer.geometry
    cells = program_cells(
        geometry.matrix(layer.codes()[0]),
        h.array,
        h.device,
        h.wire,
        blocks=geometry.blocks.sizes,
        conditions=conditions,
        generators=[generator_on(layer.weight.device, 0)],
        quick=True,
    )
    places = cells.levels.new_tensor(slice_weights(h.array))
    matrix = torch.einsum("sgkn,s->gkn", cells.levels[0], places)
    return layer.geometry.weight(matrix).reshape(layer.weight.shape)


def _inputs(network: CrossbarNetwork, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    """What each layer is given by the network as it is, with batch statistics of ``images``."""
    seen: dict[str, Tensor] = {}

    def keep(path: str) -> Any:
        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            seen[path] = args[0].detach()

        return hook

    handles = [layer.register_forward_pre_hook(keep(path)) for path, layer in layers.items()]
    try:
        with torch.no_grad():
            network.model(images)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _put(model: nn.Module, path: str, module: nn.Module) -> None:
    owner, _, attribute = path.rpartition(".")
    setattr(model.get_submodule(owner), attribute, module)


class _LearnedStep(torch.autograd.Function):
    """``step * clamp(round(x / step), low, high)``; straight-through inside (arXiv:1902.08153)."""

    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, log_step: Tensor, low: int, high: int) -> Tensor:
        step = log_step.exp().clamp_min_(_SMALLEST_STEP)
        scaled = x / step
        codes = scaled.round().clamp_(low, high)
        out = codes * step
        ctx.save_for_backward(scaled, codes, step)
        ctx.range = (low, high)
        return out

    @staticmethod
    @override
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        scaled, codes, step = ctx.saved_tensors
        low, high = ctx.range
        inside = torch.ops.aten.hardtanh_backward(grads[0], scaled, low, high)  # a gradient passes inside
        # a code changes with its step by its rounding error, or by the whole code where it is clamped
        by_step = _dot(grads[0], codes) - _dot(inside, scaled)
        return inside, by_step * (step / math.sqrt(codes.numel() * max(high, 1))), None, None


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of products, in the order of memory: flattening channels-last tensors copies them."""
    if b.ndim == 4 and b.is_contiguous(memory_format=torch.channels_last):
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))
