"""Dominance, fronts, crowding and hypervolume; every objective is minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def nondominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Which of the points ``n x m`` no other point dominates; copies of a front point all count."""
    y = np.asarray(values, dtype=float)
    keep = np.zeros(len(y), dtype=bool)
    left = np.lexsort(y.T[::-1])  # a point can only be dominated by one that sorts before it
    while len(left):  # once for each front point, over what none before has dominated
        first, rest = left[0], left[1:]
        keep[first] = True
        worse = np.all(y[first] <= y[rest], axis=1) & np.any(y[first] < y[rest], axis=1)
        left = rest[~worse]
    return keep


def ranks(values: ArrayLike) -> NDArray[np.int64]:
    """Front number of each point ``n x m``: 0 for the front, 1 for the front of the rest, and so on."""
    y = np.asarray(values, dtype=float)
    better = np.all(y[:, None] <= y, axis=2) & np.any(y[:, None] < y, axis=2)
    left, out, rank = np.ones(len(y), dtype=bool), np.zeros(len(y), dtype=np.int64), 0
    while left.any():
        layer = left & ~better[left].any(axis=0)
        out[layer] = rank
        left &= ~layer
        rank += 1
    return out


def crowding(values: ArrayLike) -> Array:
    """Crowding distance within one front ``n x m`` (Deb et al. 2002, doi:10.1109/4235.996017)."""
    y = np.asarray(values, dtype=float)
    out = np.zeros(len(y))
    for column in y.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]] if len(y) else 0.0
        out[order[[0, -1]] if len(y) else []] = np.inf
        if spread > 0 and len(y) > 2:
            out[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return out


def select(values: ArrayLike, count: int, violation: ArrayLike | None = None) -> NDArray[np.int64]:
    """Rows of the ``count`` best points: least violation, then front number, then crowding."""
    y = np.asarray(values, dtype=float)
    broken = np.zeros(len(y)) if violation is None else np.asarray(violation, dtype=float)
    rank = ranks(y)
    spread = np.zeros(len(y))
    for r in range(int(rank.max(initial=-1)) + 1):
        rows = np.flatnonzero(rank == r)
        spread[rows] = crowding(y[rows])
    return np.lexsort((-spread, rank, np.maximum(broken, 0.0)))[:count]


def hypervolume(values: ArrayLike, reference: ArrayLike) -> float:
    """Volume that the points ``n x m`` dominate below ``reference: m``, exact for any ``m``.

    Slices along the last objective (two objectives: a sum over the staircase). The work grows like ``n^(m - 1)``.
    """
    y, ref = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    y = y.reshape(-1, len(ref))
    y = y[np.all(y < ref, axis=1)]
    return _volume(y[nondominated(y)], ref) if len(y) else 0.0


def _volume(y: Array, ref: Array) -> float:
    if len(ref) == 1:
        return float(ref[0] - y.min()) if len(y) else 0.0
    order = np.argsort(y[:, -1], kind="stable")
    y = y[order]
    if len(ref) == 2:
        lowest = np.minimum.accumulate(y[:, 0])
        return float(np.sum((ref[0] - lowest) * np.diff(y[:, 1], append=ref[1])))
    heights = np.diff(y[:, -1], append=ref[-1])
    total = 0.0
    for k in np.flatnonzero(heights > 0):
        below = y[: k + 1, :-1]
        total += heights[k] * _volume(below[nondominated(below)] if len(ref) > 3 else below, ref[:-1])
    return float(total)
