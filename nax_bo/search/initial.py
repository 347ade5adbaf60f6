"""Designs to begin with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.candidates import Scored, maximise
from nax_bo.search.problem import Problem

IndexArray = NDArray[np.int64]


def initial_design(problem: Problem, count: int, seed: int) -> IndexArray:
    """``count`` different designs that satisfy the known limits as well as possible, ``count x d``.

    Drawn at random; where limits leave too few of the random designs, the rest is bred to satisfy them.
    """
    rng = np.random.default_rng([seed, 1])
    space = problem.space
    pool = problem.completed(space.sample(min(space.size, max(64 * count, 512)), rng))
    pool = np.array(list(dict.fromkeys(map(tuple, pool.tolist()))), dtype=np.int64)
    broken = _violation(problem, pool)
    chosen = pool[broken <= 0][:count]
    if len(chosen) < count:
        chosen = np.vstack(
            [chosen, _repaired(problem, pool[np.argsort(broken, kind="stable")], chosen, count, rng)]
        )
    return chosen[:count]


def random_unseen(
    problem: Problem, seen: frozenset[tuple[int, ...]], rng: np.random.Generator
) -> IndexArray | None:
    """One random design (``1 x d``) that is not in ``seen`` and satisfies the known limits if any of 256 draws does."""
    space = problem.space
    if len(seen) >= space.size:
        return None
    draws = space.canonical(rng.integers(0, space.cardinalities, (256, len(space))))
    for pool in (problem.completed(draws), draws):
        fresh = np.array(
            [r for r in dict.fromkeys(map(tuple, pool.tolist())) if r not in seen], dtype=np.int64
        )
        if len(fresh):
            return fresh[[int(np.argmin(_violation(problem, fresh)))]]
    if space.size > 1_000_000:
        return None
    rest = [row for row in map(tuple, space.enumerate().tolist()) if row not in seen]
    rows = np.array(rest, dtype=np.int64)[rng.permutation(len(rest))]
    return rows[[int(np.argmin(_violation(problem, rows)))]]


def _violation(problem: Problem, x: IndexArray) -> NDArray[np.float64]:
    return problem.violation(problem.known(x), len(x))


def _repaired(
    problem: Problem, parents: IndexArray, taken: IndexArray, count: int, rng: np.random.Generator
) -> IndexArray:
    """Designs bred from ``parents`` towards satisfying the limits, spread by a random score."""
    used = set(map(tuple, taken.tolist()))

    def score(x: IndexArray) -> Scored:
        return Scored(x, rng.random(len(x)), _violation(problem, x))

    def fresh(x: IndexArray) -> IndexArray:
        rows = [row for row in dict.fromkeys(map(tuple, x.tolist())) if row not in used]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(problem.space))

    return maximise(problem, score, parents[:40], fresh, rng).x
