"""What a suggestion costs: CPU seconds per ask and peak memory, 65 variables, known costs and a learned error.

    OMP_NUM_THREADS=1 python benchmarks/search_speed.py [--trials 50,200,1000]

"one" is a single ask right after a telling (surrogates fitted anew or extended), "four" a batch of four, per
suggestion. Both are means over tellings, so that they hold as many refits as a search has.
"""

from __future__ import annotations

import argparse
import resource
from time import process_time

from nax_bo.search import Optimizer
from nax_bo.search.bench.synthetic import synthetic_problem

ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", default="50,200,1000")
    parser.add_argument("--surrogate", default="gp")
    arguments = parser.parse_args()
    bed = synthetic_problem("deep64", "useful")
    print(f"{'trials':>6} {'first s':>8} {'one s':>7} {'four s':>7} {'peak MiB':>9}")
    for trials in map(int, arguments.trials.split(",")):
        optimizer = Optimizer(bed.problem, surrogate=arguments.surrogate, seed=0, initial=0)
        for design in bed.space.designs(bed.space.sample(trials - ROUNDS, 0)):
            optimizer.tell(design, *bed.evaluate(design, 0))
        first, one, four = _ask(optimizer, bed, 1), 0.0, 0.0
        for _ in range(ROUNDS):
            one += _ask(optimizer, bed, 1) / ROUNDS
        for _ in range(ROUNDS):
            four += _ask(optimizer, bed, 4) / (4 * ROUNDS)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{trials:6d} {first:8.2f} {one:7.2f} {four:7.2f} {peak:9.0f}", flush=True)


def _ask(optimizer: Optimizer, bed, n: int) -> float:
    start = process_time()
    suggestions = optimizer.ask(n)
    spent = process_time() - start
    for suggestion in suggestions:
        optimizer.tell(suggestion.design, *bed.evaluate(suggestion.design, 0))
    return spent


if __name__ == "__main__":
    main()
