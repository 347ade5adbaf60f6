"""All designs of a study: the front, parallel coordinates, and which of the front other cost models keep.

The page filters, brushes and compares through three parameters that these charts share: ``everything`` and ``shown``
(numbers of the designs that pass), and ``picked`` (the two that are compared).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from nax_bo.outcomes import OUTCOMES, Outcome
from nax_bo.report.charts.theme import BLUE, GREY, ORANGE, VIOLET, Chart, Rows, data
from nax_bo.report.data import Point, ReportData
from nax_bo.report.front import PROFILES
from nax_bo.units import Unit, accuracy_text, ends_of, percent_places, range_text, shown_in, unit_for

KINDS = ("short training only", "full training", "front")
_COLOURS = (GREY, BLUE, ORANGE)
_PASSES = "everything || indexof(shown, datum.number) >= 0"
_ROOM = (0.035, 0.06)
"""Least distance between two numbers beside points, as shares of the plot's width and height."""

_ERRORS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 90]

MOST_LINES = 2000
"""Designs in parallel coordinates, the front and full trainings first."""


def units(report: ReportData) -> dict[str, Unit]:
    """The unit in which each cost of the study's designs is shown."""
    return {n: unit_for(OUTCOMES[n].unit, [p.row[n] for p in report.points]) for n in report.costs}


def kind(point: Point) -> str:
    """Front, full training or short training only."""
    return KINDS[2] if point.on_front else KINDS[1] if point.fidelity == "full" else KINDS[0]


def error_percent(accuracy: float, test_images: int) -> float:
    """Error in percent, no less than half a test image: a logarithmic axis has no zero."""
    return max(100.0 * (1.0 - accuracy), 50.0 / test_images)


def accuracy_places(report: ReportData) -> int:
    """Decimals that accuracies in percent are worth."""
    return percent_places([p.row["standard_error"] for p in report.points], report.test_images)


def cost_text(unit: Unit, point: Point, cost: Outcome) -> str:
    """``36 nJ (33 to 120)``: the cost, and between which values sources put it where they do not agree."""
    known = range_text(unit, point.row, cost)
    return f"{shown_in(unit, point.row, cost)} {unit.name}" + ("" if known == "-" else f" ({known})")


def front_rows(report: ReportData) -> Rows:
    """One row per design: where it stands, its ranges, and what its tip says."""
    shown, places = units(report), accuracy_places(report)
    rows = []
    for p in report.points:
        unit, (low, high) = shown[report.cost.name], ends_of(p.row, report.cost)
        error = p.row["standard_error"] or 0.0
        rows.append(
            {
                "number": p.number,
                "kind": kind(p),
                "error": error_percent(p.accuracy, report.test_images),
                "error_low": error_percent(min(1.0, p.accuracy + error), report.test_images),
                "error_high": error_percent(p.accuracy - error, report.test_images),
                "cost": p.row[report.cost.name] / unit.size,
                "cost_low": None if low is None else low / unit.size,
                "cost_high": None if high is None else high / unit.size,
                "accuracy": accuracy_text(p.accuracy, p.row["standard_error"], places),
                **{OUTCOMES[n].label: cost_text(shown[n], p, OUTCOMES[n]) for n in report.costs},
                "choices": p.label,
            }
        )
    return rows


def front(report: ReportData, width: int | str = 760, height: int = 420) -> Chart:
    """Accuracy on a logarithmic error axis against the main cost: every trained design, the front, ranges."""
    rows = front_rows(report)
    unit = units(report)[report.cost.name]
    best = sorted((r for r in rows if r["kind"] == KINDS[2]), key=lambda r: r["cost"])
    x = alt.X(
        "cost:Q",
        scale=alt.Scale(type="log", nice=False, padding=14),
        title=f"{unit.heading(report.cost.label)}, {_better(report)} is better",
    )
    y = alt.Y(
        "error:Q",
        scale=alt.Scale(type="log", reverse=True, nice=False, padding=16),
        axis=alt.Axis(values=_ticks(rows), labelExpr="format(100 - datum.value, '.4~g')"),
        title=f"{report.accuracy_label} (%)",
    )
    tips = ("accuracy", *(OUTCOMES[n].label for n in report.costs), "choices")
    passes = alt.condition(_PASSES, alt.value(0.85), alt.value(0.06))
    ranges = (
        alt.Chart(data(best))
        .mark_rule(color=ORANGE, strokeWidth=1.2)
        .encode(
            x="cost_low:Q",
            x2="cost_high:Q",
            y=y,
            opacity=alt.condition(_PASSES, alt.value(0.35), alt.value(0.04)),
        )
    )
    spread = (
        alt.Chart(data(best))
        .mark_rule(color=ORANGE, strokeWidth=1.2)
        .encode(x=x, y=alt.Y("error_low:Q"), y2="error_high:Q", opacity=passes)
    )
    bend: Any = "step-after" if report.cost.best == "min" else "step-before"
    # with more objectives than these two, the front is no line
    along = best if all(report.cost.sign * (b["error"] - a["error"]) <= 0 for a, b in pairwise(best)) else []
    step = alt.Chart(data(along)).mark_line(color=ORANGE, interpolate=bend, strokeWidth=1.2, opacity=0.6)
    dots = (
        alt.Chart(data(rows, "designs"))
        .mark_point(filled=True, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=alt.Color("kind:N", scale=alt.Scale(domain=list(KINDS), range=list(_COLOURS))),
            size=alt.condition(f"datum.kind == '{KINDS[2]}'", alt.value(80), alt.value(36)),
            fillOpacity=passes,
            strokeOpacity=passes,
            stroke=alt.condition("indexof(picked, datum.number) >= 0", alt.value(VIOLET), alt.value("white")),
            strokeWidth=alt.condition("indexof(picked, datum.number) >= 0", alt.value(3), alt.value(0.6)),
            tooltip=[
                alt.Tooltip(f"{name}:N", title=title)
                for name, title in (("number", "design"), ("kind", "seen in"), *((n, n) for n in tips))
            ],
            order=alt.Order("rank:Q"),
        )
        .transform_calculate(rank=f"indexof({list(KINDS)!r}, datum.kind)")
        .add_params(*shared_params(), _brush(), _zoom())
    )
    numbers = (
        alt.Chart(data(_labelled(best)))
        .mark_text(dy=-11, fontSize=11)
        .encode(x=x, y=y, text="number:N", opacity=alt.condition(_PASSES, alt.value(1.0), alt.value(0.1)))
    )
    return alt.layer(ranges, spread, step.encode(x=x, y=y), dots, numbers).properties(
        width=width,
        height=height,
        description=f"Accuracy against {report.cost.label} of {len(rows)} designs; {len(best)} of them are the front.",
    )


def _better(report: ReportData) -> str:
    return "less" if report.cost.best == "min" else "more"


def shared_params() -> tuple[Any, ...]:
    """What the page filters by and compares; files show everything."""
    return (
        alt.param(name="everything", value=True),
        alt.param(name="shown", value=[]),
        alt.param(name="picked", value=[]),
    )


def _brush() -> Any:
    return alt.selection_interval(
        name="brush", on="[pointerdown[!event.shiftKey], window:pointerup] > window:pointermove!", zoom=False
    )


def _zoom() -> Any:
    return alt.selection_interval(
        name="zoom",
        bind="scales",
        on="[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
        translate="[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
        zoom="wheel![event.ctrlKey]",
    )


def _ticks(rows: Rows) -> list[float]:
    errors = [r["error"] for r in rows] or [1.0, 100.0]
    inside = [e for e in _ERRORS if 0.5 * min(errors) <= e <= 1.5 * max(errors)]
    return inside or _ERRORS


def _labelled(best: Rows) -> Rows:
    """Those whose numbers find room, so that no number stands at another design's point."""
    if not best:
        return []
    spans = [
        max(math.log10(max(r[k] for r in best) / min(r[k] for r in best)), 1e-9) for k in ("cost", "error")
    ]
    placed: Rows = []
    for r in best:
        if all(
            any(
                abs(math.log10(r[k] / o[k])) / span > room
                for k, span, room in zip(("cost", "error"), spans, _ROOM, strict=True)
            )
            for o in placed
        ):
            placed.append(r)
    return placed


def parallel(report: ReportData, width: int | str = 760, height: int = 300) -> Chart:
    """One line per design through accuracy, costs and the settings that all designs share, each scaled to its range."""
    rows, axes, ends = parallel_rows(report)
    x = alt.X(
        "axis:N",
        sort=axes,
        axis=alt.Axis(labelAngle=0, title=None, labelLimit=110, grid=True),
        scale=alt.Scale(padding=0.4),
    )
    y = alt.Y("value:Q", axis=None, scale=alt.Scale(domain=[-0.08, 1.08]))
    lines = (
        alt.Chart(data(rows, "coordinates"))
        .mark_line(strokeWidth=1.2, interpolate="linear")
        .encode(
            x=x,
            y=y,
            detail="number:N",
            color=alt.Color("kind:N", scale=alt.Scale(domain=list(KINDS), range=list(_COLOURS))),
            strokeOpacity=alt.condition(_PASSES, alt.value(0.55), alt.value(0.02)),
            strokeWidth=alt.condition("indexof(picked, datum.number) >= 0", alt.value(4), alt.value(1.1)),
            tooltip=[
                alt.Tooltip("number:N", title="design"),
                alt.Tooltip("axis:N"),
                alt.Tooltip("text:N", title="value"),
            ],
        )
        .add_params(*shared_params(), alt.selection_interval(name="axes_brush"))
    )
    names = alt.Chart(data(ends)).mark_text(fontSize=10, opacity=0.8).encode(x=x, y=y, text="text:N")
    return alt.layer(lines, names).properties(
        width=width, height=height, description="Parallel coordinates of accuracy, costs and settings."
    )


def parallel_rows(report: ReportData) -> tuple[Rows, list[str], Rows]:
    """Rows ``number, axis, value in [0, 1], text``, the axes in order, and the texts at their ends."""
    points = sorted(report.points, key=lambda p: (not p.on_front, p.fidelity != "full"))[:MOST_LINES]
    places = accuracy_places(report)
    columns: dict[str, list[tuple[float, str]]] = {
        "accuracy": [
            (
                -math.log10(error_percent(p.accuracy, report.test_images)),
                accuracy_text(p.accuracy, p.row["standard_error"], places),
            )
            for p in points
        ]
    }
    for outcome in (OUTCOMES[name] for name in report.costs):
        values = [p.row[outcome.name] for p in points]
        units_each = [
            unit_for(outcome.unit, [value]) for value in values
        ]  # an axis spans many orders of magnitude
        columns[outcome.label] = [
            (math.log10(v), f"{u.show(v)} {u.name}") for v, u in zip(values, units_each, strict=True)
        ]
    for name in _common_numbers(points):
        columns[name.replace("_", " ")] = [
            (float(p.row["design"][name]), f"{p.row['design'][name]:g}") for p in points
        ]
    rows: Rows = []
    ends: Rows = []
    for axis, column in columns.items():
        low, high = min(column)[0], max(column)[0]
        for p, (value, text) in zip(points, column, strict=True):
            place = (value - low) / (high - low) if high > low else 0.5
            rows.append({"number": p.number, "kind": kind(p), "axis": axis, "value": place, "text": text})
        ends += [{"axis": axis, "value": -0.06, "text": min(column)[1]}]
        ends += [{"axis": axis, "value": 1.06, "text": max(column)[1]}]
    return rows, list(columns), ends


def _common_numbers(points: Sequence[Point], most: int = 6) -> list[str]:
    """Settings that every design has as a number, and in which they differ."""
    if not points:
        return []
    first = points[0].row["design"]
    numeric = [
        name
        for name in first
        if all(
            isinstance(p.row["design"].get(name), (int, float))
            and not isinstance(p.row["design"][name], bool)
            for p in points
        )
    ]
    return [n for n in numeric if len({p.row["design"][n] for p in points}) > 1][:most]


def survivors(report: ReportData, width: int | str = 760) -> Chart:
    """Which designs of the front stay undominated when other cost models price all fully trained designs."""
    best = sorted(report.front, key=lambda p: p.row[report.cost.name])
    rows = [
        {"design": str(p.number), "model": name, "holds": "stays" if name in p.holds_under else "is beaten"}
        for p in best
        for name in PROFILES
        if any(name in q.holds_under for q in report.points)
    ]
    chart: Chart = (
        alt.Chart(data(rows))
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X(
                "design:N",
                sort=[str(p.number) for p in best],
                title="design of the front, cheapest first",
                axis=alt.Axis(labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("model:N", sort=list(PROFILES), title=None),
            color=alt.Color(
                "holds:N", scale=alt.Scale(domain=["stays", "is beaten"], range=[ORANGE, "#cbd5e1"])
            ),
            tooltip=["design:N", "model:N", "holds:N"],
        )
        .properties(
            width=width,
            height=24 * len({r["model"] for r in rows}),
            description="Front members under other cost models.",
        )
    )
    return chart
