"""What earlier proposals promised beside what they gave: how far an expected gain can be believed.

The predictions that were made are not kept, but they follow from the log: a surrogate that can tell what it would have
predicted of each observation from those before it (``ahead``) tells what each look was expected to gain. Settings are
those of now, so early predictions come out somewhat too good. What was gained is judged by today's predicted means of
the designs, not by the noisy outcomes that happened to be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.search.ehvi import Improvement
from nax_bo.search.learned import Models, learned_constraints, log_feasibility, seen_by_surrogates
from nax_bo.search.pareto import hypervolume, nondominated
from nax_bo.search.scale import Array
from nax_bo.search.state import SearchState
from nax_bo.surrogate.protocol import Prequential

LAST = 20
"""Looks that are judged."""

BELIEVED = 2.0
"""Looks' worth of belief that what is promised is given."""


@dataclass(frozen=True)
class Promise:
    """Hypervolume that the last ``looks`` were expected to gain, and what they gained."""

    looks: int = 0
    expected: float = 0.0
    gained: float = 0.0

    @property
    def factor(self) -> float:
        """What to multiply the next expected gain by: near 1 where little is known."""
        if not self.looks or not self.expected > 0:
            return 1.0
        prior = BELIEVED * self.expected / self.looks
        return (self.gained + prior) / (self.expected + prior)


def promise(state: SearchState, models: Models) -> Promise:
    """Expected and realised gain of the last looks; of none where surrogates or cheap fidelities do not allow it."""
    told = seen_by_surrogates(state)
    inner = {n: m.inner for n, m in models.by_name.items()}
    able = {n: m for n, m in inner.items() if isinstance(m, Prequential)}
    first = max(len(state.initial), len(told) - LAST, 2)
    if not inner or len(able) < len(inner) or len(told) <= first or any(o.level != 1.0 for o in told):
        return Promise()
    if not np.isfinite(state.reference).all():
        return Promise()
    problem = state.problem
    x = np.array([o.indices for o in told], dtype=np.int64)
    parts = {n: m.ahead() for n, m in able.items()}
    ahead = {n: (mean[:, 0], std[:, 0]) for n, (mean, std) in parts.items()}
    scales, known, now = [o.scales for o in problem.objectives], problem.known(x), models.predict(x)
    mean, std, seen = (np.zeros((len(x), len(scales))) for _ in range(3))
    for j, (objective, scale) in enumerate(zip(problem.objectives, scales, strict=True)):
        if objective.name in known:
            mean[:, j] = scale.to_model(known[objective.name])
            seen[:, j] = scale.to_measure(known[objective.name])
        else:
            mean[:, j], std[:, j] = ahead[objective.name]
            seen[:, j] = scale.model_to_measure(now[objective.name][0])
    chance = np.exp(log_feasibility(models, ahead, x))
    kept = problem.violation(known, len(x)) <= 0
    for limit, low, high in learned_constraints(problem):
        y = np.array([o.outcomes[limit.name] for o in told])
        kept &= (y >= (-np.inf if low is None else low)) & (y <= (np.inf if high is None else high))
    expected = gained = 0.0
    for i in range(first, len(x)):
        front = _front(seen[:i][kept[:i]])
        allowed = problem.violation({n: v[[i]] for n, v in known.items()}, 1)[0] <= 0
        gain = Improvement(front, state.reference, scales)(mean[[i]], std[[i]])[0]
        expected += float(gain * chance[i]) if allowed else 0.0
        if kept[i]:
            after = hypervolume(np.vstack([front, seen[[i]]]), state.reference)
            gained += after - (hypervolume(front, state.reference) if len(front) else 0.0)
    return Promise(len(x) - first, expected, gained)


def _front(y: Array) -> Array:
    return y[nondominated(y)] if len(y) else y
