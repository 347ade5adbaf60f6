"""What the models of a search say of designs, in the outcomes' own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.models.learned import Models
from nax_bo.search.pareto import nondominated
from nax_bo.search.state import SearchState
from nax_bo.search.strategies.naxbo import Acquisition

_Z95 = 1.959964


@dataclass(frozen=True)
class Belief:
    """An outcome of a design: its median, and the ends of the central 95 % interval (all equal where it is known).

    The interval is that of the outcome itself, without the noise of measuring it.
    """

    median: float
    low: float
    high: float


def beliefs(state: SearchState, models: Models | None, x: NDArray[np.int64]) -> list[dict[str, Belief]]:
    """Every outcome of designs ``n x d`` at the full fidelity, by name."""
    problem = state.problem
    found = {n: np.array([v, v, v]).T for n, v in problem.known(x).items()}
    for name, (mean, std) in (models.predict(x) if models else {}).items():
        scale, half = problem.scale_of(name), _Z95 * std
        ends = np.sort([scale.model_to_raw(mean - half), scale.model_to_raw(mean + half)], axis=0)
        found[name] = np.array([scale.model_to_raw(mean), *ends]).T
    return [{name: Belief(*map(float, v[i])) for name, v in found.items()} for i in range(len(x))]


def believed_front(state: SearchState, models: Models) -> Sequence[int]:
    """Rows of ``state.full`` that are nondominated and feasible by the models' means: what noise did not favour."""
    x = np.array([o.indices for o in state.full], dtype=np.int64).reshape(-1, len(state.problem.space))
    if not len(x):
        return []
    mean, _, _, feasible = Acquisition(state, models, x).outcomes(x)
    rows = np.flatnonzero((feasible > 0.5) & np.isfinite(mean).all(axis=1))
    return [int(i) for i in rows[nondominated(mean[rows])]] if len(rows) else []
