"""One outcome learned by several Gaussian processes, weighted by held-out density, with a calibrated spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nax_bo.surrogate.protocol import Array
from nax_surrogates.calibration import Spread, fit_spread, log_density, stacked
from nax_surrogates.exact_gp import (
    ExactGP,
    Model,
    Observations,
    Prior,
    condition,
    extended,
    like,
    mixture,
    most_probable,
    predictions,
)
from nax_surrogates.held_out import MOST, TIMES, HeldOut, held_out
from nax_surrogates.kernel import FeatureMap, Layout, Smoothness

OUTLIER_Z = 3.0
"""A held-out error beyond this many predicted standard deviations ..."""

OUTLIER_USUAL = 7.0
"""... and beyond this many robust standard deviations of all held-out errors marks an outlier, as does an outcome
this far from the median ..."""

OUTLIER_SHARE = 0.05
"""... if at most this share of the points does so; more of them are structure, not accidents."""


LEAST_WEIGHT = 0.1
"""A member of less weight is left out: it costs as much as the others."""

ONE_BEYOND = 400
"""Beyond this many observations the member of most weight stands alone: with so many they hardly differ."""

KNOWN_NOISE = {"noise_log_mean": -7.0, "noise_log_std": 2.0}
"""Prior of what noise there is beyond the variances that were told, where all were."""


@dataclass(frozen=True)
class Kind:
    """One member: smoothness, priors, and whether every feature has a length scale of its own."""

    smoothness: Smoothness
    prior: Prior
    apart: bool = False


@dataclass(frozen=True)
class Recipe:
    """How the processes of an ensemble are fitted.

    Attributes:
        kinds: The members; the first must not be ``apart``.
        max_points: Hyperparameters are learned from at most this many points; the posterior uses all.
        iterations: L-BFGS steps per member.
        seed: Draws the points if there are more than ``max_points``.
    """

    kinds: tuple[Kind, ...]
    max_points: int
    iterations: int
    seed: int


@dataclass(frozen=True)
class Ensemble:
    """Weighted processes for one outcome, in standardised units.

    Attributes:
        weights: Of the members, which sum to 1.
        centre: Mean of the training outcomes.
        scale: Standard deviation of the training outcomes.
        spread: Correction of the standard deviation, from held-out errors.
        known_noise: Known and outlier noise of each observation, standardised, ``n``.
    """

    features: FeatureMap
    members: tuple[ExactGP, ...]
    weights: Array
    centre: float
    scale: float
    spread: Spread
    known_noise: Array

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcome, each ``n``."""
        mean, var = mixture(self.weights, *predictions(self.members, self.features(X)))
        std = np.sqrt(var)
        return self.centre + self.scale * mean, self.scale * self.spread.factor(std) * std

    def joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n`` and covariance ``n x n`` of the noise-free outcome."""
        at = self.features(X)
        parts = [member.joint(at) for member in self.members]
        mean = np.average([m for m, _ in parts], axis=0, weights=self.weights)
        covs = [c + np.multiply.outer(m - mean, m - mean) for m, c in parts]
        cov = np.average(covs, axis=0, weights=self.weights)
        factor = self.scale * self.spread.factor(np.sqrt(np.diagonal(cov)))
        return self.centre + self.scale * mean, np.multiply.outer(factor, factor) * cov

    def noise_variance(self, X: Array) -> Array:
        """Learned noise variance, ``n``."""
        u = self.features(X).u
        parts = [m.model.layout.noise(m.theta, u) for m in self.members]
        return np.asarray(self.scale**2 * np.average(parts, axis=0, weights=self.weights))

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each observation without it, each ``n``."""
        parts = [member.leave_one_out() for member in self.members]
        mean, var = mixture(self.weights, np.array([m for m, _ in parts]), np.array([v for _, v in parts]))
        noise = np.average([member.noise for member in self.members], axis=0, weights=self.weights)
        var = np.maximum(var - noise, 1e-10)
        var = self.spread.factor(np.sqrt(var)) ** 2 * var + noise
        return self.centre + self.scale * mean, self.scale * np.sqrt(var)

    def ahead(self, X: Array, after: NDArray[np.int64]) -> tuple[Array, Array]:
        """As :meth:`predict`, each from the first ``after: n`` observations."""
        at = self.features(X)
        parts = [member.ahead(at, after) for member in self.members]
        mean, var = mixture(self.weights, np.array([m for m, _ in parts]), np.array([v for _, v in parts]))
        std = np.sqrt(var)
        return self.centre + self.scale * mean, self.scale * self.spread.factor(std) * std

    def extended(self, X: Array, y: Array, noise: Array) -> Ensemble:
        """With further observations ``y: k``, at unchanged hyperparameters and spread."""
        new = self.features(X)
        known = np.concatenate([self.known_noise, noise / self.scale**2])
        values = np.concatenate([self.members[0].data.y, (y - self.centre) / self.scale])
        data = Observations(self.members[0].data.inputs.joined(new), values, known)
        members = tuple(extended(member, new, data) for member in self.members)
        return replace(self, members=members, known_noise=known)

    @property
    def thetas(self) -> tuple[Array, ...]:
        """Hyperparameters of the members, a start for the next fit."""
        return tuple(member.theta for member in self.members)


def fit_ensemble(
    features: Sequence[FeatureMap],
    X: Array,
    outcome: tuple[Array, Array],
    recipe: Recipe,
    starts: Sequence[Array] | None = None,
) -> Ensemble:
    """The ensemble over whichever of ``features`` predicts held-out outcomes best, outliers discounted.

    Where most outcomes are the same (successes among few failures, networks that all guess), what differs is no
    accident but what there is to learn: nothing is discounted.

    Args:
        features: Alternatives, such as with and without proxies; the first is preferred on a tie.
        X: Training inputs, ``n x d``.
        outcome: Outcomes and their known noise variances, ``n`` each.
        recipe: How to fit.
        starts: Hyperparameters to start from, as :attr:`Ensemble.thetas` gives them.
    """
    y, noise = outcome
    distance = np.abs(y - np.median(y))
    usual = 1.4826 * float(np.median(distance))
    extreme = _rare((distance > OUTLIER_USUAL * usual) & (usual > 0))
    noise = noise + np.where(extreme, distance**2, 0.0)
    ensemble = _attempt(features, X, (y, noise, ~extreme), recipe, starts)
    accidents = _outliers(ensemble, y)
    if usual > 0 and accidents.any():
        extra = np.where(accidents, (y - ensemble.leave_one_out()[0]) ** 2, 0.0)
        ensemble = _attempt(features, X, (y, noise + extra, ~(accidents | extreme)), recipe, None)
    data = ensemble.members[0].data
    some = _relevant(data.inputs.u, replace(recipe, max_points=min(recipe.max_points, MOST)))
    found = held_out(ensemble.members, data.take(some), recipe.seed)
    return _weighed(ensemble, found) if found else ensemble


def _weighed(ensemble: Ensemble, found: HeldOut) -> Ensemble:
    """With members weighted by held-out density, those of little weight left out, and the spread put right."""
    weights = stacked(log_density(found.y, found.means, np.sqrt(found.variances + found.noise)))
    least = LEAST_WEIGHT if len(ensemble.known_noise) <= ONE_BEYOND else weights.max()
    kept = np.flatnonzero(weights >= min(least, weights.max()))
    weights = weights[kept] / weights[kept].sum()
    mean, variance = mixture(weights, found.means[kept], found.variances[kept])
    spread = fit_spread(found.y - mean, variance, found.noise, TIMES)
    members = tuple(ensemble.members[i] for i in kept)
    return replace(ensemble, members=members, weights=weights, spread=spread)


def _attempt(
    features: Sequence[FeatureMap],
    X: Array,
    outcome: tuple[Array, Array, NDArray[np.bool_]],
    recipe: Recipe,
    starts: Sequence[Array] | None,
) -> Ensemble:
    """One fit; ``outcome`` is outcomes, known noise variances and which rows the scale is taken from, ``n`` each."""
    y, noise, sound = outcome
    centre, scale = float(y[sound].mean()), float(y[sound].std())
    if not scale > 1e-9 * float(np.abs(y[sound]).max()):  # whatever the unit
        scale = max(1e-3 * abs(centre), 1e-6)  # a constant outcome: nothing to scale by
    known, values = noise / scale**2, (y - centre) / scale
    if (noise > 0).all():
        kinds = tuple(replace(k, prior=replace(k.prior, **KNOWN_NOISE)) for k in recipe.kinds)
        recipe = replace(recipe, kinds=kinds)
    options = [Observations(option(X), values, known) for option in features]
    best = _best(features, options, recipe)
    fitted = _fit(features[best].layout, options[best], recipe, starts)
    weights = np.full(len(fitted), 1.0 / len(fitted))
    return Ensemble(features[best], fitted, weights, centre, scale, Spread(), known)


def _fit(
    layout: Layout, data: Observations, recipe: Recipe, starts: Sequence[Array] | None
) -> tuple[ExactGP, ...]:
    some = data.take(_relevant(data.inputs.u, recipe))
    members: list[ExactGP] = []
    for i, kind in enumerate(recipe.kinds):
        model = Model(kind.smoothness, layout.apart() if kind.apart else layout, kind.prior)
        start = starts[i] if starts and len(starts[i]) == model.layout.size else None
        if (
            start is None and kind.apart
        ):  # what the first has found is near; the others may do better on their own
            start = like(members[0].model, model, members[0].theta)
        theta = most_probable(model, some, start=start, iterations=recipe.iterations)
        members.append(condition(model, theta, data))
    return tuple(members)


def _best(features: Sequence[FeatureMap], options: Sequence[Observations], recipe: Recipe) -> int:
    """Position of the best alternative, by mean leave-one-out log density of one quickly fitted member."""
    if len(options) == 1:
        return 0
    quick = replace(recipe, kinds=recipe.kinds[:1], max_points=min(recipe.max_points, 150), iterations=12)
    scores = []
    for candidate, data in zip(features, options, strict=True):
        (member,) = _fit(candidate.layout, data.take(_relevant(data.inputs.u, quick)), quick, None)
        mean, var = member.leave_one_out()
        scores.append(float(log_density(member.data.y, mean, np.sqrt(var)).mean()))
    return int(np.argmax(scores))


def _outliers(ensemble: Ensemble, y: Array) -> NDArray[np.bool_]:
    """Held-out errors far beyond both the predicted and the usual spread (median absolute deviation)."""
    mean, std = ensemble.leave_one_out()
    error = np.abs(y - mean)
    usual = 1.4826 * float(np.median(error))
    return _rare(np.asarray((error > OUTLIER_USUAL * usual) & (error > OUTLIER_Z * std)))


def _rare(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``found`` if few are, nothing otherwise."""
    return found if 0 < found.sum() <= max(1.0, OUTLIER_SHARE * len(found)) else np.zeros_like(found)


def _relevant(u: Array, recipe: Recipe) -> NDArray[np.int64]:
    """At most ``max_points`` rows: full evaluations first, and among equals a seeded choice."""
    if len(u) <= recipe.max_points:
        return np.arange(len(u))
    order = np.lexsort((np.random.default_rng(recipe.seed).random(len(u)), u))
    return np.sort(order[: recipe.max_points])
