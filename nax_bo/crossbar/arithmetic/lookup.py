"""Lookup tables of partial sums: the form in which cells go to the compiled kernel.

A group of rows whose input digits together take at most ``entries`` values (32 or 8, as the kernel reads them) has, per
column, so many possible partial sums. Tables hold them as 16-bit numbers in units of the grid on which cells lie
(:func:`nax_bo.crossbar.physics.cells.grid`), without rounding; so many groups are summed in 16 bits as cannot overflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nax_bo.hardware.chip import ArraySpec

COLUMNS = 4  # most that the kernel reads at once
_LARGEST = 32767
_LARGEST_EXACT = 1 << 24  # of a sum of integers in single precision


@dataclass(frozen=True)
class Tables:
    """Tables of one layer's arrays.

    Attributes:
        entries: ``groups x lookups x columns x entries``, int16; columns are slices x outputs, padded for the kernel.
        level: Levels per unit.
        chunk: Lookups that are summed in 16 bits.
    """

    entries: Tensor
    level: float
    chunk: int


def digits_of(array: ArraySpec, entries: int, signed: bool) -> tuple[int, int]:
    """(number of values of one input digit, rows per lookup); no rows if a digit has more values than entries."""
    radix = 2**array.dac_bits if not signed else 2 ** (array.dac_bits + 1) - 1
    rows = 0
    while radix ** (rows + 1) <= entries:
        rows += 1
    return radix, rows


def tables(
    levels: Tensor, array: ArraySpec, blocks: tuple[int, ...], *, entries: int, signed: bool, level: float
) -> Tables | None:
    """Tables of ``levels: slices x groups x rows x cols``, multiples of ``level``; ``None`` if sums are too large."""
    radix, rows = digits_of(array, entries, signed)
    largest_digit = 2**array.dac_bits - 1
    matrix = torch.split(levels.permute(1, 2, 0, 3).flatten(2) / level, list(blocks), dim=1)
    most = [
        _by_lookup(block.abs(), rows).sum(2) * largest_digit for block in matrix
    ]  # groups x lookups x columns
    if (
        max(float(m.max()) for m in most) > _LARGEST
        or max(float(m.sum(1).max()) for m in most) > _LARGEST_EXACT
    ):
        return None
    values = torch.arange(entries, device=levels.device)
    digits = torch.stack([values // radix**r % radix for r in range(rows)]).float()
    if signed:
        digits -= largest_digit
    table = torch.cat([_block_table(block, digits) for block in matrix], 1)
    spare = COLUMNS + -table.shape[2] % COLUMNS
    padded = torch.nn.functional.pad(table, (0, 0, 0, spare)).contiguous()
    return Tables(padded, level, min(_chunk(m) for m in most))


def _chunk(most: Tensor) -> int:
    """Largest number of consecutive lookups whose sums stay in 16 bits, of ``most: groups x lookups x columns``."""
    count = most.shape[1]
    while any(float(part.sum(1).max()) > _LARGEST for part in torch.split(most, count, 1)):
        count = -(-count // 2)
    return count


def _by_lookup(block: Tensor, rows: int) -> Tensor:
    """``groups x rows x columns`` -> ``groups x lookups x rows of a lookup x columns``."""
    padded = torch.nn.functional.pad(block, (0, 0, 0, -block.shape[1] % rows))
    return padded.reshape(block.shape[0], -1, rows, block.shape[2])


def _block_table(block: Tensor, digits: Tensor) -> Tensor:
    """``groups x rows x columns`` -> ``groups x lookups x columns x entries``."""
    return (_by_lookup(block, len(digits)).transpose(2, 3) @ digits).to(torch.int16)
