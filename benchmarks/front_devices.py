"""Designs of a study's front moved to every other device: trained in full under its noise, and priced.

    python benchmarks/front_devices.py STUDY [--designs 4] [--workers 2] [--json]

Takes designs spread evenly over the front. Choices that only costs depend on are solved anew for the new device, the
others stay; of devices with several bits per cell, each number of bits is a move of its own. The report predicts this
table (``nax_bo.report.devices``); here it is measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from nax_bo.outcomes import OUTCOMES
from nax_bo.report.devices import moves
from nax_bo.study import Study
from nax_bo.study.answers.single import changed_design, evaluate_setting, prepare
from nax_bo.units import unit_for


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--designs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with Study(arguments.study) as study:
        front, cost, space = study.front(), study.config.main_cost, study.store.space
        picked = {int(i) for i in np.linspace(0, len(front) - 1, min(arguments.designs, len(front)))}
        jobs = [
            (front[i], changed_design(space, front[i].design, {n: str(v) for n, v in move.items()}), move)
            for i in sorted(picked)
            for move in moves(space)
        ]
        settled = study.study_problem.settle(space.indices([design for _, design, _ in jobs]))
        prices = study.study_problem.costs(space.columns(settled))[cost.name]
        wanted = [{n: str(v) for n, v in space.design(list(row)).items()} for row in settled.tolist()]
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        looks = pool.map(_look, [arguments.study] * len(jobs), [t.number for t, _, _ in jobs], wanted)
        rows = [
            {
                "design": trial.number,
                "move": dict(move),
                "accuracy": accuracy,
                cost.name: float(price),
                "choices": choices,
            }
            for (trial, _, move), price, choices, accuracy in zip(jobs, prices, wanted, looks, strict=True)
        ]
    if arguments.json:
        print(json.dumps(rows))
        return
    unit = unit_for(OUTCOMES[cost.name].unit, prices)
    for row in rows:
        words = ", ".join(f"{k} {v}" for k, v in row["move"].items())
        print(
            f"design {row['design']:>4} on {words:32} {100 * row['accuracy']['mean']:6.2f} %  "
            f"{unit.show(row[cost.name])} {unit.name}"
        )


def _look(study: str, number: int, choices: Mapping[str, str]) -> dict[str, Any]:
    """One full look, with the seed that the study has for the design."""
    accuracy: dict[str, Any] = evaluate_setting(prepare(choices, study=study, design=number))["accuracy"]
    return accuracy


if __name__ == "__main__":
    main()
