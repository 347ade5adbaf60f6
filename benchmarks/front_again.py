"""The front of a finished study, trained and measured anew, and with noisier converters.

    python benchmarks/front_again.py STUDY [--seeds 2] [--workers 2] [--out front-again.jsonl]

Every design of the front is trained in full again, ``--seeds`` times from seeds that the study did not use, and once
more per seed for converters whose noise and offsets are twice as large. Looks are appended to ``--out`` as they end;
interrupted or repeated, the script goes on where it stopped. Then it prints, per design, what the study stated and what
was found.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from nax_bo.report.front import front_rows
from nax_bo.study import Study
from nax_bo.study.answers.single import evaluate_setting, prepare

FRESH = 1_000_003
"""Seeds count on from here, far from those of a study's own looks."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("front-again.jsonl"))
    arguments = parser.parse_args()
    with Study(arguments.study) as study:
        stated = {row["number"]: row for row in front_rows(study)}
    wanted = [
        (number, seed, scale) for seed in range(arguments.seeds) for number in stated for scale in (1.0, 2.0)
    ]
    done = {(r["design"], r["seed"], r["converters"]) for r in _lines(arguments.out)}
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        looks = [pool.submit(look, arguments.study, *job) for job in wanted if job not in done]
        for future in as_completed(looks):
            with arguments.out.open("a") as file:
                file.write(json.dumps(future.result()) + "\n")
    print("\n".join(table(stated, list(_lines(arguments.out)))))


def look(study: str, number: int, seed: int, scale: float) -> dict[str, Any]:
    """One full look at a design of the study, its converters' noise and offsets scaled."""
    setting = prepare(study=study, design=number, seed=FRESH + seed)
    was = setting.config.conditions
    conditions = replace(
        was,
        converter_noise_lsb=scale * was.converter_noise_lsb,
        converter_offset_lsb=scale * was.converter_offset_lsb,
        calibrated_offset_lsb=scale * was.calibrated_offset_lsb,
    )
    answer = evaluate_setting(replace(setting, config=replace(setting.config, conditions=conditions)))
    return {"design": number, "seed": seed, "converters": scale, "accuracy": answer["accuracy"]}


def table(stated: Mapping[int, Mapping[str, Any]], looks: list[dict[str, Any]]) -> Iterator[str]:
    """Per design: what the study states, the mean of the new looks, whether it lies inside; with noisier converters."""
    found: dict[tuple[int, float], list[float]] = defaultdict(list)
    for row in looks:
        found[row["design"], row["converters"]].append(row["accuracy"]["mean"])
    yield f"{'design':>6}  {'stated':>7}  {'95 % interval':>17}  {'again':>7}  inside  {'noisier':>7}  {'lost':>5}"
    inside, lost = 0, []
    for number, row in stated.items():
        low, high = row["accuracy_low"], row["accuracy_high"]
        again, noisier = (fmean(found[number, scale]) for scale in (1.0, 2.0))
        inside += low <= again <= high
        lost.append(100 * (again - noisier))
        yield (
            f"{number:>6}  {100 * row['accuracy']:7.2f}  {100 * low:7.2f} to {100 * high:5.2f}  {100 * again:7.2f}  "
            f"{'yes' if low <= again <= high else 'no':>6}  {100 * noisier:7.2f}  {lost[-1]:5.2f}"
        )
    yield (
        f"{inside} of {len(stated)} inside; noisier converters cost {fmean(lost):.2f} points in the mean, "
        f"{max(lost):.2f} at most"
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


if __name__ == "__main__":
    main()
