"""Accuracies of two designs compared training by training, with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from nax_bo.errors import InputError

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval, from ``count`` paired trainings."""

    mean: float
    low: float
    high: float
    count: int


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Mean of ``ours - theirs`` with its 95 % t interval (Student 1908, doi:10.1093/biomet/6.1.1).

    Pairs share the seed of weights and batches, so what a seed does to both cancels. Differences are taken as normal.

    Raises:
        InputError: The lists differ in length or hold fewer than two.
    """
    if len(ours) != len(theirs) or len(ours) < 2:
        raise InputError(
            f"{len(ours)} and {len(theirs)} trainings make no pairs", "Give equally many, at least 2."
        )
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, count = fmean(differences), len(differences)
    half = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * stdev(differences) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def trainings_of(outcome: Mapping[str, Any]) -> list[float]:
    """Mean accuracy of each training of a full evaluation, over its programmed chips."""
    if "draws" not in outcome:  # of an evaluator of one's own
        return [float(outcome["mean"])]
    turns = int(outcome.get("trainings", 1))
    draws = outcome["draws"]
    return [fmean(draws[turn::turns]) for turn in range(turns)]
