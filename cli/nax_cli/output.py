"""How answers are printed: text tables or one JSON document on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
StudyOption = Annotated[str, typer.Option("--study", "-s", metavar="FILE", help="The study's file.")]


LABELS = {
    "energy_uj": "energy (uJ)",
    "latency_ms": "latency (ms)",
    "response_ms": "response (ms)",
    "area_mm2": "area (mm2)",
    "edap_uj_ms_mm2": "EDAP (uJ ms mm2)",
    "tops_w": "TOPS/W",
    "tops_mm2": "TOPS/mm2",
    "fps": "inferences/s",
    "utilisation": "cells used",
}
"""Headings of costs in text answers; JSON keeps the names."""


def say(text: str) -> None:
    """A line for the person at the terminal (stderr)."""
    print(text, file=sys.stderr, flush=True)


def print_json(answer: Any) -> None:
    """One strict JSON document: numbers that JSON cannot write become null."""
    print(json.dumps(strict(answer), indent=2, allow_nan=False))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as aligned text; numbers to four significant digits, right-aligned."""
    if not rows:
        return "(nothing)"
    names = list(columns or rows[0])
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    numeric = [all(isinstance(row.get(name, 0), (int, float)) for row in rows) for name in names]

    def line(values: Sequence[str]) -> str:
        parts = [
            v.rjust(w) if right else v.ljust(w) for v, w, right in zip(values, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(names), line(["-" * w for w in widths]), *map(line, cells)])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return "-" if value is None else str(value)


def front_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Designs of a front (``Study.row``) as text, accuracies in percent."""
    lines = []
    for row in rows:
        percent = {
            "accuracy (%)": 100 * row["accuracy"],
            "+-": 100 * row["std"],
            "worst 5 %": 100 * row["p05"],
        }
        costs = {
            LABELS[name]: row[name] for name in ("edap_uj_ms_mm2", "energy_uj", "latency_ms", "area_mm2")
        }
        lines.append({"design": row["number"], **percent, **costs})
    return table(lines)


def strict(value: Any) -> Any:
    """``value`` with plain types only, and null for numbers that JSON cannot write."""
    if isinstance(value, Mapping):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
