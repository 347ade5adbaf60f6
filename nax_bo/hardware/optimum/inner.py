"""Cost-only variables of a space, solved for many designs at once: quickly for a search, exactly for what is evaluated.

Given a clock, area, latency, dynamic energy and leakage add up over layers. A block of variables (:mod:`.blocks`) has
one row of these four per option; all blocks take their first, second, ... option together, so one pricing per option
fills the tables of all (:mod:`.tables`). What a few weighted descents find at two clocks is priced as whole designs.
Variables of the chip are taken in turns, each at its best while the others stay.

:meth:`InnerOptimum.exact` solves the tables by branch and bound (:mod:`.multiple_choice`) for every clock and, where
there are few, every combination of the chip's variables. Exact as far as prices add up: the way between more tiles,
chips with too few of them, and pipelines are judged on whole designs only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from nax_bo.hardware.optimum.blocks import Blocks, Describe, Ints, find_blocks
from nax_bo.hardware.optimum.goal import Goal, SlotPricing
from nax_bo.hardware.optimum.objective import Objective
from nax_bo.hardware.optimum.tables import OptionTables
from nax_bo.hardware.tables import Floats

FEW = 48
"""So many combinations are simply all priced."""
_CHUNK = 1024
_TURNS = 4
_MOST_SHARED = 64


@dataclass(frozen=True)
class InnerOptimum:
    """Solves the cost-only variables of index vectors.

    Attributes:
        scores: Scores of whole designs, ``n`` for index vectors ``n x d``; less is better.
        pricing: Prices slots; None if the cost model cannot, and all variables are taken in turns.
        describe: Index vectors to workloads.
        cardinalities: Values of each variable.
        hidden: Columns of the cost-only variables.
        sample: Some designs of the space, to see what variables change.
        goal: What is best.
    """

    scores: Callable[[Ints], Floats]
    pricing: SlotPricing | None
    describe: Describe
    cardinalities: Ints
    hidden: tuple[int, ...]
    sample: Ints
    goal: Goal

    @cached_property
    def blocks(self) -> Blocks:
        """Variables by what they decide; without slot pricing all are the chip's."""
        if self.pricing is None:
            return Blocks((), tuple(self.hidden))
        return find_blocks(self.describe, self.sample, self.cardinalities, self.hidden)

    def solve(self, x: Ints) -> Ints:
        """Index vectors with their cost-only variables at, or very near, the best; these depend on the rest alone."""
        out = x.copy()
        if not self.hidden or not len(x):
            return out
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._solve(x[part])
        return out

    def exact(self, x: Ints) -> Ints:
        """The same solved exactly, one design after another; never worse than :meth:`solve`."""
        out = self.solve(x)
        if self._combinations <= FEW or not self.blocks.blocks:
            return out
        for row in range(len(out)):
            found = [out[row], *self._exact(out[row])]
            whole = np.array(found)
            out[row] = whole[int(np.argmin(self.scores(whole)))]
        return out

    @property
    def _combinations(self) -> int:
        return prod(int(self.cardinalities[c]) for c in self.hidden)

    def _solve(self, x: Ints) -> Ints:
        x = x.copy()
        x[:, list(self.hidden)] = 0
        if self._combinations <= FEW:
            return self._best_of_each(x, self.hidden)
        if not self.blocks.blocks:
            return self._turns(x, _TURNS)
        places = self.blocks.place(self.describe, x)
        x = self._layers(x, places)
        if not self.blocks.shared:
            return x
        for _ in range(2):
            turned = self._turns(x, 1)
            moved = (turned != x).any(axis=1)
            x = turned
            if not moved.any():
                break
            again = x.copy()
            again[moved] = self._layers(x[moved], places[moved])
            x = self._best_of([x, again])
        return x

    def _each(self, x: Ints, columns: Sequence[int]) -> Iterator[Ints]:
        """The designs with every combination of some variables."""
        for values in itertools.product(*(range(int(self.cardinalities[c])) for c in columns)):
            y = x.copy()
            y[:, list(columns)] = values
            yield y

    def _best_of_each(self, x: Ints, columns: Sequence[int]) -> Ints:
        """The best of every combination; few designs are priced with all of theirs at once."""
        each = list(self._each(x, columns))
        if len(each) * len(x) > _CHUNK:
            return self._best_of(each)
        scores = self.scores(np.concatenate(each)).reshape(len(each), len(x))
        best: Ints = np.stack(each)[scores.argmin(axis=0), np.arange(len(x))]
        return best

    def _best_of(self, candidates: Iterator[Ints] | Sequence[Ints]) -> Ints:
        best, least = None, np.zeros(0)
        for x in candidates:
            scores = self.scores(x)
            if best is None:
                best, least = x, scores
            else:
                better = scores < least
                best, least = np.where(better[:, None], x, best), np.where(better, scores, least)
        assert best is not None
        return best

    def _turns(self, x: Ints, rounds: int) -> Ints:
        """The chip's variables one after another, each at its best while the others stay."""
        for _ in range(rounds):
            before = x
            for column in self.blocks.shared:
                x = self._best_of_each(x, (column,))
            if np.array_equal(before, x):
                break
        return x

    def _layers(self, x: Ints, places: Ints) -> Ints:
        """Every block at its best while the chip's variables stay."""
        tables = self._tables(x, places)
        return self._best_of([self._with(x, picks) for picks in tables.choices(self.goal)])

    def _tables(self, x: Ints, places: Ints, every_clock: bool = False) -> OptionTables:
        assert self.pricing is not None  # else there are no blocks
        sizes = np.array([len(block.options) for block in self.blocks.blocks])
        works = [self.describe(self._with(x, np.tile(k % sizes, (len(x), 1)))) for k in range(sizes.max())]
        return OptionTables.read(self.pricing, works, places, sizes, every_clock)

    def _with(self, x: Ints, picks: Ints) -> Ints:
        """Designs with the options ``picks``, n x blocks."""
        y = x.copy()
        for i, block in enumerate(self.blocks.blocks):
            y[:, block.columns] = block.options[picks[:, i]]
        return y

    def _exact(self, row: Ints) -> Iterator[Ints]:
        shared = self.blocks.shared
        few = prod(int(self.cardinalities[c]) for c in shared) <= _MOST_SHARED
        name = self.goal.objective
        if name is None:
            return
        for x in self._each(row[None], shared) if few else [row[None]]:
            places = self.blocks.place(self.describe, x)
            tables = self._tables(x, places, every_clock=True)
            for picks in tables.exact(Objective(name), self.goal.max_area_um2):
                yield self._with(x, picks[None])[0]
