"""What a valid outcome of a training is: checked before it is stored, and again when it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nax_bo.accuracy.report import statistics_of

_LARGEST = 1e300


def check_outcome(outcome: Any) -> str:
    """What is wrong with an outcome, in words; empty if nothing is.

    ``mean`` is a fraction; ``standard_error`` is there, a number of at least 0 or None where it is not known; every
    other number is finite, and statistics that are derived from ``draws`` can be derived.
    """
    if not isinstance(outcome, Mapping):
        return f"the outcome is a {type(outcome).__name__}, not a table of results"
    if not all(isinstance(name, str) for name in outcome):
        return "the outcome has a name that is not text"
    if "mean" not in outcome:
        return "the outcome holds no accuracy ('mean')"
    if not _fraction(outcome["mean"]):
        return f"the accuracy is {_shown(outcome['mean'])}, not a fraction from 0 to 1"
    if "standard_error" not in outcome:
        return "the outcome holds no 'standard_error'"
    error = outcome["standard_error"]
    if error is not None and not (_number(error) and error >= 0):
        return f"the standard error is {_shown(error)}, not a number of at least 0"
    for name in ("p05", "clean", "confidence"):
        if outcome.get(name) is not None and not _fraction(outcome[name]):
            return f"{name!r} is {_shown(outcome[name])}, not a fraction from 0 to 1"
    for name, value in outcome.items():
        if (why := _unstorable(value)) is not None:
            return f"{name!r} {why}"
    return _derived(outcome)


def _derived(outcome: Mapping[str, Any]) -> str:
    if "draws" not in outcome:
        return ""
    draws = outcome["draws"]
    if not isinstance(draws, (list, tuple)) or not draws or not all(map(_fraction, draws)):
        return f"'draws' is {_shown(draws)}, not a list of fractions"
    trainings = outcome.get("trainings", 1)
    if type(trainings) is not int or not 1 <= trainings <= len(draws):
        return f"{_shown(trainings)} trainings gave {len(draws)} draws"
    try:
        statistics = statistics_of(outcome)
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError) as ex:
        return f"its statistics cannot be derived ({type(ex).__name__}: {ex})"
    if not math.isclose(statistics["mean"], outcome["mean"], abs_tol=1e-9):
        return f"the accuracy is {outcome['mean']}, its draws average to {statistics['mean']}"
    return ""


def _unstorable(value: Any) -> str | None:
    """Why a value cannot be stored as JSON and read back, if it cannot."""
    if value is None or isinstance(value, (bool, str)):
        return None
    if isinstance(value, (int, float)):
        return None if _number(value) else f"is {_shown(value)}"
    if isinstance(value, (list, tuple)):
        return next((why for v in value if (why := _unstorable(v)) is not None), None)
    if isinstance(value, Mapping):
        if not all(isinstance(k, str) for k in value):
            return "has a name that is not text"
        return next((why for v in value.values() if (why := _unstorable(v)) is not None), None)
    return f"is a {type(value).__name__}"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def _fraction(value: Any) -> bool:
    return _number(value) and 0.0 <= value <= 1.0


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
