"""Products of bit-streamed inputs and bit-sliced weights in torch operations; the compiled kernel does it faster."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.quantise import exact_dtype
from nax_bo.crossbar.physics.slicing import input_digits, slice_weights, stream_weights
from nax_bo.hardware.chip import ArraySpec

_VALUES_PER_CHUNK = 1 << 18  # partial sums in flight: stays in the second-level cache
_INT8 = 127
_SMALLEST_INT8 = 16


def integer_product(x: Tensor, codes: Tensor, array: ArraySpec) -> Tensor:
    """``x: groups x vectors x rows`` times ``codes: groups x rows x cols``, exact for integer codes."""
    largest = float(2**array.input_bits) * 2 ** (array.weight_bits - 1) * x.shape[-1]
    dtype = exact_dtype(largest)
    return torch.bmm(x.to(dtype), codes.to(dtype))


def array_product(
    x: Tensor,
    levels: Tensor,
    array: ArraySpec,
    blocks: tuple[int, ...],
    converter: Converter,
    *,
    read_variance: Tensor | None = None,
    generator: Generator | None = None,
    pairs: Tensor | None = None,
    errors: bool = False,
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
        pairs: ``slices x streams`` booleans; the others contribute nothing. Default: all.
        errors: Sum up what conversion and read noise add, instead of the values.

    Returns:
        ``groups x vectors x cols``.
    """
    groups, vectors, _ = x.shape
    slices, _, _, cols = levels.shape
    streams = array.streams
    dtype = exact_dtype(float(2 ** (array.adc_bits + array.input_bits + array.weight_bits)) * len(blocks))
    place = places(array, x.device, pairs).to(dtype)
    matrix = torch.split(levels.permute(1, 2, 0, 3).reshape(groups, -1, slices * cols), list(blocks), dim=1)
    chunk = max(1, _VALUES_PER_CHUNK // (streams * slices * cols))
    out = torch.empty(groups, vectors, cols, dtype=dtype, device=x.device)
    for start in range(0, vectors, chunk):
        part = x[:, start : start + chunk]
        count = part.shape[1]
        pulses = input_digits(part, array).movedim(0, 1).reshape(groups, streams * count, -1)
        total = torch.zeros(groups, count, cols, dtype=dtype, device=x.device)
        for b, pulse in enumerate(torch.split(pulses, list(blocks), dim=-1)):
            sums = partial_sums(pulse, matrix[b]).reshape(groups, streams, count, slices, cols)
            clean = sums / converter.step if errors else None
            if read_variance is not None:
                energy = pulse.square().sum(-1).reshape(groups, streams, count, 1, 1)
                variance = energy * read_variance[:, :, b].movedim(0, 1)[:, None, None]
                noise = torch.randn(sums.shape, generator=generator, device="cpu").to(sums.device)
                sums += noise.mul_(variance.sqrt_())
            codes = converter.convert(sums)
            if clean is not None:
                codes -= clean
            total += torch.einsum("gtmsn,st->gmn", codes.to(dtype), place)
        out[:, start : start + chunk] = total
    return out.mul_(converter.step)


def places(array: ArraySpec, device: torch.device, pairs: Tensor | None = None) -> Tensor:
    """``slices x streams``: place value of each pair; 0 where ``pairs`` is false."""
    slices = torch.tensor(slice_weights(array), dtype=torch.float64, device=device)
    streams = torch.tensor(stream_weights(array), dtype=torch.float64, device=device)
    value = slices[:, None] * streams
    return value if pairs is None else value * pairs


def partial_sums(pulses: Tensor, matrix: Tensor) -> Tensor:
    """``groups x vectors x rows`` times ``groups x rows x columns``; in 8-bit integers where that is exact and fast."""
    if not _bytes_are_fast(pulses.device.type) or not _fit_in_bytes(pulses, matrix):
        return torch.bmm(pulses, matrix)
    a, b = pulses[0].to(torch.int8).contiguous(), matrix[0].to(torch.int8).contiguous()
    try:
        product = torch._int_mm(a, b)
    except (
        RuntimeError,
        AttributeError,
    ):  # a private function of torch, with limits on shape that vary by version
        return torch.bmm(pulses, matrix)
    return product.unsqueeze(0).to(pulses.dtype)


@lru_cache
def _bytes_are_fast(device_type: str) -> bool:
    """Whether 8-bit products pay: on processors without VNNI they are a scalar loop, far slower than floats."""
    vnni = getattr(torch.cpu, "_is_vnni_supported", None)  # private, hence the caution
    return device_type != "cpu" or (vnni is not None and bool(vnni()))


def _fit_in_bytes(pulses: Tensor, matrix: Tensor) -> bool:
    # small products do not pay; torch 2.13 returns uninitialised memory for one row and one column of strides (1, 1)
    if len(pulses) != 1 or min(pulses.shape[1:]) < _SMALLEST_INT8 or matrix.shape[2] < _SMALLEST_INT8:
        return False
    small = bool(pulses.abs().amax() <= _INT8) and bool(matrix.abs().amax() <= _INT8)
    return small and bool((matrix == matrix.round()).all())
