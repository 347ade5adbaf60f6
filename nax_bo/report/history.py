"""How the measured front of a study grew."""

from __future__ import annotations

import numpy as np

from nax_bo.accuracy.fidelity import FULL
from nax_bo.report.data import HistoryPoint
from nax_bo.search import Problem
from nax_bo.search.pareto import hypervolume
from nax_bo.study import Study


def hypervolume_history(study: Study) -> tuple[HistoryPoint, ...]:
    """Hypervolume after each finished full training, starting from zero; empty before the first.

    Measured below the reference point as it stands at the end (it follows the best accuracy), of designs that meet the
    study's limits, exactly as :meth:`nax_bo.study.Study.hypervolume` does. Seconds add up over all trainings, failed
    and short ones included: what one worker would have needed.
    """
    trials = study.trials()
    problem = study.study_problem.problem(study.store.meta("reference_point"))
    worst = study.reference_point()
    reference = np.array([float(o.scales.to_measure(worst[o.name])) for o in problem.objectives])
    finished = sorted(
        (e for t in trials for e in t.evaluations if e.order is not None), key=lambda e: e.order or 0
    )
    points, history, seconds = [], [HistoryPoint(0, 0.0, 0.0)], 0.0
    for count, evaluation in enumerate(finished, start=1):
        seconds += evaluation.seconds
        if evaluation.fidelity != FULL.name or evaluation.state != "done":
            continue
        values = study.values(trials[evaluation.trial])
        if meets_limits(problem, values):
            points.append([float(o.scales.to_measure(values[o.name])) for o in problem.objectives])
        history.append(HistoryPoint(count, seconds, hypervolume(points, reference) if points else 0.0))
    return tuple(history) if len(history) > 1 else ()


def meets_limits(problem: Problem, values: dict[str, float]) -> bool:
    """Whether a fully trained design with these outcomes counts for the front."""
    return not any(float(c.violation(values[c.name])) > 0 for c in problem.constraints)
