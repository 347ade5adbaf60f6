"""What matters: Sobol indices and partial dependence of every outcome, over designs near the front.

Known outcomes are computed, learned ones predicted. Indices are estimated as in Saltelli et al. 2010
(doi:10.1016/j.cpc.2009.09.018): first order (eq. b of their table 2) and total (Jansen 1999, eq. f), from
independent draws of each variable out of its values on designs near the front. Conditional variables are treated
as drawn; while inactive they change nothing. The spread of a surrogate is not propagated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search.models.learned import Models
from nax_bo.search.optimizer import Optimizer, one_thread
from nax_bo.search.scale import Array
from nax_bo.search.state import SearchState
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.space import Value

IndexArray = NDArray[np.int64]

_FEWEST = 20  # pairs of draws that say how much a variable matters


@dataclass(frozen=True)
class Sensitivity:
    """How much of an outcome's variance (in its model scale) each variable explains.

    Attributes:
        outcome: Name of the outcome.
        known: Whether it is computed exactly.
        first: Share of the variance that the variable explains alone, by variable.
        total: Share that it explains alone and with others, by variable.
    """

    outcome: str
    known: bool
    first: Mapping[str, float]
    total: Mapping[str, float]

    def ranking(self) -> list[str]:
        """Variables by total share, largest first."""
        return sorted(self.total, key=lambda name: -self.total[name])


@dataclass(frozen=True)
class Dependence:
    """Outcome for each value of a variable, all else as on designs near the front: the mean in the model scale, raw."""

    outcome: str
    variable: str
    values: tuple[Value, ...]
    mean: tuple[float, ...]


def sensitivity(
    optimizer: Optimizer, *, samples: int = 256, spread: float = 0.3, seed: int = 0
) -> list[Sensitivity]:
    """Sobol indices of every objective and constraint.

    Args:
        optimizer: After at least two tellings, if an outcome is learned.
        samples: Base sample size; ``samples * (d + 2)`` designs are computed or predicted.
        spread: Probability with which a variable leaves its value on the front and is drawn uniformly.
        seed: Seed of the draws.

    Raises:
        InputError: Fewer than two tellings.
    """
    state, models = _prepared(optimizer)
    space = state.problem.space
    rng = np.random.default_rng(seed)
    a, b = _near_front(state, samples, spread, rng), _near_front(state, samples, spread, rng)
    mixed = np.repeat(a[None], len(space), axis=0)
    for j in range(len(space)):
        mixed[j, :, j] = b[:, j]
    with one_thread():
        y_a, y_b = _outcomes(state, models, a), _outcomes(state, models, b)
        y_mixed = _outcomes(state, models, mixed.reshape(-1, len(space)))
    names = [v.name for v in space.variables]
    out = []
    for name in y_a:
        first, total = _indices(y_a[name], y_b[name], y_mixed[name].reshape(len(space), samples))
        known = name in state.problem.known_names
        out.append(
            Sensitivity(
                name,
                known,
                dict(zip(names, first.tolist(), strict=True)),
                dict(zip(names, total.tolist(), strict=True)),
            )
        )
    return out


def partial_dependence(
    optimizer: Optimizer, variable: str, *, samples: int = 256, spread: float = 0.3, seed: int = 0
) -> list[Dependence]:
    """Mean of every outcome for each value of ``variable``; arguments as for :func:`sensitivity`."""
    state, models = _prepared(optimizer)
    column = state.problem.space.position(variable)
    base = _near_front(state, samples, spread, np.random.default_rng(seed))
    values = state.problem.space.variables[column].values
    means: dict[str, list[float]] = {}
    for index in range(len(values)):
        base[:, column] = index
        with one_thread():
            predicted = _outcomes(state, models, base)
        for name, z in predicted.items():
            raw = state.problem.scale_of(name).model_to_raw(np.mean(z[np.isfinite(z)]))
            means.setdefault(name, []).append(float(raw))
    return [Dependence(name, variable, tuple(values), tuple(mean)) for name, mean in means.items()]


def _prepared(optimizer: Optimizer) -> tuple[SearchState, Models | None]:
    state = optimizer.state
    if not state.problem.learned_names:
        return state, None
    if len(state.observations) < 2:
        raise InputError("sensitivity needs at least two results", "Tell some designs first.")
    helper = optimizer.strategy if isinstance(optimizer.strategy, Naxbo) else Naxbo()
    with one_thread():
        return state, helper.models(state)


def _near_front(state: SearchState, n: int, spread: float, rng: np.random.Generator) -> IndexArray:
    """Draws ``n x d`` of each variable on its own: its value on a random front design, or any value."""
    space = state.problem.space
    front, _ = state.front()
    uniform = rng.integers(0, space.cardinalities, (n, len(space)))
    if not len(front):
        return uniform
    picked = front[rng.integers(0, len(front), (n, len(space))), np.arange(len(space))]
    return np.where(rng.random((n, len(space))) < spread, uniform, picked)


def _outcomes(state: SearchState, models: Models | None, x: IndexArray) -> dict[str, Array]:
    """Objectives and constraints in their model scale, ``n`` each."""
    problem = state.problem
    canonical = problem.space.canonical(x)
    known = problem.known(canonical)
    predicted = models.predict(canonical) if models is not None else {}
    names = dict.fromkeys([o.name for o in problem.objectives] + [c.name for c in problem.constraints])
    return {n: problem.scale_of(n).to_model(known[n]) if n in known else predicted[n][0] for n in names}


def _indices(y_a: Array, y_b: Array, y_mixed: Array) -> tuple[Array, Array]:
    """First-order and total indices, ``d`` each; zero where nothing varies, or too little is known to tell."""
    first, total = np.zeros(len(y_mixed)), np.zeros(len(y_mixed))
    sound = np.isfinite(y_a) & np.isfinite(y_b)
    seen = np.concatenate([y_a[np.isfinite(y_a)], y_b[np.isfinite(y_b)]])
    variance = np.var(seen) if len(seen) else 0.0
    if variance <= 1e-18 * np.max(seen**2, initial=0.0):
        return first, total
    centred = y_b - seen.mean()  # a constant does not change the estimate's mean, but its variance
    for j, mixed in enumerate(y_mixed):  # where an outcome is not known everywhere, each has pairs of its own
        rows = sound & np.isfinite(mixed)
        few = rows.sum() < _FEWEST
        first[j] = 0.0 if few else np.mean(centred[rows] * (mixed - y_a)[rows]) / variance
        total[j] = 0.0 if few else 0.5 * np.mean((y_a - mixed)[rows] ** 2) / variance
    return first, total
