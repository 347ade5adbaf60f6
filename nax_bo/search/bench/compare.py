"""Compare strategies on a problem with a known truth: hypervolume against evaluations and seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import process_time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.optimizer import Optimizer
from nax_bo.search.pareto import hypervolume, nondominated, select
from nax_bo.search.problem import Problem
from nax_bo.search.state import Suggestion
from nax_bo.search.strategies.candidates import offspring
from nax_bo.space import Design

Array = NDArray[np.float64]


class Testbed(Protocol):
    """A problem that can be evaluated cheaply and whose truth is known."""

    @property
    def problem(self) -> Problem:
        """The search problem."""
        ...

    def evaluate(self, design: Design, seed: int) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Noisy learned outcomes of a design, and their noise variances."""
        ...

    def truth(self, indices: NDArray[np.int64]) -> Mapping[str, Array]:
        """Noiseless learned outcomes, ``n`` each, of designs ``n x d``."""
        ...


@dataclass(frozen=True)
class Curve:
    """One run of one strategy.

    Attributes:
        strategy: Its name.
        seed: Seed of the search and of the noise.
        hypervolume: After each evaluation, of the noiseless feasible designs seen so far, measure scales.
        seconds: CPU time spent on proposals up to each evaluation.
    """

    strategy: str
    seed: int
    hypervolume: tuple[float, ...]
    seconds: tuple[float, ...]

    def at(self, evaluations: int) -> float:
        """Hypervolume after that many evaluations (after the last one, if there were fewer)."""
        return self.hypervolume[min(evaluations, len(self.hypervolume)) - 1]

    def within(self, seconds: float) -> float:
        """Hypervolume of what was proposed within that many CPU seconds."""
        count = bisect_right(self.seconds, seconds)
        return self.hypervolume[count - 1] if count else 0.0


def bench(
    testbed: Testbed,
    strategies: Sequence[str],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    *,
    budget: int = 200,
    q: int = 1,
    asynchronous: bool = False,
    optimizer: Callable[..., Optimizer] = Optimizer,
    **settings: Any,
) -> list[Curve]:
    """Curves of every strategy and seed.

    Args:
        testbed: The problem and its truth, which needs an explicit reference point.
        strategies: Names or references.
        seeds: One run each.
        budget: Evaluations per run.
        q: Designs asked at once; with ``asynchronous``, evaluations under way at any time.
        asynchronous: Finish evaluations one at a time in random order instead of batch by batch.
        optimizer: Makes the optimiser.
        **settings: Further arguments of the optimiser (``surrogate``, ``initial``, ...).
    """
    return [
        run_once(
            testbed,
            optimizer(testbed.problem, strategy=name, seed=seed, **settings),
            str(name),
            seed,
            budget,
            q,
            asynchronous,
        )
        for name in strategies
        for seed in seeds
    ]


def run_once(
    testbed: Testbed,
    search: Optimizer,
    name: str,
    seed: int,
    budget: int,
    q: int = 1,
    asynchronous: bool = False,
) -> Curve:
    """One run of ``search`` to ``budget`` evaluations."""
    rng = np.random.default_rng([seed, 7])
    waiting: list[Suggestion] = []
    done: list[Design] = []
    seconds: list[float] = []
    spent = 0.0
    while len(done) < budget:
        room = min(q - len(waiting), budget - len(done) - len(waiting))
        if room > 0 and (asynchronous or not waiting):
            start = process_time()
            waiting += search.ask(room)
            spent += process_time() - start
        if not waiting:
            break
        suggestion = waiting.pop(int(rng.integers(len(waiting))) if asynchronous else 0)
        outcomes, variance = testbed.evaluate(suggestion.design, seed)
        search.tell(suggestion.design, outcomes, variance, suggestion.fidelity)
        done.append(suggestion.design)
        seconds.append(spent)
    return Curve(name, seed, tuple(true_hypervolumes(testbed, done)), tuple(seconds))


def summary(curves: Sequence[Curve], best: float) -> list[dict[str, Any]]:
    """Means of the seeds of each strategy, as plain values; hypervolumes are shares of ``best``.

    After a quarter, half and all of the evaluations; within three powers of ten of CPU seconds, the last of which is
    the nearest to what the slowest strategy took.
    """
    budget = max(len(c.hypervolume) for c in curves)
    counts = sorted({max(1, budget // 4), max(1, budget // 2), budget})
    longest = max(c.seconds[-1] for c in curves)
    top = round(np.log10(max(longest, 1e-3)))
    times = [10.0**k for k in range(top - 2, top + 1)]
    rows = []
    for name in dict.fromkeys(c.strategy for c in curves):
        runs = [c for c in curves if c.strategy == name]
        seconds = fmean(c.seconds[-1] for c in runs)
        rows.append(
            {
                "strategy": name,
                "share_after_evaluations": {str(n): fmean(c.at(n) / best for c in runs) for n in counts},
                "share_within_seconds": {f"{t:g}": fmean(c.within(t) / best for c in runs) for t in times},
                "seconds": seconds,
                "seconds_per_suggestion": seconds / fmean(len(c.seconds) for c in runs),
            }
        )
    return rows


def true_hypervolumes(testbed: Testbed, designs: Sequence[Design]) -> list[float]:
    """Hypervolume of the noiseless feasible ones among the first 1, 2, ... designs."""
    problem = testbed.problem
    y, violation = true_objectives(testbed, problem.space.indices(designs))
    reference = _reference(problem)
    out, front = [], np.empty((0, len(reference)))
    for point, broken in zip(y, violation, strict=True):
        if broken <= 0 and not (front <= point).all(axis=1).any():
            front = np.vstack([front, point])
            front = front[nondominated(front)]
            out.append(hypervolume(front, reference))
        else:
            out.append(out[-1] if out else 0.0)
    return out


def true_objectives(testbed: Testbed, indices: NDArray[np.int64]) -> tuple[Array, Array]:
    """Noiseless objectives (measure scale, ``n x m``) and violation of all limits (``n``)."""
    problem = testbed.problem
    values = {**problem.known(indices), **testbed.truth(indices)}
    y = np.array([o.scales.to_measure(values[o.name]) for o in problem.objectives]).T
    return y, problem.violation(values, len(indices))


def best_known_hypervolume(testbed: Testbed, seed: int = 0, generations: int = 150, size: int = 200) -> float:
    """Hypervolume of a noiseless NSGA-II run with ``generations * size`` evaluations: what may be hoped for."""
    problem = testbed.problem
    rng = np.random.default_rng(seed)
    x = problem.completed(problem.space.sample(min(size, problem.space.size), rng))
    y, violation = true_objectives(testbed, x)
    for _ in range(generations):
        children = problem.completed(offspring(problem, x, size, rng))
        child_y, child_violation = true_objectives(testbed, children)
        pool, first = np.unique(np.vstack([x, children]), axis=0, return_index=True)
        all_y, broken = np.vstack([y, child_y])[first], np.concatenate([violation, child_violation])[first]
        rows = select(all_y, size, broken)
        x, y, violation = pool[rows], all_y[rows], broken[rows]
    return hypervolume(y[violation <= 0], _reference(problem))


def _reference(problem: Problem) -> Array:
    given = [float(o.scales.to_measure(problem.reference_point[o.name])) for o in problem.objectives]
    return np.minimum(given, problem.limits())
