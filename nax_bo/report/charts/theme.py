"""Colours and lines of all charts, and charts as files."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

Chart = alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart
Rows = list[dict[str, Any]]

BLUE, ORANGE, GREY, VIOLET = "#3b82f6", "#ea580c", "#94a3b8", "#a855f7"
"""Told apart with every kind of colour vision, on white and on black."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
"""For lines: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/, with grey in the place of black."""

PNG_SCALE = 2.0


def theme(dark: bool = False) -> dict[str, Any]:
    """Vega-Lite configuration for light or dark surroundings; the background stays that of the page."""
    ink, muted, grid = ("#e5e7eb", "#9ca3af", "#374151") if dark else ("#1f2933", "#5b6876", "#e4e7eb")
    text = {
        "labelColor": muted,
        "titleColor": ink,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return {
        "background": "transparent" if dark else "white",
        "font": "system-ui, sans-serif",
        "view": {"stroke": "transparent"},
        "axis": {**text, "gridColor": grid, "domainColor": muted, "tickColor": muted, "labelLimit": 260},
        "legend": {**text, "orient": "top", "title": None, "symbolSize": 70},
        "header": text,
        "title": {"color": ink, "fontSize": 12, "fontWeight": "normal", "anchor": "start"},
        "text": {"color": ink, "font": "system-ui, sans-serif"},
        "rule": {"color": muted},
    }


def data(rows: Rows, name: str | None = None) -> alt.InlineData:
    """Rows as data of a chart, under a name if the page replaces them.

    They are not checked against Vega-Lite's schema, which takes a minute for 10,000 of them.
    """
    with debug_mode(False):
        return _inline(rows, name)


def _inline(rows: Rows, name: str | None) -> alt.InlineData:
    return alt.InlineData(values=rows, name=name) if name else alt.InlineData(values=rows)


def spec(chart: Chart) -> dict[str, Any]:
    """The chart as plain Vega-Lite."""
    with debug_mode(False):  # nor here
        document: dict[str, Any] = chart.to_dict(validate=False)
    document.pop("config", None)
    return document


def drawn(chart: Chart, form: str) -> bytes:
    """The chart as ``png``, ``svg`` or ``pdf``; the same chart gives the same bytes."""
    import vl_convert

    text = json.dumps({**spec(chart), "config": theme()})
    if form == "svg":
        return str(vl_convert.vegalite_to_svg(text)).encode()
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(text))
    return bytes(vl_convert.vegalite_to_png(text, scale=PNG_SCALE))
