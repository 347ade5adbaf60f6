"""The default study with real trainings on digits: hypervolume against trainings and against their seconds.

    python benchmarks/default_study.py run [--strategies naxbo,linas,optuna-gp] [--seeds 3] [--designs 50] [--peers 200]
    python benchmarks/default_study.py table

naxbo looks at ``--designs`` designs, most of them shortly and the promising ones in full; every other strategy trains
``--peers`` designs in full. All start from the same designs. Every run is a study file under ``--out``: interrupted or
repeated, the script goes on where it stopped. Hypervolume is that of fully trained designs only, below the studies'
common reference point; seconds are wall time of all trainings, short ones
included, without the search's own.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from nax_bo.report.data import HistoryPoint
from nax_bo.report.history import hypervolume_history
from nax_bo.study import Study, StudyConfig

MARKS = (25, 50, 100, 150, 200)

History = Sequence[HistoryPoint]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--strategies", default="naxbo,linas,optuna-gp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--designs", type=int, default=50)
    parser.add_argument("--peers", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/default-study"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn about experimental features
    names = arguments.strategies.split(",")
    if arguments.action == "run":
        arguments.out.mkdir(parents=True, exist_ok=True)
        for seed in range(arguments.seeds):
            for name in names:
                budget = arguments.designs if name == "naxbo" else arguments.peers
                run(_file(arguments.out, name, seed), name, seed, budget, arguments.workers)
    histories = {name: list(_histories(arguments.out, name, arguments.seeds)) for name in names}
    if arguments.json:
        print(json.dumps({n: [[asdict(p) for p in h] for h in found] for n, found in histories.items()}))
    else:
        print("\n".join(table(histories)))


def run(file: Path, strategy: str, seed: int, budget: int, workers: int) -> None:
    """One study, up to its budget."""
    with Study(file, StudyConfig(strategy=strategy, seed=seed, budget=budget, workers=workers)) as study:
        study.run(
            on_progress=lambda p: print(
                f"{strategy} seed {seed}: {p.designs}/{p.budget}, hypervolume {p.hypervolume:.3f}",
                file=sys.stderr,
                flush=True,
            )
        )


def table(histories: dict[str, list[History]]) -> Iterator[str]:
    """Hypervolume after numbers of trainings, and after the seconds that naxbo's runs took altogether."""
    yield (
        f"{'strategy':12} {'seed':>4} {'trainings':>9} {'seconds':>8}  "
        + "  ".join(f"after {n:3d}" for n in MARKS)
        + "  in naxbo's seconds"
    )
    for name, found in histories.items():
        for seed, history in enumerate(found):
            last = history[-1]
            cells = [f"{_after(history, n):9.3f}" if n <= last.trainings else f"{'-':>9}" for n in MARKS]
            ours = histories.get("naxbo", [])
            limit = ours[seed][-1].seconds if seed < len(ours) else last.seconds
            within = max(p.hypervolume for p in history if p.seconds <= limit)
            yield f"{name:12} {seed:4d} {last.trainings:9d} {last.seconds:8.0f}  {'  '.join(cells)}  {within:.3f}"
        if found:
            yield f"{name:12} mean at the end {fmean(h[-1].hypervolume for h in found):.3f}"


def _after(history: History, trainings: int) -> float:
    return max(p.hypervolume for p in history if p.trainings <= trainings)


def _file(folder: Path, strategy: str, seed: int) -> Path:
    return folder / f"{strategy}-{seed}.naxbo"


def _histories(folder: Path, strategy: str, seeds: int) -> Iterator[History]:
    for seed in range(seeds):
        if (file := _file(folder, strategy, seed)).exists():
            with Study(file) as study:
                if history := hypervolume_history(study):
                    yield history


if __name__ == "__main__":
    main()
