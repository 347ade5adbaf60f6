"""Charts of what-if answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt

from nax_bo.errors import InputError
from nax_bo.outcomes import MAIN_COSTS, OUTCOMES, SUMMARY_COST
from nax_bo.report.charts.theme import BLUE, SERIES, Chart, Rows, data
from nax_bo.report.files import save
from nax_bo.units import Unit, unit_for
from nax_bo.whatif import Comparison, Sensitivity, SweepResult

_MOST_LINES = len(SERIES)


def draw(answer: Comparison | SweepResult | Sensitivity, path: Path) -> None:
    """Write the chart of a what-if answer; raises InputError if there is none, or the file cannot be written."""
    save(chart(answer), path, "--chart")


def chart(answer: Comparison | SweepResult | Sensitivity) -> Chart:
    """The chart of a what-if answer, as a value that notebooks show.

    Raises:
        InputError: Of a sweep: nothing in it is possible, or too many lines.
    """
    if isinstance(answer, Comparison):
        return _comparison(answer)
    return _sweep(answer) if isinstance(answer, SweepResult) else _sensitivity(answer)


def _comparison(comparison: Comparison) -> Chart:
    """Costs of each design as bars, one panel per cost."""
    rows = comparison.rows()
    panels = []
    for i, name in enumerate(MAIN_COSTS):
        unit = _unit(name, rows)
        values: Rows = [
            {"design": r["design"], "value": r[name] / unit.size, "text": unit.show(r[name])} for r in rows
        ]
        top = max(v["value"] for v in values)
        base = alt.Chart(data(values)).encode(
            y=alt.Y("design:N", sort=None, title=None, axis=alt.Axis() if i == 0 else None),
            x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.35 * top])),
        )
        bars = base.mark_bar(color=SERIES[i], height={"band": 0.65})
        panels.append(
            alt.layer(bars, base.mark_text(align="left", dx=4).encode(text="text:N")).properties(
                width=180, height=alt.Step(24), title=unit.heading(OUTCOMES[name].label)
            )
        )
    return alt.hconcat(*panels, spacing=12)


def _sweep(result: SweepResult) -> Chart:
    """The costs over the first setting, one line per combination of the others."""
    rows = [row for row in result.rows() if not row["error"]]
    first, rest = result.addresses[0], result.addresses[1:]
    lines = list(dict.fromkeys(_text(row, rest) for row in rows))
    if not rows or len(lines) > _MOST_LINES:
        raise InputError(
            f"a chart of {len(lines)} lines",
            f"Sweep so that at most {_MOST_LINES} lines remain beside {first}.",
        )
    panels = [_sweep_panel(name, rows, first, rest, lines) for name in MAIN_COSTS]
    return alt.vconcat(alt.hconcat(*panels[:2]), alt.hconcat(*panels[2:]))


def _sweep_panel(name: str, rows: Rows, first: str, rest: tuple[str, ...], lines: list[str]) -> Chart:
    unit = _unit(name, rows)
    values: Rows = [
        {"setting": str(row[first]), "line": _text(row, rest), "value": row[name] / unit.size} for row in rows
    ]
    amounts = [v["value"] for v in values]
    log = min(amounts) > 0 and max(amounts) > 3 * min(amounts)
    lines_chart: Chart = (
        alt.Chart(data(values))
        .mark_line(point=True)
        .encode(
            x=alt.X("setting:N", sort=None, title=first, axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "value:Q",
                title=unit.heading(OUTCOMES[name].label),
                scale=alt.Scale(type="log") if log else alt.Scale(zero=False, padding=10),
            ),
            color=alt.Color(
                "line:N",
                scale=alt.Scale(domain=lines, range=list(SERIES[: len(lines)])),
                legend=alt.Legend() if rest else None,
            ),
        )
        .properties(width=320, height=220)
    )
    return lines_chart


def _text(row: dict[str, Any], addresses: tuple[str, ...]) -> str:
    return ", ".join(f"{a}={row[a]}" for a in addresses)


def _unit(name: str, rows: Rows) -> Unit:
    return unit_for(OUTCOMES[name].unit, [row[name] for row in rows])


def _sensitivity(shares: Sensitivity) -> Chart:
    """Each setting's share of the variance of each cost: alone, and with its interactions (pale)."""
    rows = shares.rows()
    order = [row["setting"] for row in rows if row["output"] == SUMMARY_COST]
    panels = []
    for i, name in enumerate(MAIN_COSTS):
        values: Rows = [
            {"setting": r["setting"], "total": r["total"], "first": max(0.0, r["first_order"])}
            for r in rows
            if r["output"] == name
        ]
        base = alt.Chart(data(values)).encode(
            y=alt.Y("setting:N", sort=order, title=None, axis=alt.Axis() if i == 0 else None)
        )
        x = alt.X("total:Q", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]), title=None)
        panels.append(
            alt.layer(
                base.mark_bar(color=BLUE, opacity=0.35).encode(x=x),
                base.mark_bar(color=BLUE).encode(x="first:Q"),
            ).properties(width=180, height=alt.Step(20), title=OUTCOMES[name].label)
        )
    title = "Share of the variance of log10 cost: alone, and (pale) with interactions"
    return alt.hconcat(*panels, spacing=12, title=title)
