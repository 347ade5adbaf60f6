"""The region that a front leaves undominated, as disjoint boxes.

Slices along the last objective; boxes that continue from one slice to the next are kept as one. With ``K`` points
there are ``K + 1`` boxes for two objectives and O(K) for three (at most ``2 K + 1`` where all values differ).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.search.pareto import nondominated

Array = NDArray[np.float64]
Box = tuple[tuple[float, float], ...]


def undominated_boxes(front: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    """Lower and upper corners, each ``b x m``, of disjoint boxes below ``reference: m`` that no front point dominates.

    Everything is minimised; lower corners may be minus infinity. Together with the dominated region the boxes fill
    the orthant below the reference point.
    """
    ref = np.asarray(reference, dtype=float)
    y = np.asarray(front, dtype=float).reshape(-1, len(ref))
    y = y[np.all(y < ref, axis=1)]
    found = _boxes(y[nondominated(y)] if len(y) else y, tuple(ref.tolist()))
    corners = np.array(found, dtype=float).reshape(len(found), len(ref), 2)
    return corners[:, :, 0], corners[:, :, 1]


def _boxes(y: Array, ref: tuple[float, ...]) -> list[Box]:
    if len(ref) == 1:
        return [((-np.inf, float(y.min()) if len(y) else ref[0]),)]
    y = y[np.argsort(y[:, -1], kind="stable")]
    levels = np.unique(y[:, -1])
    opened: dict[Box, float] = dict.fromkeys(_boxes(y[:0, :-1], ref[:-1]), -np.inf)
    closed: list[Box] = []
    for level in levels.tolist():
        seen = y[y[:, -1] <= level, :-1]
        front = seen if len(ref) == 2 else seen[nondominated(seen)]  # of one value, the least is enough
        current = set(_boxes(front, ref[:-1]))
        for box in [b for b in opened if b not in current]:
            closed.append((*box, (opened.pop(box), level)))
        for box in sorted(current.difference(opened)):
            opened[box] = level
    closed += [(*box, (start, ref[-1])) for box, start in opened.items()]
    return closed
