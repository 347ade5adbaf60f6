"""The default surrogate: a Gaussian process over mixed design variables, proxies and fidelities."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError, SurrogateError
from nax_bo.surrogate.encoding import check_observations, learn_encoding
from nax_bo.surrogate.protocol import Array, Column
from nax_surrogates.exact_gp import Prior
from nax_surrogates.gp_ensemble import Ensemble, Kind, Recipe, fit_ensemble
from nax_surrogates.kernel import FeatureMap

KERNELS: dict[str, tuple[Kind, ...]] = {
    "matern32": (Kind("matern32", Prior()),),
    "gaussian": (Kind("gaussian", Prior(scale_log_std=0.25)),),
    "exponential": (Kind("exponential", Prior()),),
    "matern52": (Kind("matern52", Prior(scale_log_std=0.25)),),
}
_APART = replace(KERNELS["matern52"][0], apart=True)
KERNELS["weighted"] = (*KERNELS["matern52"], *KERNELS["gaussian"], *KERNELS["exponential"], _APART)


class GaussianProcess:
    """Gaussian processes of different smoothness, weighted by held-out density, with a calibrated spread.

    Outcomes are learned independently of each other. Inputs are described by ``columns``: ordinals and
    proxies enter by distance, categoricals by whether they differ, both also by what each does on its own
    (main effects), and a fidelity column shares what cheap evaluations have in common with full ones.
    Proxies are dropped where leave-one-out density is better without them. Observations far outside their
    held-out prediction (failed trainings) are discounted. Not modelled: noise that depends on the design,
    unless it is given as ``Yvar``.

    Args:
        columns: Description of the columns of ``X``; all ordinal if left out.
        seed: Draws the subset from which settings are learned beyond ``max_points`` observations.
        kernel: ``weighted`` for four members, a Matern-5/2 kernel with a length scale for every category among them; or
            one of ``exponential``, ``matern32``, ``matern52``, ``gaussian``.
        max_points: Settings are learned from at most this many observations; predictions use all.
        iterations: Optimiser steps per fit and process.
        warm_start: Start from the settings of the last fit on this object. Faster, but what is learned then
            depends on the history of fits, not on the data alone.
    """

    def __init__(
        self,
        columns: Sequence[Column] | None = None,
        seed: int = 0,
        *,
        kernel: Literal["weighted", "exponential", "matern32", "matern52", "gaussian"] = "weighted",
        max_points: int = 300,
        iterations: int = 30,
        warm_start: bool = False,
    ) -> None:
        if kernel not in KERNELS:
            raise InputError(f"there is no kernel {kernel!r}", f"Use one of {', '.join(KERNELS)}.")
        if max_points < 2 or iterations < 1:
            raise InputError(
                f"max_points = {max_points}, iterations = {iterations}", "Give at least 2 and 1."
            )
        self.columns = columns
        self.seed = seed
        self.kernel = kernel
        self.max_points = max_points
        self.iterations = iterations
        self.warm_start = warm_start
        self._outcomes: tuple[Ensemble, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments (``deep`` is there for scikit-learn)."""
        names = ("columns", "seed", "kernel", "max_points", "iterations", "warm_start")
        return {name: getattr(self, name) for name in names}

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> GaussianProcess:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``.

        Raises:
            InputError: Shapes that do not match, NaN in ``Y`` or in a column that is not a proxy.
        """
        x, y, noise = check_observations(X, Y, Yvar)
        encoding = learn_encoding(x, self.columns)
        features = [FeatureMap(encoding)]
        if (encoding.kinds == "proxy").any():
            features.append(FeatureMap(encoding, proxies=False))
        recipe = Recipe(KERNELS[self.kernel], self.max_points, self.iterations, self.seed)
        last = self._outcomes if self.warm_start and len(self._outcomes) == y.shape[1] else None
        self._outcomes = tuple(
            fit_ensemble(features, x, (y[:, j], noise[:, j]), recipe, last[j].thetas if last else None)
            for j in range(y.shape[1])
        )
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcomes at ``X: n x d``, each ``n x m``."""
        parts = [outcome.predict(X) for outcome in self._fitted()]
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n`` of the noise-free outcomes at ``X: n x d``."""
        parts = [outcome.joint(X) for outcome in self._fitted()]
        return np.stack([m for m, _ in parts], axis=1), np.stack([c for _, c in parts])

    def noise_variance(self, X: Array) -> Array:
        """Learned variance of the measurement noise at ``X: n x d``, ``n x m``; known noise is not in it."""
        return np.stack([outcome.noise_variance(X) for outcome in self._fitted()], axis=1)

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each training observation without it, each ``n x m``."""
        parts = [outcome.leave_one_out() for outcome in self._fitted()]
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def ahead(self, X: Array, after: NDArray[np.int64]) -> tuple[Array, Array]:
        """As :meth:`predict`, each row of ``X: k x d`` from the first ``after: k`` observations, at settings of now."""
        parts = [outcome.ahead(X, after) for outcome in self._fitted()]
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def condition(self, X: Array, Y: Array) -> GaussianProcess:
        """A new surrogate that has also seen ``Y: k x m`` at ``X: k x d``; settings stay as they are."""
        other = copy.copy(self)
        other._outcomes = self._extended(X, Y, None)
        return other

    def update(self, X: Array, Y: Array, Yvar: Array | None = None) -> GaussianProcess:
        """Append observations; settings stay, those of the spread too."""
        self._outcomes = self._extended(X, Y, Yvar)
        return self

    def _extended(self, X: Array, Y: Array, Yvar: Array | None) -> tuple[Ensemble, ...]:
        x, y, noise = check_observations(X, Y, Yvar)
        outcomes = self._fitted()
        if y.shape[1] != len(outcomes):
            raise InputError(
                f"Y has {y.shape[1]} outcomes, not {len(outcomes)}", "Give the outcomes used in fit."
            )
        return tuple(o.extended(x, y[:, j], noise[:, j]) for j, o in enumerate(outcomes))

    def _fitted(self) -> tuple[Ensemble, ...]:
        if not self._outcomes:
            raise SurrogateError("the Gaussian process has not been fitted", "Call fit(X, Y) first.")
        return self._outcomes
