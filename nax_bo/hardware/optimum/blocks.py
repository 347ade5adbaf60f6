"""Which cost-only variables of a space belong to which layers: found by looking at what they change.

Variables that change array settings only can be chosen slot by slot. They form blocks: variables that meet in a slot
are one block, with all combinations of their values as its options. Everything else (buffers, widths) is the chip's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import prod

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.workload import CROSSBAR, DIGITAL, Workload
from nax_bo.hardware.workload.slots import ARRAY_FIELDS

Ints = NDArray[np.int64]
Describe = Callable[[Ints], Workload]
"""Index vectors ``n x d`` to the workload of these designs."""

MOST_OPTIONS = 256
"""Options of a block; variables of larger ones are taken in turns, as what is shared."""

_OF_ARRAYS = (*ARRAY_FIELDS, "offset", "flash")
_OTHERS = tuple(f.name for f in fields(Workload) if f.name not in (*_OF_ARRAYS, "devices"))


@dataclass(frozen=True)
class Block:
    """Variables that decide the same slots.

    Attributes:
        columns: Their columns in index vectors.
        options: All combinations of their values, options x columns.
    """

    columns: tuple[int, ...]
    options: Ints


@dataclass(frozen=True)
class Blocks:
    """Cost-only variables by what they decide.

    Attributes:
        blocks: Of slots.
        shared: Columns of variables of the whole chip.
    """

    blocks: tuple[Block, ...]
    shared: tuple[int, ...]

    def place(self, describe: Describe, x: Ints) -> Ints:
        """The block of every slot, counted from 1, n x L; 0 for slots that no block decides.

        Slots of a block lie elsewhere where layers are absent, so blocks write their number, bit by bit, with their
        first two options.
        """
        columns = np.array([c for block in self.blocks for c in block.columns], dtype=np.int64)
        base = x.copy()
        base[:, columns] = 0
        first = describe(base)
        found = np.zeros(first.shape, dtype=np.int64)
        for bit in range(len(self.blocks).bit_length()):
            coded = base.copy()
            for number, block in enumerate(self.blocks, start=1):
                if number >> bit & 1:
                    coded[:, block.columns] = block.options[-1]
            found += np.where(_changed(first, describe(coded)), 1 << bit, 0)
        return found


def find_blocks(describe: Describe, sample: Ints, cardinalities: Ints, hidden: Sequence[int]) -> Blocks:
    """Sort the variables of columns ``hidden`` by what they change in designs like ``sample``."""
    base = sample.copy()
    base[:, list(hidden)] = 0
    first = describe(base)
    touched: dict[int, NDArray[np.bool_]] = {}
    shared: list[int] = []
    for column in hidden:
        if cardinalities[column] == 1:  # fixed: nothing to choose
            continue
        masks, elsewhere = np.zeros(first.shape, dtype=bool), False
        for value in {1, int(cardinalities[column]) - 1} - {0}:
            changed = base.copy()
            changed[:, column] = value
            other = describe(changed)
            elsewhere = elsewhere or _differ(first, other, _OTHERS)
            masks |= _changed(first, other)
        if elsewhere or not masks.any():
            shared.append(column)
        else:
            touched[column] = masks
    groups = _overlapping(touched)
    blocks = []
    for group in groups:
        sizes = [int(cardinalities[c]) for c in group]
        if prod(sizes) > MOST_OPTIONS:
            shared += group
            continue
        grid = np.stack([g.ravel() for g in np.meshgrid(*map(np.arange, sizes), indexing="ij")], axis=1)
        blocks.append(Block(tuple(group), grid.astype(np.int64)))
    return Blocks(tuple(blocks), tuple(sorted(shared)))


def _overlapping(touched: dict[int, NDArray[np.bool_]]) -> list[list[int]]:
    groups: list[tuple[list[int], NDArray[np.bool_]]] = []
    for column, mask in touched.items():
        meeting = [g for g in groups if (g[1] & mask).any()]
        apart = [g for g in groups if not (g[1] & mask).any()]
        columns, union = [column], mask
        for other, theirs in meeting:
            columns, union = other + columns, union | theirs
        groups = [*apart, (columns, union)]
    return [sorted(columns) for columns, _ in groups]


def _changed(a: Workload, b: Workload) -> NDArray[np.bool_]:
    """Slots with weights whose array settings differ, n x L."""
    out = np.zeros(a.shape, dtype=bool)
    for name in _OF_ARRAYS:
        out |= getattr(a, name) != getattr(b, name)
    changed: NDArray[np.bool_] = out & ((a.kind == CROSSBAR) | (a.kind == DIGITAL))
    return changed


def _differ(a: Workload, b: Workload, names: Sequence[str]) -> bool:
    return a.devices != b.devices or any(bool((getattr(a, n) != getattr(b, n)).any()) for n in names)
