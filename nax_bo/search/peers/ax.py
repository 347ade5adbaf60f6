"""Ax (https://ax.dev): the Bayesian optimisation that its ``Client`` chooses, qLogNEHVI for several objectives."""

from __future__ import annotations

from typing import Any

import numpy as np

from nax_bo.search.peers.ask_tell import AskTell
from nax_bo.search.peers.results import Result, limits, package
from nax_bo.search.problem import Problem
from nax_bo.search.state import Indices, SearchState
from nax_bo.space import Variable


def ax() -> AskTell:
    """Ax with the generation strategy of its ``Client``."""
    api, configs = (package(f"ax.api.{name}", "Ax", "ax") for name in ("client", "configs"))
    return AskTell("Ax", lambda state: _Client(api.Client(random_seed=state.seed), configs, state))


class _Client:
    """Conditions are hidden from Ax, which flattens them too; the reference point becomes objective thresholds."""

    def __init__(self, client: Any, configs: Any, state: SearchState) -> None:
        self._client, self._space = client, state.problem.space
        self._limits = _constraints(state.problem)
        client.configure_experiment(
            [_parameter(configs, f"x{i}", v) for i, v in enumerate(self._space.variables)]
        )
        client.configure_optimization(
            ", ".join(f"-y{j}" for j in range(len(state.problem.objectives))),
            [*_thresholds(state), *(f"excess{i} <= 0" for i in self._limits)],
        )
        client.configure_generation_strategy(
            initialization_random_seed=state.seed,
            allow_exceeding_initialization_budget=True,  # for batches larger than its initial design
        )

    def ask(self) -> tuple[Indices, Any] | None:
        from ax.exceptions.core import OptimizationComplete

        try:
            ((trial, values),) = self._client.get_next_trials(max_trials=1).items()
        except OptimizationComplete:  # every arm that it finds has been tried
            return None
        row = [int(values[f"x{i}"]) for i in range(len(self._space))]
        return tuple(self._space.canonical([row])[0].tolist()), trial

    def attach(self, row: Indices) -> Any:
        values = [
            i if v.kind == "ordinal" else str(i) for i, v in zip(row, self._space.variables, strict=True)
        ]
        return self._client.attach_trial({f"x{i}": value for i, value in enumerate(values)})

    def tell(self, trial: Any, result: Result) -> None:
        excess = {f"excess{i}": float(result.excess[i]) for i in self._limits}
        self._client.complete_trial(trial, {f"y{j}": float(v) for j, v in enumerate(result.y)} | excess)

    def fail(self, trial: Any) -> None:
        self._client.mark_trial_abandoned(trial)  # not to be suggested again


def _parameter(configs: Any, name: str, variable: Variable) -> Any:
    count = variable.cardinality
    if variable.kind == "ordinal" and count > 1:
        return configs.RangeParameterConfig(name=name, bounds=(0, count - 1), parameter_type="int")
    if variable.kind == "ordinal":
        return configs.ChoiceParameterConfig(name=name, values=[0], parameter_type="int")
    values = [str(i) for i in range(count)]
    return configs.ChoiceParameterConfig(name=name, values=values, parameter_type="str", is_ordered=False)


def _thresholds(state: SearchState) -> list[str]:
    """The reference point as far as it is known; Ax takes none for a single objective and infers what is missing."""
    if len(state.problem.objectives) == 1:
        return []
    return [f"y{j} <= {float(v)!r}" for j, v in enumerate(state.reference) if np.isfinite(v)]


def _constraints(problem: Problem) -> list[int]:
    """Places of the limits that the thresholds do not express."""
    worse = {o.name: -1 if o.maximise else 1 for o in problem.objectives}
    several = len(worse) > 1
    return [i for i, x in enumerate(limits(problem)) if not (several and worse.get(x.name) == x.sign)]
