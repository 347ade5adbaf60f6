"""Products of bit-streamed inputs and bit-sliced weights in torch operations; the compiled kernel does it faster.

Both round alike, step by step: sums of multiples of the cells' grid are exact in either, products and additions of
single precision follow in the same order, and noise comes from :mod:`.noise`. Their outputs differ by the rounding of
the last scale factor, below 1e-6 of the largest output.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.converter_errors import ConverterErrors
from nax_bo.crossbar.arithmetic.noise import conversion_normals
from nax_bo.crossbar.arithmetic.quantise import exact_dtype
from nax_bo.crossbar.generators import generator_on
from nax_bo.crossbar.physics.cells import grid
from nax_bo.crossbar.physics.slicing import input_digits, slice_weights, stream_weights
from nax_bo.hardware.chip import ArraySpec

_VALUES_PER_CHUNK = 1 << 18  # partial sums in flight: stays in the second-level cache
_BYTES_PER_VALUE = 40  # of sums, noise and codes when most of them are alive
_VALUES_ELSEWHERE = 1 << 31
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
    if x.device.type != "cpu":
        dtype = torch.float32  # rounds the sum of codes to 6e-8, which saves half of the memory
    place = places(array, x.device, pairs).to(dtype)
    exact = _sums_dtype(levels, array)
    count_blocks, columns = len(blocks), slices * cols
    weights = levels.to(exact).permute(1, 0, 3, 2).reshape(groups, columns, -1)
    matrix = in_blocks(weights, blocks).permute(0, 2, 3, 1).reshape(groups * count_blocks, -1, columns)
    chunk = max(1, values_at_once(x.device) // (streams * columns * count_blocks))
    noise_lsb = errors.noise_lsb if errors is not None else 0.0
    draws = _Normals(seed, x.device, (groups, count_blocks, streams, slices, cols))
    out = torch.empty(groups, vectors, cols, dtype=dtype, device=x.device)
    for start in range(0, vectors, chunk):
        part = x[:, start : start + chunk]
        count = part.shape[1]
        pulses = in_blocks(input_digits(part, array), blocks)  # streams x groups x vectors x blocks x rows
        pulses = pulses.permute(1, 3, 0, 2, 4).reshape(groups * count_blocks, streams * count, -1)
        sums = partial_sums(pulses.to(exact), matrix)
        analog = sums.float().mul_(1 / converter.step)
        analog = analog.reshape(groups, count_blocks, streams, count, slices, cols)
        value = analog
        if read_variance is not None or noise_lsb:
            first, second = draws.of(range(start, start + count))
        if read_variance is not None:
            root_energy = pulses.square().sum(-1).sqrt().reshape(groups, count_blocks, streams, count, 1, 1)
            sigma = sigma_steps(read_variance, converter).permute(1, 2, 0, 3)[:, :, None, None]
            value = first.mul_(root_energy * sigma).add_(value)
        if errors is not None and errors.curve is not None:
            value = bent(value, errors.curve, converter)
        if noise_lsb:
            value = second.mul_(noise_lsb).add_(value)
        codes = value.round().clamp_(converter.low, converter.high)
        if error_only:
            codes -= analog
        out[:, start : start + chunk] = torch.einsum("gbtmsn,st->gmn", codes.to(dtype), place)
    return out.mul_(converter.step)


def in_blocks(values: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """``values: ... x rows`` as ``... x blocks x rows of the largest``, filled up with zeros.

    Blocks repeat a pattern of full arrays and one that is not full, as
    :func:`nax_bo.crossbar.physics.slicing.row_blocks` makes them.
    """
    widest = blocks[0]
    period = next((i + 1 for i, rows in enumerate(blocks) if rows != widest), len(blocks))
    rows = sum(blocks[:period])
    apart = values.reshape(*values.shape[:-1], -1, rows)
    padded = functional.pad(apart, (0, period * widest - rows))
    return padded.reshape(*values.shape[:-1], len(blocks), widest)


def values_at_once(device: torch.device) -> int:
    """Partial sums in flight: on a GPU as many as free memory holds with all that is computed from them."""
    if device.type == "cpu":
        return _VALUES_PER_CHUNK
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return max(_VALUES_PER_CHUNK, free // _BYTES_PER_VALUE)
    return _VALUES_ELSEWHERE


def bent(value: Tensor, curve: Tensor, converter: Converter) -> Tensor:
    """What converters of ``curve: slices x groups x blocks x cols x 4`` see.

    ``value: groups x blocks x ... x slices x cols``, steps.
    """
    slices, groups, blocks, cols, _ = curve.shape
    form = (groups, blocks, *[1] * (value.ndim - 4), slices, cols, 4)
    c = curve.permute(1, 2, 0, 3, 4).reshape(form).unbind(-1)
    v = value.clamp(converter.low - 1, converter.high + 1)
    error = c[3]
    for coefficient in (c[2], c[1], c[0]):
        error = error * v + coefficient
    return value + error


def sigma_steps(variance: Tensor, converter: Converter) -> Tensor:
    """Standard deviation in steps of the converter, single precision, as the kernel has it."""
    return variance.float().sqrt() * (1 / converter.step)


class _Normals:
    """Two normals per conversion: from the bank on the host, as the kernel has them; elsewhere drawn in place.

    Args:
        seed: Of the read.
        device: Of the sums.
        shape: Groups, blocks, streams, slices, columns.
    """

    def __init__(self, seed: int, device: torch.device, shape: tuple[int, int, int, int, int]) -> None:
        self._seed, self._shape = seed, shape
        self._generator = None if device.type == "cpu" else generator_on(device, seed)
        self._device = device

    def of(self, vectors: range) -> tuple[Tensor, Tensor]:
        """``groups x blocks x streams x vectors x slices x columns`` each."""
        groups, blocks, streams, slices, cols = self._shape
        if self._generator is not None:
            form = (2, groups, blocks, streams, len(vectors), slices, cols)
            first, second = torch.randn(form, generator=self._generator, device=self._device)
            return first, second
        columns = range(groups * blocks * slices * cols)
        normals = conversion_normals(self._seed, streams, vectors, columns)
        form_ = (streams, len(vectors), groups, blocks, slices, cols)
        first, second = (n.reshape(form_).permute(2, 3, 0, 1, 4, 5) for n in normals)
        return first, second


def _sums_dtype(levels: Tensor, array: ArraySpec) -> torch.dtype:
    """In which sums of multiples of the cells' grid are exact; a device, which would be waited for, is not asked."""
    if levels.device.type != "cpu":
        return torch.float32
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
    """Whether 8-bit products pay: on processors without VNNI they are a scalar loop, far slower than floats.

    On a GPU, whether they are exact would have to be waited for.
    """
    vnni = getattr(torch.cpu, "_is_vnni_supported", None)  # private, hence the caution
    return device_type == "cpu" and vnni is not None and bool(vnni())


def _fit_in_bytes(pulses: Tensor, matrix: Tensor) -> bool:
    # small products do not pay; torch 2.13 returns uninitialised memory for one row and one column of strides (1, 1)
    if len(pulses) != 1 or min(pulses.shape[1:]) < _SMALLEST_INT8 or matrix.shape[2] < _SMALLEST_INT8:
        return False
    small = bool(pulses.abs().amax() <= _INT8) and bool(matrix.abs().amax() <= _INT8)
    return small and bool((matrix == matrix.round()).all())
