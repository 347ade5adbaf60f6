"""A library with ask and tell of its own as a strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from nax_bo.search.peers.results import Result, full_results, quiet
from nax_bo.search.state import Indices, SearchState, Suggestion
from nax_bo.search.strategies.baselines import initial_suggestion, random_suggestion, suggestion

_REPEATS = 20


class Library(Protocol):
    """An optimiser of another package; its trials are opaque."""

    def ask(self) -> tuple[Indices, Any] | None:
        """A design and its trial, which is under way from now on; None if it finds no new one."""
        ...

    def attach(self, row: Indices) -> Any:
        """The trial, under way, of a design that the library did not ask for."""
        ...

    def tell(self, trial: Any, result: Result) -> None:
        """End a trial with finite results."""
        ...

    def fail(self, trial: Any) -> None:
        """End a trial without results."""
        ...


class AskTell:
    """Proposes what a library asks for.

    A design that it repeats is answered from the log, at no cost to its budget, up to twenty times in a row; then one
    is drawn at random.

    Args:
        name: Of the library, for the reasons of suggestions.
        start: Makes the library's optimiser once the initial designs have been proposed.
    """

    def __init__(self, name: str, start: Callable[[SearchState], Library]) -> None:
        self._name, self._start = name, start
        self._library: Library | None = None
        self._trials: dict[Indices, Any] = {}
        self._told = self._failed = 0

    def propose(self, state: SearchState) -> Suggestion | None:
        """What the library asks for."""
        if (first := initial_suggestion(state)) is not None:
            return first
        with quiet():
            if self._library is None:
                self._library = self._start(state)
            known = full_results(state)
            self._catch_up(self._library, state, known)
            row = self._ask(self._library, state, known)
        if row is None:
            return random_suggestion(state, f"{self._name} repeats itself, drawn at random")
        return suggestion(state, np.array(row), f"asked by {self._name}")

    def _ask(self, library: Library, state: SearchState, known: Mapping[Indices, Result]) -> Indices | None:
        for _ in range(_REPEATS):
            if (asked := library.ask()) is None:
                return None
            row, trial = asked
            if row not in state.seen:
                self._trials[row] = trial
                return row
            _end(library, trial, known.get(row))
        return None

    def _catch_up(self, library: Library, state: SearchState, known: Mapping[Indices, Result]) -> None:
        ended = [(o.indices, o.level, known.get(o.indices)) for o in state.observations[self._told :]]
        ended += [(f.indices, f.level, None) for f in state.failures[self._failed :]]
        for row, level, result in ended:
            if level == 1.0:
                trial = self._trials.pop(row) if row in self._trials else library.attach(row)
                _end(library, trial, result)
        for row, level in state.pending:
            if level == 1.0 and row not in self._trials:
                self._trials[row] = library.attach(row)
        self._told, self._failed = len(state.observations), len(state.failures)


def _end(library: Library, trial: Any, result: Result | None) -> None:
    if result is not None and result.usable:
        library.tell(trial, result)
    else:
        library.fail(trial)
