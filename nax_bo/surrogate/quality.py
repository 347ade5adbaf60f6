"""How good predictions are: share of variance explained, rank correlation, coverage of intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Z95 = 1.959963984540054
"""Standard deviations of a normal distribution within which 95 % of it lie."""


def explained(y: ArrayLike, mean: ArrayLike) -> float:
    """R2, the share of the variance of outcomes ``y: n`` that predictions ``mean: n`` explain; NaN if none varies."""
    told, predicted = np.asarray(y, dtype=float), np.asarray(mean, dtype=float)
    if len(told) < 2 or np.ptp(told) == 0:
        return float("nan")
    return float(1.0 - np.sum((told - predicted) ** 2) / np.sum((told - told.mean()) ** 2))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two lists of ``n`` numbers; NaN if either is constant."""
    from scipy.stats import kendalltau

    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(kendalltau(x, y).statistic)


def coverage_95(y: ArrayLike, mean: ArrayLike, std: ArrayLike) -> float:
    """Share of outcomes ``y: n`` within the 95 % intervals of normal predictions ``mean, std: n``."""
    error = np.asarray(y, dtype=float) - np.asarray(mean, dtype=float)
    return float(np.mean(np.abs(error) <= Z95 * np.asarray(std, dtype=float)))
