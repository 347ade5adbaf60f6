"""What measures a design's accuracy: naxbo's own training and measuring, or a class of the user's, by reference."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.references import load_object

if TYPE_CHECKING:
    from nax_bo.accuracy.data import DataSet

OWN = "training"
"""The name of naxbo's own evaluator."""

OUTCOMES = {"accuracy": "mean", "standard_error": "standard_error", "p05": "p05", "clean": "clean"}
"""What an evaluator may report, and the names under which a study keeps it."""


@runtime_checkable
class AccuracyEvaluator(Protocol):
    """Measures accuracy in place of naxbo's training: an own simulator, a table, a lookup of trained networks.

    It is made without arguments, once in every worker process.
    """

    def evaluate(
        self, network: NetworkSpec, chip: ChipSpec, data: DataSet, rung: str, seed: int
    ) -> Mapping[str, float]:
        """Measure one design.

        Args:
            network: The design's network.
            chip: The design's chip.
            data: The study's data set.
            rung: ``short``, a cheap look, or ``full``.
            seed: The same for every look at a design; it must decide all chance.

        Returns:
            ``accuracy``, a fraction; where known ``standard_error`` of it, ``p05`` (what 95 % of chips exceed) and
            ``clean`` (without noise of devices). An exception of any kind is a failure of the design.
        """
        ...


def load_evaluator(reference: str) -> AccuracyEvaluator:
    """The evaluator that ``package.module:Class`` or ``file.py:Class`` names.

    Raises:
        InputError: It cannot be loaded or made, or it is no evaluator.
    """
    found: Any = load_object(reference)
    if not (inspect.isclass(found) and callable(getattr(found, "evaluate", None))):
        raise InputError(
            f"{reference} is no accuracy evaluator",
            "Name a class with evaluate(self, network, chip, data, rung, seed).",
        )
    factory: Any = found
    try:
        made: AccuracyEvaluator = factory()
    except TypeError as ex:
        raise InputError(
            f"{reference} cannot be made without arguments: {ex}", "Give its settings defaults."
        ) from ex
    return made


def evaluate_by(
    reference: str, network: NetworkSpec, chip: ChipSpec, data: DataSet, rung: str, seed: int
) -> dict[str, Any]:
    """What the evaluator of a reference says of a design, as a study keeps it.

    Raises:
        EvaluationError: It reports what is no accuracy.
        InputError: The reference cannot be loaded.
    """
    start = perf_counter()
    found = remembered(reference).evaluate(network, chip, data, rung, seed)
    outcome: dict[str, Any] = {"standard_error": None, **kept(reference, found)}
    return {**outcome, "fidelity": rung, "seconds": perf_counter() - start}


def kept(reference: str, found: Any) -> dict[str, float]:
    """An evaluator's report under the names of a study, checked.

    Raises:
        EvaluationError: It is no mapping, lacks the accuracy, or holds something that is unknown or out of range.
    """
    if not isinstance(found, Mapping):
        raise EvaluationError(
            f"{reference} returned a {type(found).__name__}", "Return a mapping with 'accuracy' in it."
        )
    if unknown := [name for name in found if name not in OUTCOMES]:
        raise EvaluationError(
            f"{reference} reports {unknown[0]!r}", f"An evaluator may report {', '.join(OUTCOMES)}."
        )
    out: dict[str, float] = {}
    for name, key in OUTCOMES.items():
        value = found.get(name)
        if value is None and name != "accuracy":
            continue
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        high = math.inf if name == "standard_error" else 1.0
        if not 0.0 <= number <= high or math.isinf(number):
            raise EvaluationError(
                f"{reference} reports {name} = {value!r}", "Report a finite number; accuracies from 0 to 1."
            )
        out[key] = number
    return out


@lru_cache(maxsize=4)
def remembered(reference: str) -> AccuracyEvaluator:
    """:func:`load_evaluator`, once in this process."""
    return load_evaluator(reference)
