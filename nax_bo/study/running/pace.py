"""How fast a study goes, what is left of its time, and how far the trainings under way have come."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from time import monotonic

from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.study.file.trial import Evaluation

EVERY_S = 5.0
"""Seconds between two signs of life of a training; shorter ones give none."""

OVERRUN = 1.15
"""No training is started that would end later than this share of the time."""


class Pace:
    """Seconds that looks take, by rung.

    The clock decides when a study with a time limit stops, never what it does until then (docs/decisions/0011).

    Args:
        prices: Relative costs of the rungs.
        earlier: Evaluations of earlier runs: their time counts.
        workers: Trainings at once.
        limit_s: What the study may take; None: as long as it takes.
    """

    def __init__(
        self, prices: Mapping[str, float], earlier: Iterable[Evaluation], workers: int, limit_s: float | None
    ) -> None:
        self.prices, self.workers, self.limit_s = prices, max(1, workers), limit_s
        self._taken: dict[str, list[float]] = {name: [] for name in prices}
        for e in earlier:
            if e.state == "done":
                self._taken[e.fidelity].append(e.seconds)
        self._before = sum(map(sum, self._taken.values())) / self.workers
        self._started, self._done = monotonic(), 0.0

    def note(self, fidelity: str, seconds: float) -> None:
        """A look has ended."""
        self._taken[fidelity].append(seconds)
        self._done += self.prices[fidelity]

    def eta_s(self, work_left: float, under_way: float) -> float | None:
        """Seconds left, with ``under_way`` of the work that is left already done by running trainings."""
        done = self._done + under_way
        if done <= 0:
            return None
        return max(0.0, (monotonic() - self._started) / done * (work_left - under_way))

    def search_is_over(self, full_to_come: int) -> bool:
        """Whether the rest of the time is needed for so many full trainings."""
        full_s = self._full_s()
        if self.limit_s is None or full_s is None:
            return False
        return self._elapsed_s() + full_s * (full_to_come / self.workers + 0.5) > self.limit_s

    def nothing_more(self) -> bool:
        """Whether no further training would end in time."""
        return (
            self.limit_s is not None and self._elapsed_s() + (self._full_s() or 0.0) > OVERRUN * self.limit_s
        )

    def _elapsed_s(self) -> float:
        return self._before + monotonic() - self._started

    def _full_s(self) -> float | None:
        """Seconds of a full training: measured, or told from short ones."""
        if full := self._taken[FULL.name]:
            return fmean(full)
        short = self._taken[SHORT.name]
        return fmean(short) * self.prices[FULL.name] / self.prices[SHORT.name] if short else None


class SignsOfLife:
    """Where trainings on this machine leave how far they have come; a folder of its own, gone with the run."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="naxbo-"))

    def path(self, evaluation: int) -> str:
        """Where the training of an evaluation is to leave them."""
        return str(self._folder / str(evaluation))

    def share(self, evaluation: int) -> float:
        """How far an evaluation has come, from 0 to 1; 0 while nothing is known."""
        with suppress(OSError, ValueError):
            return min(1.0, max(0.0, float((self._folder / str(evaluation)).read_text())))
        return 0.0

    def worker(self, evaluation: int) -> int | None:
        """The process that an evaluation runs in; None while it has not begun."""
        with suppress(OSError, ValueError):
            return int((self._folder / f"{evaluation}{_WORKER}").read_text())
        return None

    def forget(self, evaluation: int) -> None:
        """Remove what a training left that has ended."""
        with suppress(OSError):
            (self._folder / str(evaluation)).unlink()
        with suppress(OSError):
            (self._folder / f"{evaluation}{_WORKER}").unlink()

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)


_WORKER = ".worker"


def sign_on(path: str) -> None:
    """Say beside the sign of life ``path`` which process does the training; "" for nowhere."""
    if path:
        with suppress(OSError):
            draft = f"{path}{_WORKER}.part"
            Path(draft).write_text(str(os.getpid()))
            os.replace(draft, f"{path}{_WORKER}")


class Sign:
    """What a training calls now and then with the share that is done; it writes it to ``path``, "" for nowhere."""

    def __init__(self, path: str) -> None:
        self._path, self._last = path, monotonic()

    def __call__(self, share: float) -> None:
        """Write it, unless that was done a moment ago."""
        if not self._path or monotonic() - self._last < EVERY_S:
            return
        self._last = monotonic()
        draft = f"{self._path}.part"
        with suppress(OSError):  # a sign of life is worth no failure
            Path(draft).write_text(f"{share:.4f}")
            os.replace(draft, self._path)
