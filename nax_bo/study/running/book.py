"""What a running study counts of its designs, one design at a time: a step costs the same at any length."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass

from nax_bo.accuracy.fidelity import FULL
from nax_bo.study.file.trial import Trial


@dataclass(frozen=True)
class Looks:
    """Of designs that were decided to be looked at cheaply.

    Attributes:
        waiting: How many wait for a full training.
        since: How many were decided since the last full training was.
        final: How many full trainings were decided since the last new design.
    """

    waiting: int
    since: int
    final: int


class Book:
    """Counts over all designs of a study."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._waiting: set[int] = set()
        self._full: set[int] = set()
        self._failed: set[int] = set()
        self._cheap: dict[int, int] = {}  # number -> id of the first evaluation
        self._cheap_ids: list[int] = []
        self._full_ids: list[int] = []  # of designs that were looked at cheaply
        self._newest = -1
        self._numbers: set[int] = set()
        for trial in trials:
            self.note(trial)

    def note(self, trial: Trial) -> None:
        """Take up a design, or what has changed about it."""
        number, evaluations = trial.number, trial.evaluations
        self._numbers.add(number)
        _keep(self._full, number, trial.at(FULL.name) is not None)
        _keep(self._failed, number, trial.failed)
        if evaluations:
            self._newest = max(self._newest, evaluations[0].id)
        if all(e.fidelity == FULL.name for e in evaluations):
            return
        if number not in self._cheap:
            self._cheap[number] = evaluations[0].id
            insort(self._cheap_ids, evaluations[0].id)
        for e in evaluations:
            if e.fidelity == FULL.name and (
                not (at := bisect_right(self._full_ids, e.id)) or self._full_ids[at - 1] != e.id
            ):
                self._full_ids.insert(at, e.id)
        waits = all(e.fidelity != FULL.name and e.state != "failed" for e in evaluations)
        _keep(self._waiting, number, waits)

    @property
    def designs(self) -> int:
        """Designs altogether."""
        return len(self._numbers)

    @property
    def full(self) -> int:
        """Designs trained in full."""
        return len(self._full)

    @property
    def failed(self) -> int:
        """Designs of which an evaluation failed."""
        return len(self._failed)

    @property
    def looks(self) -> Looks:
        """Where the calibration schedule stands."""
        last = self._full_ids[-1] if self._full_ids else -1
        since = len(self._cheap_ids) - bisect_right(self._cheap_ids, last)
        final = len(self._full_ids) - bisect_right(self._full_ids, self._newest)
        return Looks(len(self._waiting), since, final)


def _keep(numbers: set[int], number: int, wanted: bool) -> None:
    numbers.add(number) if wanted else numbers.discard(number)
