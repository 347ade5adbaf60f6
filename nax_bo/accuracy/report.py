"""Noise-aware accuracy of one design: a distribution over programmed chips."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class AccuracyReport:
    """Top-1 accuracy over Monte-Carlo draws of the non-idealities of the programmed chip.

    Attributes:
        draws: Accuracy on the test images of each programmed chip, fractions.
        clean: Accuracy of the same networks with quantisation but ideal devices and converters, and batch normalisation
            fitted to these.
        test_images: How many images each accuracy was measured on.
        fidelity: Rung of the ladder that was used.
        seconds: Wall time of training and evaluation.
        confidence: Mean probability that the network gives to the right class, over images and draws: a smoother
            score than accuracy, for telling short looks apart. ``None`` in reports from before it was kept.
        trainings: Networks that were trained, from different seeds; the chips of ``draws`` are theirs in turn.
    """

    draws: tuple[float, ...]
    clean: float
    test_images: int
    fidelity: str
    seconds: float
    confidence: float | None = None
    trainings: int = 1

    @property
    def mean(self) -> float:
        """Mean accuracy over draws."""
        return fmean(self.draws)

    @property
    def std(self) -> float:
        """Standard deviation between programmed chips, of all trainings; 0 with a single draw."""
        return stdev(self.draws) if len(self.draws) > 1 else 0.0

    @property
    def p05(self) -> float:
        """Accuracy that about 95 % of programmed chips exceed (linear interpolation between order statistics)."""
        ranked = sorted(self.draws)
        position = 0.05 * (len(ranked) - 1)
        low = int(position)
        high = min(low + 1, len(ranked) - 1)
        return ranked[low] + (position - low) * (ranked[high] - ranked[low])

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over draws.

        The test images are the same for every design, so their finite number is not part of it.
        """
        return self.std / math.sqrt(len(self.draws))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form with the derived statistics."""
        derived = {"mean": self.mean, "std": self.std, "p05": self.p05, "standard_error": self.standard_error}
        return {**asdict(self), "draws": list(self.draws), **derived}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AccuracyReport:
        """Inverse of :meth:`to_dict`."""
        return cls(
            tuple(data["draws"]),
            data["clean"],
            data["test_images"],
            data["fidelity"],
            data["seconds"],
            data.get("confidence"),
            data.get("trainings", 1),
        )
