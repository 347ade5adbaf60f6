"""Search without surrogates: random, Sobol, NSGA-II, local search. What naxbo is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.pareto import select
from nax_bo.search.state import SearchState, Suggestion
from nax_bo.search.strategies.candidates import mutated, offspring
from nax_bo.search.strategies.initial import random_unseen

IndexArray = NDArray[np.int64]

_TRIES = 50


def suggestion(state: SearchState, row: IndexArray, reason: str) -> Suggestion:
    """A full-fidelity suggestion of the design with index vector ``row: d``."""
    known = {name: float(v[0]) for name, v in state.problem.known(row[None]).items()}
    return Suggestion(state.problem.space.design(row), reason=reason, known=known)


def initial_suggestion(state: SearchState) -> Suggestion | None:
    """The next design of the initial set that has not been seen; none once enough others have been, if it was drawn."""
    if state.drawn and len(state.seen) >= len(state.initial):
        return None
    for row in state.initial:
        if row not in state.seen:
            place = f"{state.initial.index(row) + 1} of {len(state.initial)}"
            return suggestion(state, np.array(row), f"initial design {place}")
    return None


def random_suggestion(state: SearchState, reason: str) -> Suggestion | None:
    """A random design that has not been seen."""
    row = random_unseen(state.problem, state.seen, state.rng("random"))
    return None if row is None else suggestion(state, row[0], reason)


class RandomSearch:
    """Uniform over the values of each variable, known limits respected where possible."""

    def propose(self, state: SearchState) -> Suggestion | None:
        """A random design."""
        return random_suggestion(state, "drawn at random")


class SobolSearch:
    """The scrambled Sobol sequence of the space."""

    def propose(self, state: SearchState) -> Suggestion | None:
        """The first point of the sequence that has not been seen and satisfies the known limits."""
        space = state.problem.space
        count = min(space.size, 2 ** int(np.ceil(np.log2(len(state.seen) + 64))))
        fresh = state.unseen(state.problem.completed(space.sobol(count, state.seed)))
        if len(fresh):
            broken = state.problem.violation(state.problem.known(fresh), len(fresh))
            return suggestion(state, fresh[int(np.argmin(broken))], "next point of the Sobol sequence")
        return random_suggestion(state, "the Sobol sequence is exhausted, drawn at random")


class Nsga2:
    """Steady-state NSGA-II (Deb et al. 2002, doi:10.1109/4235.996017): parents are the best 20 told so far."""

    population: int = 20

    def propose(self, state: SearchState) -> Suggestion | None:
        """A child of good designs."""
        if (first := initial_suggestion(state)) is not None:
            return first
        x, y, violation = state.points(state.best_looks)
        if len(x) < 2:
            return random_suggestion(state, "drawn at random: fewer than two results")
        rng = state.rng("nsga2")
        parents = x[select(np.nan_to_num(y, nan=np.inf), self.population, violation)]
        for _ in range(_TRIES):
            fresh = state.unseen(state.problem.completed(offspring(state.problem, parents, 4, rng)))
            if len(fresh):
                return suggestion(state, fresh[0], "child of two good designs")
        return random_suggestion(state, "no new child found, drawn at random")


class LocalSearch:
    """Changes one or two choices of a design on the front."""

    def propose(self, state: SearchState) -> Suggestion | None:
        """A neighbour of a front design."""
        if (first := initial_suggestion(state)) is not None:
            return first
        x, y, violation = state.points(state.best_looks)
        if not len(x):
            return random_suggestion(state, "drawn at random: no results yet")
        rng = state.rng("local-search")
        front, _ = state.front()
        if not len(front):
            front = x[select(np.nan_to_num(y, nan=np.inf), 3, violation)]
        centre = front[rng.integers(len(front))]
        around = state.unseen(state.problem.completed(state.problem.space.neighbours(centre)))
        for _ in range(_TRIES):
            if len(around):
                return suggestion(
                    state, around[rng.integers(len(around))], "neighbour of a design on the front"
                )
            around = state.unseen(
                state.problem.completed(mutated(state.problem, np.repeat(centre[None], 8, axis=0), rng))
            )
        return random_suggestion(state, "all neighbours are known, drawn at random")
