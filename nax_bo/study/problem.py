"""From settings to a search problem: which outcomes are known, which are learned, what limits apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.proxies import SCORE_NAMES, proxies
from nax_bo.errors import InputError, NaxboError
from nax_bo.hardware import CostBatch, CostModel, CostReport, Workload, cost_model
from nax_bo.hardware.optimum.goal import Goal, SlotPricing
from nax_bo.hardware.optimum.inner import FEW, InnerOptimum
from nax_bo.hardware.protocol import LayerPricing, OneByOne, fitted
from nax_bo.network.spec import Shape
from nax_bo.outcomes import PRICED, Outcome, priced
from nax_bo.search import Constraint, Fidelity, Objective, Problem, Proxy
from nax_bo.search.strategies.initial import initial_design
from nax_bo.space import Design, Space, restrict
from nax_bo.study.config import StudyConfig
from nax_bo.study.layerwise import LayerwisePricing
from nax_bo.systems import System, load_system
from nax_bo.systems.given import GivenSystem

if TYPE_CHECKING:
    from nax_bo.interop.given import GivenNetwork

Costs = dict[str, NDArray[np.float64]]

_REFERENCE_SAMPLE = 256
_CHIPS_SAMPLE = 32
_MOST_REMEMBERED = 100_000
_REPORTS_REMEMBERED = 4096


@dataclass(frozen=True)
class StudyProblem:
    """The search problem that a study's settings describe, for a data set's image shape and classes."""

    config: StudyConfig
    input_shape: Shape
    num_classes: int

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "input_shape", tuple(self.input_shape)
        )  # JSON gives lists, which cannot be hashed

    @cached_property
    def system(self) -> System:
        """The joint space and its decoding."""
        if self.given:
            return System(GivenSystem(self.given.spec), self.input_shape)
        return load_system(self.config.system, self.input_shape, self.num_classes)

    @cached_property
    def given(self) -> GivenNetwork | None:
        """The network that stays as it is, if the settings name one."""
        if not self.config.network:
            return None
        from nax_bo.interop.given import remembered_network

        return remembered_network(
            self.config.network, self.input_shape, self.num_classes, self.config.weights
        )

    @cached_property
    def cost_model(self) -> CostModel:
        """What prices a design; settings that it does not read and all designs share are its own.

        Raises:
            InputError: No such model, or the space varies what it does not read.
        """
        designs = self.space.designs(self.space.sample(min(_CHIPS_SAMPLE, self.space.size), 0))
        return fitted(cost_model(self.config.cost_model), [self.system.decode(d)[1] for d in designs])

    @cached_property
    def space(self) -> Space:
        """The joint space, or the part of it that the settings choose."""
        return restrict(self.system.space, self.config.choose) if self.config.choose else self.system.space

    def costs(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        """Every priced outcome (:data:`nax_bo.outcomes.PRICED`) of many designs by name, ``n`` each."""
        if not isinstance(self.cost_model, OneByOne):
            return _of_batch(self.cost_model.evaluate_batch(self.system.workload(columns)))
        if self._layerwise is not None:
            return _of_batch(self._layerwise.costs(columns))
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        found = [self._price(self._design(dict(zip(columns, row, strict=True)))) for row in rows]
        return {o.name: np.array([costs.get(o.name, np.nan) for costs in found]) for o in PRICED}

    def _design(self, values: Mapping[str, Any]) -> Design:
        """The design of a row of columns, in which what does not matter may show a value that is none of the space."""
        return self.space.design({name: v for name, v in values.items() if v in self.space[name].values})

    @cached_property
    def _price(self) -> Callable[[Design], Mapping[str, float]]:
        """Prices one design by a user's evaluator; nothing for one that it cannot price."""

        @lru_cache(maxsize=_MOST_REMEMBERED)
        def price(design: Design) -> Mapping[str, float]:
            report = self.report(design)
            costs: dict[str, float] = {} if report is None else priced(report)
            return costs

        return price

    def report(self, design: Design) -> CostReport | None:
        """The cost of a design with its breakdowns; None if a user's evaluator cannot price it."""
        return self._report(design)

    @cached_property
    def _report(self) -> Callable[[Design], CostReport | None]:
        """Remembers what was priced last: what is proposed has just been weighed, and evaluators may be slow."""

        @lru_cache(maxsize=_REPORTS_REMEMBERED)
        def report(design: Design) -> CostReport | None:
            try:
                return self.cost_model.evaluate(*self.system.decode(design))
            except Exception as ex:  # a user's code: whatever it raises concerns this design alone
                self._refusals[:] = [
                    ex.message if isinstance(ex, NaxboError) else f"{type(ex).__name__}: {ex}"
                ]
                return None

        return report

    @cached_property
    def _refusals(self) -> list[str]:
        """Why the evaluator could not price a design, the last time."""
        return [] if self._layerwise is None else self._layerwise.refusals

    @cached_property
    def _layerwise(self) -> LayerwisePricing | None:
        """The evaluator by layers, if its layers add up: then thousands of designs are priced at once."""
        evaluator = self.cost_model.evaluator if isinstance(self.cost_model, OneByOne) else None
        return LayerwisePricing(evaluator, self.system) if isinstance(evaluator, LayerPricing) else None

    def costs_of(self, designs: Sequence[Design]) -> list[dict[str, float]]:
        """Every priced outcome of each design."""
        if not designs:
            return []
        costs = self.costs(self.space.columns(self.space.indices(designs)))
        return [{k: float(v[i]) for k, v in costs.items()} for i in range(len(designs))]

    def proxies(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Training-free scores of many designs."""
        return proxies(self.system.workload(columns))

    @cached_property
    def reference_point(self) -> dict[str, float]:
        """Worst values of interest of all objectives: guessing, and the worst of an even sample of the space.

        Raises:
            InputError: The cost model gives no values for a priced objective or limit.
        """
        sample = self.space.sobol(min(_REFERENCE_SAMPLE, self.space.size), 0)
        costs = self.costs(self.space.columns(sample))
        worst = {o.name: self._worst(o, costs) for o in self.config.outcomes}
        return {name: worst[name] for name in self.config.objectives}

    def _worst(self, outcome: Outcome, costs: Costs) -> float:
        if outcome.source == "measured":
            return 1.0 / self.num_classes
        values = costs[outcome.name]
        found = values[np.isfinite(values) & (values > 0)]
        if not len(found):
            why = f": {self._refusals[0]}" if self._refusals else ""
            raise InputError(
                f"{self.config.cost_model} gives no {outcome.label} for any of {len(values)} designs{why}",
                "Mend the cost model, or leave the outcome out of objectives and limits.",
            )
        return float(found.max() if outcome.best == "min" else found.min())

    def problem(self, reference_point: Mapping[str, float], *, solve: bool = True) -> Problem:
        """The search problem: learn what is measured, know what is priced (unless costs are to be learned too).

        Args:
            reference_point: Worst value of interest of each objective.
            solve: Whether it can solve cost-only variables; to look back, nothing is solved, and no model loaded.
        """
        solvable = solve and self._solvable
        config, shared = self.config, _SharedScores(self)
        chosen = {o.name: o for o in config.outcomes}
        return Problem(
            self.space,
            objectives=[_objective(chosen[name]) for name in config.objectives],
            constraints=self._limits,
            proxies=[Proxy(name, _Score(shared, name)) for name in SCORE_NAMES],
            known_outcomes=(self._known if solve else self._kept) if self._known_names else None,
            reference_point=reference_point,
            fidelities=[Fidelity(f.name, f.relative_cost) for f in config.rungs],
            complete=self.complete if solvable else None,
            settle=self.settle if solvable else None,
            within=self.within,
            extras={
                **{n: partial(self._priced, n) for n in ("area_mm2", "latency_ms")},
                "naswot": self._naswot,
            },
        )

    def _priced(self, name: str, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        return self.costs(columns)[name]

    def _naswot(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Training-free scores of the networks of a few designs, on images of the study's data."""
        from nax_bo.accuracy.naswot import naswot

        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        networks = [self.system.decode(dict(zip(columns, row, strict=True)))[0] for row in rows]
        scores = {network: naswot(network, self._images) for network in dict.fromkeys(networks)}
        return np.array([scores[network] for network in networks])

    @cached_property
    def _images(self) -> Any:
        from nax_bo.accuracy.data import parse_data

        return parse_data(self.config.data).load().train_images

    @cached_property
    def _limits(self) -> list[Constraint]:
        low, high = self.config.min, self.config.max
        return [
            Constraint(o.name, upper=high.get(o.name), lower=low.get(o.name), scale=o.scale)
            for o in self.config.outcomes
            if o.name in high or o.name in low
        ]

    @cached_property
    def _known_limits(self) -> list[Constraint]:
        return [c for c in self._limits if c.name in self._known_names]

    @cached_property
    def _known_names(self) -> tuple[str, ...]:
        """Priced outcomes that matter and are computed."""
        if self.config.learn_costs:
            return ()
        return tuple(o.name for o in self.config.outcomes if o.source == "priced")

    def _kept(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        """What is known of designs without asking a model that is not loaded yet."""
        return self._known(columns)

    def _known(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        costs = self.costs(columns)
        return {name: costs[name] for name in self._known_names}

    def check_limits(self) -> None:
        """Raise InputError if a search finds no design that meets the limits on costs."""
        if not self._known_limits:
            return
        problem = self.problem({})
        x = initial_design(problem, 1, 0)
        known = problem.known(x)
        if len(x) and problem.violation(known, len(x))[0] <= 0:
            return
        wanted = ", ".join(c.words for c in self._known_limits)
        near = ", ".join(f"{c.name} = {known[c.name][0]:.4g}" for c in self._known_limits)
        raise InputError(f"no design was found with {wanted}", f"The nearest one has {near}: relax a limit.")

    @property
    def within(self) -> dict[str, float]:
        """How far below the best a measured objective still counts, where no limit says so."""
        config = self.config
        return {
            o.name: config.within / 100.0
            for o in config.outcomes
            if o.source == "measured" and o.name in config.objectives and o.name not in config.min
        }

    @cached_property
    def _solved(self) -> tuple[Outcome, ...] | None:
        """What cost-only variables are solved for: the known objective.

        None where they are left to the search: with several known objectives to trade off, and with an evaluator that
        prices designs one by one, of which every combination would be too much to ask.
        """
        if isinstance(self.cost_model, OneByOne) and self._layerwise is None:
            return None
        known = tuple(o for o in PRICED if o.name in self.config.objectives and o.name in self._known_names)
        return known if len(known) <= 1 and self._known_names else None

    def complete(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index vectors with the cost-only variables at, or very near, their best within the limits."""
        return self._inner.solve(indices)

    def settle(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same exactly."""
        return self._inner.exact(indices)

    @cached_property
    def _inner(self) -> InnerOptimum:
        space, model, layerwise = self.space, self.cost_model, self._layerwise
        known = self._solved[0].name if self._solved else ""
        area, describer = self.config.max.get("area_mm2", np.inf), self.system.describer()

        def describe(x: NDArray[np.int64]) -> Workload:
            return describer(space.columns(x)) if layerwise is None else layerwise.describe(space.columns(x))

        def scores(x: NDArray[np.int64]) -> NDArray[np.float64]:
            if layerwise is not None:
                return self._score(_of_batch(layerwise.costs(space.columns(x))))
            if isinstance(model, OneByOne):
                return self._score(self._known(space.columns(x)))
            return self._score(_of_batch(model.evaluate_batch(describe(x))))

        return InnerOptimum(
            scores,
            layerwise or (model if isinstance(model, SlotPricing) else None),
            describe,
            space.cardinalities,
            self._cost_only,
            space.sobol(min(_BLOCK_SAMPLE, space.size), 0),
            Goal(
                lambda batch: self._score(priced(batch)),
                _EXPONENTS.get(known, (1.0, 1.0, 1.0)),
                limited=bool(self._known_limits),
                max_area_um2=1e6 * area,
            ),
        )

    @property
    def _cost_only(self) -> tuple[int, ...]:
        return tuple(i for i, v in enumerate(self.space.variables) if v.affects == "cost")

    @property
    def _solvable(self) -> bool:
        """Whether cost-only variables are solved: there is one aim, and prices come quickly or choices are few."""
        few = np.prod(self.space.cardinalities[list(self._cost_only)]) <= FEW
        quick = self._layerwise is not None or not isinstance(self.cost_model, OneByOne)
        return self._solved is not None and bool(few or quick)

    def _score(self, costs: Costs) -> NDArray[np.float64]:
        """Best known objective within the limits, less being better; what cannot be priced comes last."""
        n = len(next(iter(costs.values())))
        over = sum((c.violation(costs[c.name]) for c in self._known_limits), np.zeros(n))
        score = np.where(over > 0, 1e6 * (1.0 + over), 0.0)
        for outcome in self._solved or ():
            score = score + _objective(outcome).scales.to_measure(costs[outcome.name])
        return np.where(np.isfinite(score), score, np.inf)


_BLOCK_SAMPLE = 64
_EXPONENTS: dict[str, tuple[float, float, float]] = {
    "edap_uj_ms_mm2": (1.0, 1.0, 1.0),
    "energy_uj": (0.0, 0.0, 1.0),
    "tops_w": (0.0, 0.0, 1.0),
    "latency_ms": (0.0, 1.0, 0.0),
    "response_ms": (0.0, 1.0, 0.0),
    "fps": (0.0, 1.0, 0.0),
    "area_mm2": (1.0, 0.0, 0.0),
    "tops_mm2": (1.0, 1.0, 0.0),
    "power_mw": (0.0, -1.0, 1.0),
}
"""Exponents of area, latency and energy in what an outcome is."""


def _of_batch(batch: CostBatch) -> Costs:
    """Priced outcomes of designs; NaN for those that do not fit their chip."""
    return {name: np.where(batch.feasible, values, np.nan) for name, values in priced(batch).items()}


def _objective(outcome: Outcome) -> Objective:
    return Objective(outcome.name, scale=outcome.scale, maximise=outcome.best == "max")


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
