"""Which settings drive accuracy and EDAP near the front of a study."""

from __future__ import annotations

from nax_bo.errors import NaxboError
from nax_bo.hardware.protocol import OneByOne
from nax_bo.report.data import Driver
from nax_bo.search.sensitivity import sensitivity
from nax_bo.study import Study
from nax_bo.study.problem import EDAP, ERROR

MOST_SHOWN = 12
LEAST_DESIGNS = 5
"""Trained designs below which a model of accuracy says nothing about what drives it."""


def drivers(study: Study) -> tuple[Driver, ...]:
    """Settings by their share of the variance of accuracy (predicted) and EDAP, the most influential first.

    Sobol indices over designs near the front (:func:`nax_bo.search.sensitivity.sensitivity`). Empty for a study too
    young to predict from, and for cost models that price one design at a time: it takes thousands.
    """
    if sum(any(e.state == "done" for e in t.evaluations) for t in study.trials()) < LEAST_DESIGNS:
        return ()
    try:
        study.need("system", "cost_model", why="pricing other designs")
        if isinstance(study.study_problem.cost_model, OneByOne) and not study.config.learn_edap:
            return ()
        found = {s.outcome: s for s in sensitivity(study.optimizer())}
    except NaxboError:
        return ()
    error, edap = found[ERROR], found[EDAP]
    rows = [
        Driver(
            name,
            _share(error.first[name]),
            _share(error.total[name]),
            _share(edap.first[name]),
            _share(edap.total[name]),
        )
        for name in error.total
    ]
    rows.sort(key=lambda row: -(row.accuracy_total + row.edap_total))
    return tuple(row for row in rows if row.accuracy_total + row.edap_total > 0)[:MOST_SHOWN]


def _share(index: float) -> float:
    """Estimates of small indices fall a little below zero."""
    return min(max(index, 0.0), 1.0)
