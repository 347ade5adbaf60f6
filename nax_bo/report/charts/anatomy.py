"""One or two designs taken apart: layers by cost, components, sources of error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from nax_bo.report.charts.theme import BLUE, ORANGE, Chart, Rows, data
from nax_bo.report.data import LayerRow, Point, ReportData
from nax_bo.units import significant, unit_for

COSTS = (("energy", "energy_uj", "µJ"), ("latency", "latency_ms", "ms"), ("area", "area_mm2", "mm²"))

_WRITTEN = 20
"""Columns up to which a heat map writes its values."""

_UPRIGHT = 6
"""Columns up to which their names find room side by side on a phone."""


def layer_rows(points: Sequence[Point]) -> Rows:
    """Rows ``layer, what, share, text`` of these designs: shares are of the design's layers together."""
    rows: Rows = []
    for p in points:
        for label, field, fixed in COSTS:
            values = [getattr(layer, field) for layer in p.layers]
            unit, total = unit_for(fixed, values), sum(values)
            for layer, value in zip(p.layers, values, strict=True):
                rows.append(
                    {
                        "layer": layer.name,
                        "what": f"{p.number}: {label} ({unit.name})",
                        "share": value / total if total else 0.0,
                        "text": unit.show(value),
                        "waits": layer.waits_for,
                        "settings": layer.settings,
                    }
                )
    return rows


def layers(report: ReportData, width: int | str = 760) -> Chart:
    """Layer by cost of the chosen design, dark where a layer takes much of the whole; the page puts others in."""
    rows = layer_rows([p for p in report.points if p.number == report.number])
    base = alt.Chart(data(rows, "layers")).encode(
        x=alt.X("layer:N", sort=None, title=None, axis=_names(_columns(rows))),
        y=alt.Y("what:N", sort=None, title=None),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color("share:Q", scale=alt.Scale(scheme="oranges", domain=[0, 1]), legend=None),
        tooltip=[
            alt.Tooltip("layer:N"),
            alt.Tooltip("what:N", title="cost"),
            alt.Tooltip("text:N", title="value"),
            alt.Tooltip("share:Q", format=".0%", title="share"),
            alt.Tooltip("waits:N", title="waits for"),
            alt.Tooltip("settings:N"),
        ],
    )
    texts = base.mark_text(fontSize=11).encode(
        text=alt.Text("text:N") if _columns(rows) <= _WRITTEN else alt.value(""),
        color=alt.condition("datum.share > 0.6", alt.value("white"), alt.value("#1f2933")),
    )
    return alt.layer(cells, texts).properties(
        width=width, height=160, description="Energy, latency and area of each layer."
    )


def _names(columns: int) -> alt.Axis:
    """Layers' names, upright where they are few."""
    return alt.Axis(labelAngle=0 if columns <= _UPRIGHT else -35, labelOverlap=True)


def _columns(rows: Rows) -> int:
    return len({r["layer"] for r in rows})


def error_budget(report: ReportData, width: int | str = 760) -> Chart:
    """Error of each layer's output by source, percent of the output."""
    return _heat_map(report.error_layers, report.error_budget, "error (%)", width)


def _heat_map(names: Sequence[str], table: Sequence[LayerRow], what: str, width: int | str) -> Chart:
    rows: Rows = [
        {"layer": name, "source": row.name, "value": value, "text": significant(value, 2), "order": i}
        for i, row in enumerate(table)
        for name, value in zip(names, row.values, strict=True)
        if math.isfinite(value)
    ]
    top = max((r["value"] for r in rows), default=1.0)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("layer:N", sort=list(names), title=None, axis=_names(len(names))),
        y=alt.Y("source:N", sort=[r.name for r in table], title=None),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color("value:Q", scale=alt.Scale(scheme="oranges", domain=[0, top]), legend=None),
        tooltip=["layer:N", "source:N", alt.Tooltip("text:N", title=what)],
    )
    texts = base.mark_text(fontSize=11).encode(
        text=alt.Text("text:N") if len(names) <= _WRITTEN else alt.value(""),
        color=alt.condition(f"datum.value > {0.6 * top}", alt.value("white"), alt.value("#1f2933")),
    )
    return alt.layer(cells, texts).properties(
        width=width, height=24 * len(table), description="Error of each layer's output by source."
    )


def components(report: ReportData, width: int | str = 760) -> Chart:
    """Energy and area by component of the chosen design: shares, with the amounts beside the bars."""
    energy = unit_for("µJ", [c.energy_pj * 1e-6 for c in report.components])
    area = unit_for("mm²", [c.area_um2 * 1e-6 for c in report.components])
    rows: Rows = []
    for what, unit, values in (
        ("energy", energy, [c.energy_pj * 1e-6 for c in report.components]),
        ("area", area, [c.area_um2 * 1e-6 for c in report.components]),
    ):
        total = sum(values)
        rows += [
            {
                "component": c.component.replace("_", " "),
                "what": what,
                "share": v / total if total else 0.0,
                "text": f"{unit.show(v)} {unit.name}",
            }
            for c, v in zip(report.components, values, strict=True)
            if v > 0
        ]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("component:N", sort=[c.component.replace("_", " ") for c in report.components], title=None),
        yOffset=alt.YOffset("what:N", sort=["energy", "area"]),
        x=alt.X("share:Q", axis=alt.Axis(format="%", tickCount=6), title="share of the chip"),
    )
    bars = base.mark_bar().encode(
        color=alt.Color("what:N", scale=alt.Scale(domain=["energy", "area"], range=[ORANGE, BLUE])),
        tooltip=["component:N", "what:N", "text:N", alt.Tooltip("share:Q", format=".1%")],
    )
    texts = base.mark_text(align="left", dx=4, fontSize=10).encode(text="text:N")
    return alt.layer(bars, texts).properties(
        width=width, height=30 * len(report.components), description="Shares of energy and area by component."
    )
