"""Strategies compared: share of the best known hypervolume against evaluations and against CPU seconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import altair as alt
import numpy as np

from nax_bo.report.charts.theme import SERIES, Chart, Rows, data
from nax_bo.report.files import save
from nax_bo.search.bench.compare import Curve
from nax_bo.search.scale import Array

_LOOKS = [(colour, dash) for dash, colour in product(([1, 0], [6, 3], [2, 2]), SERIES)]


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
    by_looks = {name: _over_evaluations(of, best) for name, of in runs.items()}
    by_time = {name: _over_seconds(of, best) for name, of in runs.items()}
    left = _panel(by_looks, alt.X("x:Q", title="evaluations", axis=alt.Axis(tickMinStep=1)))
    right = _panel(
        by_time,
        alt.X("x:Q", title="CPU seconds that the strategy took", scale=alt.Scale(type="log", nice=False)),
    )
    note = " (line: mean, band: range of the seeds)" if len(curves) > len(runs) else ""
    save(alt.hconcat(left, right, title=title + note), path, option)


def _panel(lines: dict[str, tuple[Array, Array]], x: alt.X) -> Chart:
    ranked = sorted(lines, key=lambda name: -fmean(lines[name][1][:, -1]))  # the best one first in the legend
    rows: Rows = [
        {
            "strategy": name,
            "x": float(at),
            "mean": float(s.mean()),
            "low": float(s.min()),
            "high": float(s.max()),
        }
        for name in ranked
        for at, s in zip(lines[name][0], lines[name][1].T, strict=True)
    ]
    looks = dict(zip(lines, _LOOKS * len(lines), strict=False))
    colour = alt.Color(
        "strategy:N",
        sort=ranked,
        scale=alt.Scale(domain=ranked, range=[looks[n][0] for n in ranked]),
        legend=alt.Legend(symbolOpacity=1),  # not that of the band
    )
    dash = alt.StrokeDash(
        "strategy:N", sort=ranked, scale=alt.Scale(domain=ranked, range=[looks[n][1] for n in ranked])
    )
    base = alt.Chart(data(rows)).encode(x=x, color=colour)
    y = alt.Y("mean:Q", title="share of the best known hypervolume")
    band = base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(strokeWidth=1.8).encode(y=y, strokeDash=dash)
    known = alt.Chart(data([{"best": 1.0}])).mark_rule(strokeDash=[4, 3]).encode(y="best:Q")
    chart: Chart = alt.layer(known, band, line).properties(width=430, height=300)
    return chart


def _over_evaluations(runs: Sequence[Curve], best: float) -> tuple[Array, Array]:
    """Evaluations ``n``, and shares ``seeds x n``."""
    x = np.arange(1, max(len(c.hypervolume) for c in runs) + 1)
    return x.astype(float), np.array([[c.at(int(n)) / best for n in x] for c in runs])


def _over_seconds(runs: Sequence[Curve], best: float) -> tuple[Array, Array]:
    """CPU seconds ``n`` from the first suggestion of any seed to the last, and shares ``seeds x n``."""
    first, last = (pick(max(c.seconds[i], 1e-4) for c in runs) for pick, i in ((min, 0), (max, -1)))
    x = np.geomspace(first, last, 120)
    x[-1] = last  # not a rounding error below it
    return x, np.array([[c.within(float(s)) / best for s in x] for c in runs])
