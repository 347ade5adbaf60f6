"""Strategies compared: share of the best known hypervolume against evaluations and against CPU seconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from nax_bo.report.figures import MUTED, style
from nax_bo.report.files import save
from nax_bo.search.bench import Curve
from nax_bo.search.scale import Array

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Told apart with every kind of colour vision (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/)."""

_LOOKS = [(colour, dash) for dash, colour in product(("-", "--", ":"), COLOURS)]


def draw_bench(curves: Sequence[Curve], best: float, title: str, path: Path, option: str = "--plot") -> None:
    """One line per strategy: the mean of its seeds, within their range.

    Args:
        curves: One or more runs of every strategy.
        best: Hypervolume that counts as 1.
        title: What was solved, and how.
        path: A PNG, SVG or PDF file, by its suffix.
        option: The setting that gave ``path``, for messages.

    Raises:
        InputError: The file cannot be written.
    """
    runs = {c.strategy: [other for other in curves if other.strategy == c.strategy] for c in curves}
    looks = dict(zip(runs, _LOOKS * len(runs), strict=False))
    with style():
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for name in sorted(runs, key=lambda name: _final(runs[name])):  # the best one on top
            _line(left, runs[name], *_over_evaluations(runs[name], best), *looks[name])
            _line(right, runs[name], *_over_seconds(runs[name], best), *looks[name])
        _finish(left, right)
        left.set_title(title, loc="left", fontsize=10)
        if len(curves) > len(runs):
            right.set_title("line: mean, band: range of the seeds", loc="right", fontsize=9, color=MUTED)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside right upper")
        save(figure, path, option)


def _final(runs: Sequence[Curve]) -> float:
    return fmean(c.hypervolume[-1] for c in runs)


def _over_evaluations(runs: Sequence[Curve], best: float) -> tuple[Array, Array]:
    """Evaluations ``n``, and shares ``seeds x n``."""
    x = np.arange(1, max(len(c.hypervolume) for c in runs) + 1)
    return x.astype(float), np.array([[c.at(int(n)) / best for n in x] for c in runs])


def _over_seconds(runs: Sequence[Curve], best: float) -> tuple[Array, Array]:
    """CPU seconds ``n`` from the first suggestion of any seed to the last, and shares ``seeds x n``."""
    first, last = (pick(max(c.seconds[i], 1e-4) for c in runs) for pick, i in ((min, 0), (max, -1)))
    x = np.geomspace(first, last, 300)
    x[-1] = last  # not a rounding error below it
    return x, np.array([[c.within(float(s)) / best for s in x] for c in runs])


def _line(axes: Axes, runs: Sequence[Curve], x: Array, shares: Array, colour: str, dash: str) -> None:
    mean = shares.mean(axis=0)
    if len(runs) > 1:
        axes.fill_between(x, shares.min(axis=0), shares.max(axis=0), color=colour, alpha=0.14, lw=0)
    axes.plot(x, mean, dash, color=colour, lw=1.8, label=runs[0].strategy)
    axes.plot(x[-1:], mean[-1:], "o", color=colour, ms=5)


def _finish(left: Axes, right: Axes) -> None:
    for axes in (left, right):
        axes.axhline(1.0, color=MUTED, lw=0.8, ls=(0, (4, 3)))
    left.annotate("best known", (0, 1), (4, 3), textcoords="offset points", fontsize=8, color=MUTED)
    left.set_ylim(0, max(1.07, left.get_ylim()[1]))
    left.set_ylabel("share of the best known hypervolume")
    left.set_xlabel("evaluations")
    left.set_xlim(left=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    right.set_xlabel("CPU seconds that the strategy took")
    right.set_xscale("log")
    right.xaxis.set_major_locator(LogLocator(numticks=8))
    right.xaxis.set_minor_locator(NullLocator())
    right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
