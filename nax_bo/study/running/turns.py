"""In which order results reach the search: as they come in, or in the order in which they were decided.

Told as they come in, proposals depend on who finishes first. With ``reproducible``, the decision number k knows the
results of the evaluations up to number k - workers, no others: results that come early wait for their turn, and a
worker waits where the oldest evaluation is not finished. Same seed and same number of workers then give the same
designs, however long each training takes, and whether the run was interrupted or not. It costs time, since a full
training takes as long as several short ones: 24 % more with two workers, 64 % with four, 140 % with eight
(simulated times, benchmarks/reproducible_cost.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nax_bo.search import Suggestion
from nax_bo.study.file.trial import Evaluation, Trial

TOLD = "told"
"""Fact of a reproducible study: how many evaluations the search knew at the last decision."""

Tell = Callable[[Trial, Evaluation], None]


class Turns:
    """Holds back results until it is their turn.

    Args:
        evaluations: All of the study, in the order in which they were decided.
        told: How many of these the search knew at the last decision.
        width: Decisions that may be ahead of what is known: the number of workers.
        tell: Tells the search of a result.
    """

    def __init__(self, evaluations: Iterable[Evaluation], told: int, width: int, tell: Tell) -> None:
        self._place = {e.id: i for i, e in enumerate(evaluations)}
        self.told, self._width, self._tell = min(told, len(self._place)), width, tell
        self._ended: dict[int, tuple[Trial, Evaluation]] = {}

    def decided(self, evaluation: Evaluation) -> None:
        """An evaluation was decided on."""
        self._place[evaluation.id] = len(self._place)

    def ended(self, trial: Trial, evaluation: Evaluation) -> None:
        """An evaluation has ended; one whose turn has passed (it was run again) is told at once."""
        place = self._place[evaluation.id]
        if place < self.told:
            self._tell(trial, evaluation)
        else:
            self._ended[place] = trial, evaluation

    def decide(self, decide: Callable[[], Suggestion | None]) -> Suggestion | None:
        """The next decision, on what it may know; None if nothing is left to decide, or a result is waited for."""
        while True:
            if len(self._place) - self.told < self._width and (suggestion := decide()):
                return suggestion
            if not self._tell_next():
                return None

    def _tell_next(self) -> bool:
        """Tell the result whose turn it is; False if it is not there yet, or nothing is left."""
        if (result := self._ended.pop(self.told, None)) is None:
            return False
        self.told += 1
        self._tell(*result)
        return True
