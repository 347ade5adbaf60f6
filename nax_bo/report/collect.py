"""Everything that a report shows, read from a study once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from nax_bo.accuracy.fidelity import FULL
from nax_bo.errors import NaxboError
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.effects import EFFECTS, acting
from nax_bo.outcomes import OUTCOMES, Outcome
from nax_bo.report.chosen import anatomy, choose, knee, layers_of
from nax_bo.report.data import CalibrationPlot, Point, ReportData
from nax_bo.report.devices import cells, rivals, said
from nax_bo.report.drivers import drivers
from nax_bo.report.error_budget import error_budget
from nax_bo.report.front import (
    ACCURACY_ENDS,
    accuracy_bounds,
    cheapest_within,
    design_row,
    survivors,
    ties,
)
from nax_bo.report.history import hypervolume_history
from nax_bo.search.optimizer import one_thread
from nax_bo.study import Study, Trial
from nax_bo.study.answers.prediction import cross_validate
from nax_bo.study.running.stopping import AHEAD, in_words
from nax_bo.units import percent_places, range_text, shown_in, unit_for

BUILT_IN = ("gp", "gbt")
"""Surrogates whose predictions every report checks, besides the study's own."""

CALIBRATION_FOLDS = 5
"""Parts of the designs, each predicted from the others: half the time of the ten that ``surrogates compare`` takes."""

MOST_DETAILED = 1000
"""Designs that can be taken apart on the page, the front first: the rest are points only."""

NEAR_POINTS = 0.5
"""Percentage points below the best accuracy within which the cheapest design is named."""

_MOST_LISTED = 12


def collect(study: Study, design: int | None = None, *, quick: bool = False) -> ReportData:
    """What the report of ``study`` shows.

    Refits surrogates for held-out predictions and trains the chosen design shortly, which takes seconds to a minute.
    Parts for which the study holds too little are empty.

    Args:
        study: Any study, also one that has just begun.
        design: Number of the design to show layer by layer; by default the bend of the front.
        quick: Leave out what has to be trained or fitted first: calibration, error budget, drivers, other devices.

    Raises:
        InputError: There is no such design.
    """
    with one_thread():
        return _collected(study, design, quick)


def _collected(study: Study, design: int | None, quick: bool) -> ReportData:
    trials, front = study.trials(), study.front()
    images = study.data["test_images"]
    picked = choose(study, design, front)
    parts = anatomy(study, picked[0]) if picked else None
    plots, notes = ((), ()) if quick else _calibration(study)
    moved = () if quick else rivals(study, front)
    error_layers, error_rows = error_budget(study, picked[0]) if picked and not quick else ((), ())
    return ReportData(
        title=study.store.path.name,
        facts=_facts(study, trials, front),
        accuracy_label=study.config.headline.label,
        cost=study.config.main_cost,
        costs=study.config.cost_columns,
        answer=_answer(study, front, images),
        footer=_footer(study),
        points=_points(study, trials, front),
        test_images=images,
        history=hypervolume_history(study),
        calibration=plots,
        calibration_notes=notes,
        chosen=f"Design {picked[0].number}, {picked[1]}. {parts.shared}" if picked and parts else "",
        number=picked[0].number if picked else None,
        layer_names=parts.layer_names if parts else (),
        layer_rows=parts.layer_rows if parts else (),
        components=parts.components if parts else (),
        drivers=() if quick else drivers(study),
        error_layers=error_layers,
        error_budget=error_rows,
        devices=tuple(cells(row, len(front)) for row in moved),
        devices_said=said(front) if moved else "",
        failures=_failures(trials),
    )


def _failures(trials: list[Trial]) -> tuple[dict[str, Any], ...]:
    """Failures by reason, the most frequent first."""
    designs: dict[str, list[int]] = {}
    for trial in trials:
        for e in trial.evaluations:
            if e.state == "failed":
                reason = e.message.splitlines()[0] if e.message else e.state
                designs.setdefault(reason, []).append(trial.number)
    ranked = sorted(designs.items(), key=lambda item: -len(item[1]))
    return tuple({"reason": r, "failures": len(n), "designs": _listed(n)} for r, n in ranked)


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_LISTED]))
    return shown + (", ..." if len(numbers) > _MOST_LISTED else "")


def _facts(study: Study, trials: list[Trial], front: list[Trial]) -> tuple[tuple[str, str], ...]:
    config, data = study.config, study.data
    images = f"{_shape(data['input_shape'])} pixels, {data['num_classes']} classes, {data['test_images']} test images"
    evaluations = [e for t in trials for e in t.evaluations]
    full = sum(t.at(FULL.name) is not None for t in trials)
    failed = sum(t.failed for t in trials)
    facts = [
        ("data", f"{config.data}: {images}"),
        (
            "space",
            f"{config.subject}: {len(study.store.space)} choices, {study.store.space.size:.2g} designs",
        ),
        ("search", f"{config.strategy}, surrogate {config.surrogate}, seed {config.seed}"),
        ("costs", f"{config.cost_model}" + (", learned" if config.learn_costs else "")),
        ("noise", _conditions(study, trials)),
        ("designs", f"{len(trials)} of {config.budget}, {full} trained in full, {failed} failed"),
        ("training time", _time(sum(e.seconds for e in evaluations))),
    ]
    limits = [f"{k} ≤ {v:g}" for k, v in config.max.items()]
    limits += [f"{k} ≥ {v:g}" for k, v in config.min.items()]
    facts += [("limits", ", ".join(limits))] if limits else []
    facts += _promises(study)
    if front:
        worst = ", ".join(f"{OUTCOMES[k].label} {v:.3g}" for k, v in study.reference_point().items())
        names = " × ".join(_measure(OUTCOMES[name]) for name in config.objectives)
        facts.append(("hypervolume", f"{study.hypervolume():.4g} in {names}, from {worst}"))
    return tuple(facts)


def _promises(study: Study) -> list[tuple[str, str]]:
    """What the search promised of late and what came of it, and what it promises of further designs."""
    try:
        optimizer = study.optimizer()
        kept, ahead = optimizer.diagnostics().promise, optimizer.outlook(AHEAD)
    except NaxboError as ex:
        return [("outlook", f"unknown: {ex.message}")]
    facts = []
    if kept.looks:
        facts.append(
            (
                "promises",
                f"the last {kept.looks} designs were expected to gain {kept.expected:.3g} of hypervolume, and gained "
                f"{kept.gained:.3g}",
            )
        )
    return [*facts, ("outlook", in_words(ahead))] if ahead else facts


def _measure(outcome: Outcome) -> str:
    return f"log10 {outcome.label}" if outcome.scale == "log10" else outcome.label


def _shape(shape: list[int]) -> str:
    return " × ".join(map(str, shape))


def _conditions(study: Study, trials: list[Trial]) -> str:
    """When chips are read, and what acts on any of those that were tried."""
    conditions, acts = study.config.conditions, set[str]()
    for trial in trials:
        _, chip = study.network_and_chip(trial)
        for array in set(chip.arrays):
            acts.update(acting(device(chip.device), conditions, array))
    text = ", ".join(label for name, label in EFFECTS.items() if name in acts) or "none"
    time_s, scale = conditions.time_s, conditions.variation_scale
    when = f"{_time(time_s)} after programming" if time_s else "right after programming"
    return f"{text}; {when}" + ("" if scale == 1 else f", variation × {scale:g}")


def _time(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _points(study: Study, trials: list[Trial], front: list[Trial]) -> tuple[Point, ...]:
    best = {t.number for t in front}
    tied = set(ties([study.row(t) for t in front]))
    kept, bounds = survivors(study), accuracy_bounds(study)
    looked = [t for t in trials if t.best]
    looked.sort(key=lambda t: (t.number not in best, t.at(FULL.name) is None, t.number))
    points = []
    for place, trial in enumerate(looked):
        evaluation = trial.best
        assert evaluation is not None
        detailed = place < MOST_DETAILED
        points.append(
            Point(
                (design_row(study, trial) if detailed else study.row(trial))
                | dict(zip(ACCURACY_ENDS, bounds.get(trial.number, (None, None)), strict=True)),
                study.accuracy(evaluation),
                trial.number in best,
                trial.number in tied,
                tuple(name for name, numbers in kept.items() if trial.number in numbers),
                describe(trial.design),
                layers_of(study, trial) if detailed else (),
            )
        )
    return tuple(sorted(points, key=lambda p: p.number))


def _answer(study: Study, front: list[Trial], test_images: int) -> tuple[str, ...]:
    """What a reader wants first, in sentences."""
    if not front:
        return ()
    rows = [design_row(study, t) for t in front]
    places = percent_places([r["standard_error"] for r in rows], test_images)
    cost = study.config.main_cost
    unit = unit_for(cost.unit, [r[cost.name] for r in rows])

    def say(row: Mapping[str, Any]) -> str:
        known = range_text(unit, row, cost)
        return (
            f"design {row['number']} ({100 * row['accuracy']:.{places}f} %, {cost.label} "
            f"{shown_in(unit, row, cost)} {unit.name}"
            + ("" if known == "-" else f", {known} by source")
            + ")"
        )

    bend, _ = knee(study, front)
    near = cheapest_within(rows, NEAR_POINTS, cost)
    said = (
        [f"The knee is {say(next(r for r in rows if r['number'] == bend.number))}."] if len(rows) > 2 else []
    )
    if near is not None:
        said.append(f"Within {NEAR_POINTS:g} points of the best accuracy, the cheapest is {say(near)}.")
    tied = ties(rows)
    if len(tied) > 1:
        numbers = f"{', '.join(map(str, tied[:-1]))} and {tied[-1]}"
        cheapest = min((r for r in rows if r["number"] in tied), key=lambda r: cost.sign * r[cost.name])
        said.append(
            f"The most accurate designs {numbers} tie: their differences are within the noise of measuring. "
            f"The cheapest of them is {say(cheapest)}."
        )
    else:
        said.append(f"Design {tied[0]} is the most accurate beyond the noise of measuring.")
    return tuple(said)


def _footer(study: Study) -> tuple[tuple[str, str], ...]:
    data = study.data
    return (
        ("written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("by", f"naxbo {version('naxbo')}, study begun by {study.store.meta('naxbo')}"),
        ("command", " ".join(["naxbo", *sys.argv[1:]]) if sys.argv[0].endswith("naxbo") else "Python"),
        ("data", f"{data['name']}, fingerprint {data['fingerprint']}"),
    )


def describe(design: Mapping[str, Any]) -> str:
    """A design's choices in one line; ``width_1=8, width_2=16`` becomes ``width 8-16``."""
    grouped: dict[str, list[str]] = {}
    for name, value in design.items():
        stem, _, index = name.rpartition("_")
        grouped.setdefault(stem if index.isdigit() else name, []).append(str(value))
    return ", ".join(f"{name.replace('_', ' ')} {'-'.join(values)}" for name, values in grouped.items())


def _calibration(study: Study) -> tuple[tuple[CalibrationPlot, ...], tuple[str, ...]]:
    plots, notes = [], []
    for name in dict.fromkeys((study.config.surrogate, *BUILT_IN)):
        try:
            own = name == study.config.surrogate
            checked = cross_validate(study, study.surrogate if own else name, CALIBRATION_FOLDS)
        except NaxboError as ex:
            notes.append(f"{name}: {ex.message}")
            continue
        low, high, middle = (
            tuple(getattr(p, f) for p in checked.predictions) for f in ("low", "high", "accuracy")
        )
        plots.append(
            CalibrationPlot(
                name, checked.measured, middle, low, high, checked.coverage, checked.tau, checked.r2
            )
        )
    return tuple(plots), tuple(notes)
