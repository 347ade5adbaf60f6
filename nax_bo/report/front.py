"""The front as people read it: ranges of costs, ties in accuracy, and what other cost models would keep of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nax_bo.accuracy.fidelity import FULL
from nax_bo.accuracy.intervals import accuracy_intervals
from nax_bo.errors import InputError, NaxboError
from nax_bo.hardware.protocol import cost_model, evaluate_designs
from nax_bo.outcomes import OUTCOMES, SUMMARY_COST, Outcome, cost_ends, outcome
from nax_bo.search.pareto import nondominated
from nax_bo.study import Study, Trial

PROFILES = ("published", "isaac", "puma")
"""Cost models under which the front is looked at again: those that price any design in no time."""

ACCURACY_ENDS = ("accuracy_low", "accuracy_high")

Row = dict[str, Any]


def design_row(study: Study, trial: Trial) -> Row:
    """``Study.row`` with the ranges of its costs between sources (:mod:`nax_bo.hardware.pricing.uncertainty`).

    None where one is unknown: the cost model states no range.
    """
    row = study.row(trial)
    cost = study.cost_report(trial) if study.specs(trial).report else None
    return {**{k: v for k, v in row.items() if k != "design"}, **cost_ends(cost), "design": row["design"]}


def front_rows(study: Study, trials: Sequence[Trial] | None = None) -> list[Row]:
    """One row per design of the front, the most accurate first: :func:`design_row` and what only the study knows.

    ``accuracy_low``, ``accuracy_high``: 95 % interval of the accuracy over trainings and chips
    (:func:`accuracy_bounds`), None where it is unknown. ``ties``: not told apart from the most accurate one
    (:func:`ties`). ``holds_under``: cost models under which no fully trained design of the study beats it in the
    study's objectives.

    Args:
        study: The study.
        trials: Fully trained designs to take instead of its front.
    """
    front = study.front() if trials is None else list(trials)
    rows = [design_row(study, t) for t in front]
    kept = survivors(study)
    best, bounds = ties(rows), accuracy_bounds(study)
    return [
        {
            **row,
            **dict(zip(ACCURACY_ENDS, bounds.get(row["number"], (None, None)), strict=True)),
            "ties": row["number"] in best,
            "holds_under": [m for m, n in kept.items() if row["number"] in n],
        }
        for row in rows
    ]


def accuracy_bounds(study: Study) -> dict[int, tuple[float, float]]:
    """95 % intervals of the accuracy of designs trained in full more than once, by number."""
    full = {t.number: e.outcome for t in study.trials() if (e := t.at(FULL.name)) and e.outcome}
    found = accuracy_intervals(list(full.values()))
    return {number: ends for number, ends in zip(full, found, strict=True) if ends is not None}


def survivors(study: Study) -> dict[str, set[int]]:
    """For each of :data:`PROFILES` that can price the study's designs, the undominated fully trained ones.

    In the study's objectives, among all designs that were trained in full; where none is a cost, in the main one too.
    """
    full = [t for t in study.trials() if t.at(FULL.name)]
    if not full:
        return {}
    wanted = [OUTCOMES[n] for n in dict.fromkeys((*study.config.objectives, study.config.main_cost.name))]
    values = [study.values(t) for t in full]
    decoded = [study.network_and_chip(t) for t in full]
    kept = {}
    for name in PROFILES:
        model = cost_model(name)
        try:
            batch = evaluate_designs(model, *map(list, zip(*decoded, strict=True)))
        except NaxboError:  # the profile knows no price for something that the designs hold
            continue
        columns = [
            o.sign * (o.read(batch) if o.source == "priced" else np.array([row[o.name] for row in values]))
            for o in wanted
        ]
        keep = nondominated(np.column_stack(columns))
        kept[name] = {t.number for t, stays in zip(full, keep, strict=True) if stays}
    return kept


def ties(rows: Sequence[Row]) -> list[int]:
    """Numbers of the designs that are not told apart from the most accurate one, itself included.

    Two designs tie when their accuracies differ by less than twice the standard error of the difference, or by no more
    than one test image.
    """
    if not rows:
        return []
    best = max(rows, key=lambda r: r["accuracy"])
    return [r["number"] for r in rows if r is best or _tie(best, r)]


def _tie(a: Row, b: Row) -> bool:
    error = math.hypot(*(r["standard_error"] or 0.0 for r in (a, b)))
    return bool(a["accuracy"] - b["accuracy"] <= max(2 * error, 1e-12))


def cheapest_within(rows: Sequence[Row], points: float, cost: Outcome = OUTCOMES[SUMMARY_COST]) -> Row | None:
    """The best design in ``cost`` whose accuracy is at most ``points`` percentage points below the best."""
    if not rows:
        return None
    floor = max(r["accuracy"] for r in rows) - points / 100
    return min((r for r in rows if r["accuracy"] >= floor - 1e-12), key=lambda r: cost.sign * r[cost.name])


@dataclass(frozen=True)
class Limits:
    """Which designs may be picked: bounds on outcomes by name, accuracy as a fraction."""

    upper: Mapping[str, float]
    lower: Mapping[str, float]

    def admit(self, row: Row) -> bool:
        """Whether a row keeps them all; raises InputError if it lacks a bounded outcome."""
        if missing := [n for n in (*self.upper, *self.lower) if n not in row]:
            known = ", ".join(OUTCOMES[n].short for n in OUTCOMES if n in row)
            raise InputError(f"this study holds no {', '.join(missing)}", f"Bound {known}.")
        low = all(row[n] >= v for n, v in self.lower.items())
        return low and all(row[n] <= v for n, v in self.upper.items())

    @classmethod
    def named(cls, upper: Mapping[str, float], lower: Mapping[str, float]) -> Limits:
        """Limits with their outcomes' full names.

        Raises:
            InputError: Nothing of that name is measured or priced, or it cannot have that limit.
        """
        both = []
        for bounds in (upper, lower):
            for name, value in bounds.items():
                outcome(name).check_limit(value)
            both.append({outcome(name).name: value for name, value in bounds.items()})
        return cls(*both)


def pickable(study: Study, limits: Limits) -> list[Trial]:
    """Fully trained designs within the study's limits and these that no other such design beats; best first."""
    if not (limits.upper or limits.lower):
        return study.front()
    rows = [(t, study.values(t)) for t in study.trials() if t.at(FULL.name)]
    inside = [(t, row) for t, row in rows if study.config.within_limits(row) and limits.admit(row)]
    if not inside:
        return []
    objectives = [OUTCOMES[name] for name in study.config.objectives]
    kept = nondominated([[o.sign * row[o.name] for o in objectives] for _, row in inside])
    pairs = [pair for pair, stays in zip(inside, kept, strict=True) if stays]
    return [t for t, _ in sorted(pairs, key=lambda pair: -pair[1]["accuracy"])]
