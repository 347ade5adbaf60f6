"""Searches of published systems that are trainings themselves: run once per seed, and what they found is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.supernet.family import Family
from nax_bo.errors import NaxboError, StoreError
from nax_bo.files import write_whole
from nax_bo.outcomes import OUTCOMES
from nax_bo.search.strategies.gates import NaxGates
from nax_bo.search.strategies.procedure import Found, Procedure
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.job import data_set

PROCEDURES: Mapping[str, Procedure] = {"nax": NaxGates(weight_steps=16)}
"""By the name of the system. A step of NAX's gates programs two chips and takes 40 times as long as one of its weights:
one to four would take most of an hour at the small scale."""


def procedure_found(path: Path, problem: StudyProblem, cost: str, images: int, seed: int) -> Found:
    """What the procedure of ``problem``'s system finds, from ``path`` if it was run before.

    Args:
        path: The file.
        problem: Space, prices, data and conditions.
        cost: The priced outcome that is to be small, or large where more is better; its logarithm joins the loss.
        images: Training images that it may see.
        seed: Of everything random.

    Raises:
        StoreError: The file holds something else.
        InputError: The budget does not suffice.
    """
    space = problem.space
    if path.exists():
        try:
            kept = json.loads(path.read_text())
            return Found(space.design(kept["choices"]), int(kept["images_seen"]), float(kept["certainty"]))
        except (ValueError, KeyError, TypeError, NaxboError) as ex:
            raise StoreError(f"{path} holds no result of a search: {ex}", "Remove it, and run again.") from ex

    def log_cost(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        priced = np.asarray(problem.costs(space.columns(rows))[cost], dtype=float)
        return np.asarray(OUTCOMES[cost].sign * np.log10(priced))

    found = PROCEDURES[problem.system.name].run(
        Family(space, problem.system.decode),
        data_set(problem.config.data),
        log_cost,
        images=images,
        seed=seed,
        conditions=problem.config.conditions,
    )
    kept = {"choices": dict(found.design), "images_seen": found.images_seen, "certainty": found.certainty}
    write_whole(path, json.dumps(kept))
    return found
