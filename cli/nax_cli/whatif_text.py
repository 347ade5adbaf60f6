"""Answers of ``what-if`` as text tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nax_bo.outcomes import MAIN_COSTS, OUTCOMES, PRICED, SUMMARY_COST
from nax_bo.units import PLAIN, range_text, shown_in, significant, unit_for
from nax_cli.output import in_units, table

_SUMMARY = OUTCOMES[SUMMARY_COST].label


def side_by_side(rows: Sequence[dict[str, Any]]) -> str:
    """One column per design, the first being the baseline, with changes against it."""
    lines: list[dict[str, Any]] = []
    for outcome in PRICED:
        unit = unit_for(outcome.unit, [row[outcome.name] for row in rows])
        line: dict[str, Any] = {"": unit.heading(outcome.label).translate(PLAIN)}
        for i, row in enumerate(rows):
            line[str(row["design"])] = shown_in(unit, row, outcome)
            if i:
                change = _change(row[outcome.name], rows[0][outcome.name])
                line["change" if i == 1 else "change" + " " * (i - 1)] = change
        lines.append(line)
        spans = {str(row["design"]): range_text(unit, row, outcome) for row in rows}
        if any(text != "-" for text in spans.values()):
            lines.append({"": "  between sources", **spans})
    if any(row["bound_by"] for row in rows):
        lines.append({"": "waits for", **{str(row["design"]): row["bound_by"] for row in rows}})
    if any(row["lifetime_inferences"] for row in rows):
        lines.append(
            {"": "inferences until worn", **{str(row["design"]): row["lifetime_inferences"] for row in rows}}
        )
    if not all(row["feasible"] for row in rows):
        lines.append({"": "fits", **{str(row["design"]): row["feasible"] for row in rows}})
    return table(lines)


def _change(value: float, base: float) -> str:
    if not base or math.isnan(base):
        return "-"
    ratio = value / base
    return (
        "same"
        if abs(ratio - 1) < 5e-4
        else f"x {ratio:.3g}"
        if not 0.5 < ratio < 2
        else f"{100 * (ratio - 1):+.1f} %"
    )


def breakdown(rows: Sequence[dict[str, Any]]) -> str:
    """Layer or component rows with readable headings."""
    return table(in_units(rows), keys=2)


def sweep_table(rows: Sequence[dict[str, Any]], addresses: Sequence[str]) -> str:
    """One line per combination: settings and costs, the cheapest marked; the reason where it is impossible."""
    possible = [row[SUMMARY_COST] for row in rows if not row["error"] and row["feasible"]]
    best = min(possible, default=None)
    lines = in_units([{name: row[name] for name in (*MAIN_COSTS, "tops_w")} for row in rows])
    return table(
        [
            {a: row[a] for a in addresses} | line | {"waits for": row["bound_by"], "": _remark(row, best)}
            for row, line in zip(rows, lines, strict=True)
        ],
        keys=len(addresses),
    )


def _remark(row: dict[str, Any], best: float | None) -> str:
    cheapest = f"least {_SUMMARY}" if row[SUMMARY_COST] == best else ""
    return row["error"] or row["adjusted"] or (cheapest if row["feasible"] else "does not fit")


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def influence_rows(alone: Sequence[dict[str, Any]], shares: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per setting, the most influential first: its swing of one cost, its total share of each.

    The cost is the summary, or the first that the model defines.
    """
    defined = {row["output"] for row in shares if not math.isnan(row["total"])}
    shown = next((o for o in (SUMMARY_COST, *MAIN_COSTS) if o in defined), SUMMARY_COST)
    swing = {row["setting"]: row["swing"] for row in alone if row["output"] == shown}
    order = [row["setting"] for row in shares if row["output"] == shown]
    total = {(row["setting"], row["output"]): row["total"] for row in shares}
    return [
        {
            "setting": s,
            f"{OUTCOMES[shown].label} swing": significant(swing[s], 2),
            **{f"{OUTCOMES[o].label} share (%)": _percent(total[s, o]) for o in MAIN_COSTS},
        }
        for s in order
    ]
