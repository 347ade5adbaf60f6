"""The report's figures, drawn once and used both in the page (SVG) and as PNG files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from nax_bo.report.data import ReportData

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREEN, PALE = "#2563eb", "#ea580c", "#059669", "#c3ccd6"

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
def _style() -> Iterator[None]:
    with mpl.rc_context(_STYLE):
        yield


def front(data: ReportData) -> Figure:
    """Accuracy against EDAP: every design looked at, the measured front, and the spread between chips."""
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    short = [p for p in data.points if p["fidelity"] == "short"]
    full = [p for p in data.points if p["fidelity"] == "full" and not p["on_front"]]
    best = sorted((p for p in data.points if p["on_front"]), key=lambda p: p["edap"])
    if short:
        axes.scatter(*_xy(short), s=14, color=PALE, label="short training only", zorder=2)
    if full:
        axes.scatter(*_xy(full), s=20, color=BLUE, alpha=0.45, label="full training", zorder=3)
    if best:
        x, y = _xy(best)
        axes.step(x, y, where="post", color=ORANGE, lw=1.2, zorder=4)
        axes.errorbar(x, y, yerr=[100 * p["std"] for p in best], fmt="none", ecolor=ORANGE, elinewidth=1, zorder=4)
        for p in best:
            axes.plot([p["edap"]], [100 * p["accuracy"]], "o", ms=6, color=ORANGE, zorder=5, gid=f"tip-{p['number']}")
        axes.plot([], [], "o-", color=ORANGE, label="front (bars: spread between chips)")
    axes.set_xscale("log")
    axes.set_xlabel("EDAP  (µJ · ms · mm²)   ← better")
    axes.set_ylabel("noise-aware accuracy (%)   better →")
    axes.legend(loc="lower right")
    return figure


def _xy(points: list[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [p["edap"] for p in points], [100 * p["accuracy"] for p in points]


def hypervolume(data: ReportData) -> Figure:
    """Hypervolume of the full-fidelity front against trainings and against seconds of training."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, key, label in ((left, "evaluations", "trainings finished"), (right, "seconds", "seconds of training")):
        axes.step([h[key] for h in data.history], [h["hypervolume"] for h in data.history], where="post", color=BLUE)
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
    left.set_ylabel("hypervolume")
    return figure


def calibration(data: ReportData) -> Figure:
    """Predicted against measured accuracy of designs that the model had not seen, with 95 % intervals."""
    count = max(1, len(data.calibration))
    figure = Figure(figsize=(3.7 * count, 3.7), layout="constrained")
    for axes, entry in zip(np.atleast_1d(figure.subplots(1, count, sharey=True)), data.calibration, strict=False):
        measured = 100 * np.array(entry["measured"])
        predicted = 100 * np.array(entry["predicted"])
        low, high = 100 * np.array(entry["low"]), 100 * np.array(entry["high"])
        inside = (measured >= low) & (measured <= high)
        for mask, colour in ((inside, BLUE), (~inside, ORANGE)):
            span = np.maximum([predicted[mask] - low[mask], high[mask] - predicted[mask]], 0)
            axes.errorbar(
                measured[mask], predicted[mask], yerr=span, fmt="o", ms=3, lw=0.6, color=colour, alpha=0.7
            )
        axes.plot([0, 100], [0, 100], color=MUTED, lw=0.8)
        axes.set_title(
            f"{entry['surrogate']}: {100 * entry['coverage']:.0f} % inside, τ {entry['tau']:.2f}", fontsize=10
        )
        axes.set_xlabel("measured accuracy (%)")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
    figure.axes[0].set_ylabel("predicted, left out (%)")
    return figure


def layers(data: ReportData) -> Figure:
    """The chosen design layer by layer: choices and shares of cost, dark where a value is high in its row."""
    rows = [r for r in data.layer_rows if any(np.isfinite(v) for v in r["values"])]
    figure = Figure(figsize=(1.9 + 0.85 * len(data.layer_names), 0.7 + 0.38 * len(rows)), layout="constrained")
    axes = figure.subplots()
    shade = np.array([_shade(r["values"]) for r in rows]) if rows else np.zeros((1, 1))
    axes.imshow(shade, aspect="auto", cmap="Blues", vmin=0, vmax=1.4)
    for i, row in enumerate(rows):
        for j, value in enumerate(row["values"]):
            axes.text(j, i, _short(value), ha="center", va="center", fontsize=9, color="white" if shade[i, j] > 0.8 else INK)
    axes.set_xticks(range(len(data.layer_names)), data.layer_names)
    axes.set_yticks(range(len(rows)), [r["name"] for r in rows])
    axes.grid(False)
    axes.tick_params(length=0)
    return figure


def _shade(values: list[float]) -> list[float]:
    numbers = np.array(values, dtype=float)
    top = np.nanmax(np.abs(numbers)) if np.isfinite(numbers).any() else 0.0
    return list(np.nan_to_num(numbers / top)) if top > 0 else [0.0] * len(values)


def _short(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.3g}"


def components(data: ReportData) -> Figure:
    """Shares of energy, latency and area by component of the chosen design."""
    figure = Figure(figsize=(7.2, 0.9 + 0.32 * len(data.components)), layout="constrained")
    kinds = ("energy", "latency", "area")
    axes = np.atleast_1d(figure.subplots(1, 3, sharey=True))
    names = [c["component"] for c in data.components]
    for ax, kind, colour in zip(axes, kinds, (ORANGE, BLUE, GREEN), strict=True):
        values = np.array([c[kind] for c in data.components], dtype=float)
        total = np.nansum(values)
        ax.barh(names, 100 * np.nan_to_num(values) / total if total > 0 else values * 0, color=colour, height=0.7)
        ax.set_title(kind, fontsize=10)
        ax.set_xlabel("share (%)")
        ax.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    return figure


FIGURES: dict[str, Callable[[ReportData], Figure]] = {
    "front": front,
    "hypervolume": hypervolume,
    "calibration": calibration,
    "layers": layers,
    "components": components,
}


def drawable(data: ReportData) -> list[str]:
    """Names of the figures for which the study holds enough."""
    ready = {
        "front": bool(data.points),
        "hypervolume": len(data.history) > 1,
        "calibration": bool(data.calibration),
        "layers": bool(data.layer_names),
        "components": bool(data.components),
    }
    return [name for name in FIGURES if ready[name]]


def write_png(data: ReportData, name: str, path: Path) -> None:
    """One figure as a PNG file."""
    with _style():
        FIGURES[name](data).savefig(path, dpi=160, metadata={"Software": None})


def svg(data: ReportData, name: str, tips: Mapping[int, str]) -> str:
    """One figure as SVG text for a page; ``tips`` become hover texts of the front's points."""
    buffer = io.StringIO()
    with _style():
        FIGURES[name](data).savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'id="(?!tip-)([^"]+)"', rf'id="{name}-\1"', text)  # ids of several figures share one page
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    for number, tip in tips.items():
        text = text.replace(f'<g id="tip-{number}">', f'<g id="tip-{number}"><title>{escape(tip)}</title>')
    return text
