"""The log of a search: what was told, what failed, what is under way. Strategies are functions of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.pareto import nondominated
from nax_bo.search.problem import Problem
from nax_bo.search.scale import Array
from nax_bo.space import Design
from nax_bo.space.rows import distinct_rows, row_keys

Indices = tuple[int, ...]
Look = tuple[Indices, float]
"""A design at a fidelity level."""


@dataclass(frozen=True)
class Suggestion:
    """A design to evaluate.

    Attributes:
        design: The design.
        fidelity: Name of the fidelity to evaluate it at.
        reason: Why, in words.
        known: Its known outcomes.
        predicted: Mean and standard deviation of each learned outcome in its model scale, where there is a model.
        gain: Expected hypervolume improvement, where there is one.
    """

    design: Design
    fidelity: str = "full"
    reason: str = ""
    known: Mapping[str, float] = field(default_factory=dict)
    predicted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    gain: float | None = None


@dataclass(frozen=True)
class Observation:
    """What was told of a design: raw learned outcomes and their noise variances at a fidelity level."""

    indices: Indices
    outcomes: Mapping[str, float]
    variance: Mapping[str, float]
    level: float


@dataclass(frozen=True)
class Failure:
    """A design that could not be evaluated."""

    indices: Indices
    level: float
    reason: str


@dataclass(frozen=True, eq=False)
class SearchState:
    """Everything that a proposal depends on.

    Attributes:
        problem: What is optimised.
        seed: Seed of the search.
        observations: In the order of telling.
        failures: In the order of telling.
        pending: Designs that are being evaluated, in the order of asking.
        initial: Designs to start with, in order.
        drawn: Whether they were drawn, so that any others do as well.
        options: Settings of the strategy.
    """

    problem: Problem
    seed: int
    observations: tuple[Observation, ...] = ()
    failures: tuple[Failure, ...] = ()
    pending: tuple[Look, ...] = ()
    initial: tuple[Indices, ...] = ()
    drawn: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def with_pending(self, *looks: Look) -> SearchState:
        """The state once these looks are under way too."""
        return replace(self, pending=(*self.pending, *looks))

    def rng(self, purpose: str) -> np.random.Generator:
        """Generator keyed by seed, number of tellings, the set of pending looks and a purpose."""
        told = len(self.observations), len(self.failures)
        text = repr((purpose, told, sorted(self.pending))).encode()
        return np.random.default_rng(
            [self.seed, *np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint32)]
        )

    @cached_property
    def seen(self) -> frozenset[Indices]:
        """Designs that were told, failed or are pending, at any fidelity."""
        told = {o.indices for o in self.observations} | {f.indices for f in self.failures}
        return frozenset(told | {indices for indices, _ in self.pending})

    @cached_property
    def exhausted(self) -> bool:
        """Whether every design has been seen."""
        return len(self.seen) >= self.problem.space.size

    def unseen(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of ``indices`` (``n x d``) that have not been seen, without repeats, in order."""
        x = indices[distinct_rows(indices)] if len(indices) else indices
        return x[~np.isin(row_keys(x), self._seen_keys)]

    @cached_property
    def _seen_keys(self) -> NDArray[np.uint64]:
        return row_keys(np.array(list(self.seen), dtype=np.int64).reshape(-1, len(self.problem.space)))

    @cached_property
    def full(self) -> tuple[Observation, ...]:
        """Observations at the full fidelity, repeats of a design merged."""
        return merged([o for o in self.observations if o.level == 1.0])

    @cached_property
    def best_looks(self) -> tuple[Observation, ...]:
        """For each design, what was told of it at the highest fidelity."""
        by_design: dict[Indices, Observation] = {}
        for observation in merged(self.observations):
            last = by_design.get(observation.indices)
            if last is None or observation.level > last.level:
                by_design[observation.indices] = observation
        return tuple(by_design.values())

    def points(
        self, observations: Sequence[Observation] | None = None
    ) -> tuple[NDArray[np.int64], Array, Array]:
        """Observed designs (fully observed ones by default).

        Returns:
            Indices ``n x d``, measured objectives ``n x m``, violation of all limits ``n``.
        """
        problem = self.problem
        told = self.full if observations is None else observations
        x = np.array([o.indices for o in told], dtype=np.int64).reshape(len(told), len(problem.space))
        values = problem.remembered([o.indices for o in told])
        for name in problem.learned_names:
            values[name] = np.array([o.outcomes[name] for o in told], dtype=float)
        y = np.array([o.scales.to_measure(values[o.name]) for o in problem.objectives]).T.reshape(
            len(x), len(problem.objectives)
        )
        violation = problem.violation(values, len(x))
        return x, y, violation

    @cached_property
    def reference(self) -> Array:
        """Reference point in the measure scale, ``m``: as given, else fixed by the first observations.

        A missing entry is the worst among the first observed designs (as many as an initial design has) plus a
        tenth of their range. Limits on an objective clip it, and ``Problem.within`` lets it follow the best.
        """
        problem = self.problem
        out = np.empty(len(problem.objectives))
        first: dict[Indices, Observation] = {}
        for observation in self.observations:
            first.setdefault(observation.indices, observation)
        count = max(len(self.initial), initial_size(problem))
        told = list(first.values())
        _, y, _ = self.points(told[: 2 * count])
        if (np.isfinite(y).sum(axis=0) < count).any():  # some cannot be measured: look further
            _, y, _ = self.points(told)
        for j, objective in enumerate(problem.objectives):
            if objective.name in problem.reference_point:
                out[j] = float(objective.scales.to_measure(problem.reference_point[objective.name]))
            else:
                seen = y[np.isfinite(y[:, j]), j][:count]
                spread = float(np.ptp(seen)) if len(seen) else 0.0
                spread = spread or 1e-6 * float(np.abs(seen).max(initial=0.0)) or 1e-9  # all the same
                out[j] = seen.max() + 0.1 * spread if len(seen) else np.inf
        return np.minimum(np.minimum(out, problem.limits()), self.cut)

    @cached_property
    def cut(self) -> Array:
        """The worst that counts of each objective, ``m``: ``Problem.within`` from the best; infinite without one.

        The best among feasible full results; among all results while there are none.
        """
        out = np.full(len(self.problem.objectives), np.inf)
        if not self.problem.within:
            return out
        y = self._sound(self.full)
        if not len(y):
            y = self._sound(self.best_looks)
        for j, objective in enumerate(self.problem.objectives):
            out[j] = y[:, j].min(initial=np.inf) + self.problem.within.get(objective.name, np.inf)
        return out

    def _sound(self, told: Sequence[Observation]) -> Array:
        """Measured objectives of those that are feasible and known, ``k x m``."""
        _, y, violation = self.points(told)
        return y[(violation <= 0) & np.isfinite(y).all(axis=1)]

    def front(self) -> tuple[NDArray[np.int64], Array]:
        """Nondominated feasible designs that count (``k x d``) and their measured objectives (``k x m``)."""
        return self._front

    @cached_property
    def _front(self) -> tuple[NDArray[np.int64], Array]:
        x, y, violation = self.points()
        rows = np.flatnonzero((violation <= 0) & (y <= self.cut).all(axis=1))
        rows = rows[nondominated(y[rows])] if len(rows) else rows
        return x[rows], y[rows]


def merged(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """One observation per design and level: the mean of its outcomes, weighted by 1 / variance where that is known."""
    groups: dict[Look, list[Observation]] = {}
    for observation in observations:
        groups.setdefault((observation.indices, observation.level), []).append(observation)
    return tuple(group[0] if len(group) == 1 else _mean(group) for group in groups.values())


def _mean(group: list[Observation]) -> Observation:
    outcomes, variance = {}, {}
    for name in group[0].outcomes:
        y = np.array([o.outcomes[name] for o in group])
        v = np.array([o.variance.get(name, np.nan) for o in group])
        if exact := bool((v == 0).any()):  # exact values need no others
            weight = (v == 0).astype(float)
        else:
            weight = 1.0 / np.maximum(v, 1e-300) if np.isfinite(v).all() else np.ones(len(y))
        outcomes[name] = float(weight @ y / weight.sum())
        if exact or np.isfinite(v).all():
            variance[name] = 0.0 if exact else float(1.0 / weight.sum())
    return Observation(group[0].indices, outcomes, variance, group[0].level)


def initial_size(problem: Problem) -> int:
    """Designs to begin with: half the number of variables within 10 to 20; 8 where proxies help from the start."""
    count = 8 if problem.proxies else max(10, min(20, len(problem.space) // 2))
    return min(count, problem.space.size)
