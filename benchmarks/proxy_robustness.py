"""What a worthless proxy costs: hypervolume after 100 evaluations with a useful, a random and an adverse proxy.

    python benchmarks/proxy_robustness.py [--seeds 5] [--problems chip16,chain24,deep64]

The random proxy says nothing; the adverse one is the useful one turned round, of which only the sign is wrong.
"""

from __future__ import annotations

import argparse

import numpy as np
from search_runs import Run, best_known, curve

EVALUATIONS = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", default="chip16,chain24,deep64")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(
        f"{'problem':8} {'proxy':8} {'HV at 50':>9} {'at 100':>7} {'loss at 100':>12}   seeds {arguments.seeds}"
    )
    for problem in arguments.problems.split(","):
        base = None
        for proxy in ("none", "random", "adverse", "useful"):
            curves = [curve(Run(problem, "naxbo", s, EVALUATIONS, proxy)) for s in range(arguments.seeds)]
            early, late = (
                np.mean([c.at(k) for c in curves]) / best_known(problem) for k in (50, EVALUATIONS)
            )
            base = late if base is None else base
            print(f"{problem:8} {proxy:8} {early:9.3f} {late:7.3f} {1 - late / base:12.1%}", flush=True)


if __name__ == "__main__":
    main()
