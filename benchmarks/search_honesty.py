"""Whether a search knows what it does not know: its own predictions beside what then happened.

    python benchmarks/search_honesty.py [--problems chip16,...|fresh|general] [--proxies none,useful] [--seeds 5]
        [--budget 100]

For every proposal beyond the start: whether the noiseless outcome lies within the 95 % interval that the proposal was
made with, and what it was expected to gain beside what it gained (hypervolume of the noiseless designs). At the end:
whether intervals of 500 random designs, and of designs on the best known front, cover their noiseless outcomes.
"fresh" stands for problems made after the method stood; later changes were looked at on them too. Means over seeds,
and the worst seed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from general_problems import GENERAL

from nax_bo.search import Optimizer
from nax_bo.search.bench.compare import Testbed, true_hypervolumes, true_objectives
from nax_bo.search.bench.synthetic import SHAPES, Shape, Synthetic, synthetic_problem
from nax_bo.search.pareto import nondominated, select
from nax_bo.search.state import SearchState
from nax_bo.search.strategies.candidates import offspring
from nax_bo.search.strategies.naxbo import Naxbo

KEPT = Path(tempfile.gettempdir()) / "naxbo-search-honesty"
Z95 = 1.959964

FRESH = {
    "fresh18": Shape(4, 3, ("rows",), ("edap",), 0.12, None, 0.012, 101),
    "fresh30": Shape(5, 3, ("adc_bits", "weight_bits"), ("energy", "area"), 0.2, None, 0.015, 102),
    "fresh36": Shape(7, 4, ("rows", "skip"), ("latency", "area"), 0.2, 0.5, 0.01, 103),
    "fresh52": Shape(9, 6, ("rows", "adc_bits", "skip"), ("edap",), 0.35, None, 0.02, 104),
}
"""Problems that no constant was chosen on."""


@dataclass(frozen=True)
class Record:
    """One run: for each proposal from a model what it said and what came; coverage at its end.

    Attributes:
        inside: Whether the noiseless learned outcomes lay within their intervals, one entry per proposal and outcome.
        expected: Expected gains.
        gained: Gains in noiseless hypervolume.
        hypervolume: After every evaluation, start included.
        random: Share of 500 random designs within their intervals.
        front: The same of designs on the best known front.
    """

    inside: list[bool]
    expected: list[float]
    gained: list[float]
    hypervolume: list[float]
    random: float
    front: float


@lru_cache(maxsize=64)
def bed(problem: str, proxy: str) -> Testbed:
    """The problem of that name."""
    if problem in FRESH:
        return Synthetic(problem, FRESH[problem], proxy)
    return GENERAL[problem]() if problem in GENERAL else synthetic_problem(problem, proxy)


@lru_cache(maxsize=64)
def best_front(problem: str) -> np.ndarray:
    """At most 200 designs on the best front that a noiseless NSGA-II run finds in 20,000 evaluations, ``k x d``."""
    at = bed(problem, "none")
    rng = np.random.default_rng(0)
    x = at.problem.completed(at.problem.space.sample(200, rng))
    for _ in range(100):
        pool = np.unique(np.vstack([x, at.problem.completed(offspring(at.problem, x, 200, rng))]), axis=0)
        y, violation = true_objectives(at, pool)
        x = pool[select(y, 200, violation)]
    y, violation = true_objectives(at, x)
    sound = np.flatnonzero(violation <= 0)
    return x[sound[nondominated(y[sound])]]


def run(problem: str, proxy: str, seed: int, budget: int) -> Record:
    """One search, told with noise and judged without."""
    at = bed(problem, proxy)
    names = at.problem.learned_names
    search = Optimizer(at.problem, seed=seed)
    inside: list[bool] = []
    expected: list[float | None] = []
    designs = []
    for _ in range(budget):
        (asked,) = search.ask(1)
        truth = at.truth(np.array([asked.design.indices]))
        for name, (mean, std) in asked.predicted.items():
            true = float(at.problem.scale_of(name).to_model(truth[name])[0])
            inside.append(abs(true - mean) <= Z95 * std)
        designs.append(asked.design)
        expected.append(asked.gain)
        search.tell(asked.design, *at.evaluate(asked.design, seed))
    volumes = true_hypervolumes(at, designs)
    gains = np.diff([0.0, *volumes])
    judged = [i for i, gain in enumerate(expected) if gain is not None]
    space = at.problem.space
    return Record(
        inside,
        [float(expected[i]) for i in judged],
        [float(gains[i]) for i in judged],
        volumes,
        _covered(at, search.state, space.sample(min(500, space.size), 1000 + seed), names),
        _covered(at, search.state, best_front(problem), names),
    )


def _covered(at: Testbed, state: SearchState, x: np.ndarray, names: tuple[str, ...]) -> float:
    unseen = state.unseen(x)
    predicted, truth = Naxbo().models(state).predict(unseen), at.truth(unseen)
    z = [np.abs(at.problem.scale_of(n).to_model(truth[n]) - predicted[n][0]) / predicted[n][1] for n in names]
    return float(np.mean(np.array(z) <= Z95))


def kept(problem: str, proxy: str, seed: int, budget: int) -> Record:
    """The run, from its file if there is one."""
    file = KEPT / f"{problem}-{proxy}-{seed}-{budget}.json"
    if not file.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(run(problem, proxy, seed, budget))))
        part.rename(file)
    return Record(**json.loads(file.read_text()))


def line(problem: str, proxy: str, records: list[Record]) -> str:
    """Figures of some seeds in one line."""
    inside = [np.mean(r.inside) for r in records]
    quarters = np.array(
        [
            [
                (sum(e) + 1e-12) / (sum(g) + 1e-12)
                for e, g in zip(np.array_split(r.expected, 4), np.array_split(r.gained, 4), strict=True)
            ]
            for r in records
        ]
    )
    whole = [sum(r.expected) / max(sum(r.gained), 1e-12) for r in records]
    typical = " ".join(f"{v:5.2f}" for v in np.median(quarters, axis=0))
    volumes = [
        np.mean([r.hypervolume[k - 1] for r in records])
        for k in (50, 100)
        if k <= len(records[0].hypervolume)
    ]
    return (
        f"{problem:12} {proxy:7} {len(records)}  proposed {np.mean(inside):.2f} ({min(inside):.2f})  "
        f"front {np.mean([r.front for r in records]):.2f} ({min(r.front for r in records):.2f})  "
        f"random {np.mean([r.random for r in records]):.2f}  "
        f"expected/gained {np.mean(whole):5.2f} ({max(whole):.2f}), quarters {typical}  "
        f"hypervolume {' '.join(f'{v:.4g}' for v in volumes)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", default=",".join(SHAPES))
    parser.add_argument("--proxies", default="none,useful")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=100)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [
        n
        for p in arguments.problems.split(",")
        for n in (FRESH if p == "fresh" else GENERAL if p == "general" else [p])
    ]
    for problem in names:
        for proxy in arguments.proxies.split(","):
            if problem in GENERAL and proxy != "none":
                continue
            records = [kept(problem, proxy, seed, arguments.budget) for seed in range(arguments.seeds)]
            print(line(problem, proxy, records), flush=True)


if __name__ == "__main__":
    main()
