"""A plain regressor (``fit(X, y)``, ``predict(X)``) as a surrogate: one-hot categories, and a spread.

The spread is the regressor's own if its ``predict`` takes ``return_std``. If not, it comes from bootstrap
refits (Efron 1979, doi:10.1214/aos/1176344552), scaled so that out-of-bag errors have unit variance.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import SurrogateError
from nax_bo.surrogate.encoding import Encoding, check_observations, learn_encoding
from nax_bo.surrogate.protocol import Array, Column

_SHARE = np.array([1.0, 0.5, 0.0])
"""How much of the calibrated variance follows the bags' disagreement; the rest is the same everywhere."""


class RegressorSurrogate:
    """Surrogate from a plain regressor; each outcome gets copies of its own.

    Args:
        regressor: Unfitted; it is copied, never changed.
        columns: Description of the columns of ``X``.
        seed: Draws the bootstrap samples, and is set as ``random_state`` where the regressor has one unset.
        bags: Bootstrap refits, for regressors without a spread of their own.
    """

    def __init__(
        self, regressor: Any, columns: Sequence[Column] | None = None, seed: int = 0, bags: int = 16
    ) -> None:
        self.regressor = regressor
        self.columns = columns
        self.seed = seed
        self.bags = bags
        self._encoding: Encoding | None = None
        self._outcomes: list[_Native | _Bagged] = []

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> RegressorSurrogate:
        """Learn from ``X: n x d``, ``Y: n x m``; known noise variances ``Yvar`` are not used."""
        x, y, _ = check_observations(X, Y, Yvar)
        self._encoding = learn_encoding(x, self.columns)
        features = self._encoding.transform(x)
        fitter = _Native if has_own_spread(self.regressor) else _Bagged
        self._outcomes = [
            fitter(self._fresh, features, y[:, j], (self.seed, j, self.bags)) for j in range(y.shape[1])
        ]
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at ``X: n x d``, each ``n x m``."""
        if self._encoding is None:
            raise SurrogateError("the regressor has not been fitted", "Call fit(X, Y) first.")
        features = self._encoding.transform(X)
        parts = [outcome.predict(features) for outcome in self._outcomes]
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def _fresh(self, seed: int) -> Any:
        fresh = copy.deepcopy(self.regressor)
        if getattr(fresh, "random_state", 0) is None:
            fresh.random_state = seed
        if hasattr(fresh, "get_params"):  # steps of a pipeline have states of their own
            nested = fresh.get_params().items()
            unset = [k for k, v in nested if k.endswith("__random_state") and v is None]
            fresh.set_params(**dict.fromkeys(unset, seed))
        return fresh


def has_own_spread(regressor: Any) -> bool:
    """Whether ``predict`` takes ``return_std``."""
    try:
        return "return_std" in inspect.signature(regressor.predict).parameters
    except (TypeError, ValueError):
        return False


def is_plain_regressor(thing: Any) -> bool:
    """Whether it says that it is a scikit-learn regressor. Others tell by their answer what they are.

    Surrogates may derive from ``BaseEstimator`` for its ``get_params``, and are none.
    """
    base = sys.modules.get("sklearn.base")  # what derives from it has loaded it
    known = base is not None and isinstance(thing, base.BaseEstimator) and base.is_regressor(thing)
    return has_own_spread(thing) or known or getattr(thing, "_estimator_type", None) == "regressor"


class _Native:
    """A regressor that gives its own spread."""

    def __init__(self, fresh: Any, x: Array, y: Array, settings: tuple[int, int, int]) -> None:
        self._model = fresh(settings[0])
        self._model.fit(x.copy(), y.copy())

    def predict(self, x: Array) -> tuple[Array, Array]:
        mean, std = self._model.predict(x.copy(), return_std=True)
        return _vector(mean), _vector(std)


class _Bagged:
    """The regressor on all data for the mean, and on bootstrap samples for the spread."""

    def __init__(self, fresh: Any, x: Array, y: Array, settings: tuple[int, int, int]) -> None:
        seed, outcome, bags = settings
        rng = np.random.default_rng([seed, outcome])
        self._model = fresh(seed)
        self._model.fit(x.copy(), y.copy())
        n = len(y)
        held_out = np.full((bags, n), np.nan)
        self._bags = []
        for b in range(bags):
            rows = rng.integers(0, n, n)
            member = fresh(seed + 1 + b)
            member.fit(x[rows], y[rows])
            out = np.setdiff1d(np.arange(n), rows)
            if len(out):
                held_out[b, out] = _vector(member.predict(x[out]))
            self._bags.append(member)
        self._follow, self._constant = _calibrate(held_out, y)

    def predict(self, x: Array) -> tuple[Array, Array]:
        spread = np.array([_vector(member.predict(x.copy())) for member in self._bags]).var(axis=0)
        return _vector(self._model.predict(x.copy())), np.sqrt(self._follow * spread + self._constant)


def _calibrate(held_out: Array, y: Array) -> tuple[float, float]:
    """Variance = a * variance over bags + c, with the (a, c) of highest out-of-bag likelihood on a small grid."""
    count = np.isfinite(held_out).sum(axis=0)
    rows: NDArray[np.int64] = np.flatnonzero(count >= 2)
    tiny = 1e-12 + 1e-6 * float(y.var())
    if len(rows) < 2:
        return 1.0, float(y.var()) + tiny
    some = held_out[:, rows]
    square = (y[rows] - np.nanmean(some, axis=0)) ** 2
    spread = np.nanvar(some, axis=0, ddof=1)
    best = (np.inf, 1.0, tiny)
    for share in _SHARE:
        shape = share * spread / max(float(spread.mean()), tiny) + (1.0 - share)
        shape = np.maximum(shape, 1e-3)
        level = float(np.mean(square / shape)) + tiny
        loss = float(np.mean(np.log(level * shape) + square / (level * shape)))
        best = min(
            best, (loss, level * float(share) / max(float(spread.mean()), tiny), level * (1.0 - float(share)))
        )
    return best[1], best[2] + tiny


def _vector(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(-1)
