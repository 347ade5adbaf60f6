"""Why a design is proposed, in words for people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nax_bo.search.pareto import hypervolume
from nax_bo.search.problem import Problem
from nax_bo.search.state import SearchState


def in_words(problem: Problem, predicted: Mapping[str, tuple[float, float]]) -> list[str]:
    """Predictions as text, with one standard deviation to either side; fractions (logit scale) in percent."""
    out = []
    for name, (mean, std) in predicted.items():
        scale = problem.scale_of(name)
        low, middle, high = scale.model_to_raw([mean - std, mean, mean + std]).tolist()
        low, high = min(low, high), max(low, high)
        if scale.model == "logit":
            out.append(f"{name} {100 * middle:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)")
        else:
            out.append(f"{name} {middle:.3g} ({low:.3g} to {high:.3g})")
    return out


def gain_in_words(state: SearchState, gain: float) -> str:
    """What an expected gain in hypervolume would be to the front that is known."""
    _, y = state.front()
    reference = state.reference
    now = hypervolume(y, reference) if len(y) and np.isfinite(reference).all() else 0.0
    if now <= 0:
        return "would be the first on the front"
    share = 100 * gain / now
    if share < 0.1:
        return "can hardly widen the front"
    return f"may widen the front by {share:.0f} %" if share >= 1 else f"may widen the front by {share:.1g} %"
