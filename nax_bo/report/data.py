"""What a report shows, as plain values: collected once from a study, drawn by the figures, written by the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nax_bo.outcomes import OUTCOMES, SUMMARY_COST, Outcome


@dataclass(frozen=True)
class Point:
    """One trained design: its main cost, and the accuracy that the study maximises, a fraction."""

    number: int
    accuracy: float
    standard_error: float
    cost: float
    fidelity: str
    on_front: bool
    label: str


@dataclass(frozen=True)
class HistoryPoint:
    """Hypervolume of the measured front after so many trainings and seconds of training."""

    trainings: int
    seconds: float
    hypervolume: float


@dataclass(frozen=True)
class CalibrationPlot:
    """Held-out predictions of one surrogate, fractions; ``tau`` and ``r2`` are NaN where accuracy does not vary."""

    surrogate: str
    measured: tuple[float, ...]
    predicted: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    coverage: float
    tau: float
    r2: float


@dataclass(frozen=True)
class LayerRow:
    """One row of the heat map: a choice or a cost, one value per layer (NaN where there is none)."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class ComponentShare:
    """One kind of component of the chosen design."""

    component: str
    energy_pj: float
    area_um2: float


@dataclass(frozen=True)
class Driver:
    """One setting's share of the variance of accuracy and main cost: alone (first), and with interactions (total)."""

    setting: str
    accuracy_first: float
    accuracy_total: float
    cost_first: float
    cost_total: float


@dataclass(frozen=True)
class ReportData:
    """All content of a report; empty parts are left out of it.

    Attributes:
        title: Name of the study's file.
        facts: (label, text) pairs that say what was run.
        accuracy_label: What the accuracy axis shows.
        cost: The main cost: what stands against accuracy.
        points: Trained designs.
        front_rows: Table of the front, best accuracy first.
        history: After each full training.
        calibration: One entry per surrogate that could be judged.
        calibration_notes: Surrogates that could not be judged, and why.
        chosen: Which design the layer and component figures show, and why.
        layer_names: Layers of the chosen design.
        layer_rows: Its choices and costs per layer.
        components: Where its energy and area go.
        drivers: Which settings drive accuracy and cost near the front.
        error_layers: Crossbar layers of the chosen design.
        error_budget: Where the error of their outputs comes from, percent of the output.
        failures: Failed designs: table rows.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    accuracy_label: str = "noise-aware accuracy (%)"
    cost: Outcome = OUTCOMES[SUMMARY_COST]
    points: tuple[Point, ...] = ()
    front_rows: tuple[Mapping[str, Any], ...] = ()
    history: tuple[HistoryPoint, ...] = ()
    calibration: tuple[CalibrationPlot, ...] = ()
    calibration_notes: tuple[str, ...] = ()
    chosen: str = ""
    layer_names: tuple[str, ...] = ()
    layer_rows: tuple[LayerRow, ...] = ()
    components: tuple[ComponentShare, ...] = ()
    drivers: tuple[Driver, ...] = ()
    error_layers: tuple[str, ...] = ()
    error_budget: tuple[LayerRow, ...] = ()
    failures: tuple[Mapping[str, Any], ...] = ()
