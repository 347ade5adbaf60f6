"""Products of bit-streamed inputs and bit-sliced weights in torch operations; the compiled kernel does it faster.

Both round alike, step by step: sums of multiples of the cells' grid are exact in either, products and additions of
single precision follow in the same order, and noise comes from :mod:`.noise`. Their outputs differ by the rounding of
the last scale factor, below 1e-6 of the largest output.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.converter_errors import ConverterErrors
from nax_bo.crossbar.arithmetic.noise import conversion_normals
from nax_bo.crossbar.arithmetic.quantise import exact_dtype
from nax_bo.crossbar.physics.cells import grid
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
    errors: ConverterErrors | None = None,
    seed: int = 0,
    pairs: Tensor | None = None,
    error_only: bool = False,
) -> Tensor:
    """What the arrays return for input codes ``x``, in units of input step times weight step.

    Args:
        x: ``groups x vectors x rows`` input codes.
        levels: ``slices x groups x rows x cols`` cell levels.
        array: Slicing and streaming.
        blocks: Rows of each block.
        converter: Converts each partial sum.
        read_variance: ``slices x groups x blocks x cols``; adds Gaussian noise to each partial sum.
        errors: Of the converters.
        seed: Of all noise of this read.
        pairs: ``slices x streams`` booleans; the others contribute nothing. Default: all.
        error_only: Sum up what conversion, converters' errors and read noise add, instead of the values.

    Returns:
        ``groups x vectors x cols``.
    """
    groups, vectors, _ = x.shape
    slices, _, _, cols = levels.shape
    streams = array.streams
    dtype = exact_dtype(float(2 ** (array.adc_bits + array.input_bits + array.weight_bits)) * len(blocks))
    place = places(array, x.device, pairs).to(dtype)
    exact = _sums_dtype(levels, array)
    matrix = torch.split(
        levels.to(exact).permute(1, 2, 0, 3).reshape(groups, -1, slices * cols), list(blocks), dim=1
    )
    chunk = max(1, _VALUES_PER_CHUNK // (streams * slices * cols))
    noise_lsb = errors.noise_lsb if errors is not None else 0.0
    out = torch.empty(groups, vectors, cols, dtype=dtype, device=x.device)
    for start in range(0, vectors, chunk):
        part = x[:, start : start + chunk]
        count = part.shape[1]
        pulses = input_digits(part, array).movedim(0, 1).reshape(groups, streams * count, -1)
        total = torch.zeros(groups, count, cols, dtype=dtype, device=x.device)
        for b, pulse in enumerate(torch.split(pulses, list(blocks), dim=-1)):
            sums = partial_sums(pulse.to(exact), matrix[b]).reshape(groups, streams, count, slices, cols)
            analog = sums.float() * (1 / converter.step)
            value = analog
            if read_variance is not None or noise_lsb:
                first, second = _normals(
                    seed,
                    streams,
                    range(start, start + count),
                    (groups, len(blocks), slices, cols),
                    b,
                    x.device,
                )
            if read_variance is not None:
                root_energy = pulse.square().sum(-1).sqrt().reshape(groups, streams, count, 1, 1)
                sigma = sigma_steps(read_variance[:, :, b], converter).movedim(0, 1)[:, None, None]
                value = value + first * root_energy * sigma
            if errors is not None and errors.curve is not None:
                value = bent(value, errors.curve[:, :, b].to(x.device), converter)
            if noise_lsb:
                value = value + second * noise_lsb
            codes = value.round().clamp_(converter.low, converter.high)
            if error_only:
                codes -= analog
            total += torch.einsum("gtmsn,st->gmn", codes.to(dtype), place)
        out[:, start : start + chunk] = total
    return out.mul_(converter.step)


def bent(value: Tensor, curve: Tensor, converter: Converter) -> Tensor:
    """``value: groups x ... x slices x cols`` steps as seen by converters of ``curve: slices x groups x cols x 4``."""
    c = curve.movedim(0, 1).reshape(len(value), *[1] * (value.ndim - 3), *curve.shape[::2], 4).unbind(-1)
    v = value.clamp(converter.low - 1, converter.high + 1)
    error = c[3]
    for coefficient in (c[2], c[1], c[0]):
        error = error * v + coefficient
    return value + error


def sigma_steps(variance: Tensor, converter: Converter) -> Tensor:
    """Standard deviation in steps of the converter, single precision, as the kernel has it."""
    return variance.float().sqrt() * (1 / converter.step)


def _normals(
    seed: int,
    streams: int,
    vectors: range,
    shape: tuple[int, int, int, int],
    block: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Two normals per conversion of a block, ``groups x streams x vectors x slices x cols``."""
    groups, blocks, slices, cols = shape
    first, second = [], []
    for group in range(groups):
        begin = (group * blocks + block) * slices * cols
        one, other = conversion_normals(seed, streams, vectors, range(begin, begin + slices * cols))
        first.append(one)
        second.append(other)
    form = (groups, streams, len(vectors), slices, cols)
    return tuple(torch.stack(n).reshape(form).to(device) for n in (first, second))  # type: ignore[return-value]


def _sums_dtype(levels: Tensor, array: ArraySpec) -> torch.dtype:
    """In which sums of multiples of the cells' grid are exact."""
    column = float(levels.abs().sum(2).max()) if levels.numel() else 0.0
    return exact_dtype(column * (2**array.dac_bits - 1) / grid(array))


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
