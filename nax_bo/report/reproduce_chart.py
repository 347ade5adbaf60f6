"""A reproduction as a figure: gains and where they come from, and accuracy against the baseline with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from nax_bo.outcomes import outcome
from nax_bo.report.charts.theme import GREY, SERIES, data
from nax_bo.report.files import save


def draw_reproduction(result: Mapping[str, Any], path: Path, option: str = "--plot") -> None:
    """Factors of every contender as stacked bars on a logarithmic scale, claims as rules; accuracy beside them.

    Args:
        result: JSON form of a :class:`nax_bo.reproduce.Result`.
        path: A PNG, SVG or PDF file, by its suffix.
        option: The setting that gave ``path``, for messages.

    Raises:
        InputError: The file cannot be written.
    """
    contenders = result["contenders"]
    many = len({c["seed"] for c in contenders}) > 1
    names = [f"{c['search']}, seed {c['seed']}" if many else c["search"] for c in contenders]
    main = outcome(result["main"])
    bars = [
        {"search": name, **row}
        for name, c in zip(names, contenders, strict=True)
        for row in _stack(c["factors"])
    ]
    claimed = [
        {"claimed": float(np.log10(c["value"])), "text": f"claimed: {c['value']:.4g}"}
        for c in result["claims"]
        if c["metric"] == main.name and c["value"] > 0
    ]
    y = alt.Y("search:N", sort=names, title=None)
    ticks = "format(pow(10, datum.value), '.3~g')"
    x = alt.X("low:Q", title=f"gain in {main.label} over the paper's baseline",
              axis=alt.Axis(labelExpr=ticks, tickCount=6))  # fmt: skip
    gains: Any = (
        alt.Chart(data(bars))
        .mark_bar(size=14)
        .encode(
            y=y,
            x=x,
            x2="high:Q",
            color=alt.Color("group:N", scale=alt.Scale(range=list(SERIES)), title=None),
            tooltip=["group:N", "gain:Q"],
        )
    )
    if claimed:
        rule = alt.Chart(data(claimed)).mark_rule(strokeDash=[4, 3]).encode(x="claimed:Q", tooltip=["text:N"])
        label = alt.Chart(data(claimed)).mark_text(align="left", dx=3, dy=-4, baseline="bottom", fontSize=10)
        gains = gains + rule + label.encode(x="claimed:Q", y=alt.value(0), text="text:N")
    points = [
        {"search": name, **{k: 100 * c["difference"]["paper"][k] for k in ("mean", "low", "high")}}
        for name, c in zip(names, contenders, strict=True)
    ]
    base = alt.Chart(data(points)).encode(y=alt.Y("search:N", sort=names, title=None, axis=None))
    title = "points of accuracy over the paper's baseline, 95 % interval"
    accuracy = (
        alt.Chart(data([{"x": 0.0}])).mark_rule(color=GREY).encode(x=alt.X("x:Q", title=title))
        + base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
        + base.mark_point(filled=True, size=70).encode(x="mean:Q")
    )
    chart = alt.hconcat(
        gains.properties(height=alt.Step(30)),
        accuracy.properties(height=alt.Step(30)),
        title=f"{result['system']}, scale {result['scale']}, {result['data']}",
    )
    save(chart, path, option)


def _stack(factors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bars of logarithms: gains one upon the other from 1 to the right, losses to the left."""
    out, right, left = [], 0.0, 0.0
    for factor in factors:
        size = float(np.log10(factor["gain"]))
        low, high = (right, right + size) if size >= 0 else (left + size, left)
        right, left = (high, left) if size >= 0 else (right, low)
        out.append({"group": factor["group"], "gain": round(factor["gain"], 3), "low": low, "high": high})
    return out
