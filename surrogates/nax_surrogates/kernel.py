"""Covariance of a mixed design space, with what is needed for its gradient.

    K(x, x') = (s2 * k(r) + v h(x) h(x')) A(u, u') + 1 + sum_p b_p z_p z'_p + u u'        u = 1 - fidelity

``h`` are main effects: a parabola in every ordinal variable (Legendre polynomials), a step for every category, with one
prior variance ``v`` for all (a first-order additive kernel: Duvenaud et al. 2011, arXiv:1112.4394). What variables do
one by one need not then be learned from distances, in which it drowns where there are many of them. A conditional
variable that is inactive has none: to count its canonical value would teach the effect of a value that nothing has.
``r^2 = sum_f (z_f - z'_f)^2 / l_g(f)^2`` runs over features; the one-hot features of a categorical variable share a
length scale and are divided by sqrt(2), so that they add a Hamming distance, unless every feature is to have its own
(``Layout.apart``): categories may then differ by more or less. ``k`` is a Matern or the Gaussian kernel (Rasmussen and
Williams 2006, eq. 4.9, 4.14 - 4.17). The constant 1 is the uncertain mean of standardised outcomes, ``b_p`` the
variance of a linear trend in proxy p, and ``u u'`` an uncertain offset of low fidelities.
``A = exp(a (u + u') - |u - u'| / l_u)`` lets fidelities differ in amplitude and be imperfectly correlated (an intrinsic
coregionalisation model: Alvarez et al. 2012, doi:10.1561/2200000036).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nax_bo.surrogate.encoding import Encoding
from nax_bo.surrogate.protocol import Array

_BEND = 0.5  # prior variance of a bend beside that of a slope

Smoothness = Literal["exponential", "matern32", "matern52", "gaussian"]


@dataclass(frozen=True)
class Inputs:
    """Features as the kernel takes them: ``z: n x p``, main effects ``h: n x q``, ``u = 1 - fidelity``: ``n``."""

    z: Array
    h: Array
    u: Array

    def __len__(self) -> int:
        return len(self.z)

    def take(self, rows: NDArray[np.int64]) -> Inputs:
        """Some of the rows."""
        return Inputs(self.z[rows], self.h[rows], self.u[rows])

    def joined(self, other: Inputs) -> Inputs:
        """These rows and then those of ``other``."""
        pairs = ((self.z, other.z), (self.h, other.h), (self.u, other.u))
        return Inputs(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Pairs:
    """Inputs ``a: n`` beside inputs ``b: k``; holds what all hyperparameters share."""

    a: Inputs
    b: Inputs

    @cached_property
    def effects(self) -> Array:
        """``h h'``, ``n x k``."""
        return self.a.h @ self.b.h.T


@dataclass(frozen=True)
class Layout:
    """Where each hyperparameter stands in the vector ``theta`` (logarithms, except the two slopes).

    Order: output scale s2, noise variance, main-effect variance v, length scales (one per group of features), linear
    variances (one per proxy), and with several fidelities ``l_u``, amplitude slope ``a``, slope of log noise in ``u``.
    """

    group: NDArray[np.int64]
    linear: NDArray[np.int64]
    fidelity: bool

    @property
    def n_groups(self) -> int:
        """Number of length scales."""
        return int(self.group[-1]) + 1 if len(self.group) else 0

    @property
    def lengths(self) -> slice:
        """Place of the log length scales."""
        return slice(3, 3 + self.n_groups)

    @property
    def linears(self) -> slice:
        """Place of the log linear variances."""
        return slice(3 + self.n_groups, 3 + self.n_groups + len(self.linear))

    @property
    def size(self) -> int:
        """Number of hyperparameters."""
        return 3 + self.n_groups + len(self.linear) + 3 * self.fidelity

    def apart(self) -> Layout:
        """With a length scale for every feature."""
        return Layout(np.arange(len(self.group)), self.linear, self.fidelity)

    def spread_out(self, theta: Array) -> Array:
        """Hyperparameters of this layout as those of :meth:`apart`."""
        rest = theta[self.lengths.stop :]
        return np.concatenate([theta[: self.lengths.start], theta[self.lengths][self.group], rest])

    def noise(self, theta: Array, u: Array) -> Array:
        """Noise variance at fidelity ``1 - u``, ``n``."""
        slope = theta[-1] if self.fidelity else 0.0
        return np.asarray(np.exp(theta[1] + slope * u))


class FeatureMap:
    """From ``X`` to kernel inputs, for given training inputs; can leave the proxies out."""

    def __init__(self, encoding: Encoding, *, proxies: bool = True) -> None:
        self.encoding = encoding
        kinds = encoding.kinds
        marks = encoding.group >= len(encoding.columns)
        used = kinds != "fidelity"
        if not proxies:
            used &= (kinds != "proxy") & ~marks
        self._used = np.flatnonzero(used)
        self._fidelity = np.flatnonzero(kinds == "fidelity")
        self._weight = np.where(kinds[self._used] == "categorical", np.sqrt(0.5), 1.0)
        _, group = np.unique(encoding.group[self._used], return_inverse=True)
        linear = np.flatnonzero(kinds[self._used] == "proxy")
        self.layout = Layout(group.astype(np.int64), linear, bool(len(self._fidelity)))

    def __call__(self, X: Array) -> Inputs:
        """Kernel inputs of ``X: n x d``."""
        features = self.encoding.transform(X)
        u = 1.0 - features[:, self._fidelity[0]] if len(self._fidelity) else np.zeros(len(features))
        z = features[:, self._used]
        return Inputs(z * self._weight, self._main_effects(z) * self._matters(X), u)

    def _matters(self, X: Array) -> Array | float:
        """1 for each main effect of an active variable, 0 for others, ``n x q``: inactive is a level of its own."""
        if not any(c.active_when for c in self.encoding.columns):
            return 1.0
        active = self.encoding.active(X).astype(float)
        kinds, columns = self.encoding.kinds[self._used], self.encoding.group[self._used]
        given = columns < active.shape[1]  # marks of missing proxies count as ordinals, and always matter
        every = np.ones((len(active), len(columns)))
        every[:, given] = active[:, columns[given]]
        ordinals = every[:, kinds == "ordinal"]
        return np.hstack([ordinals, ordinals, every[:, kinds == "categorical"]])

    def _main_effects(self, z: Array) -> Array:
        """``h: n x q``; its squared length is about 1 for a category and 3 to 4 for an ordinal of 3 to 5 levels."""
        kinds = self.encoding.kinds[self._used]
        t = 2.0 * z[:, kinds == "ordinal"] - 1.0
        parabola = [np.sqrt(3.0) * t, np.sqrt(5.0 * _BEND) * (1.5 * t * t - 0.5)]
        at = np.flatnonzero(kinds == "categorical")
        of = self.layout.group[at]
        share = 1.0 / np.maximum(np.bincount(of, minlength=self.layout.n_groups)[of], 1)  # of each category
        steps = (z[:, at] - share) / np.sqrt(np.maximum(1.0 - share, 1e-9))
        return np.asarray(np.hstack([*parabola, steps]) / np.sqrt(max(self.layout.n_groups, 1)))


def scaled(layout: Layout, theta: Array, inputs: Inputs) -> Array:
    """Features divided by their length scales, ``n x p``."""
    return np.asarray(inputs.z * np.exp(-theta[layout.lengths])[layout.group])


def square_distance(a: Array, b: Array) -> Array:
    """Squared Euclidean distances, ``n x k``."""
    out = a @ b.T
    out *= -2.0
    out += np.einsum("ij,ij->i", a, a)[:, None]
    out += np.einsum("ij,ij->i", b, b)
    return np.maximum(out, 0.0, out=out)


def stationary(kind: Smoothness, r2: Array) -> Array:
    """``k(r)`` of the squared distance."""
    if kind == "gaussian":
        return np.asarray(np.exp(-0.5 * r2))
    r = np.sqrt(r2)
    if kind == "exponential":
        return np.asarray(np.exp(-r))
    r *= np.sqrt(3.0) if kind == "matern32" else np.sqrt(5.0)
    out = np.exp(-r)
    out *= 1.0 + r if kind == "matern32" else 1.0 + r * (1.0 + r / 3.0)
    return np.asarray(out)


def stationary_with_slope(kind: Smoothness, r2: Array) -> tuple[Array, Array]:
    """``k(r)`` and ``dk / d(r^2)``, the latter bounded where the exponential kernel has a kink at 0."""
    if kind == "gaussian":
        k = np.exp(-0.5 * r2)
        return k, -0.5 * k
    r = np.sqrt(r2)
    if kind == "exponential":
        k = np.exp(-r)
        return k, -0.5 * k / np.maximum(r, 1e-6)
    r *= np.sqrt(3.0) if kind == "matern32" else np.sqrt(5.0)
    decay = np.exp(-r)
    if kind == "matern32":
        return decay * (1.0 + r), -1.5 * decay
    return decay * (1.0 + r * (1.0 + r / 3.0)), -(5.0 / 6.0) * (1.0 + r) * decay


def fidelity_factor(layout: Layout, theta: Array, u: Array, v: Array) -> Array | float:
    """``A(u, v)``, ``n x k``; 1 with one fidelity."""
    if not layout.fidelity:
        return 1.0
    length, slope = np.exp(theta[-3]), theta[-2]
    return np.asarray(np.exp(slope * (u[:, None] + v) - np.abs(u[:, None] - v) / length))


def trend(layout: Layout, theta: Array, a: Inputs, b: Inputs) -> Array | float:
    """Constant, linear proxies and fidelity offset, ``n x k``."""
    out: Array | float = 1.0
    if len(layout.linear):
        out = out + (a.z[:, layout.linear] * np.exp(theta[layout.linears])) @ b.z[:, layout.linear].T
    if layout.fidelity:
        out = out + np.multiply.outer(a.u, b.u)
    return out


def covariance(kind: Smoothness, layout: Layout, theta: Array, pairs: Pairs) -> Array:
    """``K(a, b)``, ``n x k``, without noise."""
    a, b = pairs.a, pairs.b
    out = stationary(kind, square_distance(scaled(layout, theta, a), scaled(layout, theta, b)))
    out *= np.exp(theta[0])
    out += np.exp(theta[2]) * pairs.effects
    out *= fidelity_factor(layout, theta, a.u, b.u)
    out += trend(layout, theta, a, b)
    return out


def variance(layout: Layout, theta: Array, a: Inputs) -> Array:
    """Diagonal of ``K(a, a)``, ``n``."""
    slope = theta[-2] if layout.fidelity else 0.0
    own = np.exp(theta[0]) + np.exp(theta[2]) * np.einsum("ij,ij->i", a.h, a.h)
    out = 1.0 + own * np.exp(2.0 * slope * a.u) + layout.fidelity * a.u**2
    return np.asarray(out + a.z[:, layout.linear] ** 2 @ np.exp(theta[layout.linears]))
