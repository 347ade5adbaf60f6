"""The report's figures, drawn once and used both in the page (SVG) and as PNG files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nax_bo.report.data import CalibrationPlot, LayerRow, Point, ReportData

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, PALE = "#2563eb", "#ea580c", "#9aa5b1"

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "naxbo",  # the same data give the same file
}


@contextmanager
def style() -> Iterator[None]:
    """Colours and lines of all figures."""
    with mpl.rc_context(_STYLE):
        yield


def front(data: ReportData) -> Figure:
    """Accuracy against the main cost: every trained design, the measured front, and its spread between chips."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    best = sorted((p for p in data.points if p.on_front), key=lambda p: p.cost)
    rest = [p for p in data.points if not p.on_front]
    kinds = (("short", PALE, 16, "short training only"), ("full", BLUE, 22, "full training"))
    for fidelity, colour, size, label in kinds:
        if some := [p for p in rest if p.fidelity == fidelity]:
            axes.scatter(*_xy(some), s=size, color=colour, alpha=0.6, lw=0, label=label, zorder=2)
    if best:
        x, y = _xy(best)
        axes.step(x, y, where="post", color=ORANGE, lw=1.3, zorder=4)
        axes.errorbar(
            x,
            y,
            yerr=[100 * p.standard_error for p in best],
            fmt="none",
            ecolor=ORANGE,
            elinewidth=1.2,
            zorder=4,
        )
        for p in best:
            dot = ([p.cost], [100 * p.accuracy])
            axes.plot(*dot, "o", ms=7, color=ORANGE, mec="white", mew=0.8, zorder=5, gid=f"tip-{p.number}")
        axes.plot([], [], "o-", color=ORANGE, label="front (bar: ± standard error)")
        _number_points(axes, best)
    axes.set_xscale("log")
    axes.set_xlabel(data.cost.axis)
    axes.set_ylabel(f"{data.accuracy_label} (%)")
    axes.set_ylim(*_range([100 * p.accuracy for p in data.points], low=0, high=100))
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [p.cost for p in points], [100 * p.accuracy for p in points]


def _number_points(axes: Axes, best: Sequence[Point]) -> None:
    """Design numbers at the points, where there is room between neighbours."""
    decades = np.log10([p.cost for p in best])
    span = max(float(np.ptp(np.log10([*axes.dataLim.intervalx]))), 1e-9)
    last = -np.inf
    for p, x in zip(best, decades, strict=True):
        if x - last > 0.035 * span:
            at = (p.cost, 100 * p.accuracy)
            axes.annotate(
                str(p.number), at, (-4, 4), textcoords="offset points", ha="right", fontsize=8, color=MUTED
            )
            last = x


def _range(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Limits around the values, no farther than ``low`` and ``high``, with a little air."""
    if not len(values):
        return low, high
    air = 0.06 * max(float(np.ptp(values)), 0.1 * (high - low))
    return max(low - 0.02 * (high - low), min(values) - air), min(
        high + 0.02 * (high - low), max(values) + air
    )


def hypervolume(data: ReportData) -> Figure:
    """Hypervolume of the measured front against trainings and against time."""
    figure = Figure(figsize=(8, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    seconds = data.history[-1].seconds
    size, unit = next((s, u) for s, u in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= 2 * s or s == 1)
    y = [h.hypervolume for h in data.history]
    line = {"where": "post", "color": BLUE, "lw": 1.6, "marker": "o" if len(y) <= 15 else "", "ms": 4}
    left.step([h.trainings for h in data.history], y, **line)
    right.step([h.seconds / size for h in data.history], y, **line)
    left.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    right.xaxis.set_major_locator(MaxNLocator(nbins=5))
    left.set_xlabel("trainings finished")
    right.set_xlabel(f"training time, all workers added up ({unit})")
    left.set_ylabel("hypervolume")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.margins(x=0.03)
    return figure


def calibration(data: ReportData) -> Figure:
    """Predicted against measured accuracy of designs that the surrogate had not seen, with 95 % intervals."""
    count = len(data.calibration)
    figure = Figure(figsize=(max(4.4, 3.6 * count), 4.0), layout="constrained")
    everything = [v for c in data.calibration for v in (*c.measured, *c.predicted)]
    limits = _range([100 * v for v in everything], low=0, high=100)
    for axes, entry in zip(
        np.atleast_1d(figure.subplots(1, count, sharey=True)), data.calibration, strict=True
    ):
        _calibration_axes(axes, entry, limits)
    figure.axes[0].set_ylabel("predicted without it (%)")
    return figure


def _calibration_axes(axes: Axes, entry: CalibrationPlot, limits: tuple[float, float]) -> None:
    measured, predicted, low, high = (
        100 * np.array(values) for values in (entry.measured, entry.predicted, entry.low, entry.high)
    )
    inside = (measured >= low) & (measured <= high)
    axes.plot(limits, limits, color=MUTED, lw=0.8, zorder=1)
    for mask, colour in ((inside, BLUE), (~inside, ORANGE)):
        bars = [predicted[mask] - low[mask], high[mask] - predicted[mask]]
        axes.errorbar(
            measured[mask],
            predicted[mask],
            yerr=np.maximum(bars, 0),
            fmt="o",
            ms=3.5,
            lw=0.8,
            color=colour,
            alpha=0.65,
        )
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_box_aspect(1)
    axes.set_title(f"{entry.surrogate}\n{100 * entry.coverage:.0f} % inside, {_scores(entry)}", fontsize=10)
    axes.set_xlabel("measured (%)")


def _scores(entry: CalibrationPlot) -> str:
    return (
        ", ".join(f"{n} {v:.2f}" for n, v in (("τ", entry.tau), ("R²", entry.r2)) if np.isfinite(v))
        or "no spread"
    )


def layers(data: ReportData) -> Figure:
    """The chosen design layer by layer: choices and costs, dark where a value is high in its row."""
    return _heat_map(
        data.layer_names, data.layer_rows, np.array([_shade(r.values) for r in data.layer_rows]), "Blues"
    )


def error_budget(data: ReportData) -> Figure:
    """Error of each layer's output by source, percent of the output; dark where it is high."""
    shade = np.reshape(_shade([v for r in data.error_budget for v in r.values]), (len(data.error_budget), -1))
    return _heat_map(data.error_layers, data.error_budget, shade, "Oranges")


def _heat_map(
    names: Sequence[str], rows: Sequence[LayerRow], shade: NDArray[np.float64], colours: str
) -> Figure:
    """Rows by layers, shaded by ``shade`` (rows x layers, in [0, 1]), values written where there is room."""
    few = len(names) <= _MOST_WRITTEN
    width = max(5.0, 2.0 + 0.85 * len(names)) if few else min(14.0, 2.0 + 0.16 * len(names))
    figure = Figure(figsize=(width, 0.8 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shade, aspect="auto", cmap=colours, vmin=0, vmax=1.4)
    if few:
        for i, row in enumerate(rows):
            for j, value in enumerate(row.values):
                colour = "white" if shade[i, j] > 0.75 else INK
                axes.text(j, i, _short(value), ha="center", va="center", fontsize=9, color=colour)
    step = max(1, len(names) // 40)
    turn = 90 if len(names) > 10 or max(map(len, names)) > 10 else 0
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=turn)
    axes.set_yticks(range(len(rows)), [r.name for r in rows])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)
    return figure


_MOST_WRITTEN = 20
"""Layers up to which the heat map's values are written out."""


def _shade(values: Sequence[float]) -> list[float]:
    numbers = np.array(values, dtype=float)
    top = np.nanmax(np.abs(numbers)) if np.isfinite(numbers).any() else 0.0
    return list(np.nan_to_num(np.abs(numbers) / top)) if top > 0 else [0.0] * len(values)


def _short(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.3g}"


def components(data: ReportData) -> Figure:
    """Energy and area by component of the chosen design, as shares with the amount beside each bar."""
    figure = Figure(figsize=(8, 1.0 + 0.3 * len(data.components)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [c.component.replace("_", " ") for c in data.components]
    energy = np.array([c.energy_pj for c in data.components]) * 1e-3
    area = np.array([c.area_um2 for c in data.components]) * 1e-6
    for axes, values, colour, what, unit in (
        (left, energy, ORANGE, "energy per inference", "nJ"),
        (right, area, BLUE, "area", "mm²"),
    ):
        shares = 100 * values / values.sum() if values.sum() > 0 else values
        bars = axes.barh(names, shares, color=colour, height=0.68)
        axes.bar_label(bars, [f"{v:.3g}" if v else "" for v in values], padding=3, fontsize=8, color=MUTED)
        axes.set_title(f"{what}: {values.sum():.3g} {unit}", fontsize=10)
        axes.set_xlabel(f"share (%), amount in {unit}")
        axes.set_xlim(0, 1.18 * max(float(shares.max()), 1.0))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0, colors=INK)
    left.invert_yaxis()
    return figure


def drivers(data: ReportData) -> Figure:
    """Shares of the variance of accuracy and main cost that settings explain: alone, and with interactions (pale)."""
    names = [d.setting for d in data.drivers]
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, what, colour in ((left, "accuracy", ORANGE), (right, "cost", BLUE)):
        axes.barh(
            names,
            [100 * getattr(d, f"{what}_total") for d in data.drivers],
            color=colour,
            alpha=0.3,
            height=0.66,
        )
        axes.barh(names, [100 * getattr(d, f"{what}_first") for d in data.drivers], color=colour, height=0.66)
        axes.set_title("accuracy (predicted)" if what == "accuracy" else data.cost.label, fontsize=10)
        axes.set_xlabel("share of variance (%), pale: with interactions", fontsize=9)
        axes.set_xlim(0, 100)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0, colors=INK)
    left.invert_yaxis()
    return figure


FIGURES: dict[str, Callable[[ReportData], Figure]] = {
    "front": front,
    "hypervolume": hypervolume,
    "calibration": calibration,
    "layers": layers,
    "error_budget": error_budget,
    "components": components,
    "drivers": drivers,
}


def drawable(data: ReportData) -> list[str]:
    """Names of the figures for which the study holds enough."""
    ready = {
        "front": bool(data.points),
        "hypervolume": len(data.history) > 1,
        "calibration": bool(data.calibration),
        "layers": bool(data.layer_names and data.layer_rows),
        "error_budget": bool(data.error_budget),
        "components": bool(data.components),
        "drivers": bool(data.drivers),
    }
    return [name for name in FIGURES if ready[name]]


def write_png(data: ReportData, name: str, path: Path) -> None:
    """One figure as a PNG file."""
    with style():
        FIGURES[name](data).savefig(path, dpi=160, metadata={"Software": None})


def svg(data: ReportData, name: str, tips: Mapping[int, str]) -> str:
    """One figure as SVG text for a page; ``tips`` become hover texts of the front's points."""
    buffer = io.StringIO()
    with style():
        FIGURES[name](data).savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'id="(?!tip-)([^"]+)"', rf'id="{name}-\1"', text)  # ids of several figures share one page
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    for number, tip in tips.items():
        text = text.replace(f'<g id="tip-{number}">', f'<g id="tip-{number}"><title>{escape(tip)}</title>')
    return text
