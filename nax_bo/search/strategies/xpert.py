"""XPert's own search: a network and its peripherals for an area, then the precision of its layers.

Moitra et al., DAC 2023, arXiv:2303.17646, after its public first phase (``Phase1_CoSearch`` at commit ad5db32); the
driver of the second phase is not public. Per area target: (1) descend on latency plus a penalty for missing the area,
with probabilities for each choice; of the fastest designs found within 5 % of the area, take the one with the best
training-free score (NASWOT). (2) Lower the precision of inputs and of converters step by step while accuracy holds.

``xpert`` has the gradient of the relaxation (:mod:`.relaxation`). ``xpert-released`` does what the released code does:
there the gradient reaches the selected option only, which softmax turns into zero; rounding and weight decay are what
moves. Not taken over: the window (1650, 1700] of scores, which fits VGG16 and one batch of CIFAR-10 only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.state import Observation, SearchState, Suggestion
from nax_bo.search.strategies.baselines import random_suggestion, suggestion
from nax_bo.search.strategies.relaxation import Array, Cost, draw, gradient, most_likely

IndexArray = NDArray[np.int64]

TARGETS = (1.0, 0.6, 0.35, 1.5, 0.8, 0.5, 0.25)
"""Areas of the first phase, as shares of the first design's; the paper's budgets are 20 to 120 mm2 around 58."""
PRECISION = ("input_bits", "adc_bits")
TOLERANCE = 0.01
"""Loss of accuracy that ends the second phase."""
AREA_WEIGHT, NEAR = 10.0, 0.05
SHORTLIST = 8

_SCORES = ("area_mm2", "latency_ms", "naswot")


class Xpert:
    """Proposes what the two phases lead to.

    Args:
        steps: Steps of the descent.
        samples: Designs drawn in each step.
        rate: Step along the gradient, in units of its largest entry.
    """

    released = False

    def __init__(self, steps: int = 40, samples: int = 4, rate: float = 0.7) -> None:
        self.steps, self.samples, self.rate = steps, samples, rate

    def propose(self, state: SearchState) -> Suggestion | None:
        """The next design of the second phase, else the first one of the next area target."""
        missing = [name for name in _SCORES if name not in state.problem.extras]
        if missing:
            return random_suggestion(state, f"drawn at random: no {', '.join(missing)} is known here")
        anchors, rows = self._anchors(state), {o.indices: o for o in state.best_looks}
        if anchors and (row := self._lower(state, anchors[-1], rows)) is not None:
            return suggestion(state, row, "second phase: less precision")
        target = TARGETS[len(anchors) % len(TARGETS)]
        row = self._design_for(state, target, len(anchors))
        if row is None:
            return random_suggestion(state, "the first phase found nothing new, drawn at random")
        return suggestion(state, row, f"first phase: {target:g} of the first design's area")

    def _anchors(self, state: SearchState) -> list[tuple[int, ...]]:
        """Designs with all precision at its top, in the order of looking; the first phase proposes these."""
        top = {v: int(c) - 1 for v, c in zip(*self._precision(state), strict=True)}
        seen = [*(o.indices for o in state.observations), *(f.indices for f in state.failures)]
        seen += [row for row, _ in state.pending]
        return [row for row in dict.fromkeys(seen) if all(row[v] == i for v, i in top.items())]

    def _precision(self, state: SearchState) -> tuple[list[int], list[int]]:
        space = state.problem.space
        columns = [i for i, v in enumerate(space.variables) if v.name.rpartition("_")[0] in PRECISION]
        return columns, [space.variables[i].cardinality for i in columns]

    # second phase

    def _lower(
        self, state: SearchState, anchor: tuple[int, ...], rows: dict[tuple[int, ...], Observation]
    ) -> IndexArray | None:
        """The first design on the way down that has not been looked at; None at the end of the way."""
        name = state.problem.learned_names[0]
        if anchor not in rows:
            return None  # failed, or still under way
        floor = rows[anchor].outcomes[name] - TOLERANCE
        current, space = np.array(anchor), state.problem.space
        for stem in PRECISION:
            layers = [i for i, v in enumerate(space.variables) if v.name.rpartition("_")[0] == stem]
            for chosen in (layers, layers[len(layers) // 2 :]):  # then the later half alone
                while True:
                    row: IndexArray = current.copy()
                    row[chosen] = np.maximum(row[chosen] - 1, 0)
                    if (row == current).all():
                        break
                    row = np.asarray(state.problem.settled(row[None])[0])
                    key = tuple(row.tolist())
                    if key not in state.seen:
                        return np.asarray(row)
                    if key not in rows or rows[key].outcomes[name] < floor:
                        break
                    current = row
        return None

    # first phase

    def _design_for(self, state: SearchState, share: float, turn: int) -> IndexArray | None:
        space = state.problem.space
        rng = np.random.default_rng([state.seed, turn])
        first = (
            np.array([state.observations[0].indices]) if state.observations else space.sample(1, state.seed)
        )
        area = float(state.problem.extra("area_mm2", first)[0])
        latency = float(state.problem.extra("latency_ms", first)[0])
        columns, sizes = self._precision(state)

        def complete(x: IndexArray) -> IndexArray:
            x = x.copy()
            x[:, columns] = np.array(sizes) - 1
            return space.canonical(x)

        def parts(x: IndexArray) -> tuple[Array, Array]:
            whole = complete(x)
            off = state.problem.extra("area_mm2", whole) / (share * area) - 1.0
            return state.problem.extra("latency_ms", whole) / latency, off

        def cost(x: IndexArray) -> Array:
            speed, off = parts(x)
            return np.nan_to_num(speed + AREA_WEIGHT * off**2, nan=1e6, posinf=1e6)

        theta = [rng.standard_normal(v.cardinality) for v in space.variables]
        for column in columns:
            theta[column] = np.zeros(1)  # fixed in this phase
        found = (self._walk if self.released else self._descend)(theta, cost, rng)
        found = state.unseen(complete(found))
        if not len(found):
            return None
        speed, off = parts(found)
        near = np.abs(off) < NEAR
        order = np.argsort(np.where(near, speed, 1e3 + np.abs(off)))[:SHORTLIST]
        scores = state.problem.extra("naswot", found[order])
        return np.asarray(
            found[order[int(np.nanargmax(np.where(near[order] | ~near.any(), scores, -np.inf)))]]
        )

    def _descend(self, theta: list[Array], cost: Cost, rng: np.random.Generator) -> IndexArray:
        """Designs met on the descent, drawn and likeliest ones."""
        met = []
        for step in range(self.steps):
            x = draw(theta, self.samples, rng)
            slopes = gradient(theta, cost, x, np.full(self.samples, 1.0 / self.samples))
            met += [x, most_likely(theta)[None]]
            for v, slope in enumerate(slopes):
                size = np.abs(slope).max()
                if size > 0:
                    theta[v] = theta[v] - self.rate * slope / size
            if step == self.steps - 1:
                met.append(draw(theta, 4 * self.samples, rng))
        return np.concatenate(met)

    def _walk(self, theta: list[Array], cost: Cost, rng: np.random.Generator) -> IndexArray:
        """What the released loop visits: its gradient is zero but for rounding in single precision."""
        logits = [t.astype(np.float32) for t in theta]
        speed = [np.zeros_like(t) for t in logits]
        met = []
        for _ in range(RELEASED_STEPS):
            row = np.array([[int(t.argmax()) for t in logits]])
            met.append(row)
            slopes = released_gradient(logits, float(cost(row)[0]))
            for v, slope in enumerate(slopes):
                speed[v] = np.float32(0.99) * speed[v] + slope + np.float32(1e-5) * logits[v]
                logits[v] = logits[v] - np.float32(12.0) * speed[v]
        return np.concatenate(met)


RELEASED_STEPS = 200
"""The release takes 2,000; its walk starts anew for each target here."""


def released_gradient(logits: Sequence[NDArray[np.float32]], loss: float) -> list[NDArray[np.float32]]:
    """Gradient of the released loss, one array per variable, in single precision.

    Every gate enters the loss by its sum times what the *selected* option costs, so its derivative is one constant for
    all values of a variable, and the softmax turns a constant into ``p (c - c sum p)``: zero, but for rounding.
    """
    out = []
    for t in logits:
        p = np.exp(t - t.max())
        p /= p.sum(dtype=np.float32)
        c = np.full(len(t), loss, dtype=np.float32)
        out.append(p * (c - (c * p).sum(dtype=np.float32)))
    return out


class XpertReleased(Xpert):
    """The same with the gradient of the released code."""

    released = True
