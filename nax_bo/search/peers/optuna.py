"""Optuna's samplers (Akiba et al. 2019, doi:10.1145/3292500.3330701)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nax_bo.search.peers.ask_tell import AskTell
from nax_bo.search.peers.results import Result, package
from nax_bo.search.state import Indices, SearchState


def tpe() -> AskTell:
    """The tree-structured Parzen estimator."""
    return _peer("TPE", lambda optuna, seed: optuna.samplers.TPESampler(seed=seed))


def gp() -> AskTell:
    """The Gaussian process sampler. It needs all variables in every trial: conditions are hidden from it."""
    return _peer(
        "GP",
        lambda optuna, seed: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
        flat=True,
    )


def nsga2() -> AskTell:
    """NSGA-II with a population of 20: Optuna's 50 would leave a budget of 200 with four generations."""
    return _peer("NSGA-II", lambda optuna, seed: optuna.samplers.NSGAIISampler(population_size=20, seed=seed))


def _peer(name: str, sampler: Callable[[Any, int], Any], flat: bool = False) -> AskTell:
    optuna = package("optuna", "Optuna", "optuna")
    return AskTell(
        f"Optuna's {name} sampler",
        lambda state: _Study(optuna, state, sampler(optuna, state.seed), flat),
    )


class _Study:
    def __init__(self, optuna: Any, state: SearchState, sampler: Any, flat: bool) -> None:
        self._space, self._flat = state.problem.space, flat
        self._failed = optuna.trial.TrialState.FAIL
        self._study = optuna.create_study(
            directions=["minimize"] * len(state.problem.objectives), sampler=sampler
        )

    def ask(self) -> tuple[Indices, Any]:
        trial = self._study.ask()
        return self._row(trial), trial

    def attach(self, row: Indices) -> Any:
        names = [v.name for v in self._space.variables]
        self._study.enqueue_trial(dict(zip(names, row, strict=True)))
        return self.ask()[1]

    def tell(self, trial: Any, result: Result) -> None:
        for i, excess in enumerate(result.excess):
            trial.set_constraint(f"limit {i}", float(excess))
        self._study.tell(trial, result.y.tolist())

    def fail(self, trial: Any) -> None:
        self._study.tell(trial, state=self._failed)

    def _row(self, trial: Any) -> Indices:
        """Index vector of a trial; inactive variables are not suggested unless all are."""
        row, active = [0] * len(self._space), [True] * len(self._space)
        for j, variable in enumerate(self._space.variables):
            above = [(self._space.position(c.variable), c.values) for c in variable.active_when]
            active[j] = all(
                active[i] and self._space.variables[i].values[row[i]] in values for i, values in above
            )
            if not (active[j] or self._flat):
                continue
            if variable.kind == "ordinal":
                row[j] = trial.suggest_int(variable.name, 0, variable.cardinality - 1)
            else:
                row[j] = trial.suggest_categorical(variable.name, tuple(range(variable.cardinality)))
        return tuple(self._space.canonical([row])[0].tolist())
