"""naxbo beside its peers on synthetic co-design problems: share of the best known hypervolume at equal evaluations.

    python benchmarks/search_synthetic.py run [--strategies naxbo,linas] [--seeds 5] [--q 1,4] [--problems chip16,...]
    python benchmarks/search_synthetic.py run --problems general [...]
    python benchmarks/search_synthetic.py table

Runs are kept, so it may be stopped and started at will. Peers know nothing of known costs or proxies; with
"same start" they get naxbo's initial designs, with "own start" their own. "general" stands for the problems of
general_problems.py, in which naxbo knows no more than they do.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator

import numpy as np
from general_problems import GENERAL
from search_runs import Run, best_known, curve, finished

from nax_bo.search.bench.synthetic import SHAPES

PEERS = ("random", "nsga2", "linas", "optuna-tpe", "optuna-nsga2", "pymoo-nsga2", "smac")
SLOW = ("optuna-gp", "ax")  # seconds per suggestion: run them by name, --strategies optuna-gp
OWN_START = ("optuna-tpe", "optuna-nsga2", "pymoo-nsga2", "smac", *SLOW)  # the others have none of their own
PEER_BUDGET = 200


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--strategies", default=",".join(("naxbo", *PEERS)))
    parser.add_argument("--problems", default=",".join(SHAPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--q", default="1,4")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn about experimental features
    qs = [int(q) for q in arguments.q.split(",")]
    problems = [n for p in arguments.problems.split(",") for n in (GENERAL if p == "general" else [p])]
    if arguments.action == "run":
        for seed in range(arguments.seeds):
            for name in arguments.strategies.split(","):
                for problem in problems:
                    for run in runs(name, problem, seed, qs):
                        if not finished(run):
                            share = curve(run).hypervolume[-1] / best_known(problem)
                            print(f"{run.file.stem}: {share:.3f}", flush=True)
    table(problems, arguments.seeds, qs)


def runs(name: str, problem: str, seed: int, qs: list[int]) -> Iterator[Run]:
    """All runs of one strategy on one problem."""
    for q in qs:
        if name == "naxbo":
            yield Run(problem, name, seed, 100, "none", q)
            if problem in SHAPES:
                yield Run(problem, name, seed, 50, "useful", q)
        else:
            yield Run(problem, name, seed, PEER_BUDGET, q=q)
            if name in OWN_START and q == 1:
                yield Run(problem, name, seed, PEER_BUDGET, q=q, own_initial=True)


def table(problems: list[str], seeds: int, qs: list[int]) -> None:
    """What is finished so far, as a table: mean (least to most) over the seeds."""
    print(
        f"{'problem':12} {'q':>2} {'strategy':14} {'start':5} {'proxy':6} {'seeds':>5}  50 / 100 / 200 evaluations"
    )
    for problem in problems:
        for q in qs:
            for name in ("naxbo", *PEERS, *SLOW):
                kinds = {(r.proxy, r.own_initial) for r in runs(name, problem, 0, [q])}
                for proxy, own in sorted(kinds):
                    _row(problem, q, name, proxy, own, seeds)


def _row(problem: str, q: int, name: str, proxy: str, own: bool, seeds: int) -> None:
    every = [
        r
        for s in range(seeds)
        for r in runs(name, problem, s, [q])
        if (r.proxy, r.own_initial) == (proxy, own)
    ]
    done = [r for r in every if finished(r)]
    if not done:
        return
    cells = []
    for at in (50, 100, 200):
        values = np.array([curve(r).at(at) / best_known(problem) for r in done if r.budget >= at])
        cells.append(f"{values.mean():.2f} ({values.min():.2f}-{values.max():.2f})" if len(values) else "-")
    start = "own" if own else "same"
    print(f"{problem:12} {q:2d} {name:14} {start:5} {proxy:6} {len(done):5d}  {'  '.join(cells)}")


if __name__ == "__main__":
    main()
