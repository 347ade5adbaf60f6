"""One self-contained HTML page, and the same figures as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from nax_bo.errors import InputError
from nax_bo.report.data import ReportData
from nax_bo.report.figures import drawable, svg, write_png

CAPTIONS = {
    "front": (
        "The front",
        "Every design that was trained. Only full trainings count for the front; hover over a point for its settings.",
    ),
    "hypervolume": (
        "Progress",
        "Hypervolume of the measured front against the study's reference point, over trainings and over seconds.",
    ),
    "calibration": (
        "Can the predictions be trusted?",
        "Each fully trained design was left out, predicted from all others, and compared with its measurement. Bars "
        "are 95 % intervals; orange ones miss.",
    ),
    "layers": (
        "Layer by layer",
        "Settings and shares of cost of the chosen design; dark is high within a row.",
    ),
    "error_budget": (
        "Where the output error comes from",
        "Error of each layer's output on the chip, in percent of its root mean square, with one source switched on at "
        "a time. Sources interact, so they do not add up exactly. After a short training.",
    ),
    "drivers": (
        "What drives accuracy and cost",
        "Sobol indices over designs near the front: the share of the variance that a setting explains.",
    ),
    "components": (
        "Where the cost goes",
        "Shares of energy, latency and area of the chosen design by component.",
    ),
}


def write_report(data: ReportData, folder: Path) -> Path:
    """Write ``index.html`` and one PNG per figure into ``folder``; returns the page's path.

    The page holds its figures and styles; it loads nothing from elsewhere. Figures for which the study holds too
    little yet are left out.

    Raises:
        InputError: The folder cannot be written.
    """
    tips = {p.number: p.label for p in data.points if p.on_front}
    names = drawable(data)
    figures = [
        {"name": n, "title": CAPTIONS[n][0], "caption": CAPTIONS[n][1], "svg": Markup(svg(data, n, tips))}
        for n in names
    ]
    text = _template().render(data=data, figures=figures, number=_number)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / "index.html"
        page.write_text(text, encoding="utf-8")
        for name in names:
            write_png(data, name, folder / f"{name}.png")
    except OSError as ex:
        raise InputError(
            f"cannot write the report to {folder}: {ex.strerror}", "Choose a folder with --out."
        ) from ex
    return page


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("nax_bo.report", "."),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return str(value)
