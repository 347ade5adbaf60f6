"""LINAS with the settings of DyNAS-T, the engine that CiMNet's authors publish (github.com/IntelLabs/DyNAS-T).

Cummings et al. 2022, arXiv:2205.10358. In rounds of 50: for each objective the better of a ridge regression and a
support-vector regression on one-hot choices, each with its strength chosen by cross-validation; NSGA-II on the
predictions with 20,000 evaluations; the best 50 of it are measured. Differs from the original in the strengths tried
(nine in its ranges instead of a hundred), in the variation operators
(:func:`nax_bo.search.strategies.candidates.offspring` instead of simulated binary crossover on rounded numbers), and
in that limits on known outcomes are kept exactly, which the original does not have. Limits on learned outcomes count
for what was told only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.svm import SVR

from nax_bo.search.pareto import select
from nax_bo.search.scale import Array
from nax_bo.search.state import Observation, SearchState, Suggestion
from nax_bo.search.strategies.baselines import initial_suggestion, random_suggestion, suggestion
from nax_bo.search.strategies.candidates import offspring
from nax_bo.search.strategies.linas import one_hot
from nax_bo.space.rows import distinct_rows, row_keys

IndexArray = NDArray[np.int64]
Predictor = Callable[[Array], Array]

BATCH = 50
"""Designs measured between two fits; also the size of the inner population."""
GENERATIONS = 400
"""Inner generations: 20,000 evaluations."""
_FEW = 8


class Dynas:
    """Rounds of predictors and a long genetic search on them.

    Args:
        batch: Designs of a round.
        generations: Generations of the inner search, of ``batch`` evaluations each.
    """

    def __init__(self, batch: int = BATCH, generations: int = GENERATIONS) -> None:
        self.batch, self.generations = batch, generations
        self._last: tuple[tuple[Observation, ...], IndexArray] | None = None

    def propose(self, state: SearchState) -> Suggestion | None:
        """The next of the round's designs; the first round is drawn at random."""
        if (first := initial_suggestion(state)) is not None:
            return first
        told = state.best_looks[: len(state.best_looks) // self.batch * self.batch]
        if np.isfinite(state.points(told)[1]).all(axis=1).sum() < _FEW:
            return random_suggestion(state, f"drawn at random: fewer than {_FEW} results to predict from")
        if self._last is None or self._last[0] != told:
            self._last = told, self._round(state, told)
        fresh = state.unseen(self._last[1])
        if not len(fresh):
            return random_suggestion(state, "the predicted front is known, drawn at random")
        return suggestion(state, fresh[0], f"in the round predicted from {len(told)} designs")

    def _round(self, state: SearchState, told: tuple[Observation, ...]) -> IndexArray:
        """The best designs by prediction, best first, cost-only variables solved."""
        problem = state.problem
        x, y, violation = state.points(told)
        usable = np.isfinite(y).all(axis=1)
        features = one_hot(state, x[usable])
        predictors = [_fitted(features, column) for column in y[usable].T]
        seed = np.random.default_rng([state.seed, len(told), 0x4C494E41])
        x = x[select(np.nan_to_num(y, nan=np.inf), self.batch, violation)]
        for _ in range(self.generations):
            pool = np.unique(np.vstack([x, offspring(problem, x, self.batch, seed)]), axis=0)
            x = pool[self._best(state, pool, predictors)]
        x = problem.completed(np.vstack([x, offspring(problem, x, self.batch, seed)]))
        new = ~np.isin(row_keys(x), row_keys(np.array([o.indices for o in told])))
        x = x[new][distinct_rows(x[new])]
        return x[self._best(state, x, predictors)] if len(x) else x

    def _best(self, state: SearchState, x: IndexArray, predictors: list[Predictor]) -> IndexArray:
        features = one_hot(state, x)
        predicted = np.column_stack([predict(features) for predict in predictors])
        return select(predicted, self.batch, state.problem.violation(state.problem.known(x), len(x)))


def _fitted(features: Array, y: Array) -> Predictor:
    """The better of both regressions by the absolute percentage error of held-out designs, as DyNAS-T scores."""
    folds = KFold(min(5, len(y)), shuffle=True, random_state=0)
    searches = [
        GridSearchCV(Ridge(), {"alpha": np.geomspace(0.1, 10.0, 9)}, scoring=_score, cv=folds),
        GridSearchCV(SVR(kernel="rbf"), {"C": np.geomspace(1.0, 100.0, 9)}, scoring=_score, cv=folds),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # folds in which all designs are alike
        best = max((search.fit(features, y) for search in searches), key=lambda search: search.best_score_)
    predict: Predictor = best.best_estimator_.predict
    return predict


_score = "neg_mean_absolute_percentage_error"
