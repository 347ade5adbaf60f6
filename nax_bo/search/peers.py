"""Other optimisers behind the same ask/tell, for comparisons: Optuna's TPE, GP and NSGA-II samplers, pymoo's NSGA-II.

They need ``pip install naxbo[peers]``. All outcomes are black boxes to them: objectives are given in the measure
scale and constraints as violations, both of which they are told, never shown in advance. They keep state of their
own, so that a run resumed from a log need not repeat one that was not interrupted. A design that they repeat is
answered from the log, at no cost to their budget, up to twenty times in a row.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search.baselines import initial_suggestion, random_suggestion, suggestion
from nax_bo.search.problem import Problem
from nax_bo.search.state import Indices, SearchState, Suggestion, merged
from nax_bo.space import Condition

_REPEATS = 20


class OptunaPeer:
    """An Optuna sampler.

    Args:
        sampler: ``tpe``, ``gp`` or ``nsga2``.
    """

    def __init__(self, sampler: str = "tpe") -> None:
        self._kind = sampler
        self._study: Any = None
        self._trials: dict[Indices, Any] = {}
        self._told = self._failed = 0

    def propose(self, state: SearchState) -> Suggestion | None:
        """What the sampler asks for."""
        self._catch_up(state)
        if (first := initial_suggestion(state)) is not None:
            return first
        known = {o.indices: i for i, o in enumerate(merged(state.observations))}
        for _ in range(_REPEATS):
            trial = self._study.ask()
            row = self._row(state.problem, trial)
            if row in known:
                y, violation = _results(state, known[row])
                self._tell(trial, y, violation)
            elif row in state.seen:
                self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)
            else:
                self._trials[row] = trial
                return suggestion(state, np.array(row), f"asked by Optuna's {self._kind} sampler")
        return random_suggestion(state, "Optuna repeats itself, drawn at random")

    def _catch_up(self, state: SearchState) -> None:
        optuna = _optuna()
        if self._study is None:
            self._study = optuna.create_study(
                directions=["minimize"] * len(state.problem.objectives), sampler=self._sampler(state)
            )
        for i in range(self._told, len(state.observations)):
            row = state.observations[i].indices
            places = [j for j, o in enumerate(merged(state.observations)) if o.indices == row]
            y, violation = _results(state, places[-1])
            trial = self._trials.pop(row, None)
            if trial is None:
                self._study.enqueue_trial(self._parameters(state.problem, row))
                trial = self._study.ask()
                self._row(state.problem, trial)
            self._tell(trial, y, violation)
        self._told = len(state.observations)
        for failure in state.failures[self._failed :]:
            if (trial := self._trials.pop(failure.indices, None)) is not None:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._failed = len(state.failures)

    def _sampler(self, state: SearchState) -> Any:
        samplers = _optuna().samplers
        common: dict[str, Any] = {"seed": state.seed}
        if state.problem.constraints:
            common["constraints_func"] = lambda trial: trial.user_attrs["violation"]
        if self._kind == "gp":
            return samplers.GPSampler(warn_independent_sampling=False, **common)
        if self._kind == "nsga2":
            return samplers.NSGAIISampler(population_size=20, **common)
        return samplers.TPESampler(**common)

    def _row(self, problem: Problem, trial: Any) -> Indices:
        """Index vector of a trial; inactive variables are not suggested, except to the GP sampler, which needs all."""
        row = [0] * len(problem.space)
        for j, variable in enumerate(problem.space.variables):
            active = all(_holds(problem, row, condition) for condition in variable.active_when)
            if not (active or self._kind == "gp"):
                continue
            if variable.kind == "ordinal":
                row[j] = trial.suggest_int(variable.name, 0, variable.cardinality - 1)
            else:
                row[j] = trial.suggest_categorical(variable.name, tuple(range(variable.cardinality)))
        return tuple(problem.space.canonical([row])[0].tolist())

    def _parameters(self, problem: Problem, row: Indices) -> dict[str, int]:
        return {v.name: i for v, i in zip(problem.space.variables, row, strict=True)}

    def _tell(self, trial: Any, y: NDArray[np.float64], violation: float) -> None:
        trial.set_user_attr("violation", (float(violation),))
        self._study.tell(trial, [float(v) for v in y])


class OptunaTpe(OptunaPeer):
    """Optuna's tree-structured Parzen estimator."""

    def __init__(self) -> None:
        super().__init__("tpe")


class OptunaGp(OptunaPeer):
    """Optuna's Gaussian process sampler."""

    def __init__(self) -> None:
        super().__init__("gp")


class OptunaNsga2(OptunaPeer):
    """Optuna's NSGA-II with a population of 20."""

    def __init__(self) -> None:
        super().__init__("nsga2")


class PymooNsga2:
    """pymoo's mixed-variable genetic algorithm with rank and crowding survival, population 20.

    It asks a generation at a time; a new one starts when every member of the last has been told.
    """

    population: int = 20

    def __init__(self) -> None:
        self._algorithm: Any = None
        self._generation: Any = None
        self._rows: list[Indices] = []

    def propose(self, state: SearchState) -> Suggestion | None:
        """The next member of the generation."""
        if (first := initial_suggestion(state)) is not None:
            return first
        known = {o.indices: i for i, o in enumerate(merged(state.observations))}
        for _ in range(_REPEATS):
            if self._generation is not None and all(r in known for r in self._rows):
                self._finish(state, known)
            if self._generation is None:
                self._begin(state)
            for row in self._rows:
                if row not in state.seen:
                    return suggestion(state, np.array(row), "member of pymoo's generation")
        return random_suggestion(state, "the generation is under way, drawn at random")

    def _begin(self, state: SearchState) -> None:
        if self._algorithm is None:
            self._algorithm = _pymoo_algorithm(state, self.population)
        self._generation = self._algorithm.ask()
        names = [v.name for v in state.problem.space.variables]
        vectors = [[int(individual.X[n]) for n in names] for individual in self._generation]
        self._rows = [tuple(r) for r in state.problem.space.canonical(np.array(vectors)).tolist()]

    def _finish(self, state: SearchState, known: dict[Indices, int]) -> None:
        results = [_results(state, known[row]) for row in self._rows]
        self._generation.set("F", np.array([y for y, _ in results]))
        self._generation.set("G", np.array([[violation] for _, violation in results]))
        for individual in self._generation:
            individual.evaluated.update(("F", "G"))
        self._algorithm.tell(infills=self._generation)
        self._generation, self._rows = None, []


def _results(state: SearchState, place: int) -> tuple[NDArray[np.float64], float]:
    """Objectives in the measure scale (large where not finite) and violation of the merged observation at ``place``."""
    _, y, violation = state.points()
    return np.nan_to_num(y[place], nan=1e6, posinf=1e6), float(min(violation[place], 1e6))


def _holds(problem: Problem, row: list[int], condition: Condition) -> bool:
    parent = problem.space.position(condition.variable)
    above = problem.space.variables[parent]
    return above.values[row[parent]] in condition.values and all(
        _holds(problem, row, further) for further in above.active_when
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as ex:
        raise InputError("Optuna is not installed", "pip install naxbo[peers]") from ex
    optuna.logging.set_verbosity(logging.ERROR)
    return optuna


def _pymoo_algorithm(state: SearchState, population: int) -> Any:
    try:
        from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival
        from pymoo.core.mixed import MixedVariableGA, MixedVariableSampling
        from pymoo.core.population import Population
        from pymoo.core.problem import Problem as PymooProblem
        from pymoo.core.variable import Choice, Integer
    except ImportError as ex:
        raise InputError("pymoo is not installed", "pip install naxbo[peers]") from ex
    variables = {
        v.name: Integer(bounds=(0, v.cardinality - 1))
        if v.kind == "ordinal"
        else Choice(options=list(range(v.cardinality)))
        for v in state.problem.space.variables
    }
    x, _, _ = state.points()
    names = list(variables)
    start: Any = MixedVariableSampling()
    if len(x):
        start = Population.new("X", [dict(zip(names, row, strict=True)) for row in x.tolist()])
    algorithm = MixedVariableGA(pop_size=population, survival=RankAndCrowdingSurvival(), sampling=start)
    problem = PymooProblem(vars=variables, n_obj=len(state.problem.objectives), n_ieq_constr=1)
    algorithm.setup(problem, termination=("n_gen", 10_000), seed=state.seed, verbose=False)
    return algorithm
