"""Search: problems, the ask/tell optimiser, strategies."""

from nax_bo.search.optimizer import FrontPoint, Optimizer
from nax_bo.search.problem import Constraint, Fidelity, Objective, Problem, Proxy
from nax_bo.search.state import SearchState, Suggestion
from nax_bo.search.strategy import Strategy, load_strategy, register_strategy, strategy_names
from nax_bo.search.transfer import with_earlier

__all__ = [
    "Constraint",
    "Fidelity",
    "FrontPoint",
    "Objective",
    "Optimizer",
    "Problem",
    "Proxy",
    "SearchState",
    "Strategy",
    "Suggestion",
    "load_strategy",
    "register_strategy",
    "strategy_names",
    "with_earlier",
]
