"""What peers are told of a design, and how their packages are loaded."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.search.problem import Problem
from nax_bo.search.scale import Array
from nax_bo.search.state import Indices, SearchState


@dataclass(frozen=True)
class Limit:
    """One side of a constraint.

    Attributes:
        name: The outcome.
        bound: Its largest (``sign`` 1) or smallest (``sign`` -1) allowed raw value.
        sign: Which side.
    """

    name: str
    bound: float
    sign: int

    def excess(self, raw: Array) -> Array:
        """How far raw values ``n`` lie beyond the bound, relative to it; negative where they keep it."""
        return self.sign * (raw - self.bound) / (abs(self.bound) or 1.0)


@dataclass(frozen=True, eq=False)
class Result:
    """What a full evaluation gave.

    Attributes:
        y: Objectives in the measure scale, ``m``.
        excess: Of each limit, ``k``; positive where it is broken.
    """

    y: Array
    excess: Array

    @property
    def usable(self) -> bool:
        """Whether all of it is finite."""
        return bool(np.isfinite(self.y).all() and np.isfinite(self.excess).all())

    @property
    def violation(self) -> float:
        """Total of what is beyond the limits."""
        return float(np.maximum(self.excess, 0.0).sum())


def limits(problem: Problem) -> list[Limit]:
    """Both sides of all constraints."""
    sides = [(c.name, b, s) for c in problem.constraints for b, s in ((c.upper, 1), (c.lower, -1))]
    return [Limit(name, bound, sign) for name, bound, sign in sides if bound is not None]


def full_results(state: SearchState) -> dict[Indices, Result]:
    """Results of the designs that were evaluated in full, repeats averaged."""
    x, y, _ = state.points()
    values = state.problem.known(x)
    for name in state.problem.learned_names:
        values[name] = np.array([o.outcomes[name] for o in state.full], dtype=float)
    excess = [limit.excess(values[limit.name]) for limit in limits(state.problem)]
    return {o.indices: Result(y[i], np.array([e[i] for e in excess])) for i, o in enumerate(state.full)}


@contextmanager
def quiet() -> Iterator[None]:
    """Neither warnings nor logs: those of a peer are about its own settings, fits and future."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def package(module: str, title: str, extra: str) -> Any:
    """The imported module of a peer; raises InputError that names the extra to install."""
    try:
        with quiet():
            return importlib.import_module(module)
    except ImportError as ex:
        raise InputError(f"{title} is not installed: {ex}", f"pip install naxbo[{extra}]") from ex
