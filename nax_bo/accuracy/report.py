"""Noise-aware accuracy of one design: trainings, and programmed chips of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

LEAST_CHIPS = 20
"""Chips below which the accuracy that 95 % of them exceed is not stated: a twentieth of fewer is no chip at all."""


@dataclass(frozen=True)
class AccuracyReport:
    """Top-1 accuracy over Monte-Carlo draws of the non-idealities of the programmed chip.

    Two things make the draws differ: chips of one network, and trainings of the design. They are kept apart
    (one-way random effects; Searle, Casella, McCulloch 1992, *Variance Components*, chapter 3).

    Attributes:
        draws: Accuracy on the test images of each programmed chip, fractions. The networks take turns: draw ``i`` is a
            chip of training ``i % trainings``.
        clean: Accuracy of the same networks with quantisation but ideal devices and converters, and batch normalisation
            fitted to these.
        test_images: How many images each accuracy was measured on.
        fidelity: Rung of the ladder that was used.
        seconds: Wall time of training and evaluation.
        confidence: Mean probability that the network gives to the right class, over images and draws: a smoother
            score than accuracy, for telling short looks apart. ``None`` in reports from before it was kept.
        trainings: Networks that were trained, from different seeds.
        chips_differ: Whether the model of the device holds any noise under the study's conditions
            (:func:`nax_bo.hardware.chip.variation.chips_differ`).
    """

    draws: tuple[float, ...]
    clean: float
    test_images: int
    fidelity: str
    seconds: float
    confidence: float | None = None
    trainings: int = 1
    chips_differ: bool = True

    @property
    def mean(self) -> float:
        """Mean accuracy over trainings and their chips."""
        return fmean(self.draws)

    @property
    def between_chips(self) -> float | None:
        """Standard deviation between programmed chips of one training, pooled over the trainings.

        Zero where the model of the device has no noise; None where no training was read on two chips.
        """
        if not self.chips_differ:
            return 0.0
        within = chip_variance(self.draws, self.trainings)
        return None if within is None else math.sqrt(within)

    @property
    def between_trainings(self) -> float | None:
        """Standard deviation between trainings of the design, the chips' share taken out; None after one training."""
        if self.trainings < 2:
            return None
        groups = _by_training(self.draws, self.trainings)
        within = chip_variance(self.draws, self.trainings) or 0.0
        share = within * fmean(1 / len(g) for g in groups)
        return math.sqrt(max(0.0, _variance([fmean(g) for g in groups]) - share))

    @property
    def p05(self) -> float | None:
        """Accuracy that 95 % of the chips of a typical training exceed; None below :data:`LEAST_CHIPS` chips.

        The 5 % quantile (linear interpolation) of what chips deviate from the mean of their own training, added to the
        mean of all. Deviations are widened for the means that were taken from the same draws. Where chips do not
        differ it is the mean.
        """
        if not self.chips_differ:
            return self.mean
        if len(self.draws) < LEAST_CHIPS or len(self.draws) <= self.trainings:
            return None
        groups = _by_training(self.draws, self.trainings)
        wider = math.sqrt(len(self.draws) / (len(self.draws) - self.trainings))
        return min(
            1.0,
            max(
                0.0,
                self.mean + wider * _quantile([x - m for g in groups for m in (fmean(g),) for x in g], 0.05),
            ),
        )

    @property
    def standard_error(self) -> float | None:
        """Standard error of :attr:`mean` as an estimate of what the design gives over trainings and chips.

        Of several trainings, the spread of their means over the root of their number, and never less than what the
        chips alone leave open. Of one training it is that of the chips alone, since nothing says how another training
        would end; None where only one chip was read besides. Never less than what counting images can resolve (a step
        of one image, evenly rounded). The test images are the same for every design, so their
        finite number is no part of it.
        """
        within = chip_variance(self.draws, self.trainings)
        chips = None if within is None else within / len(self.draws)
        resolved = 1.0 / (12.0 * self.test_images**2 * self.trainings)
        if self.trainings < 2:
            return None if chips is None else math.sqrt(max(chips, resolved))
        means = _variance([fmean(g) for g in _by_training(self.draws, self.trainings)]) / self.trainings
        return math.sqrt(max(means, chips or 0.0, resolved))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form with the derived statistics."""
        derived = {name: getattr(self, name) for name in DERIVED}
        return {**asdict(self), "draws": list(self.draws), **derived}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AccuracyReport:
        """Inverse of :meth:`to_dict`; the derived statistics are computed anew, whatever an older version wrote."""
        return cls(
            tuple(data["draws"]),
            data["clean"],
            data["test_images"],
            data["fidelity"],
            data["seconds"],
            data.get("confidence"),
            data.get("trainings", 1),
            data.get("chips_differ", True),
        )


DERIVED = ("mean", "between_chips", "between_trainings", "p05", "standard_error")
"""Statistics that :meth:`AccuracyReport.to_dict` adds."""


def statistics_of(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and spread of a stored outcome: :data:`DERIVED`, ``chips``, ``trainings`` and ``chips_differ``.

    From its draws where it holds them, whatever statistics an older version wrote beside them; else as they stand, None
    where they are missing (results that did not come from :func:`nax_bo.accuracy.evaluate.evaluate`).
    """
    if "draws" not in outcome:
        return {"chips": None, "trainings": None, "chips_differ": True} | {n: outcome.get(n) for n in DERIVED}
    return dict(_statistics(AccuracyReport.from_dict(outcome)))


@lru_cache(maxsize=20_000)
def _statistics(report: AccuracyReport) -> dict[str, Any]:
    """Remembered: a result is checked, told and shown, one after the other."""
    derived = {name: getattr(report, name) for name in DERIVED}
    return {
        **derived,
        "chips": len(report.draws),
        "trainings": report.trainings,
        "chips_differ": report.chips_differ,
    }


def chip_variance(draws: Sequence[float], trainings: int) -> float | None:
    """Variance between chips of one training, pooled over trainings that take turns; None if each has one chip."""
    degrees = len(draws) - trainings
    if degrees < 1:
        return None
    groups = _by_training(draws, trainings)
    return sum(math.fsum((x - mean) ** 2 for x in g) for g in groups for mean in (fmean(g),)) / degrees


def _variance(values: Sequence[float]) -> float:
    """Sample variance; the standard library's is exact in fractions, and a hundred times slower."""
    mean = fmean(values)
    return math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1)


def _by_training(draws: Sequence[float], trainings: int) -> list[Sequence[float]]:
    return [draws[turn::trainings] for turn in range(trainings)]


def _quantile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    position = share * (len(ranked) - 1)
    low = int(position)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (position - low) * (ranked[high] - ranked[low])
