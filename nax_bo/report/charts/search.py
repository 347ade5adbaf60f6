"""How the search went: progress, held-out predictions, what drives accuracy and cost."""

from __future__ import annotations

import math

import altair as alt

from nax_bo.report.charts.theme import BLUE, ORANGE, Chart, Rows, data
from nax_bo.report.data import CalibrationPlot, ReportData


def hypervolume(report: ReportData, width: int | str = 760, height: int = 220) -> Chart:
    """Hypervolume of the measured front over finished trainings."""
    rows: Rows = [
        {"trainings": h.trainings, "hypervolume": h.hypervolume, "time": f"{h.seconds / 60:.1f} min"}
        for h in report.history
    ]
    chart: Chart = (
        alt.Chart(data(rows))
        .mark_line(interpolate="step-after", color=BLUE, point={"color": BLUE, "size": 25})
        .encode(
            x=alt.X("trainings:Q", title="trainings finished", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("hypervolume:Q"),
            tooltip=[
                "trainings:Q",
                alt.Tooltip("hypervolume:Q", format=".4~g"),
                alt.Tooltip("time:N", title="training time, all workers added up"),
            ],
        )
        .properties(width=width, height=height, description="Hypervolume of the front over trainings.")
    )
    return chart


def calibration_of(entry: CalibrationPlot, width: int | str = 300, height: int = 280) -> Chart:
    """Predicted against measured accuracy of designs that the surrogate had not seen, with 95 % intervals."""
    rows: Rows = [
        {
            "measured": 100 * m,
            "predicted": 100 * p,
            "low": 100 * low,
            "high": 100 * high,
            "hit": "inside" if low <= m <= high else "outside",
        }
        for m, p, low, high in zip(entry.measured, entry.predicted, entry.low, entry.high, strict=True)
    ]
    low, high = min(r["low"] for r in rows), max(r["high"] for r in rows)
    scale = alt.Scale(domain=[low, high], nice=True)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("measured:Q", scale=scale, title="measured (%)", axis=alt.Axis(tickCount=6)),
        color=alt.Color(
            "hit:N", scale=alt.Scale(domain=["inside", "outside"], range=[BLUE, ORANGE]), legend=None
        ),
        tooltip=[alt.Tooltip(f"{n}:Q", format=".1f") for n in ("measured", "predicted", "low", "high")],
    )
    bars = base.mark_rule(opacity=0.6).encode(
        y=alt.Y("low:Q", scale=scale, title="predicted without it (%)"), y2="high:Q"
    )
    dots = base.mark_point(filled=True, size=26, opacity=0.9).encode(y=alt.Y("predicted:Q", scale=scale))
    line = (
        alt.Chart(data([{"v": low}, {"v": high}]))
        .mark_line(strokeWidth=1, color="#94a3b8")
        .encode(x="v:Q", y="v:Q")
    )
    scores = ", ".join(f"{n} {v:.2f}" for n, v in (("τ", entry.tau), ("R²", entry.r2)) if math.isfinite(v))
    title = f"{entry.surrogate}: {100 * entry.coverage:.0f} % inside" + (f", {scores}" if scores else "")
    return alt.layer(line, bars, dots).properties(width=width, height=height, title=title)


def calibration(report: ReportData) -> Chart:
    """All surrogates side by side, for files."""
    return alt.hconcat(*(calibration_of(entry) for entry in report.calibration))


def drivers(report: ReportData, width: int | str = 760) -> Chart:
    """Shares of the variance of accuracy and main cost that settings explain: alone, and with interactions (pale)."""
    rows: Rows = [
        {
            "setting": d.setting.replace("_", " "),
            "what": what,
            "first": max(0.0, getattr(d, f"{field}_first")),
            "total": getattr(d, f"{field}_total"),
        }
        for d in report.drivers
        for what, field in (("accuracy (predicted)", "accuracy"), (report.cost.label, "cost"))
    ]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("setting:N", sort=[d.setting.replace("_", " ") for d in report.drivers], title=None),
        yOffset=alt.YOffset("what:N", sort=["accuracy (predicted)", report.cost.label]),
        color=alt.Color(
            "what:N",
            scale=alt.Scale(domain=["accuracy (predicted)", report.cost.label], range=[ORANGE, BLUE]),
            legend=alt.Legend(symbolOpacity=1),
        ),
        tooltip=[
            "setting:N",
            "what:N",
            alt.Tooltip("first:Q", format=".0%", title="alone"),
            alt.Tooltip("total:Q", format=".0%", title="with interactions"),
        ],
    )
    x = alt.X(
        "total:Q",
        axis=alt.Axis(format="%", tickCount=6),
        scale=alt.Scale(domain=[0, 1]),
        title="share of variance",
    )
    return alt.layer(base.mark_bar(opacity=0.35).encode(x=x), base.mark_bar().encode(x="first:Q")).properties(
        width=width, height=26 * len(report.drivers), description="Shares of variance by setting."
    )
