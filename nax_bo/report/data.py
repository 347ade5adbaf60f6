"""What a report shows, as plain values: collected once from a study, drawn by the figures, written by the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReportData:
    """All content of a report.

    Attributes:
        title: Name of the study's file.
        facts: (label, text) pairs that say what was run.
        points: Per design: number, accuracy, std, edap, fidelity, on_front, label.
        front_rows: Table of the front, best accuracy first.
        history: After each training: evaluations, seconds, hypervolume.
        calibration: Per surrogate: measured, predicted, low, high (fractions), coverage, tau, r2.
        chosen: Number of the design that the layer and component figures show, and why it was chosen.
        layer_names: Static layers of the chosen design.
        layer_rows: Rows of the heat map: name, values (one per layer).
        components: Per component: energy, latency, area.
        drivers: Which settings drive accuracy and cost: variable, accuracy, edap (first-order shares).
        error_budget: Where the chosen design's output error comes from, per layer and source.
        failures: Failed designs: number, message.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    points: tuple[Mapping[str, Any], ...]
    front_rows: tuple[Mapping[str, Any], ...]
    history: tuple[Mapping[str, float], ...]
    calibration: tuple[Mapping[str, Any], ...]
    chosen: str
    layer_names: tuple[str, ...]
    layer_rows: tuple[Mapping[str, Any], ...]
    components: tuple[Mapping[str, Any], ...]
    drivers: tuple[Mapping[str, Any], ...]
    error_budget: tuple[Mapping[str, Any], ...]
    failures: tuple[Mapping[str, Any], ...]
