"""A relaxed design: one distribution per variable, and the exact gradient of an expected cost.

With independent ``p_v = softmax(theta_v)`` and a cost ``f`` of designs, ``J(theta) = E f(x)`` has the gradient
``dJ/dtheta_va = p_va (E[f | x_v = a] - sum_b p_vb E[f | x_v = b])``: what each value of a variable would cost, over
the others. Taken over all designs it is exact, over designs drawn from ``p`` unbiased, with every variable's values
tried in each of them (Rao-Blackwell). A gradient through the selected values alone, as in XPert's release, is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Cost = Callable[[Indices], Array]
"""Costs ``n`` of index vectors ``n x d``, finite."""


def softmax(theta: Array) -> Array:
    """Probabilities of one variable's values."""
    shifted = np.exp(theta - theta.max())
    return np.asarray(shifted / shifted.sum())


def draw(theta: Sequence[Array], count: int, rng: np.random.Generator) -> Indices:
    """Designs from the distributions, ``count x d``."""
    return np.stack([rng.choice(len(t), size=count, p=softmax(t)) for t in theta], axis=1).astype(np.int64)


def most_likely(theta: Sequence[Array]) -> Indices:
    """The likeliest value of each variable, ``d``."""
    return np.array([int(t.argmax()) for t in theta], dtype=np.int64)


def gradient(theta: Sequence[Array], cost: Cost, designs: Indices, weights: Array) -> list[Array]:
    """Gradient of the expected cost, one array per variable.

    Args:
        theta: Logits of each variable's values.
        cost: What is to be small.
        designs: Index vectors ``n x d``: all designs, or some drawn from the distributions.
        weights: Of the designs, ``n``: their probabilities, or ``1 / n`` each.
    """
    variants, places = [], []
    for v, logits in enumerate(theta):
        for a in range(len(logits) if len(logits) > 1 else 0):
            changed = designs.copy()
            changed[:, v] = a
            variants.append(changed)
            places.append((v, a))
    out = [np.zeros(len(t)) for t in theta]
    if not variants:
        return out
    values = cost(np.concatenate(variants)).reshape(len(variants), len(designs)) @ weights
    for (v, a), value in zip(places, values, strict=True):
        out[v][a] = value
    for v, logits in enumerate(theta):
        p = softmax(logits)
        out[v] = p * (out[v] - p @ out[v])
    return out
