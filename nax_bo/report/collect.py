"""Everything that a report shows, read from a study once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.errors import NaxboError
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.effects import EFFECTS, acting
from nax_bo.outcomes import OUTCOMES, Outcome
from nax_bo.report.chosen import anatomy, choose
from nax_bo.report.data import CalibrationPlot, Point, ReportData
from nax_bo.report.drivers import drivers
from nax_bo.report.error_budget import error_budget
from nax_bo.report.history import hypervolume_history
from nax_bo.study import Study, Trial
from nax_bo.study.prediction import cross_validate

BUILT_IN = ("gp", "gbt")
"""Surrogates whose predictions every report checks, besides the study's own."""

CALIBRATION_FOLDS = 5
"""Parts of the designs, each predicted from the others: half the time of the ten that ``surrogates compare`` takes."""

_MOST_LISTED = 12


def collect(study: Study, design: int | None = None) -> ReportData:
    """What the report of ``study`` shows.

    Refits surrogates for held-out predictions and trains the chosen design shortly, which takes seconds to a minute.
    Parts for which the study holds too little are empty.

    Args:
        study: Any study, also one that has just begun.
        design: Number of the design to show layer by layer; by default the bend of the front.

    Raises:
        InputError: There is no such design.
    """
    trials, front = study.trials(), study.front()
    picked = choose(study, design, front)
    parts = anatomy(study, picked[0]) if picked else None
    plots, notes = _calibration(study)
    error_layers, error_rows = error_budget(study, picked[0]) if picked else ((), ())
    return ReportData(
        title=study.store.path.name,
        facts=_facts(study, trials, front),
        accuracy_label=study.config.headline.label,
        cost=study.config.main_cost,
        points=_points(study, trials, front),
        front_rows=tuple(_front_row(study, t) for t in front),
        history=hypervolume_history(study),
        calibration=plots,
        calibration_notes=notes,
        chosen=f"Design {picked[0].number}, {picked[1]}. {parts.shared}" if picked and parts else "",
        layer_names=parts.layer_names if parts else (),
        layer_rows=parts.layer_rows if parts else (),
        components=parts.components if parts else (),
        drivers=drivers(study),
        error_layers=error_layers,
        error_budget=error_rows,
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
    config, data = study.config, study.store.meta("data")
    images = f"{_shape(data['input_shape'])} pixels, {data['num_classes']} classes, {data['test_images']} test images"
    evaluations = [e for t in trials for e in t.evaluations]
    full = sum(t.at(FULL.name) is not None for t in trials)
    failed = sum(t.failed for t in trials)
    facts = [
        ("data", f"{config.data}: {images}"),
        ("space", f"{config.system}: {len(study.store.space)} choices, {study.store.space.size:.2g} designs"),
        ("search", f"{config.strategy}, surrogate {config.surrogate}, seed {config.seed}"),
        ("costs", f"{config.cost_model}" + (", learned" if config.learn_costs else "")),
        ("noise", _conditions(study, trials)),
        ("designs", f"{len(trials)} of {config.budget}, {full} trained in full, {failed} failed"),
        ("training time", _time(sum(e.seconds for e in evaluations))),
    ]
    limits = [f"{k} ≤ {v:g}" for k, v in config.max.items()]
    limits += [f"{k} ≥ {v:g}" for k, v in config.min.items()]
    facts += [("limits", ", ".join(limits))] if limits else []
    if front:
        worst = ", ".join(f"{OUTCOMES[k].label} {v:.3g}" for k, v in study.reference_point().items())
        names = " × ".join(_measure(OUTCOMES[name]) for name in config.objectives)
        facts.append(("hypervolume", f"{study.hypervolume():.4g} in {names}, from {worst}"))
    return tuple(facts)


def _measure(outcome: Outcome) -> str:
    return f"log10 {outcome.label}" if outcome.scale == "log10" else outcome.label


def _shape(shape: list[int]) -> str:
    return " × ".join(map(str, shape))


def _conditions(study: Study, trials: list[Trial]) -> str:
    """When chips are read, and what acts on any of those that were tried."""
    conditions, acts = study.config.conditions, set[str]()
    for trial in trials:
        _, chip = study.study_problem.system.decode(trial.design)
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
    points = []
    for trial in trials:
        evaluation = trial.at(FULL.name) or trial.at(SHORT.name)
        if evaluation is None:
            continue
        accuracy, error = study.accuracy(evaluation), study.row(trial)["standard_error"] or 0.0
        shown = study.config.main_cost
        cost = trial.costs[shown.name]
        label = (
            f"design {trial.number}: {100 * accuracy:.1f} % ± {100 * error:.1f}, "
            f"{shown.label} {cost:.3g} {shown.unit}\n"
            f"{describe(trial.design)}"
        )
        points.append(
            Point(trial.number, accuracy, error, cost, evaluation.fidelity, trial.number in best, label)
        )
    return tuple(points)


def describe(design: Mapping[str, Any]) -> str:
    """A design's choices in one line; ``width_1=8, width_2=16`` becomes ``width 8-16``."""
    grouped: dict[str, list[str]] = {}
    for name, value in design.items():
        stem, _, index = name.rpartition("_")
        grouped.setdefault(stem if index.isdigit() else name, []).append(str(value))
    return ", ".join(f"{name.replace('_', ' ')} {'-'.join(values)}" for name, values in grouped.items())


def _front_row(study: Study, trial: Trial) -> dict[str, Any]:
    row = study.row(trial)
    return {
        "design": trial.number,
        "accuracy (%)": 100 * row["accuracy"],
        "± trainings": _points_or(row["between_trainings"]),
        "± chips": _points_or(row["between_chips"]) if row["chips_differ"] else "no noise in the model",
        "95 % exceed (%)": _points_or(row["p05"]) if row["chips_differ"] else "-",
        **{OUTCOMES[name].heading: row[name] for name in study.config.cost_columns},
        "choices": describe(trial.design),
    }


def _points_or(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _calibration(study: Study) -> tuple[tuple[CalibrationPlot, ...], tuple[str, ...]]:
    plots, notes = [], []
    for name in dict.fromkeys((study.config.surrogate, *BUILT_IN)):
        try:
            checked = cross_validate(study, name, CALIBRATION_FOLDS)
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
