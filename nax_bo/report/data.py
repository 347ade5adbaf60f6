"""What a report shows, as plain values: collected once from a study, drawn by the figures, written by the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nax_bo.outcomes import MAIN_COSTS, OUTCOMES, SUMMARY_COST, Outcome


@dataclass(frozen=True)
class Layer:
    """One layer of one design: what it costs in fixed units, what it waits for, and its settings in words."""

    name: str
    energy_uj: float
    latency_ms: float
    area_mm2: float
    waits_for: str
    settings: str


@dataclass(frozen=True)
class Point:
    """One trained design.

    Attributes:
        row: ``nax_bo.report.front.design_row``: accuracy and its spread, costs and their ranges, choices.
        accuracy: What the study maximises, a fraction.
        on_front: Whether no other fully trained design beats it.
        ties: Whether it is not told apart from the most accurate one.
        holds_under: Cost models under which no fully trained design beats it.
        label: In words.
        layers: Empty where the cost model gives no breakdown, and for all but the best of very large studies.
    """

    row: Mapping[str, Any]
    accuracy: float
    on_front: bool
    ties: bool
    holds_under: tuple[str, ...]
    label: str
    layers: tuple[Layer, ...] = ()

    @property
    def number(self) -> int:
        """Of the design."""
        return int(self.row["number"])

    @property
    def fidelity(self) -> str:
        """Rung of the training that is shown."""
        return str(self.row["fidelity"])


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
        answer: The front in a few sentences: knee, cheapest near the best, ties.
        footer: (label, text) pairs: when and by what the page was made, from which data.
        facts: (label, text) pairs that say what was run.
        accuracy_label: What the accuracy axis shows.
        cost: The main cost: what stands against accuracy.
        costs: Names of the costs that tables show.
        points: Trained designs.
        test_images: How many images each accuracy was measured on.
        history: After each full training.
        calibration: One entry per surrogate that could be judged.
        calibration_notes: Surrogates that could not be judged, and why.
        chosen: Which design the layer and component figures show, and why.
        number: Of the design that is taken apart; None before there is one.
        layer_names: Layers of the chosen design.
        layer_rows: Its choices and costs per layer.
        components: Where its energy and area go.
        drivers: Which settings drive accuracy and cost near the front.
        error_layers: Crossbar layers of the chosen design.
        error_budget: Where the error of their outputs comes from, percent of the output.
        devices: The front's designs on other devices: table rows (:mod:`nax_bo.report.devices`).
        devices_said: What that table shows.
        failures: Failed designs: table rows.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    answer: tuple[str, ...] = ()
    footer: tuple[tuple[str, str], ...] = ()
    accuracy_label: str = "noise-aware accuracy (%)"
    cost: Outcome = OUTCOMES[SUMMARY_COST]
    costs: tuple[str, ...] = MAIN_COSTS
    points: tuple[Point, ...] = ()
    test_images: int = 1
    history: tuple[HistoryPoint, ...] = ()
    calibration: tuple[CalibrationPlot, ...] = ()
    calibration_notes: tuple[str, ...] = ()
    chosen: str = ""
    number: int | None = None
    layer_names: tuple[str, ...] = ()
    layer_rows: tuple[LayerRow, ...] = ()
    components: tuple[ComponentShare, ...] = ()
    drivers: tuple[Driver, ...] = ()
    error_layers: tuple[str, ...] = ()
    error_budget: tuple[LayerRow, ...] = ()
    devices: tuple[Mapping[str, str], ...] = ()
    devices_said: str = ""
    failures: tuple[Mapping[str, Any], ...] = ()

    @property
    def front(self) -> list[Point]:
        """The front, most accurate first."""
        return sorted((p for p in self.points if p.on_front), key=lambda p: -p.row["accuracy"])
