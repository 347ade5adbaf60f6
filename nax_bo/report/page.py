"""One self-contained HTML page on which a design is chosen, and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.outcomes import MAIN_COSTS, OUTCOMES, Outcome
from nax_bo.report.charts import anatomy, designs
from nax_bo.report.charts.theme import spec, theme
from nax_bo.report.data import Point, ReportData
from nax_bo.report.gallery import drawable, write_files
from nax_bo.units import Unit, accuracy_text, points, range_text, shown_in, significant

EFFICIENCY = "tops_w"
"""Bounded on the page besides the costs that tables show."""

MOST_VECTOR = 1500
"""Designs up to which charts are drawn as vectors, which screen readers can walk; beyond, as pixels."""


def write_report(data: ReportData, folder: Path, refresh_s: float | None = None) -> Path:
    """Write ``index.html`` and every figure as PNG and SVG into ``folder``; returns the page's path.

    With ``refresh_s`` the page reads itself again after so many seconds, unless its reader is at work on it, and there
    are no figures: it is that of a study under way.

    The page holds its data, charts, the Vega libraries and styles; it loads nothing from elsewhere and forbids itself
    to. Figures for which the study holds too little yet are left out.

    Raises:
        InputError: The folder cannot be written.
    """
    text = page(data, refresh_s)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # whoever looks while a study runs sees the old page or the new one
        target = write_whole(folder / "index.html", text, "Choose a folder with --out.")
        if refresh_s is None:
            write_files(data, folder)
    except OSError as ex:
        raise InputError(
            f"cannot write the report to {folder}: {ex.strerror}", "Choose a folder with --out."
        ) from ex
    return target


def page(data: ReportData, refresh_s: float | None = None) -> str:
    """The page as text; ``refresh_s`` as for :func:`write_report`."""
    figures = [
        {
            "name": f.name,
            "title": f.title,
            "caption": f.caption,
            "charts": [_responsive(spec(c)) for c in f.on_page(data)],
        }
        for f in drawable(data)
    ]
    code = _asset("chooser.js")
    headings, rows = _table(data)
    content = {
        "designs": _designs(data),
        "layers": _layers(data),
        "charts": {f"{f['name']}-{i}": c for f in figures for i, c in enumerate(f["charts"])},
        "themes": {"light": {**theme(), "background": "transparent"}, "dark": theme(dark=True)},
        "renderer": "svg" if len(data.points) <= MOST_VECTOR else "canvas",
        "chosen": data.number,
        "refresh_s": refresh_s,
        "cost": {"label": data.cost.label, "best": data.cost.best},
        "costs": [
            {"name": n, "label": OUTCOMES[n].label, "unit": designs.units(data)[n].name}
            for n in (data.cost.name, *(n for n in data.costs if n != data.cost.name))
        ],
    }
    environment = Environment(
        loader=PackageLoader("nax_bo.report", "."),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        data=data,
        refresh_s=refresh_s,
        figures=figures,
        rows=rows,
        headings=headings,
        limits=_limits(data),
        style=Markup(_asset("page.css")),
        content=Markup(json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")),
        library=Markup(library()),
        code=Markup(code),
        hashes=Markup(" ".join(f"'sha256-{_sha256(script)}'" for script in (library(), code))),
    )


def _responsive(chart: dict[str, Any]) -> dict[str, Any]:
    """As wide as its place on the page, labels included."""
    return {**chart, "autosize": {"type": "fit-x", "contains": "padding"}}


@lru_cache(maxsize=1)
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script without imports, from vl-convert."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace(
        "</script", "<\\/script"
    )


def _asset(name: str) -> str:
    return files("nax_bo.report").joinpath(name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _designs(data: ReportData) -> list[dict[str, Any]]:
    """What the page filters, sorts and compares by: values in the units shown, and their texts."""
    units, places = designs.units(data), designs.accuracy_places(data)
    return [
        {
            "number": p.number,
            "kind": designs.kind(p),
            "accuracy": 100 * p.accuracy,
            "error": p.row["standard_error"],
            **{name: p.row[name] / (units[name].size if name in units else 1.0) for name in _shown(data)},
            "cost": data.cost.sign * p.row[data.cost.name] / units[data.cost.name].size,
            # of very many designs, the page words those itself that cannot be taken apart either
            **({"texts": _texts(data, p, units, places)} if p.layers or p.fidelity == "full" else {}),
            "choices": {k.replace("_", " "): v for k, v in p.row["design"].items()},
        }
        for p in data.points
    ]


def _shown(data: ReportData) -> list[str]:
    """Costs by name, the main one first, and TOPS/W where it is known."""
    known = all(p.row.get(EFFICIENCY, 0) > 0 for p in data.points)
    return list(dict.fromkeys([data.cost.name, *data.costs, *([EFFICIENCY] if known else [])]))


def _texts(data: ReportData, p: Point, units: Mapping[str, Unit], places: int) -> dict[str, str]:
    texts = {
        "accuracy": accuracy_text(p.accuracy, p.row["standard_error"], places) + (" =" if p.ties else "")
    }
    if interval := _interval(p.row, places):
        texts["95 % interval"] = f"{interval} %"
    texts["between trainings"] = _points(p.row["between_trainings"])
    texts["between chips"] = (
        _points(p.row["between_chips"]) if p.row["chips_differ"] else "this device has no noise in the model"
    )
    texts["95 % of chips exceed"] = (
        "too few chips to say" if p.row["p05"] is None else f"{100 * p.row['p05']:.1f} %"
    )
    for cost in _costs(data):
        unit, known = units[cost.name], range_text(units[cost.name], p.row, cost)
        texts[cost.label] = f"{shown_in(unit, p.row, cost)} {unit.name}"
        if known != "-":
            texts[f"{cost.label} by source"] = f"{known} {unit.name}"
    if EFFICIENCY in _shown(data) and EFFICIENCY not in data.costs:
        texts[OUTCOMES[EFFICIENCY].label] = significant(p.row[EFFICIENCY])
    texts["undominated under"] = ", ".join(p.holds_under) or "no cost model"
    return texts


def _points(share: float | None) -> str:
    return "one measurement only" if share is None else f"± {points(share)} points"


def _layers(data: ReportData) -> dict[str, list[dict[str, Any]]]:
    return {str(p.number): anatomy.layer_rows([p]) for p in data.points if p.layers}


Cell = tuple[str, float, str]
"""Text, value to sort by, note below the text."""


def _table(data: ReportData) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns of the front's table after the number, without those that nothing fills, and one row per design."""
    units, places = designs.units(data), designs.accuracy_places(data)
    cells = [_cells(data, p, units, places) for p in data.front]
    headings = [h for h in (cells[0] if cells else ()) if any(row[h][0] != "-" for row in cells)]
    return headings, [
        {"number": p.number, "cells": [row[h] for h in headings], "choices": p.label}
        for p, row in zip(data.front, cells, strict=True)
    ]


def _cells(data: ReportData, p: Point, units: Mapping[str, Unit], places: int) -> dict[str, Cell]:
    """A design of the front by column."""
    row = p.row
    shown = accuracy_text(p.accuracy, p.row["standard_error"], places).partition(" %")[0] + (
        " =" if p.ties else ""
    )
    chips = points(row["between_chips"]) if row["chips_differ"] else "no noise in the model"
    tail = "-" if row["p05"] is None else f"{100 * row['p05']:.1f}"
    cells: dict[str, Cell] = {
        "accuracy (%)": (shown, p.accuracy, _interval(row, places)),
        "± trainings": (points(row["between_trainings"]), row["between_trainings"] or 0.0, ""),
        "± chips": (chips, row["between_chips"] or 0.0, ""),
        "95 % of chips exceed (%)": (tail, row["p05"] or 0.0, ""),
    }
    for cost in _costs(data):
        unit, known = units[cost.name], range_text(units[cost.name], row, cost)
        text = shown_in(unit, row, cost)
        cells[unit.heading(cost.label)] = (text, row[cost.name], "" if known == "-" else known)
    cells["undominated under"] = (", ".join(p.holds_under) or "none", len(p.holds_under), "")
    return cells


def _costs(data: ReportData) -> list[Outcome]:
    """What tables show, the main cost first."""
    return [OUTCOMES[name] for name in dict.fromkeys((data.cost.name, *data.costs))]


def _interval(row: Mapping[str, Any], places: int) -> str:
    low, high = row.get("accuracy_low"), row.get("accuracy_high")
    return "" if low is None or high is None else f"{100 * low:.{places}f} to {100 * high:.{places}f}"


def _limits(data: ReportData) -> list[dict[str, Any]]:
    """Sliders: least accuracy and efficiency, most of each cost, over the range of the trained designs."""
    if not data.points:
        return []
    units = designs.units(data)
    best = 100 * max(p.accuracy for p in data.points)
    worst = 100 * min(p.accuracy for p in data.points)
    rows = [
        {"name": "accuracy", "label": "accuracy at least", "unit": "%", "least": True}
        | {"low": math.floor(worst), "high": math.ceil(best * 10) / 10, "log": False}
    ]
    for name in (n for n in _shown(data) if n in (data.cost.name, *MAIN_COSTS, EFFICIENCY)):
        unit = units.get(name, Unit("", 1.0))
        values = [p.row[name] / unit.size for p in data.points]
        least = OUTCOMES[name].best == "max"
        label = f"{OUTCOMES[name].label} at {'least' if least else 'most'}"
        row = {"name": name, "label": label, "unit": unit.name}
        rows.append(row | {"least": least, "low": min(values), "high": max(values), "log": True})
    return rows
