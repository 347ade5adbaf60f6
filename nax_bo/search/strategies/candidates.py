"""Maximise an acquisition over a discrete lattice: evolution of a population, then descent from the best of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.problem import Problem
from nax_bo.search.scale import Array
from nax_bo.space.rows import distinct_rows

IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """Designs ``n x d``, their scores (more is better) and violations of known limits (0 is feasible), ``n`` each."""

    x: IndexArray
    score: Array
    violation: Array

    def best(self, count: int) -> Scored:
        """The ``count`` best: least violation first, then highest score."""
        return self.rows(np.lexsort((-self.score, self.violation))[:count])

    def rows(self, rows: NDArray[np.int64]) -> Scored:
        """Some of the designs."""
        return Scored(self.x[rows], self.score[rows], self.violation[rows])

    def joined(self, other: Scored) -> Scored:
        """Both sets, without repeats."""
        x = np.vstack([self.x, other.x])
        rows = distinct_rows(x)
        return Scored(
            x[rows],
            np.concatenate([self.score, other.score])[rows],
            np.concatenate([self.violation, other.violation])[rows],
        )


Score = Callable[[IndexArray, float], Scored]
"""Scores designs ``n x d``. What falls short of the number given need not be evaluated: its score may be -infinity."""


@dataclass(frozen=True)
class Effort:
    """How hard to search: about ``starts + generations * size`` evaluations, and about as many in the descents.

    Spaces of at most ``listed`` designs are enumerated instead.
    """

    starts: int = 600
    generations: int = 10
    size: int = 120
    descents: int = 4
    rounds: int = 30
    listed: int = 3000


AGAIN = Effort(starts=300, generations=6, descents=2)
"""For the further designs of a batch, which start from what was found for the first ..."""

HURRIED = Effort(starts=120, generations=2, descents=1, rounds=2)
"""... and for those of a large one. Batches of four lost a tenth of the hypervolume by it (chain24, 50 evaluations)."""


def maximise(
    problem: Problem,
    score: Score,
    parents: IndexArray,
    fresh: Callable[[IndexArray], IndexArray],
    rng: np.random.Generator,
    effort: Effort | None = None,
    known: IndexArray | None = None,
) -> Scored:
    """The best designs found, best first; empty if nothing new is found.

    Args:
        problem: Where to search.
        score: Scores and violations of designs, and the score below which they make no difference.
        parents: Good designs to start from, ``k x d``; may be empty.
        fresh: Keeps the designs that may be returned (not seen before), without repeats.
        rng: Source of chance.
        effort: How hard to search.
        known: The best designs for a score that was little different, ``k x d``, to start from as they are.
    """
    effort = effort or Effort()
    landscape = _Landscape(problem, score, fresh)
    if problem.space.size <= effort.listed:
        return landscape.scored(problem.space.enumerate()).best(effort.size)
    starts = _starts(problem, parents, effort, rng)
    x = starts if known is None else np.vstack([known, starts])
    population = landscape.scored(x).best(effort.size)
    if not len(population.x):
        return population
    for _ in range(effort.generations):
        full = population if len(population.x) == effort.size else None
        children = landscape.scored(offspring(problem, population.x, effort.size, rng), full)
        population = population.joined(children).best(effort.size)
    found, been = population, set[bytes]()
    for row in range(min(effort.descents, len(population.x))):
        found = found.joined(landscape.descent(population.rows(np.array([row])), been, effort.rounds))
    return found.best(effort.size)


@dataclass(frozen=True)
class _Landscape:
    """What is searched: see :func:`maximise`."""

    problem: Problem
    score: Score
    fresh: Callable[[IndexArray], IndexArray]

    def scored(self, x: IndexArray, ranked: Scored | None = None) -> Scored:
        """Those of the designs that may be returned, scored as far as they rank before the last of ``ranked``."""
        x = self.fresh(self.problem.completed(x))
        if not len(x):
            return Scored(x, np.zeros(0), np.zeros(0))
        floor = -np.inf if ranked is None or ranked.violation[-1] > 0 else float(ranked.score[-1])
        return self.score(x, floor)

    def better(self, x: IndexArray, than: Scored) -> Scored:
        """Those of the designs that are better than the only one of ``than``, best first."""
        some = self.scored(x, than)
        equal = some.violation == than.violation
        rows = np.flatnonzero((some.violation < than.violation) | (equal & (some.score > than.score)))
        return some.rows(rows).best(len(rows))

    def descent(self, start: Scored, been: set[bytes], rounds: int) -> Scored:
        """From one design, changes for the better until no single one is, or it meets the path of an earlier descent.

        A round looks at all single changes. The best of them, or the 2, 4, 8, ... best together where that is better
        still, is where the descent goes; then those that were better are tried again from there, until none is. What
        they do mostly adds up, and looking at all of them is what costs.

        Args:
            start: Where to begin, one row.
            been: Designs that descents have looked around; those of this one are added.
            rounds: At most so many rounds.
        """
        here = path = start
        for _ in range(rounds):
            if (place := here.x[0].tobytes()) in been:
                break
            been.add(place)
            found = self.better(self.problem.space.neighbours(here.x[0]), here)
            if not len(found.x):
                break
            while len(found.x):
                last, together = here.x, self.better(_together(here.x[0], found.x), here)
                here = found.joined(together).best(1)
                path = path.joined(here)
                found = self.better(np.where(found.x != last, found.x, here.x), here)
        return path


def _together(x: IndexArray, changed: IndexArray) -> IndexArray:
    """``x: d`` with the first 2, 4, 8, ... of its variants ``k x d`` at once, as far as they change different columns.

    All of them come last, whatever their number.
    """
    out, row, free, count = [], x.copy(), np.ones(len(x), dtype=bool), 0
    for variant in changed:
        differs = variant != x
        if not (differs & ~free).any():
            row[differs], free[differs], count = variant[differs], False, count + 1
            if count > 1 and count & (count - 1) == 0:
                out.append(row.copy())
    if count & (count - 1):
        out.append(row)
    return np.array(out, dtype=np.int64).reshape(len(out), len(x))


def offspring(problem: Problem, parents: IndexArray, count: int, rng: np.random.Generator) -> IndexArray:
    """``count`` children of ``parents`` (best first): uniform crossover of two, then mutation.

    Active variables change with probability 1/d, 2/d or 4/d; half of the changes of an ordinal are single steps.
    Variables that a change activates are drawn anew.
    """
    space = problem.space
    order = np.minimum(rng.integers(0, len(parents), (2, count)), rng.integers(0, len(parents), (2, count)))
    first, second = parents[order[0]], parents[order[1]]
    crossed = (rng.random((count, 1)) < 0.5) & (rng.random(first.shape) < 0.5)
    return mutated(problem, space.canonical(np.where(crossed, second, first)), rng)


def mutated(problem: Problem, x: IndexArray, rng: np.random.Generator) -> IndexArray:
    """Each design ``n x d`` with at least one active variable changed (see :func:`offspring`)."""
    space = problem.space
    cards = space.cardinalities
    free = space.active_mask(x) & (cards > 1)
    if problem.complete is not None:
        free[:, problem.hidden] = False
    n, d = x.shape
    rate = rng.choice([1.0, 2.0, 4.0], (n, 1)) / np.maximum(free.sum(axis=1, keepdims=True), 1)
    chance = np.where(free, rng.random((n, d)), np.inf)
    change = chance < rate
    change[np.arange(n), chance.argmin(axis=1)] |= free.any(axis=1)
    ordinal = np.array([v.kind == "ordinal" for v in space.variables])
    step = np.where(rng.random((n, d)) < 0.5, 1, -1)
    step = np.where(x + step < 0, 1, np.where(x + step >= cards, -1, step))
    jump = rng.integers(1, np.maximum(cards, 2), (n, d))
    small = ordinal & (rng.random((n, d)) < 0.5)
    out = np.where(change, np.where(small, x + step, (x + jump) % cards), x)
    woken = space.active_mask(out) & ~space.active_mask(x)
    out = np.where(woken, rng.integers(0, cards, (n, d)), out)
    return space.canonical(out)


def _starts(problem: Problem, parents: IndexArray, effort: Effort, rng: np.random.Generator) -> IndexArray:
    space = problem.space
    cards = space.cardinalities
    randoms = space.canonical(
        rng.integers(0, cards, (effort.starts // 3 if len(parents) else effort.starts, len(space)))
    )
    if not len(parents):
        return randoms
    return np.vstack([offspring(problem, parents, effort.starts - len(randoms), rng), randoms])
