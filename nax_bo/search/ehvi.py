"""Expected hypervolume improvement in closed form, for any mix of known and learned objectives.

With independent Gaussian predictions and the undominated region as disjoint boxes ``[l, u]``, the expected
improvement is ``sum_boxes prod_j (psi_j(u_j) - psi_j(l_j))`` with ``psi_j(t) = E[(t - y_j)_+]`` (Emmerich, Deutz and
Klinkenberg 2011, doi:10.1109/CEC.2011.5949880). A known objective is the case of zero variance, so costs enter
exactly. Where an objective is modelled in another scale than hypervolume is measured in (a logit, say),
``psi(t)`` is the integral of its distribution function up to ``t``, taken by Gauss-Legendre quadrature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nax_bo.search.boxes import undominated_boxes
from nax_bo.search.scale import Scale

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_WIDEST = 0.5  # widest panel of the quadrature, in model units (logits)
_TAIL = 10.0  # model units below the lowest bound that still count
_CELLS = 4_000_000  # numbers held at once


@dataclass(frozen=True)
class Improvement:
    """Expected hypervolume improvement over ``front: k x m`` (measure scale) below ``reference: m``."""

    front: Array
    reference: Array
    scales: Sequence[Scale]

    @cached_property
    def _boxes(self) -> tuple[Array, Array]:
        return undominated_boxes(self.front, self.reference)

    @cached_property
    def _bounds(self) -> list[tuple[Array, NDArray[np.int64], NDArray[np.int64]]]:
        """For each objective: its different finite bounds, and places of each box's lower and upper one (0: -inf)."""
        out = []
        for low, high in zip(self._boxes[0].T, self._boxes[1].T, strict=True):
            values = np.unique(np.concatenate([low[np.isfinite(low)], high]))
            place = np.where(np.isfinite(low), np.searchsorted(values, low) + 1, 0)
            out.append((values, place, np.searchsorted(values, high) + 1))
        return out

    def __call__(self, mean: Array, std: Array) -> Array:
        """Expected improvement, ``n``, for model-scale predictions ``mean, std: n x m``; ``std`` 0 marks known ones."""
        block = max(1, _CELLS // max(1, len(self._boxes[0])))
        parts = [self._block(mean[i : i + block], std[i : i + block]) for i in range(0, len(mean), block)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _block(self, mean: Array, std: Array) -> Array:
        product = np.ones((len(mean), len(self._boxes[0])))
        for j, (bounds, low, high) in enumerate(self._bounds):
            psi = np.zeros((len(mean), len(bounds) + 1))
            psi[:, 1:] = self._expected_shortfall(j, bounds, mean[:, j], std[:, j])
            product *= psi[:, high] - psi[:, low]
        return np.asarray(np.maximum(product.sum(axis=1), 0.0))

    def _expected_shortfall(self, j: int, bounds: Array, mean: Array, std: Array) -> Array:
        scale = self.scales[j]
        if np.all(std == 0):
            return np.maximum(bounds - scale.model_to_measure(mean)[:, None], 0.0)
        if scale.warped:
            return _integrated(scale, bounds, mean, std)
        return expected_shortfall(bounds, mean, std)


def expected_shortfall(bounds: Array, mean: Array, std: Array) -> Array:
    """``E[(t - y)_+]``, ``n x k``, for Gaussian ``y`` (``mean, std: n``) and ``bounds: k``."""
    sd = np.maximum(std, 1e-12)[:, None]
    z = (bounds - mean[:, None]) / sd
    return np.asarray(sd * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)))


def _integrated(scale: Scale, bounds: Array, mean: Array, std: Array) -> Array:
    """As :func:`expected_shortfall` for ``y = warp(z)``, ``z`` Gaussian: the integral of P(y <= u) up to each bound."""
    ends, sd = scale.measure_to_model(bounds), np.maximum(std, 1e-12)[:, None]
    edges, owner = _panels(ends)
    half = 0.5 * np.diff(edges)
    nodes = (edges[:-1] + half)[:, None] + half[:, None] * _NODES
    step = 1e-4
    slope = (scale.model_to_measure(nodes + step) - scale.model_to_measure(nodes - step)) / (2 * step)
    weights = slope * half[:, None] * _WEIGHTS
    below = ndtr((nodes.ravel() - mean[:, None]) / sd) * weights.ravel()
    total = np.cumsum(below, axis=1)[:, owner * len(_NODES) - 1]
    beyond = bounds - scale.model_to_measure(ends)  # of bounds that the model scale clips, as an error of 1
    return np.asarray(total + beyond * ndtr((ends - mean[:, None]) / sd))


def _panels(z: Array) -> tuple[Array, NDArray[np.int64]]:
    """Edges of quadrature panels that end at every bound ``z`` (ascending), and how many panels end by each bound."""
    starts = np.concatenate([[z[0] - _TAIL], z[:-1]])
    counts = np.maximum(1, np.ceil((z - starts) / _WIDEST)).astype(np.int64)
    pieces = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(starts, z, counts, strict=True)]
    return np.concatenate([*pieces, z[-1:]]), np.cumsum(counts)
