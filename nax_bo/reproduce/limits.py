"""What a search is asked for in a reproduction: the costs that are claimed, as limits, and then accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nax_bo.outcomes import OUTCOMES
from nax_bo.study import StudyConfig
from nax_bo.study.problem import StudyProblem
from nax_bo.systems import Claim

_SAMPLE = 1 << 12
_LEAST = 8
"""Of the sampled designs that must keep all limits, so that a search can begin within them."""


def claimed_limits(problem: StudyProblem, baselines: Mapping[str, Mapping[str, float]]) -> StudyConfig:
    """The problem's settings with what is claimed of priced outcomes as limits.

    Each claim is asked for against the paper's baseline and the best homogeneous one at once, or, where hardly any
    design of the space keeps that together with the earlier claims, against the paper's, or not at all: then the
    verdict says what was obtained. Of several claims of one outcome (of several networks) the least counts.

    Args:
        problem: The space, its prices, and the settings to start from.
        baselines: Costs of the baselines ``paper`` and, if there is one, ``homogeneous``.
    """
    space, config = problem.space, problem.config
    prices = problem.costs(space.columns(space.sobol(min(_SAMPLE, space.size), 0)))
    kept = np.ones(len(next(iter(prices.values()))), dtype=bool)
    for name, value in config.max.items():
        kept &= prices[name] <= value if name in prices else True
    for claim in _least_of_each(problem.system.claims):
        sign = OUTCOMES[claim.metric].sign
        bounds = [
            base[claim.metric] / claim.value**sign for base in baselines.values() if base.get(claim.metric)
        ]
        strictest = sorted(bounds, key=lambda bound: sign * bound)[:1]
        for bound in [*strictest, *bounds[:1]]:
            within = kept & (sign * prices[claim.metric] <= sign * bound)
            if within.sum() >= _LEAST:
                kept, side = within, "max" if sign > 0 else "min"
                limits = {**getattr(config, side), claim.metric: bound}
                config = replace(config, max=limits) if side == "max" else replace(config, min=limits)
                break
    return config


def _least_of_each(claims: tuple[Claim, ...] | list[Claim]) -> list[Claim]:
    priced = [c for c in claims if c.metric in OUTCOMES and OUTCOMES[c.metric].source == "priced"]
    least = {name: min(c.value for c in priced if c.metric == name) for name in (c.metric for c in priced)}
    return [next(c for c in priced if (c.metric, c.value) == pair) for pair in least.items()]
