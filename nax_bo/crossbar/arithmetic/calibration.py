"""Choosing a layer's converter range on data."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from nax_bo.crossbar.arithmetic.adc import Converter, converter
from nax_bo.crossbar.arithmetic.exact import places
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.physics.cells import nominal_cells
from nax_bo.hardware.chip import ArraySpec

DEFAULT_VECTORS = 2048
_NARROWEST = 2.0**-9
_STEP_DOWN = 2.0**-0.5


def best_converter(
    x: Tensor,
    codes: Tensor,
    geometry: Geometry,
    array: ArraySpec,
    inputs: InputRange,
    vectors: int = DEFAULT_VECTORS,
    noise_lsb: float = 0.0,
    finest: float | None = None,
) -> Converter:
    """The converter of a layer; ``adc_range = "calibrated"``: the range with the least output error on ``x``.

    Ranges from full scale down to the finest step (at most a factor 512) are tried in steps of 3 dB, with cells as
    intended. The error of a channel counts relative to the variance of its output, as a normalisation that follows
    would scale it.

    Args:
        x: ``batch x channels x height x width`` inputs.
        codes: ``groups x rows x cols`` weight codes.
        geometry: How vectors lie in ``x``.
        array: Array settings.
        inputs: Input quantisation.
        vectors: At most about so many vectors of ``x`` are used.
        noise_lsb: Noise of one conversion in steps: the more, the smaller a step pays.
        finest: As in :func:`~nax_bo.crossbar.arithmetic.adc.converter`.
    """
    rows = max(geometry.blocks.sizes)
    if array.adc_range != "calibrated":
        return converter(array, rows, float(array.adc_range), finest)
    full = converter(array, rows, 1.0, finest)
    if full.lossless and noise_lsb == 0:
        return full
    x = some_vectors(x, geometry, vectors)
    cells = nominal_cells(codes, array)
    arrays = Arrays(geometry, array, inputs, full, cells.levels[0], True, None)
    product = functional.conv2d(
        inputs.codes(x),
        geometry.weight(codes),
        None,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        geometry.groups,
    )
    weight = 1 / product.var((0, 2, 3)).clamp(min=1.0)
    ones, zeros = x.new_ones(geometry.out_channels), x.new_zeros(geometry.out_channels)
    noise = noise_lsb**2 * len(geometry.blocks.sizes) * float(places(array, x.device).square().sum())
    best, least, fraction = full, float("inf"), 1.0
    while fraction > _NARROWEST:
        candidate = converter(array, rows, fraction, finest)
        errors = replace(arrays, converter=candidate).read(
            x, ones, zeros, None, linear=torch.zeros_like(product)
        )
        error = float(((errors.square().mean((0, 2, 3)) + noise * candidate.step**2) * weight).sum())
        if error < least:
            best, least = candidate, error
        if candidate.step > fraction * full.step * 1.001:  # no finer one follows
            break
        fraction *= _STEP_DOWN
    return best


def some_vectors(x: Tensor, geometry: Geometry, count: int) -> Tensor:
    """About ``count`` vectors of ``x``: its first images, or, of a linear layer's one image, its first columns."""
    if geometry.kernel == (1, 1) and geometry.stride == (1, 1) and len(x) == 1 and x.shape[2] == 1:
        return x[..., :count].contiguous()
    height, width = geometry.out_size(x.shape[2], x.shape[3])
    return x[: max(1, count // (height * width))]
