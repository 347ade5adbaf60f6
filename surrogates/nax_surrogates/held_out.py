"""Errors of processes at points that neither they nor their hyperparameters have seen.

Leave-one-out errors at hyperparameters learned from all points are too small while points are few. A search makes
it worse: most points crowd near the front, so that whatever is left out has close neighbours, and designs elsewhere
have none. Half of the folds are therefore drawn at random, and half are whole neighbourhoods (blocked
cross-validation: Roberts et al. 2017, doi:10.1111/ecog.02881).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nax_bo.surrogate.protocol import Array
from nax_surrogates.exact_gp import (
    ExactGP,
    Observations,
    condition,
    like,
    most_probable,
    predictions,
)

Rows = NDArray[np.int64]

FOLDS, ITERATIONS = 5, 20
"""Folds of each kind and optimiser steps per fold. With half as many steps, settings stay near their priors and folds
tell too little of how sure the converged process is (intervals covered 0.84 instead of 0.92 in 64 variables) ..."""

MANY, MANY_FOLDS, MANY_ITERATIONS = 120, 3, 12
"""... and the same beyond this many points, whose hyperparameters move little from fold to fold."""

MOST = 200
"""At most this many points are used: they tell enough about two settings of a spread."""

TIMES = 2
"""How often each point is left out: at random, and with its neighbourhood."""

FEWEST = 10
"""Below this many points there are no folds."""


@dataclass(frozen=True)
class HeldOut:
    """Outcomes and their noise variances, ``k`` each, and what each member predicted of them, ``members x k``."""

    y: Array
    noise: Array
    means: Array
    variances: Array


def held_out(members: Sequence[ExactGP], data: Observations, seed: int) -> HeldOut | None:
    """Noise-free predictions of every point by members that have not seen it; None if there are too few points.

    Hyperparameters of the first member are learned anew without each fold; those of the others keep their
    distance from the first's, but for members with more length scales, which would have seen too much.

    Args:
        members: Processes that differ in smoothness.
        data: Points to leave out in turn.
        seed: Draws the random folds.
    """
    n = len(data.y)
    if n < FEWEST:
        return None
    count, steps = (FOLDS, ITERATIONS) if n <= MANY else (MANY_FOLDS, MANY_ITERATIONS)
    parts = []
    for rows in (*_random(n, count, seed), *_blocks(data.inputs.z, count)):
        kept = np.setdiff1d(np.arange(n), rows)
        if len(kept) >= FEWEST // 2:
            parts.append(_left_out(members, data, rows, kept, steps))
    return HeldOut(
        *(np.concatenate([getattr(part, f.name) for part in parts], axis=-1) for f in fields(HeldOut))
    )


def _left_out(members: Sequence[ExactGP], data: Observations, rows: Rows, kept: Rows, steps: int) -> HeldOut:
    first, some, at = members[0], data.take(kept), data.inputs.take(rows)
    theta = most_probable(first.model, some, iterations=steps)
    found = []
    for m in members:
        if m.model.layout.size == first.model.layout.size:
            own = m.theta + theta - first.theta
        else:
            own = most_probable(m.model, some, start=like(first.model, m.model, theta), iterations=steps)
        found.append(condition(m.model, own, some))
    learned = np.mean([m.model.layout.noise(m.theta, at.u) for m in found], axis=0)
    return HeldOut(data.y[rows], learned + data.known_noise[rows], *predictions(found, at))


def _random(n: int, count: int, seed: int) -> Iterable[Rows]:
    order = np.random.default_rng(seed).permutation(n)
    return (order[i::count] for i in range(count))


def _blocks(z: Array, count: int) -> Iterable[Rows]:
    """Points by the nearest of ``count`` that lie far from each other (farthest-point traversal), none empty."""
    distance = ((z[:, None] - z) ** 2).sum(axis=2)
    centres = [int(distance.sum(axis=1).argmax())]
    while len(centres) < count:
        centres.append(int(distance[centres].min(axis=0).argmax()))
    owner = distance[centres].argmin(axis=0)
    return (rows for i in range(count) if len(rows := np.flatnonzero(owner == i)))
