"""SMAC3 (Lindauer et al. 2022, http://jmlr.org/papers/v23/21-0888.html) with ParEGO for several objectives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from nax_bo.search.peers.ask_tell import AskTell
from nax_bo.search.peers.results import Result, package
from nax_bo.search.state import Indices, SearchState
from nax_bo.space import Space


def smac() -> AskTell:
    """The facade for hyperparameters: random forest, expected improvement, local search.

    Its seed fixes its proposals only together with Python's hash seed.
    """
    library, configs = (package(name, "SMAC", "smac") for name in ("smac", "ConfigSpace"))
    return AskTell("SMAC", lambda state: _Facade(library, configs, state))


class _Facade:
    """SMAC knows no limits on outcomes: their violation is added to every objective.

    The sum of relative violations, no more than 1, counts in the measure scale: as the whole range of a fraction, or
    as a decade of a cost.
    """

    def __init__(self, smac: Any, configs: Any, state: SearchState) -> None:
        self._smac, self._configs, self._space = smac, configs, state.problem.space
        self._count = len(state.problem.objectives)
        self._costs: list[list[float]] = []
        self._seed = 0  # of every trial; SMAC draws one only if it is told none before its first
        self._configspace = _configspace(configs, self._space)
        with tempfile.TemporaryDirectory() as folder:  # of its settings, written once and never read
            self._facade = self._started(state, Path(folder))

    def _started(self, state: SearchState, folder: Path) -> Any:
        from smac.multi_objective.parego import ParEGO

        scenario = self._smac.Scenario(
            self._configspace,
            name="naxbo",
            output_directory=folder,
            deterministic=True,  # one look at each design
            objectives=[f"y{j}" for j in range(self._count)] if self._count > 1 else "y0",
            seed=state.seed,
        )
        facade = self._smac.HyperparameterOptimizationFacade
        return facade(
            scenario,
            model=_forest(self._configspace, state.seed),
            initial_design=facade.get_initial_design(scenario, n_configs=0 if state.seen else None),
            intensifier=facade.get_intensifier(scenario, max_config_calls=1),
            multi_objective_algorithm=ParEGO(scenario) if self._count > 1 else None,
            logging_level=False,
            overwrite=True,
        )

    def ask(self) -> tuple[Indices, Any] | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        try:
            trial = self._facade.ask()
        except (ConfigurationSpaceExhaustedException, StopIteration):
            return None  # every configuration that it finds has been tried
        self._seed = trial.seed
        values = dict(trial.config)
        row = [int(values.get(f"x{i}", 0)) for i in range(len(self._space))]
        return tuple(self._space.canonical([row])[0].tolist()), trial

    def attach(self, row: Indices) -> Any:
        active = self._space.active_mask([row])[0]
        values = {f"x{i}": value for i, value in enumerate(row) if active[i]}
        trial = self._smac.runhistory.TrialInfo(
            self._configs.Configuration(self._configspace, values=values), seed=self._seed
        )
        self._facade.runhistory.add_running_trial(trial)
        return trial

    def tell(self, trial: Any, result: Result) -> None:
        self._costs.append((result.y + min(result.violation, 1.0)).tolist())
        self._end(trial, self._costs[-1], "SUCCESS")

    def fail(self, trial: Any) -> None:
        worst = np.max(self._costs, axis=0).tolist() if self._costs else [1.0] * self._count
        self._end(trial, worst, "CRASHED")

    def _end(self, trial: Any, costs: list[float], status: str) -> None:
        history = self._smac.runhistory
        value = history.TrialValue(
            cost=costs if self._count > 1 else costs[0], status=history.StatusType[status]
        )
        self._facade.tell(trial, value, save=False)


def _configspace(configs: Any, space: Space) -> Any:
    """The space with its conditions; values are indices."""
    out = configs.ConfigurationSpace()
    names = {v.name: f"x{i}" for i, v in enumerate(space.variables)}
    for variable in space.variables:
        values = list(range(variable.cardinality))
        kind = "Ordinal" if variable.kind == "ordinal" else "Categorical"
        out.add(getattr(configs, f"{kind}Hyperparameter")(names[variable.name], values))
        conditions = [
            configs.InCondition(
                out[names[variable.name]],
                out[names[c.variable]],
                [space[c.variable].index(v) for v in c.values],
            )
            for c in variable.active_when
        ]
        if len(conditions) > 1:
            conditions = [configs.AndConjunction(*conditions)]
        out.add(*conditions)
    return out


def _forest(configspace: Any, seed: int) -> Any:
    """The facade's forest, grown on one thread and with room for 16 384 leaves: its million take 0.2 s per tree."""
    from smac.model.random_forest import RandomForest

    return RandomForest(
        configspace,
        seed=seed,
        log_y=True,
        n_trees=10,
        ratio_features=1.0,
        min_samples_split=2,
        min_samples_leaf=1,
        max_leaf_nodes=2**14,
        n_jobs=1,
    )
