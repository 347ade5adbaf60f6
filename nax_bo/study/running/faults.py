"""Who is to blame when an evaluation brings no result: its design, the machine it ran on, or nobody.

A design that diverges or does not fit fails, and the search learns it. A full disk, a package that is missing on a
worker or a worker that was killed says nothing about the design: its evaluation is queued again. When that happens
several times in a row, something is wrong with the environment, and the run stops with the budget unspent. Only a
design that was under way when the run itself ended without a word (killed, or out of memory with the machine), and did
so again when it ran alone, or whose training kills one worker after the other, is given up in the end. A run that was
told to stop makes no design a suspect.
"""

from __future__ import annotations

from nax_bo.errors import EnvironmentFaultError
from nax_bo.study.file.outcome import check_outcome
from nax_bo.study.file.trial import Evaluation

MOST_IN_A_ROW = 3
"""Faults of the environment without a result between them, after which a run stops."""

MOST_ENDINGS = 2
"""Runs that may end without a word while a design is under way, before it is given up; it runs alone after one."""


def given_up(evaluation: Evaluation) -> str:
    """Why a queued evaluation is not run again, in words; empty if it is."""
    if evaluation.endings < MOST_ENDINGS:
        return ""
    return f"the run was killed {evaluation.endings} times while this design was under way, at last alone"


def invalid(outcome: object) -> str:
    """Why an outcome cannot be believed, in words; empty if it can."""
    problem = check_outcome(outcome)
    return f"the evaluation gave no valid result: {problem}" if problem else ""


class Blame:
    """Counts faults of the environment in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def result(self) -> None:
        """A result came in, good or bad: the environment works."""
        self._in_a_row = 0

    def environment(self, error: BaseException) -> str:
        """Take note of a fault that is no design's, and say it in words.

        Raises:
            EnvironmentFaultError: It was one too many.
        """
        self._in_a_row += 1
        text = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        if self._in_a_row >= MOST_IN_A_ROW:
            raise EnvironmentFaultError(
                f"{self._in_a_row} evaluations in a row could not run where they were sent; the last one: {text}",
                "Mend the machine or the workers; no design was blamed, and the same command goes on.",
            ) from error
        return text
