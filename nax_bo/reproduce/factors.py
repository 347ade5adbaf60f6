"""Where a gain comes from: a walk from the baseline to the winner, one group of choices at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nax_bo.space import Design, Space
from nax_bo.systems.groups import ORDER, group_of


@dataclass(frozen=True, slots=True)
class Factor:
    """What one group contributes: the gain of walking it after those before.

    Several names where a step between has no price.
    """

    group: str
    gain: float


def walk(
    space: Space, start: Design, end: Design, value: Callable[[Design], float]
) -> tuple[list[Factor], float]:
    """Factors and their product, ``value(start) / value(end)``.

    Args:
        space: Of both designs.
        start: The baseline.
        end: The winner.
        value: A cost, less being better; NaN for designs that cannot be priced.

    Returns:
        One factor per group that differs, in :data:`~nax_bo.systems.groups.ORDER` (accuracy-bearing choices first:
        shares depend on the order, their product does not), and the total.
    """
    groups = {v.name: group_of(v) for v in space.variables}
    first = value(start)
    before, factors, waiting = first, [], ""
    present = [g for g in ORDER if any(start.get(n) != end.get(n) for n, own in groups.items() if own == g)]
    for i, group in enumerate(present):
        done = set(present[: i + 1])
        last = i == len(present) - 1
        now = value(end if last else _mixed(space, start, end, {n for n, g in groups.items() if g in done}))
        name = f"{waiting}{group}"
        if not now > 0:  # this step has no price: it goes with the next
            waiting = f"{name}, "
            continue
        factors.append(Factor(name, before / now))
        before, waiting = now, ""
    return factors, first / before


def _mixed(space: Space, start: Mapping[str, Any], end: Mapping[str, Any], changed: set[str]) -> Design:
    """``end`` in what is changed, ``start`` elsewhere; what only one of them has is that one's."""
    values: dict[str, Any] = {}
    for variable in space.variables:
        sources: Sequence[Mapping[str, Any]] = (end, start) if variable.name in changed else (start, end)
        for source in sources:
            if variable.name in source:
                values[variable.name] = source[variable.name]
                break
    return space.design(values)
