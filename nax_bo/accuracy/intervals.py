"""Intervals for the accuracy of designs of which each was trained a few times.

Three trainings say little of the spread between trainings: an interval by Student's t with two degrees of freedom is
2.2 times as wide as one with a known spread. Designs of one study are trained alike, so each design's variance is
moderated by those of all (empirical Bayes; Smyth 2004, doi:10.2202/1544-6115.1027): the prior's degrees of freedom and
scale come from the designs, and each interval has those besides its own. On the logit scale, on which the spread is
nearly the same for all accuracies, and an interval stays within 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import digamma, expit, logit, polygamma, stdtrit

from nax_bo.accuracy.report import AccuracyReport

CONFIDENCE = 0.95


def accuracy_intervals(outcomes: Sequence[Mapping[str, Any]]) -> list[tuple[float, float] | None]:
    """95 % intervals of the mean accuracy over trainings and chips, one per outcome.

    Args:
        outcomes: Stored outcomes of looks of one fidelity in one study. None is given for those that were trained
            once, or whose draws are not known.

    Returns:
        Lower and upper end, fractions. Test images are the same for every design: the interval is of the accuracy on
        these, not on others.
    """
    reports = [
        AccuracyReport.from_dict(o) if o.get("trainings", 1) > 1 and "draws" in o else None for o in outcomes
    ]
    measured = [(r.trainings - 1, _variance(r)) for r in reports if r is not None]
    if not measured:
        return [None] * len(outcomes)
    prior = _prior(*(np.array(column, dtype=float) for column in zip(*measured, strict=True)))
    return [None if r is None else _interval(r, *prior) for r in reports]


def _interval(report: AccuracyReport, prior_degrees: float, prior_variance: float) -> tuple[float, float]:
    own = report.trainings - 1
    if math.isinf(prior_degrees):
        degrees, variance = 1e9, prior_variance
    else:
        degrees = own + prior_degrees
        variance = (own * _variance(report) + prior_degrees * prior_variance) / degrees
    half = float(stdtrit(degrees, 0.5 + CONFIDENCE / 2)) * math.sqrt(variance / report.trainings)
    low, high = expit(_logit(report.mean, report.test_images) + np.array([-half, half])).tolist()
    return low, high


def _variance(report: AccuracyReport) -> float:
    """Of the trainings' means, in squared logits; never less than what counting images resolves."""
    k = report.trainings
    means = [float(np.mean(report.draws[turn::k])) for turn in range(k)]
    slope = 1.0 / max(report.mean * (1 - report.mean), 1.0 / report.test_images)
    resolved = slope**2 / (12.0 * report.test_images**2)
    return max(float(np.var([_logit(m, report.test_images) for m in means], ddof=1)), resolved)


def _logit(accuracy: float, test_images: int) -> float:
    """Half an image away from none and all at least."""
    edge = 0.5 / test_images
    return float(logit(min(max(accuracy, edge), 1 - edge)))


def _prior(degrees: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Degrees of freedom and scale of the variances' common prior, by moments of their logarithms (Smyth 2004, 6.2)."""
    centred = np.log(variances) - digamma(degrees / 2) + np.log(degrees / 2)
    middle = float(centred.mean())
    if len(variances) < 2:
        return 0.0, float(np.exp(middle))
    spread = float(centred.var(ddof=1) - polygamma(1, degrees / 2).mean())
    if spread <= 0:
        return math.inf, float(np.exp(middle))
    half = _inverse_trigamma(spread)
    return 2 * half, float(np.exp(middle + digamma(half) - np.log(half)))


def _inverse_trigamma(value: float) -> float:
    """By Newton's method on 1 / trigamma, which is convex and nearly linear (Smyth 2004, appendix)."""
    y = 0.5 + 1 / value
    for _ in range(50):
        t = float(polygamma(1, y))
        step = t * (1 - t / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y
