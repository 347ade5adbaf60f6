"""Which settings drive accuracy and cost near the front of a study."""

from __future__ import annotations

from nax_bo.errors import NaxboError
from nax_bo.hardware.protocol import OneByOne
from nax_bo.report.data import Driver
from nax_bo.search.sensitivity import sensitivity
from nax_bo.study import Study

MOST_SHOWN = 12
LEAST_DESIGNS = 5
"""Trained designs below which a model of accuracy says nothing about what drives it."""


def drivers(study: Study) -> tuple[Driver, ...]:
    """Settings by their share of the variance of accuracy (predicted) and main cost, the most influential first.

    Sobol indices over designs near the front (:func:`nax_bo.search.sensitivity.sensitivity`). Empty for a study too
    young to predict from, and for cost models that price one design at a time: it takes thousands.
    """
    if sum(any(e.state == "done" for e in t.evaluations) for t in study.trials()) < LEAST_DESIGNS:
        return ()
    try:
        study.need("system", "network", "cost_model", why="pricing other designs")
        if isinstance(study.study_problem.cost_model, OneByOne) and not study.config.learn_costs:
            return ()
        found = {s.outcome: s for s in sensitivity(study.optimizer())}
    except NaxboError:
        return ()
    accuracy, cost = found[study.config.headline.name], found.get(study.config.main_cost.name)
    rows = [
        Driver(
            name,
            _share(accuracy.first[name]),
            _share(accuracy.total[name]),
            _share(cost.first[name] if cost else 0.0),
            _share(cost.total[name] if cost else 0.0),
        )
        for name in accuracy.total
    ]
    rows.sort(key=lambda row: -(row.accuracy_total + row.cost_total))
    return tuple(row for row in rows if row.accuracy_total + row.cost_total > 0)[:MOST_SHOWN]


def _share(index: float) -> float:
    """Estimates of small indices fall a little below zero."""
    return min(max(index, 0.0), 1.0)
