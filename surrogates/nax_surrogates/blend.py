"""Gaussian process and boosted trees together, each as much as its held-out density deserves."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from nax_bo.errors import SurrogateError
from nax_bo.surrogate.encoding import check_observations
from nax_bo.surrogate.protocol import Array, Column
from nax_surrogates.calibration import log_density, spread_factor
from nax_surrogates.gbt import GradientBoosting
from nax_surrogates.gp import GaussianProcess


class Blend:
    """Mixture of :class:`GaussianProcess` and :class:`GradientBoosting`, weighted per outcome.

    The weight maximises the mixture density of held-out outcomes (leave-one-out for the process, out of bag
    for the trees): stacking of predictive distributions, Yao et al. 2018, doi:10.1214/17-BA1091. A Beta(2, 2)
    prior keeps both in play when data are few. The spread is then widened if
    held-out errors call for it.

    Args:
        columns: Description of the columns of ``X``; all ordinal if left out.
        seed: Seed of both parts.
        bags: Bags of the boosted trees.
        iterations: Optimiser steps of the Gaussian process.
    """

    def __init__(
        self, columns: Sequence[Column] | None = None, seed: int = 0, *, bags: int = 10, iterations: int = 30
    ) -> None:
        self.columns = columns
        self.seed = seed
        self.bags = bags
        self.iterations = iterations
        self._gp = GaussianProcess(columns, seed, iterations=iterations)
        self._trees = GradientBoosting(columns, seed, bags=bags)
        self._shares: Array | None = None
        self._factors = np.ones(0)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments (``deep`` is there for scikit-learn)."""
        return {name: getattr(self, name) for name in ("columns", "seed", "bags", "iterations")}

    @property
    def weights(self) -> Array:
        """Share of the Gaussian process in each outcome, ``m``; the trees have the rest."""
        if self._shares is None:
            raise SurrogateError("the blend has not been fitted", "Call fit(X, Y) first.")
        return self._shares

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> Blend:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``.

        Raises:
            InputError: Shapes that do not match, NaN in ``Y`` or in a column that is not a proxy.
        """
        x, y, noise = check_observations(X, Y, Yvar)
        self._gp = GaussianProcess(self.columns, self.seed, iterations=self.iterations).fit(x, y, noise)
        self._trees = GradientBoosting(self.columns, self.seed, bags=self.bags).fit(x, y, noise)
        parts = (self._gp.leave_one_out(), self._trees.leave_one_out())
        self._shares = np.array(
            [_share(y[:, j], *((m[:, j], s[:, j]) for m, s in parts)) for j in range(y.shape[1])]
        )
        mean, std = _mix(self._shares, *parts)
        self._factors = np.array([spread_factor(z) for z in ((y - mean) / std).T])
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcomes at ``X: n x d``, each ``n x m``."""
        mean, std = _mix(self.weights, self._gp.predict(X), self._trees.predict(X))
        return mean, std * self._factors

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n`` of the noise-free outcomes at ``X: n x d``."""
        w = self.weights
        (first, cov_first), (second, cov_second) = self._gp.predict_joint(X), self._trees.predict_joint(X)
        gap = (first - second).T
        within = w[:, None, None] * cov_first + (1 - w)[:, None, None] * cov_second
        between = (w * (1 - w))[:, None, None] * gap[:, :, None] * gap[:, None, :]
        return w * first + (1 - w) * second, self._factors[:, None, None] ** 2 * (within + between)

    def noise_variance(self, X: Array) -> Array:
        """Learned variance of the measurement noise, ``n x m``: that of the Gaussian process, by its share."""
        return self.weights * self._gp.noise_variance(X)

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each training observation without it, each ``n x m``."""
        mean, std = _mix(self.weights, self._gp.leave_one_out(), self._trees.leave_one_out())
        return mean, std * self._factors

    def condition(self, X: Array, Y: Array) -> Blend:
        """A new surrogate that has also seen ``Y: k x m`` at ``X: k x d``; settings stay as they are."""
        other = copy.copy(self)
        other._gp, other._trees = self._gp.condition(X, Y), self._trees.condition(X, Y)
        return other


def _mix(w: Array, first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Mean and standard deviation of a mixture with share ``w: m`` of the first, each ``n x m``."""
    mean = w * first[0] + (1 - w) * second[0]
    var = w * first[1] ** 2 + (1 - w) * second[1] ** 2 + w * (1 - w) * (first[0] - second[0]) ** 2
    return mean, np.sqrt(var)


def _share(y: Array, first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """Share of the first in the mixture of highest held-out density."""
    unit = float(y.std()) or 1.0
    parts = ((mean / unit, std / unit) for mean, std in (first, second))
    a, b = (np.maximum(log_density(y / unit, *part), -8.0) for part in parts)  # outliers decide nothing

    def loss(w: float) -> float:
        return float(-np.logaddexp(np.log(w) + a, np.log1p(-w) + b).sum() - np.log(w) - np.log1p(-w))

    found: float = minimize_scalar(loss, bounds=(0.01, 0.99), method="bounded").x
    return found
