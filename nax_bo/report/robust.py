"""Which designs stay on the front, whoever is right: fronts over draws of what sources and measurements leave open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nax_bo.accuracy.fidelity import FULL
from nax_bo.accuracy.report import statistics_of
from nax_bo.errors import InputError
from nax_bo.hardware.pricing.draws import drawn_models
from nax_bo.hardware.profiles import SHIPPED, Profile, load_profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload
from nax_bo.report.front import Limits
from nax_bo.search.pareto import nondominated
from nax_bo.study import Study, Trial

DRAWS = 300
"""A share of 0.8 is then known to 0.023, one standard error."""

ROBUST = 0.8
"""Share of the draws from which on a design counts as staying on the front."""


def front_shares(study: Study, draws: int = DRAWS) -> dict[int, float]:
    """Share of draws in which each fully trained design is on the front, by number.

    In each draw all designs are priced with one drawn set of assumptions
    (:func:`nax_bo.hardware.pricing.draws.drawn_models`), every measured objective moves by its standard error, and the
    front is taken anew: within the study's limits, and within reach of the best. What a device's assumptions do to
    accuracy is not drawn: that takes trainings.

    Args:
        study: Any study whose costs come from a profile.
        draws: How many.

    Raises:
        InputError: The study's cost model is not a profile, so no ranges of its constants are known.
    """
    profile = _profile(study)
    config = study.config
    full = [(t, e) for t in study.trials() if (e := t.at(FULL.name)) and study.specs(t).report]
    if not full:
        return {}
    decoded = [study.network_and_chip(t) for t, _ in full]
    workload = Workload.from_designs([network for network, _ in decoded], [chip for _, chip in decoded])
    reports = [statistics_of(e.outcome) for _, e in full]
    rng = np.random.default_rng(config.seed)
    counts = np.zeros(len(full))
    for model in drawn_models(profile, draws, config.seed):
        costs, luck = model.evaluate_batch(workload), rng.standard_normal(len(full))
        values: dict[str, Floats] = {}
        for outcome in config.outcomes:
            if outcome.source == "priced":
                values[outcome.name] = outcome.read(costs)
                continue
            mean = np.array([outcome.read(report) for report in reports])
            error = np.sqrt([outcome.variance(report) or 0.0 for report in reports])
            values[outcome.name] = np.clip(mean + luck * error, 0.0, 1.0)
        inside = np.flatnonzero(_counts(study, values))
        signed = np.column_stack(
            [o.sign * values[o.name][inside] for o in config.outcomes if o.name in config.objectives]
        )
        counts[inside[nondominated(signed)]] += 1
    return {t.number: float(share) for (t, _), share in zip(full, counts / draws, strict=True)}


def stays(
    study: Study, limits: Limits, share: float = ROBUST, draws: int = DRAWS
) -> list[tuple[Trial, float]]:
    """Fully trained designs within limits that are on the front in that share of draws; the most accurate first."""
    shares = front_shares(study, draws)
    found = [(t, shares[t.number]) for t in study.trials() if shares.get(t.number, 0.0) >= share]
    return sorted(
        (pair for pair in found if limits.admit(study.values(pair[0]))),
        key=lambda pair: -study.values(pair[0])["accuracy"],
    )


def _counts(study: Study, values: dict[str, Floats]) -> np.ndarray:
    """Which designs are within the study's limits, and within reach of the best of them."""
    config = study.config
    inside = np.ones(len(next(iter(values.values()))), dtype=bool)
    for name, limit in config.max.items():
        inside &= values[name] <= limit
    for name, limit in config.min.items():
        inside &= values[name] >= limit
    near = inside.copy()
    for name, reach in study.study_problem.within.items():
        if inside.any():
            near &= values[name] >= values[name][inside].max() - reach
    return near


def _profile(study: Study) -> Profile:
    reference = study.config.cost_model
    if reference in SHIPPED or (reference.endswith(".toml") and Path(reference).is_file()):
        return load_profile(reference)
    raise InputError(
        f"the ranges of the cost model {reference} are not known",
        f"They are of the profiles {', '.join(SHIPPED)} and of TOML profiles.",
    )
