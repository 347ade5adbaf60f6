"""What a run needs of the study that it makes grow, and what it says while it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nax_bo.search import Optimizer
from nax_bo.search.outlook import Outlook
from nax_bo.space import Design
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Evaluation, Proposal, Trial
from nax_bo.study.problem import StudyProblem


@dataclass(frozen=True)
class Progress:
    """Where a running study stands; ``news`` is a line worth keeping, or empty.

    ``best``: the best full accuracy within the study's limits, None before there is one.
    ``shares``: how far the trainings under way on this machine have come, as far as is known, the oldest first.
    ``outlook``: what further designs would gain, where that is known.
    """

    designs: int
    budget: int
    full: int
    running: int
    failed: int
    hypervolume: float
    front: int
    best: float | None
    eta_s: float | None
    news: str
    shares: tuple[float, ...] = ()
    outlook: Outlook | None = None


class Growing(Protocol):
    """What a run needs of the study that it makes grow (:class:`nax_bo.study.study.Study`)."""

    store: Store

    @property
    def data(self) -> Mapping[str, Any]:
        """What the study remembers of its data set."""

    @property
    def study_problem(self) -> StudyProblem:
        """The search problem."""

    def optimizer(self, initial: int | None = 0, first: int | None = None) -> Optimizer:
        """The optimiser, told every finished evaluation."""

    def trials(self) -> list[Trial]:
        """All designs."""

    def trial(self, number: int) -> Trial:
        """One design."""

    def accuracy(self, evaluation: Evaluation) -> float:
        """The accuracy that the study maximises."""

    def values(self, trial: Trial) -> dict[str, float]:
        """Outcomes of a design trained in full."""

    def proposal(self, design: Design, fidelity: str, reason: str = "") -> Proposal:
        """An evaluation to add to the store."""

    def tell(self, optimizer: Optimizer, trial: Trial, evaluation: Evaluation) -> None:
        """Tell the optimiser of a finished evaluation."""

    def set_budget(self, designs: int) -> None:
        """Keep another budget."""
