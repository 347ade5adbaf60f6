"""How results look in a notebook: tables as HTML, by the ``_repr_html_`` that Jupyter asks values for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

MOST_ROWS = 30
"""Rows that are shown; how many are left out is said."""


def table_html(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Rows as an HTML table, numbers to three digits; text is escaped.

    Args:
        rows: All with the keys of the first, which head the columns.
        caption: Stands above.
    """
    names = list(rows[0]) if rows else []
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(row.get(name)))}</td>" for name in names) + "</tr>"
        for row in rows[:MOST_ROWS]
    )
    left = f"<p>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<p>{escape(caption)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left}"


def shown(value: Any) -> str:
    """A value as text; what is missing as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
