"""Two claims about the search: asynchronous evaluation loses little, and 95 % intervals cover what they say.

    python benchmarks/search_claims.py coverage [--seeds 5]
    python benchmarks/search_claims.py asynchronous [--seeds 3]

"coverage" tells 50 designs (half random, half asked for by naxbo) and counts how many of 1000 unseen random designs
have their noiseless error within the surrogate's 95 % interval. "asynchronous" compares hypervolume after 100
evaluations with four under way at any time, finishing in random order, to one at a time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from search_runs import Run, bed, best_known, curve

from nax_bo.search import Optimizer
from nax_bo.search.strategies.naxbo import Naxbo

PROBLEMS = ("chip16", "chain24", "deep64")
TOLD, UNSEEN, EVALUATIONS = 50, 1000, 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("claim", choices=["coverage", "asynchronous"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    arguments = parser.parse_args()
    check = coverage if arguments.claim == "coverage" else asynchronous
    for problem in arguments.problems.split(","):
        for line in check(problem, arguments.seeds):
            print(line, flush=True)


def coverage(problem: str, seeds: int) -> Iterator[str]:
    """Share of unseen designs within their 95 % interval, with and without a proxy."""
    for proxy in ("none", "useful"):
        shares = [_coverage(problem, proxy, seed) for seed in range(seeds)]
        each = " ".join(f"{share:.3f}" for share in shares)
        yield f"{problem:8} proxy {proxy:7} coverage {np.mean(shares):.3f}   each seed: {each}"


def _coverage(problem: str, proxy: str, seed: int) -> float:
    synthetic = bed(problem, proxy)
    space = synthetic.problem.space
    optimizer = Optimizer(synthetic.problem, seed=seed, initial=TOLD // 2)
    for _ in range(TOLD):
        design = optimizer.ask(1)[0].design
        optimizer.tell(design, *synthetic.evaluate(design, seed))
    x = optimizer.state.unseen(space.sample(UNSEEN, 1000 + seed))
    mean, std = Naxbo().models(optimizer.state).predict(x)["error"]
    truth = synthetic.problem.scale_of("error").to_model(synthetic.truth(x)["error"])
    return float(np.mean(np.abs(truth - mean) <= 1.959964 * std))


def asynchronous(problem: str, seeds: int) -> Iterator[str]:
    """Hypervolume with four evaluations under way, relative to one at a time."""
    for proxy, evaluations in (("none", EVALUATIONS), ("useful", 50)):
        one, four = (
            np.mean([curve(run).at(evaluations) for run in runs]) / best_known(problem)
            for runs in (
                [Run(problem, "naxbo", s, evaluations, proxy) for s in range(seeds)],
                [Run(problem, "naxbo", s, evaluations, proxy, q=4, asynchronous=True) for s in range(seeds)],
            )
        )
        yield (
            f"{problem:8} proxy {proxy:7} {evaluations:3d} evaluations, {seeds} seeds: "
            f"sequential {one:.3f}, four workers {four:.3f}, loss {1 - four / one:.1%}"
        )


if __name__ == "__main__":
    main()
