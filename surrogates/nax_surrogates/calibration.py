"""Predicted spreads put right by how far held-out outcomes really fell."""

from __future__ import annotations

import numpy as np

from nax_bo.surrogate.protocol import Array

CLIP = 4.0
"""Errors beyond this many standard deviations count as this many: one outlier must not widen everything."""

PSEUDO_OBSERVATIONS = 4.0
"""Weight, in observations, of the belief that the spread is right as it stands."""

FLOOR = 0.7
"""The spread is never narrowed below this share."""


def spread_factor(z: Array, floor: float = FLOOR) -> float:
    """Factor on the standard deviation, at least ``floor``, from held-out errors ``z: n`` in standard deviations."""
    squares = np.minimum(z**2, CLIP**2)
    return float(max(floor, np.sqrt((PSEUDO_OBSERVATIONS + squares.sum()) / (PSEUDO_OBSERVATIONS + len(z)))))


def log_density(y: Array, mean: Array, std: Array) -> Array:
    """Normal log density of each ``y``."""
    return np.asarray(-0.5 * ((y - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2.0 * np.pi))
