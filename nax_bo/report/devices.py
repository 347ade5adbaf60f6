"""Why the front has the devices it has: its designs on every other device, priced anew, with the accuracy to expect."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nax_bo.errors import NaxboError
from nax_bo.space import Space, Value
from nax_bo.study import Study, Trial
from nax_bo.study.answers.prediction import fit_accuracy
from nax_bo.study.answers.single import changed_design

DEVICE = "device"
"""The variable that this is about."""


@dataclass(frozen=True)
class Rival:
    """The front's designs moved to one device, with one choice of what depends on it (bits per cell).

    Attributes:
        device: The device and these choices, in words.
        holds: How many designs of the front have it as they are.
        cost: Median of main cost over that of the same design as it is; ``low`` and ``high``: least and largest.
        points: Median change of accuracy in percentage points, as predicted; ``low`` and ``high``: least and largest.
        stays: On how many designs of the front it is predicted to beat the front, or to stand beside it.
    """

    device: str
    holds: int
    cost: float
    cost_low: float
    cost_high: float
    points: float
    points_low: float
    points_high: float
    stays: int


def rivals(study: Study, front: Sequence[Trial]) -> tuple[Rival, ...]:
    """One row per device and choices that depend on it, the cheapest first.

    Costs are those of the study's cost model, with choices that only costs depend on solved anew; accuracies of moved
    designs are what the study's surrogate predicts, against what it predicts of the design as it is. Empty if the space
    does not choose devices, or the study can neither build nor predict designs.
    """
    space = study.store.space
    if not front or all(v.name != DEVICE for v in space.variables):
        return ()
    if study.config.learn_costs:
        return ()  # what another device would cost is not known without asking its slow cost model
    try:
        study.need("system", "cost_model", why="pricing other designs")
        return _rivals(study, front, space)
    except NaxboError:
        return ()


def _rivals(study: Study, front: Sequence[Trial], space: Space) -> tuple[Rival, ...]:
    every = list(moves(space))
    designs = [
        [changed_design(space, t.design, {n: str(v) for n, v in move.items()}) for t in front]
        for move in every
    ]
    flat = list(itertools.chain.from_iterable(designs))
    settled = study.study_problem.settle(space.indices(flat))
    shape = len(every), len(front)
    cost = study.config.main_cost
    prices = study.study_problem.costs(space.columns(settled))[cost.name].reshape(shape)
    model = fit_accuracy(study)
    accuracies = np.array([p.accuracy for p in model.predict(flat)]).reshape(shape)
    asis = np.array([p.accuracy for p in model.predict([t.design for t in front])])
    own = np.array([t.costs[cost.name] for t in front])
    found = []
    for move, price, accuracy in zip(every, prices, accuracies, strict=True):
        ratio, points = price / own, 100 * (accuracy - asis)
        dearer, worse = (
            cost.sign * (price[:, None] - own),
            asis - accuracy[:, None],
        )  # of each against all as they are
        beaten = ((dearer >= 0) & (worse >= 0) & ((dearer > 1e-9 * own) | (worse > 1e-9))).any(axis=1)
        found.append(
            Rival(
                device=_words(move),
                holds=sum(all(t.design[n] == v for n, v in move.items()) for t in front),
                cost=float(np.median(ratio)),
                cost_low=float(ratio.min()),
                cost_high=float(ratio.max()),
                points=float(np.median(points)),
                points_low=float(points.min()),
                points_high=float(points.max()),
                stays=int((~beaten).sum()),
            )
        )
    return tuple(sorted(found, key=lambda r: (-r.holds, cost.sign * r.cost)))


def _words(move: Mapping[str, Value]) -> str:
    own = f"{move[DEVICE]}_"  # a device's choices bear its name, where several devices have such
    parts = (
        str(v) if n == DEVICE else f"{n.removeprefix(own).replace('_', ' ')} {v}" for n, v in move.items()
    )
    return ", ".join(parts)


def moves(space: Space) -> Iterator[dict[str, Value]]:
    """Every device with every combination of the choices that it alone makes active."""
    (devices,) = (v for v in space.variables if v.name == DEVICE)
    for name in devices.values:
        parts = [
            v
            for v in space.variables
            if v.active_when and all(c.variable == DEVICE and name in c.values for c in v.active_when)
        ]
        for values in itertools.product(*(v.values for v in parts)):
            yield {DEVICE: name, **{v.name: value for v, value in zip(parts, values, strict=True)}}


def said(front: Sequence[Trial]) -> str:
    """The table in a sentence."""
    counts = Counter(str(t.design[DEVICE]) for t in front)
    parts = ", ".join(f"{count} of {len(front)} designs have {name}" for name, count in counts.most_common())
    return (
        f"On the front {parts}. The table moves each of them to every other device: costs are exact, converters and "
        "sharing chosen anew; accuracies are what the study's surrogate predicts, against its prediction of the design "
        "as it is. To measure one: naxbo evaluate --design NUMBER --set device=NAME."
    )


def cells(row: Rival, front: int) -> Mapping[str, str]:
    """A row as people read it."""
    return {
        "device": row.device,
        "on the front": str(row.holds),
        "cost, times": f"{row.cost:.2f} ({row.cost_low:.2f} to {row.cost_high:.2f})",
        "accuracy, points": f"{row.points:+.1f} ({row.points_low:+.1f} to {row.points_high:+.1f})",
        "predicted beside the front": f"{row.stays} of {front}",
    }
