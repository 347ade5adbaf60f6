"""Maximise an acquisition over a discrete lattice: evolution of a population, then one-change descent to its end."""

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


Score = Callable[[IndexArray], Scored]

_BLOCK = 64


@dataclass(frozen=True)
class Effort:
    """How hard to search: about ``starts + generations * size`` evaluations, plus the descent."""

    starts: int = 600
    generations: int = 20
    size: int = 120
    descents: int = 3
    moves: int = 60


def maximise(
    problem: Problem,
    score: Score,
    parents: IndexArray,
    fresh: Callable[[IndexArray], IndexArray],
    rng: np.random.Generator,
    effort: Effort | None = None,
) -> Scored:
    """The best designs found, best first; empty if nothing new is found. Spaces that are small enough are enumerated.

    Args:
        problem: Where to search.
        score: Scores and violations of designs.
        parents: Good designs to start from, ``k x d``; may be empty.
        fresh: Keeps the designs that may be returned (not seen before), without repeats.
        rng: Source of chance.
        effort: How hard to search.
    """
    effort = effort or Effort()
    if problem.space.size <= effort.starts + effort.generations * effort.size:
        return _scored(score, fresh(problem.completed(problem.space.enumerate()))).best(effort.size)
    population = _scored(score, fresh(_starts(problem, parents, effort, rng))).best(effort.size)
    if not len(population.x):
        return population
    for _ in range(effort.generations):
        children = fresh(problem.completed(offspring(problem, population.x, effort.size, rng)))
        if len(children):
            population = population.joined(score(children)).best(effort.size)
    found = population
    for row in range(min(effort.descents, len(population.x))):
        start = population.rows(np.array([row]))
        found = found.joined(_descend(problem, score, fresh, start, effort.moves, rng))
    return found.best(effort.size)


def _scored(score: Score, x: IndexArray) -> Scored:
    return score(x) if len(x) else Scored(x, np.zeros(0), np.zeros(0))


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
        return problem.completed(randoms)
    children = offspring(problem, parents, effort.starts - len(randoms), rng)
    return problem.completed(np.vstack([children, randoms]))


def _descend(
    problem: Problem,
    score: Score,
    fresh: Callable[[IndexArray], IndexArray],
    start: Scored,
    moves: int,
    rng: np.random.Generator,
) -> Scored:
    """From one design, single changes for the better until there is none or ``moves`` have been made.

    Neighbours are looked at in random order, a block at a time, and the best of the first block that has a better one
    is where the next move goes: a fraction of the work of looking at all of them for each move.
    """
    here = path = start
    for _ in range(moves):
        around = fresh(problem.completed(problem.space.neighbours(here.x[0])))
        around = around[rng.permutation(len(around))]
        for block in range(0, len(around), _BLOCK):
            best = score(around[block : block + _BLOCK]).best(1)
            path = path.joined(best)
            if (best.violation[0], -best.score[0]) < (here.violation[0], -here.score[0]):
                here = best
                break
        else:
            break
    return path
