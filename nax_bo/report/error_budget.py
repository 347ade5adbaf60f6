"""Where the output error of the chosen design comes from, layer by layer."""

from __future__ import annotations

from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.errors import NaxboError
from nax_bo.hardware.chip.effects import EFFECTS
from nax_bo.report.data import LayerRow
from nax_bo.study import Study, Trial
from nax_bo.study.running.job import job_seed

MOST_SECONDS = 10.0
"""A design whose short training takes longer is not trained again for a report."""

_LABELS = {"quantisation": "quantisation", "adc": "ADC", **EFFECTS, "total": "all together"}


def error_budget(study: Study, trial: Trial) -> tuple[tuple[str, ...], tuple[LayerRow, ...]]:
    """Layer names, and per source the error of each layer's output in percent of its root mean square.

    The design is trained again shortly, on its chip, and explained on calibration images
    (:meth:`nax_bo.crossbar.CrossbarNetwork.explain`). Empty where that would take long, or fails, and of networks that
    were given: reading a study does not run their code.
    """
    if study.config.network or _seconds(trial) > MOST_SECONDS:
        return (), ()
    from nax_bo.accuracy.data import parse_data
    from nax_bo.accuracy.recipes import recipe
    from nax_bo.accuracy.training import train

    conditions = study.config.conditions
    try:
        study.need("data", why="training a design")
        network, chip = study.network_and_chip(trial)
        model = train(
            network,
            chip,
            parse_data(study.config.data).load(),
            recipe=recipe(study.config.recipe, SHORT.recipe, network),
            seed=job_seed(study.config.seed, trial.number),
            conditions=conditions,
            timeout_s=3 * MOST_SECONDS,
        )
        budgets = {name: model.explain(name, conditions).error_budget for name in model.layers}
    except NaxboError:
        return (), ()
    rows = (
        LayerRow(label, tuple(100 * b.get(source, float("nan")) for b in budgets.values()))
        for source, label in _LABELS.items()
    )
    return tuple(budgets), tuple(row for row in rows if any(v > 0 for v in row.values))


def _seconds(trial: Trial) -> float:
    """How long a short training of the design takes, from what was measured."""
    short, full = trial.at(SHORT.name), trial.at(FULL.name)
    if short is not None:
        return short.seconds
    return full.seconds * SHORT.relative_cost if full is not None else float("inf")
