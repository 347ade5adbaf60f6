"""One exact Gaussian process: most probable hyperparameters, posterior, leave-one-out predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import minimize

from nax_bo.errors import SurrogateError
from nax_bo.surrogate.protocol import Array
from nax_surrogates.kernel import (
    Inputs,
    Layout,
    Pairs,
    Smoothness,
    covariance,
    fidelity_factor,
    scaled,
    square_distance,
    stationary_with_slope,
    trend,
    variance,
)

_JITTERS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)


@dataclass(frozen=True)
class Prior:
    """Normal priors on ``theta``: length scales grow with the square root of the dimension.

    The dimension scaling is that of Hvarfner et al. 2024 (arXiv:2402.02229).

    Attributes:
        length_log_mean: Mean of log length scale, before log(d) / 2 is added.
        length_log_std: Standard deviation of log length scale.
        scale_log_std: Standard deviation of log output scale (its mean is 0: outcomes are standardised).
        noise_log_mean: Mean of log noise variance.
        noise_log_std: Standard deviation of log noise variance.
        main_log_mean: Mean of log main-effect variance.
        main_log_std: Standard deviation of log main-effect variance.
    """

    length_log_mean: float = 0.9
    length_log_std: float = 1.0
    scale_log_std: float = 0.5
    noise_log_mean: float = -3.0
    noise_log_std: float = 1.5
    main_log_mean: float = -1.0
    main_log_std: float = 1.5

    def moments(self, layout: Layout) -> tuple[Array, Array]:
        """Mean and standard deviation of every hyperparameter."""
        mean, std = np.zeros(layout.size), np.ones(layout.size)
        std[0] = self.scale_log_std
        mean[1], std[1] = self.noise_log_mean, self.noise_log_std
        mean[2], std[2] = self.main_log_mean, self.main_log_std
        mean[layout.lengths] = self.length_log_mean + 0.5 * np.log(max(layout.n_groups, 1))
        std[layout.lengths] = self.length_log_std
        mean[layout.linears], std[layout.linears] = -2.0, 1.5
        if layout.fidelity:
            # Correlation 0.95 (0.8 to 0.99) between the lowest and the full fidelity, noise apart. A lower one, which
            # noisy looks suggest, makes few full looks teach differences that are not there.
            mean[-3], std[-3] = 3.0, 1.5
            std[-2:] = 0.5, 1.0
        return mean, std


@dataclass(frozen=True)
class Model:
    """A kernel and its priors, without values of the hyperparameters."""

    kind: Smoothness
    layout: Layout
    prior: Prior

    @cached_property
    def moments(self) -> tuple[Array, Array]:
        """Prior mean and standard deviation of every hyperparameter."""
        return self.prior.moments(self.layout)


def like(one: Model, other: Model, theta: Array) -> Array:
    """Hyperparameters of ``one`` as ``other`` takes them, which may have a length scale for every feature."""
    return theta if one.layout.size == other.layout.size else one.layout.spread_out(theta)


@dataclass(frozen=True)
class Observations:
    """Standardised outcomes ``y: n`` at ``inputs``, and what is known of their noise variance, ``n``."""

    inputs: Inputs
    y: Array
    known_noise: Array

    @cached_property
    def pairs(self) -> Pairs:
        """The inputs beside themselves."""
        return Pairs(self.inputs, self.inputs)

    def take(self, rows: NDArray[np.int64]) -> Observations:
        """Some of the rows."""
        return Observations(self.inputs.take(rows), self.y[rows], self.known_noise[rows])


@dataclass(frozen=True)
class ExactGP:
    """A Gaussian process conditioned on ``data``.

    Attributes:
        noise: Noise variance of each observation, learned and known together, ``n``.
        factor: Lower Cholesky factor of the covariance of the observations, ``n x n``.
        weights: ``K^-1 y``, ``n``.
    """

    model: Model
    theta: Array
    data: Observations
    noise: Array
    factor: Array
    weights: Array

    def predict(self, pairs: Pairs) -> tuple[Array, Array]:
        """Mean and variance at ``pairs.b``, each ``k``; ``pairs.a`` are the inputs of ``data``."""
        cross = self._covariance(pairs)
        mean = self.weights @ cross
        half = solve_triangular(self.factor, cross, lower=True, overwrite_b=True, check_finite=False)
        var = variance(self.model.layout, self.theta, pairs.b) - np.einsum("ij,ij->j", half, half)
        return mean, np.maximum(var, 1e-10)

    def joint(self, at: Inputs) -> tuple[Array, Array]:
        """Mean ``k`` and covariance ``k x k``."""
        cross = self._covariance(Pairs(self.data.inputs, at))
        half = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        cov = self._covariance(Pairs(at, at)) - half.T @ half
        cov[np.diag_indices(len(at))] = np.maximum(np.diagonal(cov), 1e-10)
        return self.weights @ cross, cov

    def _covariance(self, pairs: Pairs) -> Array:
        return covariance(self.model.kind, self.model.layout, self.theta, pairs)

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and variance of each observation without it, each ``n`` (Rasmussen and Williams 2006, eq. 5.12)."""
        inverse, _ = lapack.dpotri(self.factor, lower=1)
        precision = np.diagonal(inverse)
        return self.data.y - self.weights / precision, 1.0 / precision

    def ahead(self, at: Inputs, after: NDArray[np.int64]) -> tuple[Array, Array]:
        """Mean and variance at ``at``, each ``k``, each from the first ``after: k`` observations.

        Rows of a Cholesky factor depend on earlier rows alone, so the posterior of fewer observations is a shorter sum.
        """
        columns = np.column_stack([self.data.y, self._covariance(Pairs(self.data.inputs, at))])
        half = solve_triangular(self.factor, columns, lower=True, overwrite_b=True, check_finite=False)
        seen = np.where(np.arange(len(half))[:, None] < after, half[:, 1:], 0.0)
        var = variance(self.model.layout, self.theta, at) - np.einsum("ij,ij->j", seen, seen)
        return half[:, 0] @ seen, np.maximum(var, 1e-10)


def predictions(members: Sequence[ExactGP], at: Inputs) -> tuple[Array, Array]:
    """Means and variances, each ``members x k``, of processes conditioned on the same data."""
    mean, var = np.empty((2, len(members), len(at)))
    seen = members[0].data.inputs
    block = max(256, 400_000 // max(len(seen), 1))  # blocks that stay in the cache
    for start in range(0, len(at), block):
        stop = min(start + block, len(at))
        pairs = Pairs(seen, at.take(np.arange(start, stop)))
        for i, member in enumerate(members):
            mean[i, start:stop], var[i, start:stop] = member.predict(pairs)
    return mean, var


def mixture(weights: Array, means: Array, variances: Array) -> tuple[Array, Array]:
    """Mean and variance, each ``k``, of the mixture of ``members x k`` by their weights."""
    mean = weights @ means
    return mean, weights @ (variances + (means - mean) ** 2)


def condition(model: Model, theta: Array, data: Observations) -> ExactGP:
    """The posterior for given hyperparameters; adds jitter where the covariance is singular.

    Raises:
        SurrogateError: The covariance cannot be factorised even with jitter 0.01.
    """
    inputs = data.inputs
    noise = model.layout.noise(theta, inputs.u) + data.known_noise
    kernel = covariance(model.kind, model.layout, theta, data.pairs)
    diagonal = np.diagonal(kernel) + noise
    for jitter in _JITTERS:
        kernel[np.diag_indices(len(noise))] = diagonal + jitter
        factor, info = lapack.dpotrf(kernel, lower=1, clean=1)
        if info == 0:
            weights, _ = lapack.dpotrs(factor, data.y, lower=1)
            return ExactGP(model, theta, data, noise + jitter, factor, weights)
    raise SurrogateError(
        "the covariance of the Gaussian process is singular", "Check X and Y for huge values."
    )


def extended(member: ExactGP, new: Inputs, data: Observations) -> ExactGP:
    """The process of ``data``: that of ``member`` and then rows at ``new: k``; in ``k n^2`` steps instead of ``n^3``.

    Raises:
        SurrogateError: As :func:`condition`, to which it turns where rounding has spoiled the factor.
    """
    layout, n = member.model.layout, len(member.noise)
    learned = layout.noise(member.theta, new.u) + data.known_noise[n:]
    pairs = Pairs(member.data.inputs, new)
    half = solve_triangular(member.factor, member._covariance(pairs), lower=True, check_finite=False)
    left = member._covariance(Pairs(new, new)) - half.T @ half
    left[np.diag_indices(len(learned))] += learned
    corner, info = lapack.dpotrf(left, lower=1, clean=1)
    if info or (np.diagonal(corner) ** 2 < 1e-10).any():
        return condition(member.model, member.theta, data)
    factor = np.zeros((len(data.y), len(data.y)), order="F")
    factor[:n, :n], factor[n:, :n], factor[n:, n:] = member.factor, half.T, corner
    weights, _ = lapack.dpotrs(factor, data.y, lower=1)
    noise = np.concatenate([member.noise, learned])
    return ExactGP(member.model, member.theta, data, noise, factor, weights)


def neg_log_posterior(theta: Array, model: Model, data: Observations) -> tuple[float, Array]:
    """Minus log marginal likelihood minus log prior of ``theta``, and its gradient (up to a constant).

    The derivative with respect to the covariance is symmetric, and meets nothing but symmetric matrices. So the lower
    triangle, which is all that LAPACK's inverse gives, is not mirrored, and the outer product halved in return.
    """
    kind, layout, inputs, y = model.kind, model.layout, data.inputs, data.y
    mean, std = model.moments
    off = (theta - mean) / std
    z = scaled(layout, theta, inputs)
    r2 = square_distance(z, z)
    np.fill_diagonal(r2, 0.0)  # rounding there would show as roughness of the exponential kernel
    shared = fidelity_factor(layout, theta, inputs.u, inputs.u)
    signal, slope = stationary_with_slope(kind, r2)
    signal *= np.exp(theta[0]) * shared
    slope *= np.exp(theta[0]) * shared
    effects = np.exp(theta[2]) * shared * data.pairs.effects
    learned = layout.noise(theta, inputs.u)
    kernel = signal + effects + trend(layout, theta, inputs, inputs)
    kernel[np.diag_indices(len(y))] += learned + data.known_noise
    factor, info = lapack.dpotrf(kernel.T, lower=1, clean=1, overwrite_a=1)
    if info:
        return 1e10, np.zeros_like(theta)
    weights, _ = lapack.dpotrs(factor, y, lower=1)
    value = 0.5 * y @ weights + np.log(np.diagonal(factor)).sum() + 0.5 * off @ off
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    at_diagonal = 0.5 * (np.diagonal(inverse) - weights**2)  # d value / d K[i, i]
    below = inverse.T  # d value / d (K[i, j] = K[j, i]), transposed: a view in numpy's own order
    below -= np.multiply.outer(0.5 * weights, weights)
    np.fill_diagonal(below, 0.0)

    gradient = off / std
    at_noise = at_diagonal * learned
    gradient[1] += at_noise.sum()
    if len(layout.linear):
        lin = inputs.z[:, layout.linear]
        by_proxy = np.einsum("ip,ip->p", lin, below @ lin) + at_diagonal @ lin**2
        gradient[layout.linears] += np.exp(theta[layout.linears]) * by_proxy
    slope *= below
    squares = (slope.sum(axis=0) + slope.sum(axis=1)) @ z**2
    per_feature = squares - 2.0 * np.einsum("if,if->f", z, slope @ z)
    gradient[layout.lengths] -= 2.0 * np.bincount(layout.group, per_feature, layout.n_groups)
    own, own_effects = at_diagonal * np.diagonal(signal), at_diagonal * np.diagonal(effects)
    signal *= below
    effects *= below
    gradient[0] += signal.sum() + own.sum()
    gradient[2] += effects.sum() + own_effects.sum()
    if layout.fidelity:
        u = inputs.u
        signal += effects
        own += own_effects
        gradient[-3] += (signal * np.abs(u[:, None] - u)).sum() / np.exp(theta[-3])
        gradient[-2] += u @ (signal.sum(axis=0) + signal.sum(axis=1)) + 2.0 * u @ own
        gradient[-1] += at_noise @ u
    return float(value), gradient


def most_probable(
    model: Model, data: Observations, *, start: Array | None = None, iterations: int = 30
) -> Array:
    """Hyperparameters of highest posterior density, by L-BFGS from ``start`` or the prior mean."""
    mean, std = model.moments
    low, high = mean - 5.0 * std, mean + 5.0 * std
    low[1], high[1] = -11.5, 1.0
    first = mean if start is None else np.clip(start, low, high)
    found = minimize(
        neg_log_posterior,
        first,
        args=(model, data),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-5, "gtol": 1e-3},
    )
    return np.asarray(found.x)
