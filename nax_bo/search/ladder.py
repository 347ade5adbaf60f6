"""The ladder of fidelities: which look a new design deserves, and which known designs deserve the full one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nax_bo.search.models.learned import Models
from nax_bo.search.problem import Fidelity
from nax_bo.search.scale import Array
from nax_bo.search.state import Indices, SearchState, Suggestion
from nax_bo.search.strategies.naxbo import Acquisition, Naxbo
from nax_bo.search.words import gain_in_words, in_words


def choose_fidelity(state: SearchState, models: Models | None, suggestion: Suggestion) -> Suggestion:
    """The suggestion at the fidelity of most value for its cost.

    A cheap look at correlation ``r`` with the full one removes the share ``r^2`` of the variance of belief, so its
    value for its cost is ``r^2 / cost`` in units of what the full look tells. Without a model the cheapest is taken.
    """
    rungs = state.problem.fidelities
    if len(rungs) == 1:
        return replace(suggestion, fidelity=rungs[0].name)
    if models is None:
        return replace(suggestion, fidelity=rungs[0].name)
    row = np.array([suggestion.design.indices], dtype=np.int64)
    levels = state.problem.levels
    worth = {f.name: models.correlation(row, levels[f.name]) ** 2 / max(f.cost, 1e-12) for f in rungs}
    best = max(rungs, key=lambda f: worth[f.name])
    return replace(
        suggestion, fidelity=best.name, reason=f"{suggestion.reason}; {_why(best, rungs[-1], worth)}"
    )


def promotions(state: SearchState, count: int, helper: Naxbo) -> list[Suggestion]:
    """Designs told at lower fidelities that deserve the full one, by expected gain for its cost, best first.

    The gain is that over the designs already told or pending in full, so it is worth what the look adds to
    the front that may be reported.
    """
    out: list[Suggestion] = []
    while len(out) < count:
        waiting = _waiting(state)
        if not waiting or not state.observations:
            break
        models = helper.models(state).believing(state.pending)
        x = np.array(waiting, dtype=np.int64)
        acquisition = Acquisition(state, models, full_designs(state))
        gain, violation = acquisition.gain(x)
        best = int(np.lexsort((-_doubt(models, waiting), -gain, violation))[0])
        out.append(_promoted(state, acquisition, waiting[best], float(gain[best])))
        state = state.with_pending((waiting[best], 1.0))
    return out


def full_designs(state: SearchState) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Designs told or pending at the full fidelity, ``k x d``."""
    rows = {o.indices for o in state.full} | {i for i, level in state.pending if level == 1.0}
    return np.array(sorted(rows), dtype=np.int64).reshape(len(rows), len(state.problem.space))


def _waiting(state: SearchState) -> list[Indices]:
    """Designs told at a lower fidelity, neither told nor pending nor failed in full."""
    done: set[Indices] = {o.indices for o in state.full} | {f.indices for f in state.failures}
    done |= {i for i, level in state.pending if level == 1.0}
    return list(dict.fromkeys(o.indices for o in state.observations if o.indices not in done))


def _doubt(models: Models, rows: list[Indices]) -> Array:
    predicted = models.predict(np.array(rows, dtype=np.int64))
    return np.asarray(sum((std for _, std in predicted.values()), np.zeros(len(rows))))


def _promoted(state: SearchState, acquisition: Acquisition, row: Indices, gain: float) -> Suggestion:
    problem = state.problem
    x = np.array([row], dtype=np.int64)
    predicted = {n: (float(m[0]), float(s[0])) for n, (m, s) in acquisition.models.predict(x).items()}
    known = {n: float(v[0]) for n, v in problem.known(x).items()}
    believed = ", ".join(in_words(problem, predicted))
    reason = (
        f"the most promising of those looked at cheaply: {believed} expected, {gain_in_words(state, gain)}"
    )
    return Suggestion(problem.space.design(row), "full", reason, known, predicted, gain)


def _why(best: Fidelity, full: Fidelity, worth: Mapping[str, float]) -> str:
    if best.name == full.name:
        return f"{full.name} because cheaper looks say too little for their price"
    times = worth[best.name] / max(worth[full.name], 1e-300)
    return f"{best.name} because it tells {times:.2g} times as much for its price as {full.name}"
