"""What the curves of converters do on average to the sums that a layer has: an offset and a gain, for the cheap modes.

As where noise or analog cells spread sums evenly between codes: without either, offsets below half a step are rounded
away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nax_bo.crossbar.arithmetic.adaptive import sampled_sums
from nax_bo.crossbar.arithmetic.exact import places
from nax_bo.crossbar.arithmetic.readout import Arrays


@dataclass(frozen=True)
class Moments:
    """Mean powers, first to fourth, of the sums that converters see, in steps, held at the ends of their range.

    Attributes:
        powers: ``4 x slices x streams x groups x blocks x cols``.
        place: ``slices x streams``: place value of each pair.
    """

    powers: Tensor
    place: Tensor


def moments(x: Tensor, arrays: Arrays) -> Moments:
    """Measured on about 128 vectors of ``x: batch x channels x height x width``."""
    adc = arrays.converter
    found = []
    for sums in sampled_sums(x, arrays):  # groups x streams x vectors x slices x cols
        v = (sums / adc.step).clamp_(adc.low, adc.high)
        square = v * v
        found.append(torch.stack([m.mean(2) for m in (v, square, square * v, square * square)]))
    # 4 x groups x streams x slices x cols of each block
    powers = torch.stack(found, 4).permute(0, 3, 2, 1, 4, 5)
    return Moments(powers.contiguous(), places(arrays.array, x.device).float())


def offset_of(arrays: Arrays, seen: Moments, pairs: Tensor | None = None) -> Tensor:
    """``out channels``: what converters add to each output on average beside :func:`gain_of`, in code units.

    Args:
        arrays: Of one chip.
        seen: Sums of the same layer.
        pairs: ``slices x streams`` booleans: those that count, with all of their mean error; default all.
    """
    if arrays.errors is None or arrays.errors.curve is None:
        return arrays.levels.new_zeros(arrays.geometry.out_channels)
    c = arrays.errors.curve.unsqueeze(1).unbind(-1)  # each slices x 1 x groups x blocks x cols
    m = seen.powers
    linear = c[1] if pairs is not None else c[1] - _gain(arrays, seen).unsqueeze(1)
    error = c[0] + linear * m[0] + c[2] * m[1] + c[3] * m[2]
    place = seen.place if pairs is None else seen.place * pairs
    return torch.einsum("stgbn,st->gn", error, place).flatten() * (arrays.converter.step * arrays.gain)


def gain_of(arrays: Arrays, seen: Moments) -> Tensor:
    """``slices x groups x rows x cols``: levels as converters see them, with the gain that fits their curves best."""
    if arrays.errors is None or arrays.errors.curve is None:
        return arrays.levels
    sizes = torch.tensor(arrays.geometry.blocks.sizes, device=arrays.levels.device)
    return arrays.levels * (1 + _gain(arrays, seen).repeat_interleave(sizes, 2))


def _gain(arrays: Arrays, seen: Moments) -> Tensor:
    """``slices x groups x blocks x cols``: slope of the curves' errors over the sums, by least squares."""
    if arrays.errors is None or arrays.errors.curve is None:
        raise AssertionError("asked of converters with curves")
    _, linear, square, cube = arrays.errors.curve.unbind(-1)
    weight = seen.place.square()[:, :, None, None, None]
    _, second, third, fourth = (seen.powers * weight).sum(2)
    power = second.clamp(min=1e-12)
    slope: Tensor = linear + square * third / power + cube * fourth / power
    return slope
