"""The exact mode: every slice, stream and row block is summed in its array and converted on its own."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.adc import Converter
from nax_bo.crossbar.quantise import exact_dtype
from nax_bo.crossbar.slicing import input_digits, slice_weights, stream_weights, weight_offset
from nax_bo.hardware.chip import ArraySpec

_VALUES_PER_CHUNK = 1 << 18  # partial sums in flight: stays in the second-level cache


def integer_product(x: Tensor, codes: Tensor, array: ArraySpec) -> Tensor:
    """``x: groups x vectors x rows`` times ``codes: groups x rows x cols``, exact for integer codes."""
    largest = float(2**array.input_bits) * 2 ** (array.weight_bits - 1) * x.shape[-1]
    dtype = exact_dtype(largest)
    return torch.bmm(x.to(dtype), codes.to(dtype))


def exact_product(
    x: Tensor,
    levels: Tensor,
    array: ArraySpec,
    blocks: tuple[int, ...],
    converter: Converter,
    read_variance: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """What the arrays return for input codes ``x``, in units of input step times weight step.

    Args:
        x: ``groups x vectors x rows`` input codes.
        levels: ``slices x groups x rows x cols`` cell levels.
        array: Slicing and streaming.
        blocks: Rows of each block.
        converter: Converts each partial sum.
        read_variance: ``slices x groups x blocks x cols``; adds Gaussian noise to each partial sum.
        generator: Source of the read noise.

    Returns:
        ``groups x vectors x cols``.
    """
    groups, vectors, _ = x.shape
    slices, _, _, cols = levels.shape
    streams = array.streams
    largest = float(2**array.adc_bits) * 2 ** (array.input_bits + array.weight_bits) * len(blocks)
    dtype = exact_dtype(largest)
    place = torch.tensor(stream_weights(array), dtype=dtype)[:, None] * torch.tensor(
        slice_weights(array), dtype=dtype
    )
    matrix = levels.permute(1, 2, 0, 3).reshape(groups, -1, slices * cols).split(blocks, dim=1)
    chunk = max(1, _VALUES_PER_CHUNK // (streams * slices * cols))
    out = torch.empty(groups, vectors, cols, dtype=dtype)
    for start in range(0, vectors, chunk):
        part = x[:, start : start + chunk]
        count = part.shape[1]
        pulses = input_digits(part, array).movedim(0, 1).reshape(groups, streams * count, -1)
        total = torch.zeros(groups, count, cols, dtype=dtype)
        for b, pulse in enumerate(pulses.split(blocks, dim=-1)):
            sums = torch.bmm(pulse, matrix[b]).reshape(groups, streams, count, slices, cols)
            if read_variance is not None:
                energy = pulse.square().sum(-1).reshape(groups, streams, count, 1, 1)
                variance = energy * read_variance[:, :, b].movedim(0, 1)[:, None, None]
                noise = torch.randn(sums.shape, generator=generator)
                sums += noise.mul_(variance.sqrt_())
            codes = converter.convert(sums).to(dtype)
            total += torch.einsum("gtmsn,ts->gmn", codes, place)
        out[:, start : start + chunk] = total
    out *= converter.step
    if offset := weight_offset(array):
        out -= offset * x.to(dtype).sum(-1, keepdim=True)
    return out
