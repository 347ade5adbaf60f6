"""The adaptive mode: which (slice, stream) pairs carry the converters' error."""

from __future__ import annotations

import torch
from torch import Tensor

from nax_bo.crossbar.arithmetic.calibration import some_vectors
from nax_bo.crossbar.arithmetic.exact import bent, partial_sums, places
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.physics.slicing import input_digits

_VECTORS = 128


def carrying_pairs(x: Tensor, arrays: Arrays, coverage: float) -> Tensor:
    """``slices x streams`` booleans: the fewest pairs that carry ``coverage`` of converters' and read noise's error.

    Measured on about 128 vectors of ``x: batch x channels x height x width``, as energy. Errors of different pairs are
    taken as uncorrelated. A lossless converter without read noise needs no pair.
    """
    energy = (error_energy(x, arrays) + read_noise_energy(x, arrays)).flatten()
    order = energy.argsort(descending=True)
    total = float(energy.sum())
    if total <= 0:
        return torch.zeros(arrays.array.slices, arrays.array.streams, dtype=torch.bool, device=x.device)
    needed = int((energy[order].cumsum(0) < coverage * total).sum()) + 1
    chosen = torch.zeros(len(energy), dtype=torch.bool, device=x.device)
    chosen[order[:needed]] = True
    return chosen.reshape(arrays.array.slices, arrays.array.streams)


def read_noise_energy(x: Tensor, arrays: Arrays) -> Tensor:
    """``slices x streams``: mean variance that the read noise of a pair adds to an output, in squared code units."""
    array = arrays.array
    if arrays.read_variance is None:
        return torch.zeros(array.slices, array.streams, device=x.device)
    blocks = arrays.geometry.blocks.sizes
    patches = arrays.geometry.patches(arrays.inputs.codes(some_vectors(x, arrays.geometry, _VECTORS)))
    pulses = input_digits(patches, array).square()
    power = torch.stack([p.sum(-1) for p in torch.split(pulses, list(blocks), -1)], -1).mean(
        2
    )  # streams x groups x blocks
    variance = arrays.read_variance.mean(-1)  # slices x groups x blocks
    energy = torch.einsum("tgb,sgb->st", power, variance) / len(patches)
    return energy * places(array, x.device).square()


def error_energy(x: Tensor, arrays: Arrays) -> Tensor:
    """``slices x streams``: mean squared error that converting a pair adds to an output, in squared code units."""
    converter, errors = arrays.converter, arrays.errors
    blocks = sampled_sums(x, arrays)
    error = torch.zeros_like(blocks[0])
    for b, sums in enumerate(blocks):
        value = sums / converter.step
        if errors is not None and errors.curve is not None:
            value = bent(value.unsqueeze(1), errors.curve[:, :, b : b + 1], converter).squeeze(1)
        error += value.round_().clamp_(converter.low, converter.high).mul_(converter.step).sub_(sums)
    energy = error.square_().mean((0, 2, 4)).t()
    if errors is not None:
        energy = energy + len(blocks) * (errors.noise_lsb * converter.step) ** 2
    return energy * places(arrays.array, x.device).square()


def sampled_sums(x: Tensor, arrays: Arrays) -> list[Tensor]:
    """Partial sums of each row block for about 128 vectors of ``x``: ``groups x streams x vectors x slices x cols``."""
    blocks = arrays.geometry.blocks.sizes
    patches = arrays.geometry.patches(arrays.inputs.codes(some_vectors(x, arrays.geometry, _VECTORS)))
    patches = patches[:, :_VECTORS]
    groups, count, _ = patches.shape
    slices, _, _, cols = arrays.levels.shape
    streams = arrays.array.streams
    pulses = input_digits(patches, arrays.array).movedim(0, 1).reshape(groups, streams * count, -1)
    matrix = arrays.levels.permute(1, 2, 0, 3).reshape(groups, -1, slices * cols)
    pairs = zip(torch.split(pulses, list(blocks), -1), torch.split(matrix, list(blocks), 1), strict=True)
    return [partial_sums(pulse, part).reshape(groups, streams, count, slices, cols) for pulse, part in pairs]
