"""Noise-aware training: quantised inputs, weights as on a freshly programmed chip, straight-through gradients.

Each step draws new weight noise and uses the same noisy weights forward and backward (Joshi et al. 2020,
doi:10.1038/s41467-020-16108-9); the clean weights are updated. Noise is Gaussian per weight with the mean and the
spread that the device model gives to a weight of that code, independent between weights (those of one array share the
error of a reference column in truth). Not in the loop: IR drop, read noise, and converters unless
:mod:`nax_bo.crossbar.converter_training` is switched on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic.quantise import InputRange, largest_code, weight_codes, weight_scale
from nax_bo.crossbar.converter_training import SumRange
from nax_bo.crossbar.physics.cells import program_cells
from nax_bo.crossbar.physics.slicing import slice_weights
from nax_bo.crossbar.physics.wires import PRESETS
from nax_bo.hardware.chip import ArraySpec, Conditions
from nax_bo.hardware.chip.devices import Device

_SAMPLES = 512
_MOST_CODES = 255
_EAGER_STEPS = 8
_FIT_EVERY = 16


@dataclass(frozen=True)
class WeightNoise:
    """Mean and standard deviation of the error of a programmed weight, by code.

    Attributes:
        mean, std: ``codes``: in code steps, on an even grid from the most negative to the largest code.
        largest: Largest code.
    """

    mean: Tensor
    std: Tensor
    largest: int

    def sample(self, codes: Tensor, generator: Generator | None) -> Tensor:
        """One draw of the error for each of ``codes``, in code steps."""
        spacing = (len(self.mean) - 1) / (2 * self.largest)
        index = ((codes + self.largest) * spacing).round().long()
        draw = torch.randn(codes.shape, generator=generator, device=codes.device)
        return draw.mul_(self.std[index]).add_(self.mean[index])

    def to(self, device: torch.device) -> WeightNoise:
        """The same where weights are on ``device``."""
        return WeightNoise(self.mean.to(device), self.std.to(device), self.largest)


def weight_noise(array: ArraySpec, device: Device, conditions: Conditions) -> WeightNoise | None:
    """Measured on samples of the device model; ``None`` if cells come out exactly as intended."""
    cols = array.cols if array.encoding == "offset" else ArraySpec().cols  # where reference columns stand
    told = {name: getattr(array, name) for name in ("bits_per_cell", "weight_bits", "encoding")}
    return _measured_noise(ArraySpec(cols=cols, mux=1, **told), device, conditions)


@lru_cache(maxsize=256)
def _measured_noise(array: ArraySpec, device: Device, conditions: Conditions) -> WeightNoise | None:
    largest = largest_code(array.weight_bits)
    codes = torch.linspace(-largest, largest, min(2 * largest + 1, _MOST_CODES), device="cpu").round()
    generator = Generator("cpu").manual_seed(0)
    cells = program_cells(
        codes.expand(1, _SAMPLES, -1),
        array,
        device,
        PRESETS["ideal"],
        blocks=(_SAMPLES,),
        conditions=conditions,
        generators=[generator],
    )
    if cells.integer:
        return None
    places = cells.levels.new_tensor(slice_weights(array))
    values = torch.einsum("sij,s->ij", cells.levels[0, :, 0], places) * cells.gain
    error = values - codes
    return WeightNoise(error.mean(0), error.std(0), largest)


@dataclass
class TrainingState:
    """What a layer keeps from step to step while it is trained.

    Attributes:
        noise: Error of programmed weights; ``None``: quantisation alone.
        generator: Source of the noise.
        clip: As in :func:`~nax_bo.crossbar.arithmetic.quantise.weight_scale`.
        inputs: Present input range.
        steps: Training steps so far.
        sums: Present converter range, if converters are in the loop.
    """

    noise: WeightNoise | None = None
    generator: Generator | None = None
    clip: float | None = None
    inputs: InputRange | None = None
    steps: int = 0
    sums: SumRange = field(default_factory=SumRange)

    def quantise(self, x: Tensor, bits: int) -> Tensor:
        """Quantised ``x``; the gradient passes inside the range. The range follows the data.

        It is fitted anew at each of the first steps and then at every 16th, and moves half way to the new fit.
        """
        if self.inputs is None or self.steps < _EAGER_STEPS or self.steps % _FIT_EVERY == 0:
            found = InputRange.fitted(x.detach(), bits)
            before = self.inputs
            if before is not None and before.signed == found.signed:
                found = InputRange(0.5 * (before.scale + found.scale), found.low, found.high)
            self.inputs = found
        self.steps += 1
        return self.inputs.quantised(x)

    def noisy(self, weight: Tensor, bits: int) -> Tensor:
        """``weight: out x ...`` quantised and with fresh noise; the gradient passes unchanged."""
        with torch.no_grad():
            scale = weight_scale(weight, bits, self.clip)
            codes = weight_codes(weight, scale, bits)
            if self.noise is not None:
                codes += self.noise.sample(codes, self.generator)
            change = codes.mul_(scale.reshape(-1, *[1] * (codes.ndim - 1))).sub_(weight)
        return weight + change
