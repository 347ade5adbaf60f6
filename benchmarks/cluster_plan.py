"""What a cluster would do: workers from 1 to 1,000, simulated on measured costs; and what batches cost the search.

    OMP_NUM_THREADS=1 python benchmarks/cluster_plan.py [--study FILE] [--minutes 60] [--json]

Discrete events: workers train, one head process keeps results and proposes designs, one after the other, as the loop
of a study does (``nax_bo/study/running/loop.py``). A worker whose result waits for the head is idle. How long looks
take is drawn from those of a finished study (by default the deciles of one of the default task, 199 short and 36 full
looks on two busy cores); a proposal's time is measured here, on deep64 with so many designs told. ``--minutes``
stretches looks so that a short one takes so long on average, as on larger images.

Then the search itself, on chip16 with a useful proxy: hypervolume against wall time where q trainings of one minute
each run at once and each proposal knows only what has ended. Not modelled: transfers, a file system's delays, workers
that die.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import dataclass
from time import process_time

import numpy as np

from nax_bo.search import Optimizer
from nax_bo.search.bench.compare import run_once
from nax_bo.search.bench.synthetic import synthetic_problem

SHORT_S = (0.9, 2.0, 2.6, 3.2, 3.6, 4.0, 4.3, 4.5, 5.0, 5.8, 7.5)
FULL_S = (7.7, 10.0, 13.9, 17.2, 20.8, 24.9, 26.4, 27.5, 29.4, 32.9, 46.2)
"""Deciles of the seconds that looks took."""

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
TOLD = (50, 200, 800)
PER_WORKER = 8
"""Designs of a simulated study per worker at least: else most of it is the wait for the last ones."""

ROUNDS = 4
RECORD_S = 0.03
"""To write a result to the study's file and read it back."""


@dataclass(frozen=True)
class Outcome:
    """Of one simulated study."""

    workers: int
    designs: int
    wall_s: float
    idle: float
    head: float
    per_second: float


def draw(deciles: tuple[float, ...], rng: np.random.Generator) -> float:
    """One value of the distribution with these deciles."""
    return float(np.interp(rng.random(), np.linspace(0, 1, len(deciles)), deciles))


def simulate(
    workers: int,
    designs: int,
    propose_s: tuple[tuple[int, float], ...],
    *,
    short: tuple[float, ...] = SHORT_S,
    full: tuple[float, ...] = FULL_S,
    every: int = 10,
    seed: int = 0,
) -> Outcome:
    """One study: every ``every``-th proposal is a full training, what follows the last is not simulated."""
    rng = np.random.default_rng(seed)
    told_at, costs = zip(*propose_s, strict=True)
    free = [(0.0, w) for w in range(workers)]  # when a worker's result is there
    heapq.heapify(free)
    head, busy_head, worked, last, started, told = 0.0, 0.0, 0.0, 0.0, 0, 0
    total = designs + designs // every
    while free:
        at, worker = heapq.heappop(free)
        last = max(last, at)
        if started >= total:
            continue
        work = float(np.interp(told, told_at, costs)) + (RECORD_S if at > 0 else 0.0)
        told += at > 0
        head = max(head, at) + work
        busy_head += work
        started += 1
        takes = draw(full if started % (every + 1) == 0 else short, rng)
        worked += takes
        heapq.heappush(free, (head + takes, worker))
    idle = 1.0 - worked / (workers * last)
    return Outcome(workers, designs, last, idle, busy_head / last, total / last)


def proposal_costs() -> tuple[tuple[int, float], ...]:
    """Seconds of a single proposal after a result, with so many designs told."""
    bed = synthetic_problem("deep64", "useful")
    found = []
    for told in TOLD:
        optimizer = Optimizer(bed.problem, seed=0, initial=0)
        for design in bed.space.designs(bed.space.sample(told, 0)):
            optimizer.tell(design, *bed.evaluate(design, 0))
        optimizer.ask(1)  # fits for the first time
        start = process_time()
        for _ in range(ROUNDS):
            (suggestion,) = optimizer.ask(1)
            optimizer.tell(suggestion.design, *bed.evaluate(suggestion.design, 0))
        found.append((told, (process_time() - start) / ROUNDS))
    return tuple(found)


def batches(widths: tuple[int, ...], budget: int) -> list[dict[str, float]]:
    """Share of the best hypervolume after so many minutes, with q trainings of a minute at once."""
    bed = synthetic_problem("chip16", "useful")
    rows = []
    for q in widths:
        curve = run_once(bed, Optimizer(bed.problem, seed=0), "naxbo", 0, budget, q, asynchronous=True)
        row: dict[str, float] = {"q": q, "cpu_s": round(curve.seconds[-1], 1)}
        for minutes in (4, 16, 64):
            row[f"after {minutes} min"] = (
                round(curve.at(q * minutes) / curve.at(budget), 3) if q * minutes else 0
            )
        row[f"after {budget} looks"] = round(curve.at(budget), 4)
        rows.append(row)
    return rows


def deciles_of(path: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Deciles of the seconds of a study's short and full looks."""
    from nax_bo.study import Study

    found: dict[str, list[float]] = {"short": [], "full": []}
    with Study(path) as study:
        for trial in study.trials():
            for e in trial.evaluations:
                if e.state == "done" and e.fidelity in found:
                    found[e.fidelity].append(e.seconds)
    points = np.linspace(0, 1, 11)
    short, full = (tuple(map(float, np.quantile(values, points))) for values in found.values())
    return short, full


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", help="costs of looks from this study")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="stretch looks to so many minutes, short ones"
    )
    parser.add_argument("--designs", type=int, default=800)
    parser.add_argument("--widths", default="1,4,16,64,256")
    parser.add_argument("--budget", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    short, full = deciles_of(arguments.study) if arguments.study else (SHORT_S, FULL_S)
    if arguments.minutes:
        factor = 60 * arguments.minutes / float(np.mean(short))
        short, full = (tuple(factor * s for s in deciles) for deciles in (short, full))
    costs = proposal_costs()
    each = {w: max(arguments.designs, PER_WORKER * w) for w in WORKERS}
    outcomes = [simulate(w, n, costs, short=short, full=full) for w, n in each.items()]
    widths = tuple(map(int, arguments.widths.split(","))) if arguments.widths else ()
    rows = batches(widths, arguments.budget)
    if arguments.json:
        print(json.dumps({"propose_s": costs, "clusters": [vars(o) for o in outcomes], "batches": rows}))
        return
    print("proposal:", ", ".join(f"{s:.2f} s at {n}" for n, s in costs))
    print(f"{'workers':>7} {'designs':>7} {'wall h':>8} {'looks/s':>8} {'idle':>6} {'head':>6}")
    for o in outcomes:
        print(
            f"{o.workers:7d} {o.designs:7d} {o.wall_s / 3600:8.2f} {o.per_second:8.3f} {o.idle:6.1%} {o.head:6.1%}"
        )
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
