"""What a study remembers of each design: frozen records, one per design and one per evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from nax_bo.accuracy.fidelity import LADDER
from nax_bo.space import Design

State = Literal["queued", "running", "done", "failed"]
STATES: tuple[str, ...] = get_args(State)


EVALUATION_COLUMNS = (
    "id, trial, fidelity, reason, state, finish_order, outcome, message, seconds, attempts, endings"
)
"""Of the table of evaluations, in the order in which records read them."""


@dataclass(frozen=True)
class Evaluation:
    """One training of one design at one fidelity.

    Attributes:
        id: Unique in its study, in the order in which evaluations were decided.
        trial: Number of the design's trial.
        fidelity: Rung of the ladder (:data:`nax_bo.accuracy.fidelity.LADDER`).
        reason: Why it was proposed, in words.
        state: ``queued``, ``running``, ``done`` or ``failed``.
        order: Position among the finished evaluations; the optimiser is told in this order.
        outcome: Accuracy statistics and learned costs of a finished evaluation.
        message: Why it failed, or why it was queued again.
        seconds: Wall time.
        attempts: Times that it was started.
        endings: Runs that ended while it was running, without a word: killed, or out of memory with the machine.
    """

    id: int
    trial: int
    fidelity: str
    reason: str
    state: State
    order: int | None
    outcome: Mapping[str, Any]
    message: str
    seconds: float
    attempts: int = 0
    endings: int = 0


@dataclass(frozen=True)
class Trial:
    """One design, its exactly known costs and its evaluations."""

    number: int
    design: Design
    costs: Mapping[str, float]
    evaluations: tuple[Evaluation, ...]

    def at(self, fidelity: str) -> Evaluation | None:
        """The finished evaluation at ``fidelity``, if there is one."""
        for evaluation in self.evaluations:
            if evaluation.fidelity == fidelity and evaluation.state == "done":
                return evaluation
        return None

    @property
    def best(self) -> Evaluation | None:
        """The finished evaluation of the highest rung, if there is any."""
        done = [e for e in self.evaluations if e.state == "done"]
        return max(done, key=lambda e: LADDER[e.fidelity].relative_cost, default=None)

    @property
    def failed(self) -> bool:
        """Whether an evaluation of this design failed."""
        return any(e.state == "failed" for e in self.evaluations)


@dataclass(frozen=True)
class Specs:
    """What a design is, as data: enough to read, export and train it again without the code that made it.

    Attributes:
        network, chip: Plain forms of the specs.
        report: Plain form of its cost, with breakdowns; empty if it could not be priced.
        scores: Training-free scores by name.
    """

    network: Mapping[str, Any] = field(default_factory=dict)
    chip: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """An evaluation to queue: a design with its costs and specs, at a fidelity, for a reason."""

    design: Design
    costs: Mapping[str, float]
    fidelity: str
    reason: str = ""
    specs: Specs = field(default_factory=Specs)
