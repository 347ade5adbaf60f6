"""What an earlier search believes, as a cheap score of designs: a search on other data need not begin at nothing.

The earlier search may have had other data, another budget, other costs or a smaller space. How much its outcomes say
here is not assumed but learned, as of any proxy: its sign and weight from what is told; and it is left out where
held-out outcomes are predicted better without it. Where both measure the same thing, one process for both would make
more of it (Kennedy and O'Hagan 2000, doi:10.1093/biomet/87.1.1); that is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search.models.learned import fit_models, seen_by_surrogates
from nax_bo.search.optimizer import Optimizer, one_thread
from nax_bo.search.problem import Columns, Problem, Proxy
from nax_bo.search.scale import Array
from nax_bo.space import Space

FEWEST = 5
"""Results below which an earlier search has nothing to say."""

SURROGATE = "gp,kernel=matern52"
"""One process: its mean is asked for thousands of designs per proposal, and its spread is not used."""


def with_earlier(problem: Problem, earlier: Optimizer, name: str = "earlier") -> Problem:
    """The problem with a further proxy for every learned outcome of an earlier search: ``earlier_error``, say.

    Its value is the mean that a surrogate of the earlier search's whole log has for a full evaluation, in the outcome's
    model scale. Designs that the earlier space does not hold have none (NaN). The log is read now: what the earlier
    search is told afterwards changes nothing.

    Args:
        problem: What is searched now.
        earlier: The search whose log is used, as :meth:`Optimizer.from_dict` gives it back.
        name: Begins the names of the proxies; different for every earlier search.

    Raises:
        InputError: The earlier search chose something that this one does not, or was told too little; or the names are
            taken.
        SurrogateError: The surrogate of the earlier log cannot be fitted.
    """
    there = earlier.problem.space
    ours = {v.name for v in problem.space.variables}
    if strange := [v.name for v in there.variables if v.name not in ours]:
        raise InputError(
            f"the earlier search chose {', '.join(strange)}, this one does not",
            "Take a search whose variables are among those of this one.",
        )
    told = len(seen_by_surrogates(earlier.state))
    if told < FEWEST:
        raise InputError(
            f"the earlier search was told {told} results", f"Take one with at least {FEWEST}, or go without."
        )
    names = {outcome: f"{name}_{outcome}" for outcome in earlier.problem.learned_names}
    if taken := {p.name for p in problem.proxies} & set(names.values()):
        raise InputError(f"there is a proxy {', '.join(sorted(taken))} already", "Give another name.")
    with one_thread():
        beliefs = _Beliefs(earlier)
    proxies = [Proxy(named, beliefs.of(outcome)) for outcome, named in names.items()]
    return replace(problem, proxies=(*problem.proxies, *proxies))


class _Beliefs:
    """Means of the earlier search's outcomes, for designs of another space."""

    def __init__(self, earlier: Optimizer) -> None:
        plain = {"surrogate": SURROGATE}
        self._space = earlier.problem.space
        self._models = fit_models(replace(earlier.state, options=plain, pending=()))
        self._last: tuple[bytes, dict[str, Array]] | None = None

    def of(self, outcome: str) -> Any:
        """The score of one outcome."""
        return lambda columns: self._means(columns)[outcome]

    def _means(self, columns: Columns) -> dict[str, Array]:
        x, held = _placed(self._space, columns)
        key = x.tobytes() + held.tobytes()
        if self._last is None or self._last[0] != key:  # one call serves all outcomes
            found = self._models.predict(x[held]) if held.any() else {}
            means = {n: np.full(len(x), np.nan) for n in self._models.by_name}
            for name, (mean, _) in found.items():
                means[name][held] = mean
            self._last = key, means
        return self._last[1]


def _placed(space: Space, columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Designs given by their values as index vectors of ``space``, ``n x d``, and which of them it holds, ``n``."""
    x, unknown = [], []
    for variable in space.variables:
        place = {value: i for i, value in enumerate(variable.values)}
        at = np.array([place.get(value, -1) for value in columns[variable.name].tolist()], dtype=np.int64)
        x.append(np.maximum(at, 0))
        unknown.append(at < 0)
    rows = space.canonical(np.array(x).T)
    matters = np.array(unknown).T & space.active_mask(rows)
    return rows, np.asarray(~matters.any(axis=1))
