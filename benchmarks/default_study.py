"""Hypervolume on the default study: naxbo at 60 designs against random search at 120, real trainings.

    python benchmarks/default_study.py [--seeds 5] [--designs 60] [--random 120] [--out out/default-study] [--json]

Every run is a study file under ``--out``; interrupted or repeated, the script goes on where it stopped. Random search
trains each of its designs in full; naxbo trains most of its designs shortly and the promising ones in full, so the
table gives seconds of training too. Hypervolume is that of fully trained designs only, below the studies' common
reference point.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from nax_bo.study import Study, StudyConfig


def measure(folder: Path, strategy: str, seed: int, designs: int, workers: int) -> dict[str, Any]:
    """One study run to its budget: hypervolume, trainings and seconds."""
    config = StudyConfig(strategy=strategy, seed=seed, budget=designs, workers=workers)
    with Study(folder / f"{strategy}-{seed}.naxbo", config) as study:
        study.run(
            on_progress=lambda p: print(
                f"{strategy} seed {seed}: {p.designs}/{p.budget}, hypervolume {p.hypervolume:.3f}",
                file=sys.stderr,
            )
        )
        done = study.store.evaluations("done")
        return {
            "strategy": strategy,
            "seed": seed,
            "designs": designs,
            "full": sum(e.fidelity == "full" for e in done),
            "seconds": sum(e.outcome["seconds"] for e in done),
            "hypervolume": study.hypervolume(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--designs", type=int, default=60)
    parser.add_argument("--random", type=int, default=120)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/default-study"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for strategy, designs in (("naxbo", arguments.designs), ("random", arguments.random)):
            rows.append(measure(arguments.out, strategy, seed, designs, arguments.workers))
    means = {s: fmean(r["hypervolume"] for r in rows if r["strategy"] == s) for s in ("naxbo", "random")}
    ratio = means["naxbo"] / means["random"]
    if arguments.json:
        print(json.dumps({"runs": rows, "mean_hypervolume": means, "ratio": ratio}))
        return
    for row in rows:
        print(
            f"{row['strategy']:8} seed {row['seed']}: {row['designs']:4} designs, {row['full']:4} full, "
            f"{row['seconds']:7.0f} s of training, hypervolume {row['hypervolume']:.3f}"
        )
    print(f"mean: naxbo {means['naxbo']:.3f}, random {means['random']:.3f}; ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
