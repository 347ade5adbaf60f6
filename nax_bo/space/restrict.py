"""A part of a space: some variables confined to some of their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nax_bo.errors import InputError
from nax_bo.space.space import Space
from nax_bo.space.variable import Condition, Value, Variable


def restrict(space: Space, choices: Mapping[str, Iterable[Value]]) -> Space:
    """The space with each named variable confined to the given values, in the space's own order.

    All variables stay, so a design of the part is one of the whole. What can no longer become active keeps one value;
    an inactive variable shows the same value as in the whole space.

    Args:
        space: The whole space.
        choices: Values by variable, as such or as text. A name that is no variable but the stem of several stands for
            these: ``crossbar`` for ``crossbar_1``, ``crossbar_2``, ... A variable named as such comes before its stem.

    Raises:
        InputError: A name or a value does not exist.
    """
    kept = {v.name: list(range(v.cardinality)) for v in space.variables} | _chosen(space, choices)
    variables = []
    for variable in space.variables:
        when = tuple(
            Condition(
                c.variable, tuple(v for v in c.values if space[c.variable].index(v) in kept[c.variable])
            )
            for c in variable.active_when
        )
        some = kept[variable.name] if all(c.values for c in when) else kept[variable.name][:1]
        idle = variable.values[0] if variable.idle is None else variable.idle
        shown = some[0] == 0 and variable.idle is None
        variables.append(
            replace(
                variable,
                values=tuple(variable.values[i] for i in some),
                active_when=when,
                idle=None if shown else idle,
            )
        )
    return Space(variables)


def _chosen(space: Space, choices: Mapping[str, Iterable[Value]]) -> dict[str, list[int]]:
    """Positions of the values that are left of each variable that is named, ascending."""
    names = [v.name for v in space.variables]
    found: dict[str, list[int]] = {}
    for name in sorted(choices, key=lambda n: n in names):  # stems first
        group = [name] if name in names else [n for n in names if re.fullmatch(rf"{re.escape(name)}_\d+", n)]
        if not group:
            space.position(name)  # refuses it, with the nearest names
        given: Any = choices[name]
        values = [given] if isinstance(given, str) else list(given)
        if not values:
            raise InputError(f"{name} is left without a value", "Choose at least one.")
        for member in group:
            found[member] = sorted({_position(space[member], v) for v in values})
    return found


def _position(variable: Variable, value: Value) -> int:
    """Of a value, or of the text of one."""
    return variable.index(variable.parse(value) if isinstance(value, str) else value)
