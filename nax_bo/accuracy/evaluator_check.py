"""Does an accuracy evaluator keep its contract? A handful of looks at designs of a built-in space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nax_bo.accuracy.evaluator import AccuracyEvaluator, kept, load_evaluator
from nax_bo.errors import NaxboError

if TYPE_CHECKING:
    from nax_bo.accuracy.data import DataSet

Pair = tuple[Any, Any]
"""Network and chip of a design."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked: what it was, whether it holds, and what was found."""

    name: str
    ok: bool
    found: str


def check_evaluator(reference: str, designs: list[Pair], data: DataSet) -> list[Check]:
    """Check an evaluator on some designs.

    Args:
        reference: The evaluator.
        designs: (network, chip) pairs, at least two.
        data: The data set that it gets.

    Returns:
        One entry per check; those after one that fails for good are left out.
    """
    checks = [_run("it can be made without arguments", lambda: _loaded(reference))]
    if not checks[0].ok:
        return checks
    evaluator = load_evaluator(reference)
    looks = [_Look(reference, evaluator, pair, data) for pair in designs]
    checks += [
        _run("every rung of every design gives an accuracy", lambda: _all_valid(looks)),
        _run("the same seed gives the same result", lambda: _repeats(reference, looks[0])),
        _run("a look does not depend on those before", lambda: _independent(looks)),
    ]
    if all(c.ok for c in checks):
        checks.append(_run("what it costs", lambda: _costs(looks[0])))
    return checks


@dataclass(frozen=True)
class _Look:
    """One design as the evaluator is asked about it."""

    reference: str
    evaluator: AccuracyEvaluator
    pair: Pair
    data: DataSet

    def __call__(
        self, rung: str = "short", seed: int = 0, by: AccuracyEvaluator | None = None
    ) -> Mapping[str, float]:
        return kept(self.reference, (by or self.evaluator).evaluate(*self.pair, self.data, rung, seed))


def _run(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except NaxboError as ex:
        return Check(name, False, ex.message)
    except AssertionError as ex:
        return Check(name, False, str(ex))
    except Exception as ex:  # the user's code: whatever it raises is a finding
        return Check(name, False, f"{type(ex).__name__}: {ex}")


def _loaded(reference: str) -> str:
    return type(load_evaluator(reference)).__name__


def _all_valid(looks: list[_Look]) -> str:
    found = [look(rung)["mean"] for look in looks for rung in ("short", "full")]
    return f"accuracies from {min(found):.3g} to {max(found):.3g}"


def _repeats(reference: str, look: _Look) -> str:
    first, again, fresh = look(seed=7), look(seed=7), look(seed=7, by=load_evaluator(reference))
    if not first == again == fresh:
        raise AssertionError(f"three looks with one seed gave {first}, {again}, {fresh}")
    return "also from another object"


def _independent(looks: list[_Look]) -> str:
    forwards = [look() for look in looks]
    backwards = [look() for look in reversed(looks)][::-1]
    if forwards != backwards:
        raise AssertionError("designs gave other results in another order")
    return f"{len(looks)} designs in two orders"


def _costs(look: _Look) -> str:
    seconds = {}
    for rung in ("short", "full"):
        start = perf_counter()
        look(rung)
        seconds[rung] = perf_counter() - start
    return f"short {seconds['short']:.2g} s, full {seconds['full']:.2g} s"
