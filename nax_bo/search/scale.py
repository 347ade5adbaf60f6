"""Scales of an outcome: as the user gives it, as it is modelled, as hypervolume measures it.

Inside the search everything is minimised. An outcome ``y`` (raw, as told) becomes ``sign * f(y)`` with ``sign = -1``
for maximised ones, where ``f`` is the model scale (what a surrogate sees) or the measure scale (what hypervolume is
taken in). Every map is monotone, so dominance is the same in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError

Array = NDArray[np.float64]
ScaleName = Literal["linear", "log10", "logit"]

LOGIT_CLIP = 1e-3
"""Fractions are kept this far from 0 and 1 before a logit: one error in a thousand is as good as none."""

_MEASURED_AS: dict[str, ScaleName] = {"linear": "linear", "log10": "log10", "logit": "linear"}


@dataclass(frozen=True)
class Scale:
    """How one outcome is modelled and measured.

    Attributes:
        model: ``linear``, ``log10`` (positive outcomes over decades) or ``logit`` (fractions such as an error).
        measure: Scale in which hypervolume counts; by default that of the model, but plain for ``logit``.
        sign: 1 to minimise, -1 to maximise.
    """

    model: ScaleName = "linear"
    measure: ScaleName = "linear"
    sign: int = 1

    @classmethod
    def of(cls, name: str, scale: str, measure: str | None, maximise: bool) -> Scale:
        """A checked scale for outcome ``name``."""
        for given in (scale, measure or scale):
            if given not in _MEASURED_AS:
                raise InputError(f"{name!r} has scale {given!r}", "Use 'linear', 'log10' or 'logit'.")
        chosen = measure or _MEASURED_AS[scale]
        return cls(scale, chosen, -1 if maximise else 1)  # type: ignore[arg-type]

    @property
    def domain(self) -> tuple[float, float]:
        """Between these a raw outcome lies; ``log10`` excludes the lower end."""
        ends: dict[str, tuple[float, float]] = {"log10": (0.0, np.inf), "logit": (0.0, 1.0)}
        return ends.get(self.model, (-np.inf, np.inf))

    @property
    def warped(self) -> bool:
        """Whether model and measure differ."""
        return self.model != self.measure

    def to_model(self, raw: ArrayLike) -> Array:
        """Raw outcomes in the (minimised) model scale."""
        return np.asarray(self.sign * _forward(self.model, np.asarray(raw, dtype=float)))

    def to_measure(self, raw: ArrayLike) -> Array:
        """Raw outcomes in the (minimised) measure scale."""
        return np.asarray(self.sign * _forward(self.measure, np.asarray(raw, dtype=float)))

    def model_to_raw(self, z: ArrayLike) -> Array:
        """Raw outcomes of model values."""
        return _inverse(self.model, self.sign * np.asarray(z, dtype=float))

    def model_to_measure(self, z: ArrayLike) -> Array:
        """Measure values of model values."""
        return self.to_measure(self.model_to_raw(z)) if self.warped else np.asarray(z, dtype=float)

    def measure_to_model(self, y: ArrayLike) -> Array:
        """Model values of measure values."""
        if not self.warped:
            return np.asarray(y, dtype=float)
        return self.to_model(self.measure_to_raw(y))

    def measure_to_raw(self, y: ArrayLike) -> Array:
        """Raw outcomes of measure values."""
        return _inverse(self.measure, self.sign * np.asarray(y, dtype=float))

    def variance_to_model(self, raw: ArrayLike, variance: ArrayLike) -> Array:
        """Noise variance in the model scale, to first order (the delta method)."""
        y, v = np.asarray(raw, dtype=float), np.asarray(variance, dtype=float)
        if self.model == "log10":
            return np.asarray(v / (np.maximum(y, 1e-300) * np.log(10.0)) ** 2)
        if self.model == "logit":
            p = np.clip(y, LOGIT_CLIP, 1 - LOGIT_CLIP)
            return np.asarray(v / (p * (1 - p)) ** 2)
        return v


def _forward(scale: str, y: Array) -> Array:
    if scale == "log10":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, np.log10(np.where(y > 0, y, 1.0)), np.nan)
    if scale == "logit":
        p = np.clip(y, LOGIT_CLIP, 1 - LOGIT_CLIP)
        return np.asarray(np.log(p) - np.log1p(-p))
    return y


def _inverse(scale: str, z: Array) -> Array:
    if scale == "log10":
        return np.asarray(10.0 ** np.clip(z, -300, 300))
    if scale == "logit":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -500, 500))))
    return z
