"""What a search strategy is, and where strategies are found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from nax_bo.errors import InputError
from nax_bo.references import load_factory
from nax_bo.search.state import SearchState, Suggestion


class Strategy(Protocol):
    """Proposes designs as a function of the state alone; it may remember work, never decisions."""

    def propose(self, state: SearchState) -> Suggestion | None:
        """The next design to evaluate; None when there is none left."""
        ...


_BUILT_IN = {
    "naxbo": "nax_bo.search.strategies.naxbo:Naxbo",
    "random": "nax_bo.search.strategies.baselines:RandomSearch",
    "sobol": "nax_bo.search.strategies.baselines:SobolSearch",
    "nsga2": "nax_bo.search.strategies.baselines:Nsga2",
    "local-search": "nax_bo.search.strategies.baselines:LocalSearch",
    "linas": "nax_bo.search.strategies.linas:Linas",
    "xpert": "nax_bo.search.strategies.xpert:Xpert",
    "xpert-released": "nax_bo.search.strategies.xpert:XpertReleased",
    "dynas": "nax_bo.search.strategies.dynas:Dynas",
    "nacim": "nax_bo.search.strategies.reinforce:Reinforce",
    "optuna-tpe": "nax_bo.search.peers.optuna:tpe",
    "optuna-gp": "nax_bo.search.peers.optuna:gp",
    "optuna-nsga2": "nax_bo.search.peers.optuna:nsga2",
    "pymoo-nsga2": "nax_bo.search.peers.pymoo:PymooNsga2",
    "ax": "nax_bo.search.peers.ax:ax",
    "smac": "nax_bo.search.peers.smac:smac",
}
_REGISTERED: dict[str, Callable[[], Strategy]] = {}


def register_strategy(name: str, factory: Callable[[], Strategy]) -> None:
    """Make a strategy known by name; raises InputError if the name is taken."""
    if name in _BUILT_IN or name in _REGISTERED:
        raise InputError(f"there is already a strategy {name!r}", "Choose another name.")
    _REGISTERED[name] = factory


def strategy_names() -> list[str]:
    """Names of all strategies."""
    return [*_BUILT_IN, *_REGISTERED]


def load_strategy(reference: str | Strategy | type[Strategy]) -> Strategy:
    """A strategy by name or ``package.module:Class`` reference, its class, or the object itself.

    Raises:
        InputError: Unknown name, the reference cannot be loaded, or it proposes nothing.
    """
    if not isinstance(reference, str):
        made = reference() if isinstance(reference, type) else reference
        if not callable(getattr(made, "propose", None)):
            raise InputError(f"{made!r} is not a strategy", "It needs propose(state) -> Suggestion or None.")
        return made
    if reference in _REGISTERED:
        return _REGISTERED[reference]()
    target = _BUILT_IN.get(reference, reference)
    if ":" not in target:
        raise InputError(
            f"there is no strategy {reference!r}",
            f"Use one of {', '.join(strategy_names())}, or package.module:Class.",
        )
    strategy: Strategy = load_factory(target, "strategy", ("propose",))()
    return strategy
