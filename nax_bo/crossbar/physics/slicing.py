"""Bit slices of weights and bit streams of inputs, and how a weight matrix is cut into row blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nax_bo.hardware.chip import ArraySpec, WeightMapping


def weight_digits(codes: Tensor, array: ArraySpec) -> Tensor:
    """Cell levels of weight codes: ``... -> sides x slices x ...``, least significant slice first.

    ``differential``: two sides; the magnitude stands on the side of the sign, the other side is zero.
    ``offset``: one side, which holds ``code + 2 ** (weight_bits - 1)``.
    """
    if array.encoding == "differential":
        sides = torch.stack([codes.clamp(min=0), (-codes).clamp(min=0)])
    else:
        sides = (codes + weight_offset(array)).unsqueeze(0)
    return _digits(sides.to(torch.int32), array.bits_per_cell, array.slices).movedim(0, 1).to(codes.dtype)


def input_digits(codes: Tensor, array: ArraySpec) -> Tensor:
    """Pulses of input codes: ``... -> streams x ...``, least significant first; negative codes give negative pulses."""
    integers = codes.to(torch.int32)
    digits = _digits(integers.abs(), array.dac_bits, array.streams)
    return (digits * integers.sign()).to(codes.dtype)


def weight_offset(array: ArraySpec) -> int:
    """What the codes of offset encoding are shifted by; the reference columns hold this code."""
    return int(2 ** (array.weight_bits - 1))


def slice_weights(array: ArraySpec) -> list[int]:
    """Place value of each slice."""
    return [2 ** (s * array.bits_per_cell) for s in range(array.slices)]


def stream_weights(array: ArraySpec) -> list[int]:
    """Place value of each stream."""
    return [2 ** (t * array.dac_bits) for t in range(array.streams)]


def _digits(magnitudes: Tensor, bits: int, count: int) -> Tensor:
    shifts = torch.arange(count, dtype=torch.int32, device=magnitudes.device) * bits
    digits: Tensor = (magnitudes >> shifts.reshape(-1, *[1] * magnitudes.ndim)) & (2**bits - 1)
    return digits


@dataclass(frozen=True)
class RowBlocks:
    """How the rows of a layer's weight matrix are spread over arrays.

    Attributes:
        order: Row of the unrolled kernel (channel, then kernel position) at each place; ``None``: as it is.
        sizes: Rows of each block; a block's partial sum is converted on its own.
    """

    order: tuple[int, ...] | None
    sizes: tuple[int, ...]

    def arrange(self, matrix: Tensor, dim: int) -> Tensor:
        """``matrix`` with its rows, dimension ``dim``, in array order."""
        return (
            matrix
            if self.order is None
            else matrix.index_select(dim, torch.tensor(self.order, device=matrix.device))
        )


def row_blocks(channels: int, positions: int, array_rows: int, mapping: WeightMapping) -> RowBlocks:
    """Blocks of a matrix of ``channels * positions`` rows.

    ``conventional`` fills arrays one after the other; ``kernel_position`` starts a new array at each kernel position.
    """
    if mapping == "conventional" or positions == 1:
        return RowBlocks(None, _cut(channels * positions, array_rows))
    order = tuple(c * positions + p for p in range(positions) for c in range(channels))
    return RowBlocks(order, _cut(channels, array_rows) * positions)


def _cut(rows: int, size: int) -> tuple[int, ...]:
    full, rest = divmod(rows, size)
    return (size,) * full + ((rest,) if rest else ())
