"""Objectives of additive chip totals, with linear lower bounds that hold within a box of totals.

Totals are rows of four quantities: area (um^2), latency (ns), energy apart from leakage (pJ), leakage power (mW).
Energy per inference is ``energy + leakage * latency`` (mW x ns = pJ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError

Floats = NDArray[np.float64]
ObjectiveName = Literal["area", "latency", "energy", "edp", "edap"]

_PLANES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the upper plane of the envelope."""

COLUMNS = ("area_um2", "latency_ns", "energy_pj", "leakage_mw")
AREA, LATENCY, ENERGY, LEAKAGE = range(4)

_FACTORS: dict[str, tuple[str, ...]] = {
    "area": ("area",),
    "latency": ("latency",),
    "energy": ("energy",),
    "edp": ("latency", "energy"),
    "edap": ("area", "latency", "energy"),
}


@dataclass(frozen=True, slots=True)
class Objective:
    """A product of area, latency and energy totals, each at most once; non-decreasing in all four columns.

    Attributes:
        name: ``"area"``, ``"latency"``, ``"energy"``, ``"edp"`` or ``"edap"``.

    Raises:
        InputError: Another name.
    """

    name: ObjectiveName

    def __post_init__(self) -> None:
        if self.name not in _FACTORS:
            raise InputError(f"objective {self.name!r}", f"Choose one of: {', '.join(_FACTORS)}.")

    def value(self, totals: Floats) -> Floats:
        """Objective of totals ``... x 4``, in um^2, ns, pJ or their product."""
        out = np.ones(totals.shape[:-1])
        for factor in _FACTORS[self.name]:
            out = out * _factor(factor, totals)
        return out

    def score(self, totals: Floats) -> Floats:
        """An increasing function of the value: the value itself, or its logarithm if it is a product."""
        return self.score_of(self.value(totals))

    def score_of(self, value: Floats) -> Floats:
        """Score of objective values."""
        return np.log(value) if self.is_product else value

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns that the value depends on."""
        used = {
            "area": (AREA,),
            "latency": (LATENCY,),
            "energy": (LATENCY, ENERGY, LEAKAGE),
            "edp": (LATENCY, ENERGY, LEAKAGE),
            "edap": (AREA, LATENCY, ENERGY, LEAKAGE),
        }
        return used[self.name]

    @property
    def is_product(self) -> bool:
        """Whether more than one factor is multiplied."""
        return len(_FACTORS[self.name]) > 1

    def lower_bounds(self, low: Floats, high: Floats) -> list[tuple[float, Floats]]:
        """Constants and slopes with ``score(x) >= constant + slopes @ x`` for all ``low <= x <= high``.

        Slopes are non-negative. Logarithms are bounded by their secants, leakage times latency by mixtures of the
        two planes of its convex envelope (McCormick 1976, doi:10.1007/BF01580665); without leakage one bound says all.
        """
        leaks = LEAKAGE in self.columns and high[LEAKAGE] > 0
        return [self._lower_bound(low, high, share) for share in (_PLANES if leaks else (0.0,))]

    def _lower_bound(self, low: Floats, high: Floats, share: float) -> tuple[float, Floats]:
        constant, slopes = 0.0, np.zeros(4)
        for factor in _FACTORS[self.name]:
            shift, linear = _linear_factor(factor, low, high, share)
            if self.is_product:
                first, last = float(_factor(factor, low)), float(_factor(factor, high))
                secant = np.log(last / first) / (last - first) if last > first * (1 + 1e-9) else 1 / last
                constant += float(np.log(first)) + secant * (shift - first)
                slopes += secant * linear
            else:
                constant, slopes = shift, linear
        return constant, slopes

    def spread(self, low: Floats, high: Floats) -> Floats:
        """Relative rise of the value when one column alone goes through the box; 0 where the bound is exact."""
        out = np.zeros(4)
        if not self.is_product and (self.name != "energy" or high[LEAKAGE] <= 0):
            return out
        for column in self.columns:
            raised = low.copy()
            raised[column] = high[column]
            out[column] = self.value(raised) / self.value(low) - 1.0
        if not self.is_product:
            out[ENERGY] = 0.0  # enters linearly
        return out


def _factor(name: str, totals: Floats) -> Floats:
    if name == "area":
        return totals[..., AREA]
    if name == "latency":
        return totals[..., LATENCY]
    return np.asarray(totals[..., ENERGY] + totals[..., LEAKAGE] * totals[..., LATENCY])


def _linear_factor(name: str, low: Floats, high: Floats, share: float) -> tuple[float, Floats]:
    slopes = np.zeros(4)
    if name != "energy":
        slopes[AREA if name == "area" else LATENCY] = 1.0
        return 0.0, slopes
    slopes[ENERGY] = 1.0
    shift = 0.0
    for weight, corner in ((1.0 - share, low), (share, high)):
        slopes[LATENCY] += weight * corner[LEAKAGE]
        slopes[LEAKAGE] += weight * corner[LATENCY]
        shift -= weight * float(corner[LEAKAGE] * corner[LATENCY])
    return shift, slopes
