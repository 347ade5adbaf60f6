"""Predicted spreads put right by how far held-out outcomes really fell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from nax_bo.surrogate.protocol import Array

CLIP = 4.0
"""Errors beyond this many standard deviations count as this many: one outlier must not widen everything."""

PSEUDO_OBSERVATIONS = 4.0
"""Weight, in observations, of the belief that the spread is right as it stands, and of each member of a mixture."""


def spread_factor(z: Array) -> float:
    """Factor on the standard deviation, at least 1, from held-out errors ``z: n`` in standard deviations."""
    squares = np.minimum(z**2, CLIP**2)
    return float(max(1.0, np.sqrt((PSEUDO_OBSERVATIONS + squares.sum()) / (PSEUDO_OBSERVATIONS + len(z)))))


@dataclass(frozen=True)
class Spread:
    """A correction of predicted standard deviations that may differ between well and little known places.

    A standard deviation, in units of the outcome's own, is multiplied by ``exp(log_factor) * (std / usual) ** power``,
    at least 1, and by ``margin``. A process that is right near its data and too sure of itself far away has a power
    above 0. It is never narrowed: errors of a few dozen held-out points are a third smaller than those to come in one
    draw of six (200 points of the formula in ``tests/study/test_prediction.py``: intervals covered 0.75 then), and
    where most are smaller, wide intervals cost little.
    """

    log_factor: float = 0.0
    power: float = 0.0
    usual: float = 1.0
    margin: float = 1.0

    def factor(self, std: Array) -> Array:
        """What to multiply each ``std`` by."""
        wanted = np.exp(self.log_factor + self.power * np.log(std / self.usual))
        return np.asarray(self.margin * np.maximum(1.0, wanted))


MARGIN = 1.15
"""Further widening of the spread. A search tells of designs that it has chosen, so errors of those left out say too
little of the others: after 50 trials 95 % intervals of random designs covered 0.86 to 0.95 without it
(``benchmarks/search_claims.py coverage``). It fades beyond ..."""

FEW = 120
"""... so many held-out errors: after 200 random designs it made intervals too wide."""

FACTOR_PRIOR_STD, LARGEST_FACTOR = 0.3, 1.0
"""Of the logarithm."""

POWER_PRIOR_STD = 0.15
POWERS = (-0.2, 0.5)
"""A few dozen held-out errors hardly tell the power. With a prior of 0.5 around 0, up to 0.75 either way, it went from
-0.5 to 0.6 and back along one search; far below 0 it widens what is well known up to fiftyfold. Where searches had
told enough, it was mostly between 0 and 0.4."""


def margin(errors: int) -> float:
    """Further widening after so many held-out errors: :data:`MARGIN`, and less beyond :data:`FEW`."""
    return 1.0 + (MARGIN - 1.0) * min(1.0, FEW / max(errors, 1))


def fit_spread(error: Array, variance: Array, noise: Array, times: int = 1) -> Spread:
    """The most probable correction for held-out errors, ``n`` each, and :func:`margin` on top.

    Args:
        error: Outcome less held-out prediction, in standard deviations of the outcome.
        variance: Predicted variance of the noise-free outcome.
        noise: Variance of the measurement noise, which is not corrected.
        times: How often each outcome is among them; as evidence it counts once.
    """
    log_std = 0.5 * np.log(variance)
    usual = float(log_std.mean())

    def loss(p: Array) -> float:
        total = variance * np.exp(2.0 * (p[0] + p[1] * (log_std - usual))) + noise
        fit = 0.5 * (np.log(total) + np.minimum(error**2 / total, CLIP**2)).sum() / times
        off = np.array([p[0] / FACTOR_PRIOR_STD, p[1] / POWER_PRIOR_STD])
        return float(fit + 0.5 * off @ off)

    start = np.array([[0.0, 0.0], [FACTOR_PRIOR_STD, 0.0], [0.0, POWER_PRIOR_STD]])
    options = {"initial_simplex": start, "xatol": 0.01, "fatol": 0.01}
    bounds = [(-LARGEST_FACTOR, LARGEST_FACTOR), POWERS]
    found = minimize(loss, start[0], method="Nelder-Mead", bounds=bounds, options=options)
    return Spread(float(found.x[0]), float(found.x[1]), float(np.exp(usual)), margin(len(error)))


LEAST_DENSITY = -8.0
"""Logarithm below which a held-out density counts as this: outliers decide nothing."""


def stacked(log_densities: Array) -> Array:
    """Weights, ``members``, of the mixture that gives ``members x k`` held-out outcomes the highest density.

    Stacking of predictive distributions (Yao et al. 2018, doi:10.1214/17-BA1091), by expectation maximisation, with a
    Dirichlet prior that counts as :data:`PSEUDO_OBSERVATIONS` for each member.
    """
    density = np.exp(np.maximum(log_densities, LEAST_DENSITY))
    count, k = density.shape
    weights = np.full(count, 1.0 / count)
    for _ in range(100):
        joint = weights[:, None] * density
        weights = ((joint / joint.sum(axis=0)).sum(axis=1) + PSEUDO_OBSERVATIONS) / (
            k + PSEUDO_OBSERVATIONS * count
        )
    return weights


def log_density(y: Array, mean: Array, std: Array) -> Array:
    """Normal log density of each ``y``."""
    return np.asarray(-0.5 * ((y - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2.0 * np.pi))
