"""naxbo as an Optuna sampler: known outcomes, proxies and conditional variables in an Optuna study.

Needs ``pip install naxbo[optuna]``. ::

    sampler = NaxboSampler(problem, seed=0)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(objective, n_trials=100)  # objective calls trial.suggest_...(name, ...) by the names of the space

The study's values are the problem's objectives in order; learned constraints are read from user attributes of
their names. The state is the study: a resumed one goes on as if it had not stopped. Running trials count as pending,
outcomes that cannot be modelled (infinity, a logarithm of 0) as failures; trials of designs that the space does not
hold are left out, with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem
from nax_bo.space import Design, Space

try:
    import optuna
except ImportError as ex:
    raise InputError("Optuna is not installed", "pip install naxbo[optuna]") from ex

_PROPOSED = "naxbo:proposed"
"""System attribute of a trial: index vector of the design that was proposed, for whoever else works on the study."""

_ASKING = Lock()  # trials of one process ask in turn, and so see each other


class NaxboSampler(optuna.samplers.BaseSampler):  # type: ignore[misc]
    """Samples what naxbo would ask for.

    Args:
        problem: The problem, or just its space: then every value of the study is a learned objective.
        seed: Seed of the search.
        **settings: Further arguments of :class:`~nax_bo.search.Optimizer` (``surrogate``, ``initial``, ...).
    """

    def __init__(self, problem: Problem | Space, seed: int = 0, **settings: Any) -> None:
        self._given = problem
        self._seed = seed
        self._settings = settings
        self._asked: dict[int, Design | None] = {}

    def reseed_rng(self) -> None:
        """Nothing to do: proposals depend on the seed and the trials alone."""

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Empty: variables are looked up one by one, so that conditional ones work."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Empty, see :meth:`infer_relative_search_space`."""
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """Value of a variable in the design that naxbo asks for in this trial.

        Raises:
            InputError: The variable, or its value, is not what the trial offers.
        """
        problem = self.problem(study)
        with _ASKING:
            if trial.number not in self._asked:
                suggestions = self._optimizer(study, problem, trial.number).ask(1)
                self._asked[trial.number] = design = suggestions[0].design if suggestions else None
                if design is not None:
                    study._storage.set_trial_system_attr(trial._trial_id, _PROPOSED, list(design.indices))
        design = self._asked[trial.number]
        variable = problem.space[param_name]
        if design is None:  # every design is known: any will do
            rng = np.random.default_rng([self._seed, trial.number, problem.space.position(param_name)])
            value = variable.values[int(rng.integers(variable.cardinality))]
        else:
            value = design.get(param_name, variable.values[0])
        if not _offers(param_distribution, value):
            raise InputError(
                f"{param_name} = {value!r} is not in {param_distribution}",
                "Suggest exactly the values that the space lists.",
            )
        return value

    def problem(self, study: Any) -> Problem:
        """The problem as given, or one with a learned objective per value of the study."""
        if isinstance(self._given, Problem):
            wanted = ["MAXIMIZE" if o.maximise else "MINIMIZE" for o in self._given.objectives]
            if wanted != (found := [d.name for d in study.directions]):
                raise InputError(
                    f"the directions of the study are {found}, those of the problem {wanted}",
                    "Create the study with one direction per objective, in the order of the problem.",
                )
            return self._given
        objectives = [
            Objective(f"value_{i}", maximise=direction.name == "MAXIMIZE")
            for i, direction in enumerate(study.directions)
        ]
        self._given = Problem(self._given, objectives)
        return self._given

    def _optimizer(self, study: Any, problem: Problem, number: int) -> Optimizer:
        """The optimiser, told of all other trials."""
        optimizer = Optimizer(problem, seed=self._seed, **self._settings)
        states = optuna.trial.TrialState
        for other in study.get_trials(deepcopy=False):
            if other.number == number:
                continue
            proposed = other.system_attrs.get(_PROPOSED)
            if other.state == states.RUNNING and proposed:
                optimizer.add_pending(proposed)
            elif other.state == states.COMPLETE and (design := _design(problem, other)) is not None:
                _tell(optimizer, design, _outcomes(problem, other))
            elif other.state in (states.FAIL, states.PRUNED) and (proposed or other.params):
                design = problem.space.design(proposed) if proposed else _design(problem, other)
                if design is not None:
                    optimizer.tell_failed(design, other.state.name)
        return optimizer


def _tell(optimizer: Optimizer, design: Design, outcomes: Mapping[str, Any]) -> None:
    try:
        optimizer.tell(design, outcomes)
    except InputError as ex:
        if any(y is None for y in outcomes.values()):
            raise  # of a constraint that no trial will ever tell
        warnings.warn(f"taken as a failure: {ex.message}", stacklevel=2)
        optimizer.tell_failed(design, ex.message)


def _design(problem: Problem, trial: Any) -> Design | None:
    """The design of a trial; None, with a warning, if the space does not hold it."""
    names = {v.name for v in problem.space.variables}
    try:
        return problem.space.design({k: v for k, v in trial.params.items() if k in names})
    except InputError as ex:
        warnings.warn(f"trial {trial.number} is left out: {ex.message}", stacklevel=2)
        return None


def _outcomes(problem: Problem, trial: Any) -> dict[str, float]:
    values = dict(zip((o.name for o in problem.objectives), trial.values, strict=True))
    return {n: values[n] if n in values else trial.user_attrs.get(n) for n in problem.learned_names}


def _offers(distribution: Any, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False
