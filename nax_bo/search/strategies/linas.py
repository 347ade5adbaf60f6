"""Predictors and a genetic search on their predictions, after LINAS (Cummings et al. 2022, arXiv:2205.10358).

One ridge regression on one-hot choices per objective, retrained for every proposal; NSGA-II runs on the predictions
and a random member of the predicted front is proposed. Known outcomes are learned too, as LINAS does. No uncertainty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.pareto import nondominated, select
from nax_bo.search.scale import Array
from nax_bo.search.state import SearchState, Suggestion
from nax_bo.search.strategies.baselines import initial_suggestion, random_suggestion, suggestion
from nax_bo.search.strategies.candidates import offspring

IndexArray = NDArray[np.int64]


class Linas:
    """NSGA-II on the predictions of ridge regressions.

    Args:
        population: Size of the inner population.
        generations: Generations of the inner search.
        penalty: Strength of the ridge.
    """

    def __init__(self, population: int = 50, generations: int = 20, penalty: float = 1.0) -> None:
        self.population, self.generations, self.penalty = population, generations, penalty

    def propose(self, state: SearchState) -> Suggestion | None:
        """A member of the predicted front."""
        if (first := initial_suggestion(state)) is not None:
            return first
        x, y, violation = state.points(state.best_looks)
        if len(x) < 4:
            return random_suggestion(state, "drawn at random: fewer than four results")
        targets = np.column_stack([y, np.minimum(violation, 10.0)])
        usable = np.isfinite(targets).all(axis=1)
        weights = self._fit(one_hot(state, x[usable]), targets[usable])
        rng = state.rng("linas")
        found = self._search(
            state, x[select(np.nan_to_num(y, nan=np.inf), self.population, violation)], weights, rng
        )
        fresh = state.unseen(state.problem.completed(found))
        if not len(fresh):
            return random_suggestion(state, "the predicted front is known, drawn at random")
        return suggestion(
            state, fresh[rng.integers(len(fresh))], "on the front that ridge regressions predict"
        )

    def _fit(self, features: Array, targets: Array) -> Array:
        gram = features.T @ features + self.penalty * np.eye(features.shape[1])
        return np.asarray(np.linalg.solve(gram, features.T @ targets))

    def _search(
        self, state: SearchState, x: IndexArray, weights: Array, rng: np.random.Generator
    ) -> IndexArray:
        def ranked(pool: IndexArray, count: int) -> IndexArray:
            predicted = one_hot(state, pool) @ weights
            return pool[select(predicted[:, :-1], count, np.maximum(predicted[:, -1] - 0.02, 0.0))]

        for _ in range(self.generations):
            pool = np.unique(np.vstack([x, offspring(state.problem, x, self.population, rng)]), axis=0)
            x = ranked(pool, self.population)
        predicted = one_hot(state, x) @ weights
        allowed = predicted[:, -1] <= max(0.02, float(predicted[:, -1].min()))
        x, predicted = x[allowed], predicted[allowed]
        front = x[nondominated(predicted[:, :-1])]
        return front if len(state.unseen(front)) else x


def one_hot(state: SearchState, x: IndexArray) -> Array:
    """A constant and one feature per value of each variable, for designs ``n x d``; inactive variables have none."""
    space = state.problem.space
    active = space.active_mask(x)
    parts = [np.ones((len(x), 1))]
    for j, card in enumerate(space.cardinalities.tolist()):
        parts.append((x[:, [j]] == np.arange(card)) & active[:, [j]])
    return np.hstack(parts).astype(float)
