"""Units and digits for people: one unit per column, chosen by size, and no digit that the value does not carry.

Files and ``--json`` keep the fixed units of :mod:`nax_bo.outcomes`; this is for tables, pages and charts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from nax_bo.outcomes import OUTCOMES, Outcome

PLAIN = str.maketrans({"µ": "u", "·": " ", "²": "2", "±": "+-"})
"""For terminals: ASCII."""

_LADDERS: Mapping[str, tuple[tuple[str, float, float], ...]] = {
    "µJ": (("pJ", 1e-6, 1e-6), ("nJ", 1e-3, 1e-3), ("µJ", 1.0, 1.0), ("mJ", 1e3, 1e3), ("J", 1e6, 1e6)),
    "ms": (("ns", 1e-6, 1e-6), ("µs", 1e-3, 1e-3), ("ms", 1.0, 1.0), ("s", 1e3, 1e3)),
    "mm²": (("µm²", 1e-6, 1e-6), ("mm²", 1.0, 1e-2)),
    "mW": (("µW", 1e-3, 1e-3), ("mW", 1.0, 1.0), ("W", 1e3, 1e3)),
    "µJ·ms·mm²": (
        ("pJ·µs·mm²", 1e-9, 1e-9),
        ("nJ·µs·mm²", 1e-6, 1e-6),
        ("µJ·µs·mm²", 1e-3, 1e-3),
        ("µJ·ms·mm²", 1.0, 1.0),
        ("mJ·ms·mm²", 1e3, 1e3),
        ("mJ·s·mm²", 1e6, 1e6),
    ),
}
"""By fixed unit: the units that may be shown, their size in the fixed one, and from which value on they are used."""


@dataclass(frozen=True)
class Unit:
    """A unit to show values in: its name, and its size in the fixed unit of the values."""

    name: str
    size: float

    def heading(self, label: str) -> str:
        """``energy (nJ)``; the label alone for plain numbers."""
        return f"{label} ({self.name})" if self.name else label

    def show(self, value: float | None, digits: int = 3) -> str:
        """The value in this unit to so many significant digits, without an exponent; ``-`` for none."""
        return "-" if value is None else significant(value / self.size, digits)


def ends_of(row: Mapping[str, Any], cost: Outcome) -> tuple[float | None, float | None]:
    """Between which values sources put a row's cost; None twice where nothing says."""
    low, high = (row.get(name) for name in cost.ends)
    return low, high


def shown_in(unit: Unit, row: Mapping[str, Any], cost: Outcome) -> str:
    """A row's cost in a unit, with no digit that its sources do not agree on."""
    return unit.show(row[cost.name], band_digits(*ends_of(row, cost)))


def range_text(unit: Unit, row: Mapping[str, Any], cost: Outcome) -> str:
    """``480 to 1200``: between which values sources put a row's cost; ``-`` where nothing says."""
    low, high = ends_of(row, cost)
    return "-" if low is None or high is None else f"{unit.show(low, 2)} to {unit.show(high, 2)}"


def unit_for(fixed: str, values: Iterable[float | None]) -> Unit:
    """The unit for a column of values given in the unit ``fixed``: the largest one that its median reaches."""
    ladder = _LADDERS.get(fixed)
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if ladder is None:
        return Unit(fixed, 1.0)
    middle = median(sizes) if sizes else 1.0
    name, size, _ = next((step for step in reversed(ladder) if middle >= step[2]), ladder[0])
    return Unit(name, size)


def cost_cells(rows: Sequence[Mapping[str, Any]], costs: Sequence[str]) -> list[dict[str, str]]:
    """Costs of rows by heading, one unit per column, each with its range between sources where any row has one."""
    cells: list[dict[str, str]] = [{} for _ in rows]
    for outcome in (OUTCOMES[name] for name in costs):
        unit = unit_for(outcome.unit, [row[outcome.name] for row in rows])
        spans = [range_text(unit, row, outcome) for row in rows]
        for line, row, span in zip(cells, rows, spans, strict=True):
            line[unit.heading(outcome.label)] = shown_in(unit, row, outcome)
            if any(text != "-" for text in spans):
                line[f"{outcome.label} range"] = span
    return cells


def significant(value: float, digits: int = 3) -> str:
    """``value`` rounded to significant digits, without an exponent: ``0.0123``, ``1230``."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    places = (
        digits - 1 - math.floor(math.log10(abs(round(value, places)) or abs(value)))
    )  # 9.996 becomes 10.0
    return f"{round(value, places):.{max(0, places)}f}"


def band_digits(low: float | None, high: float | None) -> int:
    """Significant digits of a value that is known between ``low`` and ``high``."""
    return 2 if low is not None and high is not None and high > 1.1 * low else 3


def points(share: float | None) -> str:
    """A spread of accuracies in percentage points: spreads of a few measurements are worth two digits."""
    return "-" if share is None else significant(100 * share, 2)


def accuracy_text(mean: float, error: float | None, places: int) -> str:
    """``94.2 % ± 0.53``: an accuracy to so many decimals (:func:`percent_places`), and its standard error."""
    return f"{100 * mean:.{places}f} %" + (f" ± {points(error)}" if error else "")


def percent_places(errors: Iterable[float | None], test_images: int) -> int:
    """Decimals of a column of percentages whose standard errors (fractions) are given.

    The last decimal shown is about the size of the typical error, and no finer than what one test image counts.
    """
    known = [100 * e for e in errors if e]
    step = max(median(known) / 3 if known else 0.0, 50.0 / max(1, test_images))
    return min(2, max(0, -math.floor(math.log10(step))))
