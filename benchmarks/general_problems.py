"""Problems in which everything has to be told: no known costs, no proxies, nothing about chips but in the last two.

``sphere16`` is DTLZ2 on a grid (Deb et al. 2002, doi:10.1109/CEC.2002.1007032), ``osyczka16`` the constrained problem
of Osyczka and Kundu (1995, doi:10.1007/BF01743536) on a grid with ten further categories, ``landscape30`` two NK
landscapes (Kauffman and Levin 1987, doi:10.1016/S0022-5193(87)80029-2) of categories that interact in threes,
``pipeline28`` a choice of one of three algorithms, each with settings of its own, and ``chip16-told`` and
``mixed40-told`` the synthetic co-design problems with all costs learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nax_bo.search import Constraint, Objective, Problem
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.space import Condition, Design, Space, categorical, ordinal

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Told:
    """A problem with a known truth, all of whose outcomes are told with noise.

    Attributes:
        noise: Standard deviation of each told outcome as a share of its noiseless value (``relative``) or as it is.
    """

    problem: Problem
    outcomes: Callable[[Columns], Mapping[str, np.ndarray]]
    noise: Mapping[str, float]
    relative: bool = False

    def truth(self, indices: np.ndarray) -> Mapping[str, np.ndarray]:
        """Noiseless outcomes, ``n`` each."""
        found = self.outcomes(self.problem.space.columns(indices))
        return {name: found[name] for name in self.problem.learned_names}

    def evaluate(self, design: Design, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Noisy outcomes of a design; their variances are not told."""
        rng, told = np.random.default_rng([seed, *design.indices]), {}
        for name, values in self.truth(np.array([design.indices])).items():
            true = float(values[0])
            std = self.noise.get(name, 0.0) * (abs(true) if self.relative else 1.0)
            told[name] = true + std * float(rng.standard_normal())
            if self.problem.scale_of(name).model == "logit":
                told[name] = float(np.clip(told[name], 1e-3, 0.999))
        return told, {}


def _stacked(columns: Columns, names: list[str]) -> np.ndarray:
    return np.array([columns[name].astype(float) for name in names])


def sphere() -> Told:
    names = [f"x{i}" for i in range(16)]
    space = Space([ordinal(name, [j / 10 for j in range(11)]) for name in names])

    def outcomes(columns: Columns) -> Mapping[str, np.ndarray]:
        x = _stacked(columns, names)
        radius, a, b = 1 + ((x[2:] - 0.5) ** 2).sum(0), x[0] * np.pi / 2, x[1] * np.pi / 2
        return {
            "f1": radius * np.cos(a) * np.cos(b),
            "f2": radius * np.cos(a) * np.sin(b),
            "f3": radius * np.sin(a),
        }

    objectives = [Objective(f"f{i}") for i in (1, 2, 3)]
    worst = {o.name: 2.5 for o in objectives}
    return Told(
        Problem(space, objectives, reference_point=worst), outcomes, {o.name: 0.03 for o in objectives}
    )


def osyczka() -> Told:
    ranges = [(0, 10), (0, 10), (1, 5), (0, 6), (1, 5), (0, 10)]
    names, options = [f"x{i}" for i in range(6)], ["p", "q", "r"]
    grids = [ordinal(n, np.linspace(*ends, 13)) for n, ends in zip(names, ranges, strict=True)]
    space = Space([*grids, *(categorical(f"m{i}", options) for i in range(10))])
    loss = np.random.default_rng(3).random((10, 3)) * 1.5
    loss -= loss.min(axis=1, keepdims=True)

    def outcomes(columns: Columns) -> Mapping[str, np.ndarray]:
        x = _stacked(columns, names)
        lost = sum(loss[i][np.searchsorted(options, columns[f"m{i}"])] for i in range(10))
        limits = [
            x[0] + x[1] - 2,
            6 - x[0] - x[1],
            2 - x[1] + x[0],
            2 - x[0] + 3 * x[1],
            4 - (x[2] - 3) ** 2 - x[3],
            (x[4] - 3) ** 2 + x[5] - 4,
        ]
        centre = np.array([2, 2, 1, 4, 1])[:, None]
        weight = np.array([25, 1, 1, 1, 1])[:, None]
        first = -(weight * (x[:5] - centre) ** 2).sum(0) + 5 * lost
        return {"f1": first, "f2": (x**2).sum(0) + 3 * lost, **{f"g{i}": g for i, g in enumerate(limits)}}

    problem = Problem(
        space,
        [Objective("f1"), Objective("f2")],
        [Constraint(f"g{i}", lower=0.0) for i in range(6)],
        reference_point={"f1": 0.0, "f2": 150.0},
    )
    return Told(problem, outcomes, {"f1": 2.0, "f2": 0.5})


def landscape() -> Told:
    rng, options = np.random.default_rng(5), ["a", "b", "c", "d"]
    table = rng.random((2, 30, 4, 4, 4))
    others = np.array([rng.choice(np.delete(np.arange(30), i), 2, replace=False) for i in range(30)])
    space = Space([categorical(f"c{i}", options) for i in range(30)])

    def outcomes(columns: Columns) -> Mapping[str, np.ndarray]:
        x = np.array([np.searchsorted(options, columns[f"c{i}"]) for i in range(30)])
        place = np.arange(30)[:, None]
        scores = [table[m][place, x, x[others[:, 0]], x[others[:, 1]]].mean(axis=0) for m in range(2)]
        return {"gain": scores[0], "loss": scores[1]}

    objectives = [Objective("gain", maximise=True), Objective("loss")]
    problem = Problem(space, objectives, reference_point={"gain": 0.3, "loss": 0.7})
    return Told(problem, outcomes, {"gain": 0.01, "loss": 0.01})


def pipeline() -> Told:
    settings = {"tree": 6, "net": 8, "svm": 5}
    names = {a: [f"{a}_{i}" for i in range(k)] for a, k in settings.items()}
    steps, options = [f"step_{i}" for i in range(6)], ["both", "none", "pca", "scale"]
    space = Space(
        [
            categorical("algorithm", list(settings)),
            *(ordinal(n, range(8), when=Condition("algorithm", (a,))) for a in settings for n in names[a]),
            *(categorical(n, options) for n in steps),
        ]
    )
    rng = np.random.default_rng(9)
    every = [n for a in settings for n in names[a]]
    best, weight, price = (
        dict(zip(every, draw, strict=True))
        for draw in (rng.integers(1, 7, 19), rng.gamma(1.0, 1.0, 19), rng.normal(0, 0.12, 19))
    )
    taste = rng.normal(0, 0.3, (6, 4))
    offset, dear = {"tree": 0.3, "net": -0.3, "svm": 0.0}, {"tree": 0.0, "net": 1.0, "svm": 0.5}

    def outcomes(columns: Columns) -> Mapping[str, np.ndarray]:
        z, t = np.full(len(columns["algorithm"]), -1.5), np.zeros(len(columns["algorithm"]))
        for a in settings:
            on = columns["algorithm"] == a
            z += on * (offset[a] + sum(weight[n] * ((columns[n] - best[n]) / 4.0) ** 2 for n in names[a]))
            t += on * (dear[a] + sum(price[n] * columns[n] for n in names[a]))
        for i, n in enumerate(steps):
            chosen = np.searchsorted(options, columns[n])
            z, t = z + taste[i][chosen], t + 0.1 * (chosen != 1)
        return {"error": 1.0 / (1.0 + np.exp(-z)), "seconds": 10.0**t}

    objectives = [Objective("error", scale="logit"), Objective("seconds", scale="log10")]
    problem = Problem(space, objectives, reference_point={"error": 0.7, "seconds": 100.0})
    return Told(problem, outcomes, {"error": 0.03, "seconds": 0.05}, relative=True)


def costs_told(name: str) -> Told:
    bed = synthetic_problem(name)
    known = bed.problem
    limits = [Constraint(c.name, upper=c.upper, lower=c.lower, scale="log10") for c in known.constraints]
    objectives = [Objective(o.name, scale=o.scale) for o in known.objectives]
    problem = Problem(bed.space, objectives, limits, reference_point=known.reference_point)

    def outcomes(columns: Columns) -> Mapping[str, Any]:
        return {"error": bed.error(columns), **bed.costs(columns)}

    return Told(problem, outcomes, {"error": 0.05}, relative=True)


GENERAL: dict[str, Callable[[], Told]] = {
    "sphere16": sphere,
    "osyczka16": osyczka,
    "pipeline28": pipeline,
    "landscape30": landscape,
    "chip16-told": lambda: costs_told("chip16"),
    "mixed40-told": lambda: costs_told("mixed40"),
}
