"""The fidelity ladder: how long a network is trained and how often its chip is drawn.

Measured on 100 random designs of the default space on digits (benchmarks/fidelity_ranking.py): short ranks them as full
does with Kendall's tau 0.81, the better half, whose accuracies lie between 95.0 and 99.2 %, with 0.56, at about a
quarter of the cost; two full trainings from different seeds agree with 0.94 (25 designs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nax_bo.errors import InputError


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One rung of the ladder.

    Attributes:
        name: ``"short"`` or ``"full"``.
        epochs: Passes over the training images; may be fractional.
        learning_rate: Peak of the one-cycle schedule: few epochs want a larger one.
        min_draws, max_draws: Programmed chips over which accuracy is averaged; drawing stops between the two once
            ``target_standard_error`` is reached.
        target_standard_error: Standard error of the mean accuracy at which drawing stops.
        mode: How crossbars are read (:data:`nax_bo.crossbar.MODES`).
        relative_cost: Price of one evaluation relative to ``full``; what the calibration schedule weighs gains
            with. A stated ratio instead of measured seconds, so that the same seed gives the same designs on any
            machine.
    """

    name: str
    epochs: float
    learning_rate: float
    min_draws: int
    max_draws: int
    target_standard_error: float
    mode: Literal["fast", "adaptive", "exact"]
    relative_cost: float


SHORT = Fidelity(
    "short",
    epochs=2.5,
    learning_rate=0.03,
    min_draws=2,
    max_draws=4,
    target_standard_error=0.02,
    mode="exact",
    relative_cost=0.25,
)
FULL = Fidelity(
    "full",
    epochs=12,
    learning_rate=0.02,
    min_draws=5,
    max_draws=12,
    target_standard_error=0.005,
    mode="exact",
    relative_cost=1.0,
)
LADDER = {f.name: f for f in (SHORT, FULL)}


def fidelity(name: str) -> Fidelity:
    """The rung called ``name``; raises InputError if there is none."""
    try:
        return LADDER[name]
    except KeyError:
        raise InputError(f"there is no fidelity {name!r}", f"Use {' or '.join(LADDER)}.") from None
