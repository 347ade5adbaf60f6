"""What a long study costs besides its trainings: the loop per evaluation, pareto, report.

A study of so many designs is made at random, with outcomes by formula and one in eight trained in full; then the loop
decides, records and reports further evaluations whose trainings take no time. Prints one JSON line.

    python benchmarks/study_growth.py --designs 1000 --report
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from nax_bo.accuracy.report import AccuracyReport
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.job import Job, JobResult

MORE = 60
"""Evaluations over which the loop is timed."""


class Formula(Executor):
    """Answers at once: accuracy grows with converter bits and network width, with noise by the job's seed."""

    def submit(self, fn: Any, job: Job, /) -> Future[Any]:  # type: ignore[override]
        """Answer."""
        future: Future[JobResult] = Future()
        future.set_result(JobResult(outcome(job.network, job.chip, job.seed)))
        return future


def outcome(network: Any, chip: Any, seed: int) -> dict[str, Any]:
    """An outcome with as many draws as a full training has."""
    bits = chip["arrays"][0]["adc_bits"]
    width = sum(layer["out_shape"][0] for layer in network["layers"])
    centre = 1.0 - 0.6 / (1.0 + 0.02 * width * bits)
    draws = np.clip(centre + 0.01 * np.random.default_rng(seed).standard_normal(24), 0.0, 1.0).tolist()
    return AccuracyReport(tuple(draws), centre, 898, "full", 1.0, 0.9, trainings=3).to_dict()


def fill(path: Path, designs: int) -> None:
    """A study of so many designs, made in batches."""
    with Study(path, StudyConfig(budget=designs, strategy="random", workers=1, seed=0)) as study:
        space = study.store.space
        for start in range(0, designs, 500):
            count = min(500, designs - start)
            study.add(space.designs(space.sobol(count, seed=start)), "short")
        rows = []
        for trial in study.trials():
            specs = study.specs(trial)
            done = json.dumps(outcome(specs.network, specs.chip, trial.number))
            rows.append((trial.number, done, trial.number))
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "UPDATE evaluations SET state = 'done', finish_order = ?, outcome = ?, seconds = 1 WHERE trial = ?",
            rows,
        )


def command(*words: str) -> float:
    """Seconds that a command takes, the start of Python included."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "nax_cli", *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the study, used again if it is there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (args.keep or Path(folder)) / f"grown-{args.designs}.naxbo"
        if not path.exists():
            fill(path, args.designs)
        with Study(path) as study:
            marks: list[tuple[float, float]] = []
            full = study.config.calibrate_every
            study.run(
                budget=len(study.trials()) + MORE,
                executor=Formula(),
                on_progress=lambda _: marks.append((time.process_time(), time.monotonic())),
            )
            looks = marks[1 : MORE + MORE // full]  # what comes after is the end of the study
        found = {
            "designs": args.designs,
            "loop_cpu_s": (looks[-1][0] - looks[0][0]) / (len(looks) - 1),
            "loop_wall_s": (looks[-1][1] - looks[0][1]) / (len(looks) - 1),
            "pareto_s": command("pareto", "--study", str(path)),
            "mib": path.stat().st_size / 2**20,
        }
        if args.report:
            found["report_s"] = command("report", "--study", str(path), "--out", str(Path(folder) / "report"))
    print(json.dumps({k: round(v, 4) for k, v in found.items()}))


if __name__ == "__main__":
    main()
