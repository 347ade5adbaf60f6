"""Which of many results a search goes on from: those near the front, the latest, and some of all.

A posterior of n results costs n^2 numbers and n^3 steps, and what lies far behind the front tells little of what is
ahead of it. Of more than :data:`MOST` results the surrogates see so many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.pareto import nondominated
from nax_bo.search.scale import Array
from nax_bo.search.state import Observation, SearchState

MOST = 1000
"""Results that surrogates learn from, and designs that a new one has to improve on."""

NEAR, LATEST = 0.65, 0.2
"""Shares of those near the front and of the latest; the rest is drawn from all others."""

_DIRECTIONS = 64


def relevant(state: SearchState, observations: Sequence[Observation]) -> NDArray[np.int64]:
    """Rows of at most :data:`MOST` observations, ascending."""
    n = len(observations)
    if n <= MOST:
        return np.arange(n)
    near = np.argsort(_places(state, observations), kind="stable")[: int(NEAR * MOST)]
    chosen = np.zeros(n, dtype=bool)
    chosen[near] = chosen[n - int(LATEST * MOST) :] = True
    rest = np.flatnonzero(~chosen)
    rng = np.random.default_rng([state.seed, n])
    chosen[rng.choice(rest, MOST - int(chosen.sum()), replace=False)] = True
    return np.flatnonzero(chosen)


def leading(state: SearchState) -> NDArray[np.int64]:
    """Designs told, ``k x d``, sorted: all, or the :data:`MOST` that are nearest to the front."""
    told = state.best_looks
    x = np.array([o.indices for o in told], dtype=np.int64).reshape(len(told), len(state.problem.space))
    if len(told) > MOST:
        x = x[np.argsort(_places(state, told), kind="stable")[:MOST]]
    return np.unique(x, axis=0)


def _places(state: SearchState, observations: Sequence[Observation]) -> Array:
    """Where each observation stands, ``n``: the front at 0, others by their best place over weights of the objectives.

    By the largest weighted distance from the best of each objective (Chebyshev). What breaks limits comes last.
    """
    _, y, violation = state.points(observations)
    y = np.where(np.isfinite(y), y, np.nan)
    best, spread = np.nanmin(y, axis=0), np.nanmax(y, axis=0) - np.nanmin(y, axis=0)
    off = np.nan_to_num((y - best) / np.where(spread > 0, spread, 1.0), nan=2.0)
    off += np.where(violation > 0, 2.0 + np.minimum(violation, 10.0), 0.0)[:, None]
    weights = np.random.default_rng(0).dirichlet(np.ones(y.shape[1]), _DIRECTIONS)
    place = np.full(len(y), len(y))
    allowed = np.flatnonzero((violation <= 0) & np.isfinite(y).all(axis=1))
    place[allowed[nondominated(y[allowed])]] = 0
    for weight in weights:
        order = np.argsort((weight * off).max(axis=1) + 1e-3 * (off @ weight), kind="stable")
        place[order] = np.minimum(place[order], 1 + np.arange(len(y)))
    return place.astype(float)
