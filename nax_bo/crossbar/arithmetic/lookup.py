"""Lookup tables of partial sums: the form in which cells go to the compiled kernel.

A group of rows whose input digits together take at most ``entries`` values (32 or 8, as the kernel reads them) has, per
column, so many possible partial sums. Tables hold them as 16-bit numbers in units of ``level`` levels: 1 for integer
levels, a power of two small enough for analog ones that rounding stays below :data:`_TOLERANCE` converter steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nax_bo.hardware.chip import ArraySpec

COLUMNS = 4  # most that the kernel reads at once
_LARGEST = 32767
_TOLERANCE = 0.05  # of a converter step, standard deviation per partial sum


@dataclass(frozen=True)
class Tables:
    """Tables of one layer's arrays.

    Attributes:
        entries: ``groups x lookups x columns x entries``, int16; columns are slices x outputs, padded for the kernel.
        level: Levels per unit.
    """

    entries: Tensor
    level: float


def digits_of(array: ArraySpec, entries: int, signed: bool) -> tuple[int, int]:
    """(number of values of one input digit, rows per lookup); no rows if a digit has more values than entries."""
    radix = 2**array.dac_bits if not signed else 2 ** (array.dac_bits + 1) - 1
    rows = 0
    while radix ** (rows + 1) <= entries:
        rows += 1
    return radix, rows


def tables(
    levels: Tensor,
    array: ArraySpec,
    blocks: tuple[int, ...],
    *,
    entries: int,
    signed: bool,
    step: float,
    integer: bool,
) -> Tables | None:
    """Tables of ``levels: slices x groups x rows x cols``; ``None`` if 16 bits do not hold the sums well enough."""
    radix, rows = digits_of(array, entries, signed)
    largest_digit = 2**array.dac_bits - 1
    matrix = torch.split(levels.permute(1, 2, 0, 3).flatten(2), list(blocks), dim=1)
    bound = max(float(block.abs().sum(1).max()) for block in matrix) * largest_digit
    level = _level(bound, max(blocks), rows, step, integer)
    if level is None:
        return None
    values = torch.arange(entries, device=levels.device)
    digits = torch.stack([values // radix**r % radix for r in range(rows)]).float()
    if signed:
        digits -= largest_digit
    parts = [_block_table(block / level, digits) for block in matrix]
    table = torch.cat(parts, 1)
    spare = COLUMNS + -table.shape[2] % COLUMNS
    return Tables(torch.nn.functional.pad(table, (0, 0, 0, spare)).contiguous(), level)


def _level(bound: float, block: int, rows: int, step: float, integer: bool) -> float | None:
    if integer:
        return 1.0 if bound <= _LARGEST else None
    lookups = -(-block // rows)
    # each entry is rounded by at most half a unit, in the worst case all in one direction
    fraction_bits = math.floor(math.log2(max(1e-9, (_LARGEST - lookups) / max(bound, 1e-9))))
    level = 2.0 ** -min(fraction_bits, 14)
    return level if level * math.sqrt(lookups / 12) <= _TOLERANCE * step else None


def _block_table(block: Tensor, digits: Tensor) -> Tensor:
    """``groups x rows x columns`` -> ``groups x lookups x columns x entries``."""
    groups, count, columns = block.shape
    rows = len(digits)
    padded = torch.nn.functional.pad(block, (0, 0, 0, -count % rows))
    by_lookup = padded.reshape(groups, -1, rows, columns).transpose(2, 3)
    return (by_lookup @ digits).round_().clamp_(-_LARGEST, _LARGEST).to(torch.int16)
