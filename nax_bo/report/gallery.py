"""The figures of a report: which of them a study has enough for, and their captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.report.charts import anatomy, designs, search
from nax_bo.report.charts.theme import Chart, drawn
from nax_bo.report.collect import collect
from nax_bo.report.data import ReportData
from nax_bo.study import Study


@dataclass(frozen=True)
class Figure:
    """One figure: its charts on the page as wide as the page, and one for a file."""

    name: str
    title: str
    caption: str
    ready: Callable[[ReportData], bool]
    on_page: Callable[[ReportData], list[Chart]]
    in_file: Callable[[ReportData], Chart]


def _figure(
    name: str,
    title: str,
    caption: str,
    ready: Callable[[ReportData], bool],
    make: Callable[..., Chart],
) -> Figure:
    return Figure(name, title, caption, ready, lambda d: [make(d, width="container")], make)


FIGURES: tuple[Figure, ...] = (
    _figure(
        "front",
        "The front",
        "Every trained design; only full trainings count for the front. Horizontal bars: between which values sources "
        "put the cost. Vertical bars: standard error of the accuracy. Drag to brush, Ctrl+wheel to zoom, Shift+drag to "
        "move, double-click to reset, click two designs to compare them.",
        lambda d: bool(d.points),
        designs.front,
    ),
    _figure(
        "parallel",
        "Accuracy, costs and settings together",
        "One line per design, each axis from the least to the largest value. Drag over a part of an axis to keep the "
        "designs that pass through it; double-click to reset.",
        lambda d: len(d.points) > 1,
        designs.parallel,
    ),
    _figure(
        "survivors",
        "Would another cost model choose the same?",
        "All fully trained designs priced by other profiles: which of the front no design beats there.",
        lambda d: any(p.holds_under for p in d.front),
        designs.survivors,
    ),
    _figure(
        "layers",
        "Layer by layer",
        "Share of each layer in energy, latency and area; hover for its settings and what it waits for.",
        lambda d: any(p.layers for p in d.points if p.number == d.number),
        anatomy.layers,
    ),
    _figure(
        "components",
        "Where the cost goes",
        "Shares of energy per inference and of area by component.",
        lambda d: bool(d.components),
        anatomy.components,
    ),
    _figure(
        "error_budget",
        "Where the output error comes from",
        "Error of each layer's output on the chip, in percent of its root mean square, with one source switched on at "
        "a time. Sources interact, so they do not add up exactly. After a short training.",
        lambda d: bool(d.error_budget),
        anatomy.error_budget,
    ),
    Figure(
        "calibration",
        "Can the predictions be trusted?",
        "Each fully trained design was left out, predicted from all others, and compared with its measurement. Bars "
        "are 95 % intervals; orange ones miss.",
        lambda d: bool(d.calibration),
        lambda d: [search.calibration_of(entry, width="container") for entry in d.calibration],
        search.calibration,
    ),
    _figure(
        "drivers",
        "What drives accuracy and cost",
        "Sobol indices over designs near the front: the share of the variance that a setting explains alone, and "
        "(pale) with its interactions.",
        lambda d: bool(d.drivers),
        search.drivers,
    ),
    _figure(
        "hypervolume",
        "Progress",
        "Hypervolume of the measured front against the study's reference point.",
        lambda d: len(d.history) > 1,
        search.hypervolume,
    ),
)


QUICK = ("front", "parallel", "survivors", "layers", "components", "hypervolume")
"""Those for which nothing has to be trained or fitted."""


def drawable(data: ReportData) -> list[Figure]:
    """Figures for which the study holds enough."""
    return [figure for figure in FIGURES if figure.ready(data)]


def write_files(data: ReportData, folder: Path) -> None:
    """Each figure as PNG and SVG; raises InputError if one cannot be written."""
    for figure in drawable(data):
        chart = figure.in_file(data)
        for form in ("png", "svg"):
            write_whole(folder / f"{figure.name}.{form}", drawn(chart, form), "Choose a folder with --out.")


def chart(study: Study, name: str = "front", design: int | None = None) -> Chart:
    """One figure of a study as a value, which notebooks show.

    Args:
        study: The study.
        name: ``front``, ``parallel``, ``layers``, ...: the names of :data:`FIGURES`.
        design: As for :func:`nax_bo.report.collect.collect`.

    Raises:
        InputError: There is no such figure, or the study holds too little for it.
    """
    figure = next((f for f in FIGURES if f.name == name), None)
    if figure is None:
        raise InputError(f"there is no figure {name!r}", f"There are {', '.join(f.name for f in FIGURES)}.")
    data = collect(study, design, quick=name in QUICK)
    if not figure.ready(data):
        raise InputError(f"{study.store.path} holds too little for {name!r}", "Go on with naxbo optimize.")
    return figure.in_file(data)
