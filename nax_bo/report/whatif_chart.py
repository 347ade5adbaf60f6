"""Charts of what-if answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from nax_bo.errors import InputError
from nax_bo.outcomes import MAIN_COSTS, OUTCOMES, SUMMARY_COST
from nax_bo.report.figures import INK, style
from nax_bo.report.files import save
from nax_bo.whatif import Comparison, Sensitivity, SweepResult

COSTS = {name: OUTCOMES[name].heading for name in MAIN_COSTS}
COLOURS = ("#2563eb", "#ea580c", "#059669", "#7c3aed", "#db2777", "#0891b2", "#ca8a04", "#475569")

_MOST_LINES = len(COLOURS)


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Costs of each design as bars, one panel per cost.

    Raises:
        InputError: The file cannot be written.
    """
    rows = comparison.rows()
    with style():
        figure = Figure(figsize=(9, 1.1 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots(1, len(COSTS), sharey=True)
        for ax, (key, label) in zip(axes, COSTS.items(), strict=True):
            values = [row[key] for row in rows]
            bars = ax.barh(
                [row["design"] for row in rows], values, color=COLOURS[: len(rows)] * len(rows), height=0.62
            )
            ax.bar_label(bars, [f"{v:.3g}" for v in values], padding=3, fontsize=8)
            ax.set_title(label, fontsize=10)
            ax.set_xlim(0, 1.5 * max(values))
            ax.tick_params(axis="y", length=0, colors=INK)
            ax.set_xticks([])
            ax.grid(False)
        axes[0].invert_yaxis()
        save(figure, path, "--chart")


def draw_sweep(result: SweepResult, path: Path) -> None:
    """The costs over the first setting, one line per combination of the others.

    Raises:
        InputError: Nothing in the sweep is possible, too many lines, or the file cannot be written.
    """
    rows = [row for row in result.rows() if not row["error"]]
    first, rest = result.addresses[0], result.addresses[1:]
    lines: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault(tuple(row[a] for a in rest), []).append(row)
    if not rows or len(lines) > _MOST_LINES:
        raise InputError(
            f"a chart of {len(lines)} lines",
            f"Sweep so that at most {_MOST_LINES} lines remain beside {first}.",
        )
    with style():
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        for ax, (key, label) in zip(figure.subplots(2, 2).flat, COSTS.items(), strict=True):
            for colour, (values, line) in zip(COLOURS, lines.items(), strict=False):
                text = ", ".join(f"{a}={v}" for a, v in zip(rest, values, strict=True))
                ax.plot(
                    [str(r[first]) for r in line],
                    [r[key] for r in line],
                    "o-",
                    ms=4,
                    color=colour,
                    label=text,
                )
            _log_axis(ax, [r[key] for r in rows])
            ax.set_title(label, fontsize=10)
            ax.set_xlabel(first)
        if rest:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
        save(figure, path, "--chart")


def draw_sensitivity(shares: Sensitivity, path: Path) -> None:
    """Each setting's share of the variance of each cost: alone, and with its interactions (pale).

    Raises:
        InputError: The file cannot be written.
    """
    rows = shares.rows()
    order = [row["setting"] for row in rows if row["output"] == SUMMARY_COST]
    with style():
        figure = Figure(figsize=(9, 1.2 + 0.32 * len(order)), layout="constrained")
        axes = figure.subplots(1, len(COSTS), sharey=True)
        for ax, colour, (key, label) in zip(axes, COLOURS, COSTS.items(), strict=False):
            found = {row["setting"]: row for row in rows if row["output"] == key}
            ax.barh(order, [100 * found[s]["total"] for s in order], color=colour, alpha=0.3, height=0.66)
            ax.barh(order, [100 * found[s]["first_order"] for s in order], color=colour, height=0.66)
            ax.set_title(label.partition(" (")[0], fontsize=10)
            ax.set_xlim(0, 100)
            ax.grid(axis="y", visible=False)
            ax.tick_params(axis="y", length=0, colors=INK)
        axes[0].invert_yaxis()
        figure.supxlabel("share of the variance of log10 cost (%); pale: with interactions", fontsize=9)
        save(figure, path, "--chart")


def _log_axis(ax: Axes, values: Sequence[float]) -> None:
    """Logarithmic where values span more than a factor of three, else linear."""
    if min(values) > 0 and max(values) > 3 * min(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_minor_locator(NullLocator())
        return
    air = 0.08 * (float(np.ptp(values)) or max(values) or 1.0)
    ax.set_ylim(max(0.0, min(values) - air), max(values) + air)
