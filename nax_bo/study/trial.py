"""What a study remembers of each design: frozen records, one per design and one per evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nax_bo.space import Design

State = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class Evaluation:
    """One training of one design at one fidelity.

    Attributes:
        id: Unique in its study, in the order in which evaluations were decided.
        trial: Number of the design's trial.
        fidelity: ``"short"`` or ``"full"``.
        reason: Why it was proposed, in words.
        state: ``queued``, ``running``, ``done`` or ``failed``.
        order: Position among the finished evaluations; the optimiser is told in this order.
        outcome: Accuracy statistics and learned costs of a finished evaluation.
        message: Why it failed.
        seconds: Wall time.
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
    def failed(self) -> bool:
        """Whether an evaluation of this design failed."""
        return any(e.state == "failed" for e in self.evaluations)
