"""pymoo's NSGA-II for mixed variables (Blank and Deb 2020, doi:10.1109/ACCESS.2020.2990567)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nax_bo.search.peers.results import Result, full_results, limits, package, quiet
from nax_bo.search.state import Indices, SearchState, Suggestion
from nax_bo.search.strategies.baselines import initial_suggestion, random_suggestion, suggestion

_GENERATIONS = 20


class PymooNsga2:
    """The genetic algorithm with rank and crowding survival, population 20.

    It asks a generation at a time; a new one starts when every member of the last has been told or has failed. What
    else was told by then joins that generation.
    """

    population: int = 20

    def __init__(self) -> None:
        package("pymoo", "pymoo", "pymoo")
        self._algorithm: Any = None
        self._generation: Any = None
        self._rows: list[Indices] = []
        self._used: set[Indices] = set()

    def propose(self, state: SearchState) -> Suggestion | None:
        """The next member of the generation."""
        if (first := initial_suggestion(state)) is not None:
            return first
        with quiet():
            row = self._next(state)
        if row is None:
            return random_suggestion(state, "pymoo's generation is under way, drawn at random")
        return suggestion(state, np.array(row), "member of pymoo's generation")

    def _next(self, state: SearchState) -> Indices | None:
        """The first member that has not been seen; generations whose members are all known pass at once."""
        known = full_results(state)
        over = known.keys() | {f.indices for f in state.failures}
        for _ in range(_GENERATIONS):
            if self._generation is not None and over.issuperset(self._rows):
                self._finish(state, known)
            if self._generation is None and not self._begin(state, list(known)):
                return None
            for row in self._rows:
                if row not in state.seen:
                    return row
        return None

    def _begin(self, state: SearchState, told: list[Indices]) -> bool:
        """Ask for a generation; False if the algorithm finds no new design."""
        if self._algorithm is None:
            self._algorithm = _algorithm(state, self.population, told)
        self._generation = self._algorithm.ask()
        if self._generation is None:
            return False
        names = [v.name for v in state.problem.space.variables]
        vectors = [[int(individual.X[n]) for n in names] for individual in self._generation]
        self._rows = [tuple(r) for r in state.problem.space.canonical(np.array(vectors)).tolist()]
        return True

    def _finish(self, state: SearchState, known: Mapping[Indices, Result]) -> None:
        extra = [row for row in known if row not in self._used.union(self._rows)]
        members = type(self._generation).merge(self._generation, _individuals(state, extra))
        rows = [*self._rows, *extra]
        results = [known.get(row) for row in rows]
        sound = [r for r in known.values() if r.usable]
        worst = np.max([r.y for r in sound], axis=0) if sound else np.zeros(len(state.problem.objectives))
        bad = Result(worst, np.zeros(len(limits(state.problem))))
        usable = [r if r is not None and r.usable else bad for r in results]
        members.set("F", np.array([r.y for r in usable]))
        members.set("G", np.array([[*r.excess, float(r is bad)] for r in usable]))  # last: whether it failed
        for individual in members:
            individual.evaluated.update(("F", "G"))
        self._algorithm.tell(infills=members)
        self._used.update(rows)
        self._generation, self._rows = None, []


def _individuals(state: SearchState, rows: list[Indices]) -> Any:
    population = package("pymoo.core.population", "pymoo", "pymoo").Population
    names = [v.name for v in state.problem.space.variables]
    return population.new("X", [dict(zip(names, row, strict=True)) for row in rows])


def _algorithm(state: SearchState, population: int, told: list[Indices]) -> Any:
    """The algorithm; designs told so far are its first generation."""
    from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival
    from pymoo.core.mixed import MixedVariableGA, MixedVariableSampling
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.core.variable import Choice, Integer

    problem = state.problem
    variables = {
        v.name: Integer(bounds=(0, v.cardinality - 1))
        if v.kind == "ordinal"
        else Choice(options=list(range(v.cardinality)))
        for v in problem.space.variables
    }
    algorithm = MixedVariableGA(
        pop_size=population,
        survival=RankAndCrowdingSurvival(),
        sampling=_individuals(state, told) if told else MixedVariableSampling(),
    )
    wanted = PymooProblem(
        vars=variables, n_obj=len(problem.objectives), n_ieq_constr=len(limits(problem)) + 1
    )
    algorithm.setup(wanted, termination=("n_gen", 10_000), seed=state.seed, verbose=False)
    return algorithm
