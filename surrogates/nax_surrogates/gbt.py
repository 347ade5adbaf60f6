"""Bagged gradient-boosted trees with a spread that is calibrated out of bag and grows away from the data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nax_bo.errors import InputError, SurrogateError
from nax_bo.surrogate.encoding import Encoding, check_observations, learn_encoding
from nax_bo.surrogate.protocol import Array, Column
from nax_surrogates.calibration import log_density

_NEAR = 3
"""Distance from the data is the mean distance to this many nearest training points."""


class GradientBoosting:
    """Average of boosted trees (Friedman 2001, doi:10.1214/aos/1013203451) fitted to bootstrap samples.

    The variance is ``a * variance over bags + b * squared distance from the data + c``; a, b and c maximise
    the density of outcomes that a bag has not seen. Distance weighs features by their importance. Known noise
    enters as weights; outcomes beyond 6 robust standard deviations are clipped, and count little. Proxies and
    fidelity are features like others.

    Args:
        columns: Description of the columns of ``X``; all ordinal if left out.
        seed: Draws the bootstrap samples and the trees' features.
        bags: Boosted ensembles that are averaged.
        trees: Trees per bag.
        depth: Depth of a tree.
        learning_rate: Weight of a tree.
    """

    def __init__(
        self,
        columns: Sequence[Column] | None = None,
        seed: int = 0,
        *,
        bags: int = 10,
        trees: int = 100,
        depth: int = 3,
        learning_rate: float = 0.1,
    ) -> None:
        if min(bags, trees, depth) < 1 or not 0 < learning_rate <= 1:
            raise InputError(
                f"bags = {bags}, trees = {trees}, depth = {depth}, learning_rate = {learning_rate}",
                "Give whole numbers from 1 on, and a learning rate from 0 to 1.",
            )
        self.columns = columns
        self.seed = seed
        self.bags = bags
        self.trees = trees
        self.depth = depth
        self.learning_rate = learning_rate
        self._encoding: Encoding | None = None
        self._outcomes: tuple[_Outcome, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments (``deep`` is there for scikit-learn)."""
        names = ("columns", "seed", "bags", "trees", "depth", "learning_rate")
        return {name: getattr(self, name) for name in names}

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> GradientBoosting:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``.

        Raises:
            InputError: Shapes that do not match, NaN in ``Y`` or in a column that is not a proxy.
        """
        x, y, noise = check_observations(X, Y, Yvar)
        self._encoding = learn_encoding(x, self.columns)
        z = self._encoding.transform(x)
        self._outcomes = tuple(self._fit_outcome(z, y[:, j], noise[:, j], j) for j in range(y.shape[1]))
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcomes at ``X: n x d``, each ``n x m``."""
        z = self._features(X)
        parts = [outcome.predict(z) for outcome in self._outcomes]
        return np.stack([m for m, _ in parts], axis=1), np.stack([np.sqrt(v) for _, v in parts], axis=1)

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n``: bags move together, the rest is independent."""
        z = self._features(X)
        means, covs = [], []
        for outcome in self._outcomes:
            votes = outcome.votes(z)
            mean, var = outcome.predict(z)
            off = votes - votes.mean(axis=0)
            cov = outcome.spread[0] * off.T @ off / len(votes)
            cov[np.diag_indices(len(z))] = var
            means.append(mean)
            covs.append(cov)
        return np.stack(means, axis=1), np.stack(covs)

    def noise_variance(self, X: Array) -> Array:
        """Always 0, ``n x m``: unknown noise cannot be told from what trees fail to explain, and is in the spread."""
        return np.zeros((len(self._features(X)), len(self._outcomes)))

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each training observation, out of bag, each ``n x m``."""
        self._features(np.zeros((0, len(self._known_encoding().columns))))
        parts = [outcome.held_out for outcome in self._outcomes]
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def condition(self, X: Array, Y: Array) -> GradientBoosting:
        """A new surrogate that has also seen ``Y: k x m`` at ``X: k x d``.

        The trees stay. Near the new points the mean moves to ``Y`` and the spread shrinks, within the typical
        distance between training points.
        """
        x, y, _ = check_observations(X, Y, None)
        other = copy.copy(self)
        z = self._features(x)
        other._outcomes = tuple(o.believing(z, y[:, j]) for j, o in enumerate(self._outcomes))
        return other

    def _known_encoding(self) -> Encoding:
        if self._encoding is None:
            raise SurrogateError("the boosted trees have not been fitted", "Call fit(X, Y) first.")
        return self._encoding

    def _features(self, X: Array) -> Array:
        return self._known_encoding().transform(X)

    def _fit_outcome(self, z: Array, y: Array, noise: Array, outcome: int) -> _Outcome:
        from sklearn.ensemble import GradientBoostingRegressor

        n, rng = len(y), np.random.default_rng([self.seed, outcome])
        y, sound = _without_extremes(y)
        centre, scale = float(y.mean()), float(y.std())
        scale = scale if scale > 1e-9 * float(np.abs(y).max()) else max(1e-3 * abs(centre), 1e-6)
        target = (y - centre) / scale
        weight = 1.0 / (noise / scale**2 + 0.05)  # the floor stands for what trees leave unexplained
        weight *= np.where(sound, 1.0, 0.02)
        members, held_out, rows_of = [], np.full((self.bags, n), np.nan), []
        for b in range(self.bags):
            rows = rng.integers(0, n, n)
            member = GradientBoostingRegressor(
                n_estimators=self.trees,
                max_depth=self.depth,
                learning_rate=self.learning_rate,
                max_features=min(1.0, max(0.3, 6.0 / z.shape[1])),
                min_samples_leaf=max(1, min(3, n // 10)),
                random_state=int(rng.integers(2**31)),
            )
            member.fit(z[rows], target[rows], sample_weight=weight[rows] / weight[rows].mean())
            out = np.setdiff1d(np.arange(n), rows)
            if len(out):
                held_out[b, out] = member.predict(z[out])
            members.append(member)
            rows_of.append(rows)
        importance = np.mean([m.feature_importances_ for m in members], axis=0)
        weights = np.sqrt(importance / max(importance.sum(), 1e-12))
        base = _Outcome(
            tuple(members), centre, scale, weights, z * weights, (1.0, 0.0, 0.0), (y, y), (z[:0], y[:0])
        )
        return base.calibrated(held_out, target, noise / scale**2, rows_of)


@dataclass(frozen=True)
class _Outcome:
    """Trees for one outcome. ``spread`` is (a, b, c); ``believed`` holds imagined points and their shifts."""

    members: tuple[Any, ...]
    centre: float
    scale: float
    weights: Array
    data: Array
    spread: tuple[float, float, float]
    held_out: tuple[Array, Array]
    believed: tuple[Array, Array]

    def votes(self, z: Array) -> Array:
        """Prediction of every bag, ``bags x n``."""
        if not len(z):
            return np.zeros((len(self.members), 0))
        single = z.astype(np.float32)
        return np.array([self.centre + self.scale * member.predict(single) for member in self.members])

    def predict(self, z: Array) -> tuple[Array, Array]:
        """Mean and variance, each ``n``."""
        votes = self.votes(z)
        a, b, c = self.spread
        mean = votes.mean(axis=0)
        var = a * votes.var(axis=0) + self.scale**2 * (b * self._distance(z, self.data, 0) + c)
        points, shift = self.believed
        if len(shift):
            near = self._nearness(z, points)
            best = near.argmax(axis=1)
            share = near[np.arange(len(z)), best]
            mean, var = mean + share * shift[best], var * (1.0 - 0.9 * share)
        return mean, np.maximum(var, 1e-12 * self.scale**2)

    def believing(self, z: Array, y: Array) -> _Outcome:
        """With imagined outcomes ``y: k`` at features ``z: k x p``."""
        mean, _ = replace(self, believed=(z[:0], y[:0])).predict(z)
        points, shift = self.believed
        return replace(self, believed=(np.concatenate([points, z]), np.concatenate([shift, y - mean])))

    def calibrated(self, held_out: Array, y: Array, noise: Array, rows_of: list[Any]) -> _Outcome:
        """With (a, b, c) from predictions ``bags x n`` of points that the bag has not seen (NaN elsewhere)."""
        seen = np.isfinite(held_out).sum(axis=0)
        rows = np.flatnonzero(seen >= 2)
        n = len(y)
        mean, std = np.zeros(n), np.full(n, max(1.0, float(y.std())))
        if len(rows) < 5:
            std_all = (self.centre + self.scale * mean, self.scale * std)
            return replace(self, spread=(1.0, 0.5, max(0.1, float(y.var()))), held_out=std_all)
        some = held_out[:, rows]
        distance = self._distance_held_out(rows_of)[rows]
        centre = np.nanmean(some, axis=0)
        parts = np.stack([np.nanvar(some, axis=0, ddof=1), distance, np.ones(len(rows))])
        spread = _fit_spread(parts, y[rows] - centre, noise[rows])
        mean[rows] = centre
        std[rows] = np.sqrt(np.array(spread) @ parts + noise[rows])
        return replace(self, spread=spread, held_out=(self.centre + self.scale * mean, self.scale * std))

    def _distance(self, z: Array, data: Array, skip: int) -> Array:
        """Mean squared distance to the nearest training points, ``n``, leaving out the ``skip`` nearest."""
        near = min(_NEAR + skip, len(data))
        return np.asarray(
            np.partition(_squares(z * self.weights, data), near - 1, axis=1)[:, :near].mean(axis=1)
        )

    def _distance_held_out(self, rows_of: list[Any]) -> Array:
        """The same for training points, averaged over the bags that have not seen them, ``n``."""
        n = len(self.data)
        squares = _squares(self.data, self.data)
        total, count = np.zeros(n), np.zeros(n)
        for rows in rows_of:
            inside = np.unique(rows)
            out = np.setdiff1d(np.arange(n), inside)
            near = min(_NEAR, len(inside))
            total[out] += np.partition(squares[np.ix_(out, inside)], near - 1, axis=1)[:, :near].mean(axis=1)
            count[out] += 1
        return total / np.maximum(count, 1)

    def _nearness(self, z: Array, points: Array) -> Array:
        typical = max(
            float(np.median(self._distance(self.data / np.maximum(self.weights, 1e-12), self.data, 1))), 1e-6
        )
        return np.asarray(np.exp(-_squares(z * self.weights, points * self.weights) / typical))


def _without_extremes(y: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Outcomes clipped at 6 robust standard deviations (failed trainings), and which ones were not.

    The deviation is taken from the middle nine tenths: where most designs are equally bad, the few good ones are no
    accident.
    """
    low, middle, high = np.quantile(y, (0.05, 0.5, 0.95))
    reach = (
        6.0 * float(high - low) / 3.29 or np.inf
    )  # 3.29: that range of a normal distribution in deviations
    clipped = np.clip(y, middle - reach, middle + reach)
    return clipped, np.asarray(clipped == y)


def _fit_spread(parts: Array, error: Array, noise: Array) -> tuple[float, float, float]:
    """(a, b, c) of highest density of the errors, with a weak prior around (1, 0.3, 0.1)."""
    start = np.log([1.0, 0.3, 0.1])
    lift = np.array([1.0, 1.0 / max(float(parts[1].mean()), 1e-9), 1.0])

    def loss(log_spread: Array) -> float:
        std = np.sqrt((np.exp(log_spread) * lift) @ parts + noise)
        clipped = np.clip(error, -4.0 * std, 4.0 * std)
        return float(
            -log_density(clipped, np.zeros_like(std), std).sum() + 0.5 * ((log_spread - start) ** 2).sum() / 4
        )

    found = minimize(
        loss, start, method="Nelder-Mead", options={"maxiter": 150, "xatol": 0.02, "fatol": 0.02}
    )
    a, b, c = (np.exp(found.x) * lift).tolist()
    return a, b, c


def _squares(a: Array, b: Array) -> Array:
    cross = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.maximum(cross, 0.0))
