"""The log of a search as plain values, and back: what was told, what failed, what is under way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nax_bo.errors import InputError
from nax_bo.search.problem import Problem
from nax_bo.search.state import Failure, Observation, SearchState

VERSION = 1


def log_to_dict(state: SearchState) -> dict[str, Any]:
    """Everything that proposals depend on besides the problem, strategy and surrogate, as JSON values."""
    return {
        "version": VERSION,
        "space": json.loads(state.problem.space.to_json()),
        "learned": list(state.problem.learned_names),
        "seed": state.seed,
        "initial": [list(row) for row in state.initial],
        "drawn": state.drawn,
        "observations": [
            {
                "design": list(o.indices),
                "level": o.level,
                "outcomes": dict(o.outcomes),
                "variance": dict(o.variance),
            }
            for o in state.observations
        ],
        "failures": [
            {"design": list(f.indices), "level": f.level, "reason": f.reason} for f in state.failures
        ],
        "pending": [{"design": list(row), "level": level} for row, level in state.pending],
    }


def log_from_dict(problem: Problem, data: Mapping[str, Any], options: Mapping[str, Any]) -> SearchState:
    """Inverse of :func:`log_to_dict`.

    Raises:
        InputError: It is no log, or one of another space or of other outcomes.
    """
    if not isinstance(data, Mapping) or data.get("version") != VERSION:
        raise InputError("this is not the log of a search", "Make one with Optimizer.to_dict().")
    if data.get("space") != json.loads(problem.space.to_json()):
        raise InputError("the log is of another space", "Give the problem that it was made with.")
    if data.get("learned") != list(problem.learned_names):
        raise InputError(
            f"the log tells {data.get('learned')}, the problem learns {list(problem.learned_names)}",
            "Give the problem that it was made with.",
        )

    def row(indices: Any) -> tuple[int, ...]:
        return problem.space.design(indices).indices

    def level(value: Any) -> float:
        return problem.level(float(value))

    try:
        return SearchState(
            problem,
            int(data["seed"]),
            tuple(
                Observation(
                    row(o["design"]), _numbers(o["outcomes"]), _numbers(o["variance"]), level(o["level"])
                )
                for o in data["observations"]
            ),
            tuple(Failure(row(f["design"]), level(f["level"]), str(f["reason"])) for f in data["failures"]),
            tuple((row(p["design"]), level(p["level"])) for p in data["pending"]),
            tuple(row(indices) for indices in data["initial"]),
            bool(data["drawn"]),
            options,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as ex:
        raise InputError(f"the log is damaged: {ex!r}", "Make one with Optimizer.to_dict().") from ex


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}
