"""Designs from what tables give back: NaN for what does not matter, text for numbers, rows as Series."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from math import isnan
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.space.design import Design
from nax_bo.space.space import Space


def read_design(space: Space, row: Any, *, others: bool = False) -> Design:
    """The design that a row says: a mapping, or a pandas Series.

    A value may be as in the space, its text, or a number within rounding of it. None, NaN and empty text mean that the
    row says nothing; so it may of variables that do not matter for the design, and what it says of those is ignored.

    Args:
        space: Whose design it is.
        row: Values by variable.
        others: Whether the row may hold other things than variables, as a table of results does.

    Raises:
        InputError: A variable that matters is missing, a value is none of the space, or a name is no variable.
    """
    values = _values(row)
    names = [v.name for v in space.variables]
    unknown = [str(name) for name in values if name not in names]
    if unknown and not others:
        space.position(unknown[0])  # refuses it, with the nearest names
    given = {v.name: values[v.name] for v in space.variables if not _nothing(values.get(v.name))}
    active: dict[str, Any] = {}
    for variable in space.variables:  # those that decide come first
        if any(c.variable not in active or active[c.variable] not in c.values for c in variable.active_when):
            continue
        if variable.name not in given:
            near = difflib.get_close_matches(variable.name, unknown, n=1)
            hint = f"Is it {near[0]!r}?" if near else f"Give one of {', '.join(map(str, variable.values))}."
            raise InputError(f"{variable.name} is missing from a design", hint)
        value = given[variable.name]
        active[variable.name] = (
            variable.parse(value.strip())
            if isinstance(value, str)
            else variable.values[variable.index(value)]
        )
    return space.design(active)


def read_designs(space: Space, table: Any) -> list[Design]:
    """The designs of a table's rows: a DataFrame, or any iterable of rows; columns that are no variables are ignored.

    Raises:
        InputError: A row is no design; the message names it, counted from 0.
    """
    rows: Iterable[Any] = table.to_dict("records") if hasattr(table, "to_dict") else table
    out = []
    for number, row in enumerate(rows):
        try:
            out.append(read_design(space, row, others=True))
        except InputError as ex:
            raise InputError(f"row {number}: {ex.message}", ex.hint) from ex
    return out


def _values(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Mapping) and hasattr(row, "to_dict"):
        row = row.to_dict()
    if not isinstance(row, Mapping):
        raise InputError(
            f"{type(row).__name__} is not a design", "Give a {name: value} mapping, or a row of a table."
        )
    return row


def _nothing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN (pandas' NA included), text without letters."""
    if isinstance(value, str):
        return not value.strip()
    if value is None or type(value).__name__ in (
        "NAType",
        "NaTType",
    ):  # of pandas, which need not be installed
        return True
    return isinstance(value, (float, np.floating)) and isnan(value)
