"""How a search stands, and how far its surrogates can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nax_bo.search.gain.promise import Promise
from nax_bo.search.models.learned import Models, seen_by_surrogates
from nax_bo.search.scale import Array
from nax_bo.search.state import SearchState, merged
from nax_bo.surrogate.protocol import LeaveOneOut
from nax_bo.surrogate.quality import coverage_95, explained, rank_correlation


@dataclass(frozen=True)
class Trust:
    """Leave-one-out quality of the surrogate of one learned outcome, in its model scale.

    Attributes:
        count: Observations it was judged on.
        coverage_95: Share of them within their 95 % intervals; 0.95 is ideal.
        rmse: Root of the mean square error.
        r2: Share of the variance that is explained.
        tau: Kendall's rank correlation between prediction and outcome.
    """

    count: int
    coverage_95: float
    rmse: float
    r2: float
    tau: float


@dataclass(frozen=True)
class Diagnostics:
    """Where a search stands.

    Attributes:
        told: Number of tellings by fidelity.
        failed: Number of designs that could not be evaluated.
        pending: Number of designs under way.
        front: Size of the front.
        hypervolume: Of the front, below the reference point.
        reference_point: Raw, by objective.
        trust: By learned outcome, where the surrogate can leave observations out.
        cheap_agreement: Kendall's tau between cheap and full outcomes of the same designs, by fidelity.
        notes: What went wrong with surrogates and what was used instead.
        promise: Hypervolume that the latest looks were expected to gain, and what they gained.
    """

    told: Mapping[str, int]
    failed: int
    pending: int
    front: int
    hypervolume: float
    reference_point: Mapping[str, float]
    trust: Mapping[str, Trust]
    cheap_agreement: Mapping[str, float]
    notes: tuple[str, ...]
    promise: Promise

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self)


def trust(state: SearchState, models: Models) -> dict[str, Trust]:
    """Leave-one-out quality of every surrogate that offers it."""
    out = {}
    for name, model in models.by_name.items():
        if not isinstance(model.inner, LeaveOneOut):
            continue
        mean, std = (part[:, 0] for part in model.inner.leave_one_out())
        told = np.array([o.outcomes[name] for o in seen_by_surrogates(state)])[: len(mean)]
        out[name] = judge(state.problem.scale_of(name).to_model(told), mean, std)
    return out


def judge(y: Array, mean: Array, std: Array) -> Trust:
    """Quality of predictions ``mean, std`` (of observations, noise included) of outcomes ``y``, ``n`` each."""
    rmse = float(np.sqrt(np.mean((y - mean) ** 2)))
    return Trust(len(y), coverage_95(y, mean, std), rmse, explained(y, mean), rank_correlation(y, mean))


def cheap_agreement(state: SearchState) -> dict[str, float]:
    """Kendall's tau between cheap and full outcomes, mean over learned outcomes, by fidelity (designs told at both)."""
    full = {o.indices: o for o in state.full}
    out = {}
    for fidelity, level in state.problem.levels.items():
        cheap = [o for o in merged(state.observations) if o.level == level and o.indices in full]
        if level == 1.0 or len(cheap) < 3:
            continue
        taus = [
            rank_correlation([o.outcomes[n] for o in cheap], [full[o.indices].outcomes[n] for o in cheap])
            for n in state.problem.learned_names
        ]
        out[fidelity] = float(np.mean(taus))
    return out
