"""Designs to begin with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.problem import Problem
from nax_bo.search.strategies.candidates import Scored, maximise

IndexArray = NDArray[np.int64]

_FEWEST = 3  # designs that a search can begin with
_TRIED_FIRST = 8  # draws that are completed before all are: mostly the first one will do


def initial_design(problem: Problem, count: int, seed: int) -> IndexArray:
    """``count`` different designs that satisfy the known limits, ``count x d``, fewer if no more are found.

    Drawn at random; where limits leave too few of the random designs, the rest is bred to satisfy them. Where hardly
    any does, those that break them least stand in.
    """
    rng = np.random.default_rng([seed, 1])
    space = problem.space
    pool = problem.completed(space.sample(min(space.size, max(64 * count, 512)), rng))
    pool = np.array(list(dict.fromkeys(map(tuple, pool.tolist()))), dtype=np.int64)
    broken = _violation(problem, pool)
    chosen = pool[broken <= 0][:count]
    if len(chosen) < count:
        taken = frozenset(map(tuple, chosen.tolist()))
        chosen = np.vstack([chosen, _repaired(problem, pool[np.argsort(broken, kind="stable")], taken, rng)])
        within = chosen[_violation(problem, chosen) <= 0]
        chosen = within if len(within) >= _FEWEST else chosen
    return chosen[:count]


def random_unseen(
    problem: Problem, seen: frozenset[tuple[int, ...]], rng: np.random.Generator
) -> IndexArray | None:
    """One random design (``1 x d``) that is not in ``seen`` and satisfies the known limits, as well as can be.

    Where none of 256 draws satisfies them, one is bred to.
    """
    space = problem.space
    if len(seen) >= space.size:
        return None
    draws = space.canonical(rng.integers(0, space.cardinalities, (256, len(space))))
    few = _unseen_rows(problem.completed(draws[:_TRIED_FIRST]), seen)
    if len(few) and not (broken := _violation(problem, few)).min():
        return few[[int(np.argmin(broken))]]  # the one that all draws would give, without completing them
    for pool in (problem.completed(draws), draws):
        fresh = _unseen_rows(pool, seen)
        if len(fresh):
            broken = _violation(problem, fresh)
            if broken.min() > 0:
                bred = _repaired(problem, fresh[np.argsort(broken, kind="stable")], seen, rng)
                fresh = np.vstack([fresh, bred])
                broken = _violation(problem, fresh)
            return fresh[[int(np.argmin(broken))]]
    if space.size > 1_000_000:
        return None
    rest = [row for row in map(tuple, space.enumerate().tolist()) if row not in seen]
    rows = np.array(rest, dtype=np.int64)[rng.permutation(len(rest))]
    return rows[[int(np.argmin(_violation(problem, rows)))]]


def _unseen_rows(pool: IndexArray, seen: frozenset[tuple[int, ...]]) -> IndexArray:
    return np.array([r for r in dict.fromkeys(map(tuple, pool.tolist())) if r not in seen], dtype=np.int64)


def _violation(problem: Problem, x: IndexArray) -> NDArray[np.float64]:
    return problem.violation(problem.known(x), len(x))


def _repaired(
    problem: Problem, parents: IndexArray, taken: frozenset[tuple[int, ...]], rng: np.random.Generator
) -> IndexArray:
    """Designs not in ``taken``, bred from ``parents`` towards satisfying the limits, spread by a random score."""

    def score(x: IndexArray, _floor: float) -> Scored:
        return Scored(x, rng.random(len(x)), _violation(problem, x))

    def fresh(x: IndexArray) -> IndexArray:
        rows = [row for row in dict.fromkeys(map(tuple, x.tolist())) if row not in taken]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(problem.space))

    return maximise(problem, score, parents[:40], fresh, rng).x
