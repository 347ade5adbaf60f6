"""The region that a front leaves undominated, as disjoint boxes.

Points are taken one by one; every box that reaches into what a point dominates is cut along each axis in turn, and what
lies in the dominated part is dropped. There are ``K + 1`` boxes for two objectives; 80 points on a sphere leave about
500, 3,000 and 20,000 boxes with three, four and five.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.search.pareto import nondominated

Array = NDArray[np.float64]


def undominated_boxes(front: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    """Lower and upper corners, each ``b x m``, of disjoint boxes below ``reference: m`` that no front point dominates.

    Everything is minimised; lower corners may be minus infinity. Together with the dominated region the boxes fill
    the orthant below the reference point.
    """
    ref = np.asarray(reference, dtype=float)
    y = np.asarray(front, dtype=float).reshape(-1, len(ref))
    y = y[np.all(y < ref, axis=1)]
    if len(y):
        y = np.unique(y[nondominated(y)], axis=0)
        y = y[np.argsort(y.max(axis=1), kind="stable")]  # from the middle out: fewest boxes
    low, high = np.full((1, len(ref)), -np.inf), ref[None]
    for point in y:
        cut = np.all(high > point, axis=1)
        lower, upper = low[cut], high[cut]
        lows, highs = [low[~cut]], [high[~cut]]
        for j, value in enumerate(point):
            beyond = lower[:, j] < value
            part = upper[beyond]
            part[:, j] = value
            lows.append(lower[beyond])
            highs.append(part)
            lower[:, j] = np.maximum(lower[:, j], value)
        low, high = np.concatenate(lows), np.concatenate(highs)
    return low, high
