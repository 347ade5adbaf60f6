"""From settings to a search problem: which outcomes are known, which are learned, what limits apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.fidelity import LADDER
from nax_bo.accuracy.proxies import SCORE_NAMES, proxies
from nax_bo.hardware import CostModel, cost_model, evaluate_designs
from nax_bo.hardware.protocol import OneByOne
from nax_bo.network.spec import Shape
from nax_bo.search import Constraint, Fidelity, Objective, Problem, Proxy
from nax_bo.space import Design, Space
from nax_bo.study.config import StudyConfig
from nax_bo.systems import System, load_system

ERROR, EDAP = "error", "edap_uj_ms_mm2"

Costs = dict[str, NDArray[np.float64]]

_REFERENCE_SAMPLE = 256
_MOST_COMBINATIONS = 256


@dataclass(frozen=True)
class StudyProblem:
    """The search problem that a study's settings describe, for a data set's image shape and classes."""

    config: StudyConfig
    input_shape: Shape
    num_classes: int

    @cached_property
    def system(self) -> System:
        """The joint space and its decoding."""
        return load_system(self.config.system, self.input_shape, self.num_classes)

    @cached_property
    def cost_model(self) -> CostModel:
        """What prices a design."""
        return cost_model(self.config.cost_model)

    @property
    def space(self) -> Space:
        """The joint space."""
        return self.system.space

    def costs(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        """Known costs of many designs, by name (see :data:`nax_bo.study.config.KNOWN_COSTS`)."""
        if isinstance(self.cost_model, OneByOne):  # a user's evaluator reads specs, not arrays
            batch = evaluate_designs(self.cost_model, *map(list, zip(*self._decoded(columns), strict=True)))
        else:
            batch = self.cost_model.evaluate_batch(self.system.workload(columns))
        return {
            EDAP: batch.edap_uj_ms_mm2,
            "energy_uj": batch.energy_pj * 1e-6,
            "latency_ms": batch.latency_ns * 1e-6,
            "area_mm2": batch.area_um2 * 1e-6,
        }

    def _decoded(self, columns: Mapping[str, NDArray[Any]]) -> Iterable[tuple[Any, Any]]:
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        return (self.system.decode(self.space.design(dict(zip(columns, row, strict=True)))) for row in rows)

    def costs_of(self, designs: Iterable[Design]) -> list[dict[str, float]]:
        """Known costs of each design."""
        costs = self.costs(self.space.columns(self.space.indices(designs)))
        return [{k: float(v[i]) for k, v in costs.items()} for i in range(len(costs[EDAP]))]

    def proxies(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Training-free scores of many designs."""
        return proxies(self.system.workload(columns))

    @cached_property
    def reference_point(self) -> dict[str, float]:
        """Worst values of interest: guessing, and the dearest of an even sample of the space."""
        dearest = float(np.max(self.costs(self.space.columns(self.space.sobol(_REFERENCE_SAMPLE, 0)))[EDAP]))
        return {ERROR: 1.0 - 1.0 / self.num_classes, EDAP: dearest}

    def problem(self, reference_point: Mapping[str, float]) -> Problem:
        """The search problem: learn the error, know the costs (unless EDAP is to be learned too)."""
        config, shared = self.config, _SharedScores(self)
        constraints = [Constraint(name, upper=limit, scale="log10") for name, limit in config.max.items()]
        if config.min_accuracy > 0:
            constraints.append(Constraint(ERROR, upper=1.0 - config.min_accuracy))
        return Problem(
            self.space,
            objectives=[Objective(ERROR, scale="logit"), Objective(EDAP, scale="log10")],
            constraints=constraints,
            proxies=[Proxy(name, _Score(shared, name)) for name in SCORE_NAMES],
            known_outcomes=None if config.learn_edap else self.costs,
            reference_point=reference_point,
            fidelities=[Fidelity(f.name, f.relative_cost) for f in LADDER.values()],
            complete=None if config.learn_edap else self.complete,
        )

    def complete(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index vectors with the cost-only variables at their exact best: least EDAP that respects the limits.

        Every combination of the cost-only variables is priced; with more than 256 combinations they are left as they
        are, to the search.
        """
        hidden = [i for i, v in enumerate(self.space.variables) if v.affects == "cost"]
        combinations = self.space.cardinalities[hidden]
        if not hidden or combinations.prod() > _MOST_COMBINATIONS:
            return indices
        choices = np.stack(
            [g.ravel() for g in np.meshgrid(*map(np.arange, combinations), indexing="ij")], axis=1
        )
        every = np.repeat(indices, len(choices), axis=0)
        every[:, hidden] = np.tile(choices, (len(indices), 1))
        costs = self.costs(self.space.columns(every))
        over = sum(
            (np.maximum(costs[name] / limit - 1.0, 0.0) for name, limit in self.config.max.items()),
            np.zeros(len(every)),
        )
        score = np.where(over > 0, 1e6 * (1.0 + over), 0.0) + np.log10(costs[EDAP])
        best = score.reshape(len(indices), -1).argmin(axis=1) if len(indices) else np.zeros(0, dtype=np.int64)
        return every[np.arange(len(indices)) * len(choices) + best]


class _SharedScores:
    """All scores in one pass: the search asks for them one after the other, for the same designs."""

    def __init__(self, problem: StudyProblem) -> None:
        self._problem = problem
        self._last: tuple[Any, dict[str, NDArray[np.float64]]] | None = None

    def __call__(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        if self._last is None or self._last[0] is not columns:
            self._last = columns, self._problem.proxies(columns)
        return self._last[1]


@dataclass(frozen=True)
class _Score:
    shared: _SharedScores
    name: str

    def __call__(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        return self.shared(columns)[self.name]
