"""What waiting for one's turn costs (``--reproducible``): wall time of a study, with simulated training times.

200 designs are looked at shortly, one of ten is trained in full, and 16 more at the end; a full training takes six
times as long, and times vary by a lognormal factor. As they come: a free worker takes the next evaluation. In turns:
number k starts only when the results up to k - workers are known. Prints one JSON line: extra wall time in per cent,
the mean of some draws, by number of workers.

    python benchmarks/reproducible_cost.py --spread 0.3
"""

from __future__ import annotations

import argparse
import heapq
import json

import numpy as np

FULL = 6.0
"""A full training in short ones (:mod:`nax_bo.accuracy.fidelity`: a short look is about a sixth)."""


def lengths(spread: float, draw: np.random.Generator) -> list[float]:
    """Times of a study's trainings, in the order of decision."""
    kinds = [k for design in range(200) for k in ((1.0, FULL) if design % 10 == 9 else (1.0,))] + 16 * [FULL]
    return [k * float(np.exp(spread * draw.standard_normal())) for k in kinds]


def makespan(times: list[float], workers: int, *, in_turns: bool) -> float:
    """Wall time of all trainings."""
    free = [0.0] * workers
    ends: list[float] = []
    known = 0.0  # when the results of all up to k - workers are there
    for k, length in enumerate(times):
        if in_turns and k >= workers:
            known = max(known, ends[k - workers])
        start = max(heapq.heappop(free), known if in_turns else 0.0)
        ends.append(start + length)
        heapq.heappush(free, ends[-1])
    return max(ends)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spread", type=float, default=0.3, help="standard deviation of log time")
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args()
    found = {}
    for workers in (2, 4, 8, 16):
        extra = []
        for seed in range(args.draws):
            times = lengths(args.spread, np.random.default_rng(seed))
            extra.append(
                makespan(times, workers, in_turns=True) / makespan(times, workers, in_turns=False) - 1
            )
        found[str(workers)] = round(100 * float(np.mean(extra)), 1)
    print(json.dumps({"spread": args.spread, "extra_wall_percent": found}))


if __name__ == "__main__":
    main()
