"""What earlier proposals promised beside what they gave: how far an expected gain can be believed.

The predictions that were made are not kept, but they follow from the log: a surrogate that can tell what it would have
predicted from its first observations alone (``ahead``) tells what the look at each design was expected to gain. Its
settings are those of now, so early predictions come out somewhat too good. What was gained is judged by today's
predicted means at the full fidelity, not by the noisy or cheap outcomes that happened to be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.gain.ehvi import Improvement
from nax_bo.search.models.learned import Models, learned_constraints, log_feasibility, seen_by_surrogates
from nax_bo.search.pareto import hypervolume, nondominated
from nax_bo.search.scale import Array
from nax_bo.search.state import Indices, SearchState
from nax_bo.surrogate.protocol import Prequential

LAST = 20
"""Designs that are judged."""

BELIEVED = 2.0
"""Designs' worth of belief that a usual share of what is promised is given ..."""

USUAL, USUAL_WITHOUT_PROXIES = 1.0, 0.5
"""... namely this. The best of thousands of candidates promises too much as long as little is known (the optimiser's
curse): without proxies the first quarter of proposals gave a quarter to two thirds of what was expected of it, on five
problems and three seeds each; with them 0.7 to 1 (``benchmarks/search_honesty.py``)."""


@dataclass(frozen=True, eq=False)
class Gains:
    """Hypervolume that looks at new designs were expected to gain, and what they gained.

    Attributes:
        expected: ``k``, oldest first; None where a surrogate cannot look back.
        gained: ``k``.
        before: How many designs were known when the first of them was chosen.
        volume: Hypervolume of all designs, as the models believe them now.
    """

    expected: Array | None
    gained: Array
    before: int
    volume: float


@dataclass(frozen=True)
class Promise:
    """Hypervolume that the last ``looks`` at new designs were expected to gain, and what they gained.

    ``usual`` is the share of an expected gain that is given where nothing else is known.
    """

    looks: int = 0
    expected: float = 0.0
    gained: float = 0.0
    usual: float = USUAL

    @property
    def factor(self) -> float:
        """What to multiply the next expected gain by: the usual share where little is known."""
        if not self.looks or not self.expected > 0:
            return self.usual
        prior = BELIEVED * self.expected / self.looks
        return (self.gained + self.usual * prior) / (self.expected + prior)


def promise(state: SearchState, models: Models) -> Promise:
    """Expected and realised gain of the last designs; of none where surrogates do not allow it."""
    found = gains(state, models)
    usual = USUAL if state.problem.proxies else USUAL_WITHOUT_PROXIES
    if found.expected is None:
        return Promise(usual=usual)
    return Promise(len(found.gained), float(found.expected.sum()), float(found.gained.sum()), usual)


def gains(state: SearchState, models: Models) -> Gains:
    """Expected and realised gain of each of the last designs beyond the start."""
    told = seen_by_surrogates(state)
    after: dict[Indices, int] = {}  # how many observations came before the first look at each design
    for place, observation in enumerate(told):
        after.setdefault(observation.indices, place)
    first = max(len(state.initial), len(after) - LAST, 2)
    if not models.by_name or len(after) <= first or not np.isfinite(state.reference).all():
        return Gains(np.zeros(0), np.zeros(0), len(after), 0.0)
    x = np.array(list(after), dtype=np.int64)
    y, kept = _believed(state, models, x)
    fronts = [_front(y[:i][kept[:i]]) for i in range(first, len(x) + 1)]
    volumes = [hypervolume(front, state.reference) if len(front) else 0.0 for front in fronts]
    able = {n: m.inner for n, m in models.by_name.items() if isinstance(m.inner, Prequential)}
    expected = None
    if len(able) == len(models.by_name):
        expected = _promised(state, models, able, x[first:], np.array(list(after.values()))[first:], fronts)
    return Gains(expected, np.maximum(np.diff(volumes), 0.0), first, volumes[-1])


def _front(y: Array) -> Array:
    return y[nondominated(y)] if len(y) else y


def _believed(state: SearchState, models: Models, x: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    """Measured objectives by today's means, ``n x m``, and which designs count as feasible by what was told, ``n``."""
    problem, known, predicted = state.problem, state.problem.known(x), models.predict(x)
    y = np.zeros((len(x), len(problem.objectives)))
    for j, objective in enumerate(problem.objectives):
        scale = objective.scales
        if objective.name in known:
            y[:, j] = scale.to_measure(known[objective.name])
        else:
            y[:, j] = scale.model_to_measure(predicted[objective.name][0])
    kept = (problem.violation(known, len(x)) <= 0) & np.isfinite(y).all(axis=1)
    looks = {o.indices: o.outcomes for o in state.best_looks}
    for limit, low, high in learned_constraints(problem):
        value = np.array([looks[row][limit.name] for row in map(tuple, x.tolist())])
        kept &= (value >= (-np.inf if low is None else low)) & (value <= (np.inf if high is None else high))
    return y, kept


def _promised(
    state: SearchState,
    models: Models,
    able: Mapping[str, Prequential],
    x: NDArray[np.int64],
    after: NDArray[np.int64],
    fronts: Sequence[Array],
) -> Array:
    """Expected gains of designs ``k x d``, each from the first ``after: k`` observations, over the front of then."""
    problem, inputs, known = state.problem, models.inputs(x), state.problem.known(x)
    parts = {name: model.ahead(inputs, after) for name, model in able.items()}
    ahead = {name: (mean[:, 0], std[:, 0]) for name, (mean, std) in parts.items()}
    mean, std = np.zeros((len(x), len(problem.objectives))), np.zeros((len(x), len(problem.objectives)))
    for j, objective in enumerate(problem.objectives):
        if objective.name in known:
            mean[:, j] = objective.scales.to_model(known[objective.name])
        else:
            mean[:, j], std[:, j] = ahead[objective.name]
    chance = np.exp(log_feasibility(models, ahead, x))
    allowed, scales = problem.violation(known, len(x)) <= 0, [o.scales for o in problem.objectives]
    out = np.zeros(len(x))
    for i in np.flatnonzero(allowed).tolist():
        gain = Improvement(fronts[i], state.reference, scales)(mean[[i]], std[[i]])
        out[i] = float(gain[0] * chance[i])
    return out
