"""The one design that a report takes apart: which one, its layers, its components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.accuracy.fidelity import FULL
from nax_bo.hardware import ChipSpec, CostReport
from nax_bo.network import NetworkSpec
from nax_bo.report.data import ComponentShare, Layer, LayerRow
from nax_bo.study import Study, Trial

_CHOICES = {
    "rows": "crossbar rows",
    "cols": "crossbar columns",
    "bits_per_cell": "bits per cell",
    "weight_bits": "weight bits",
    "input_bits": "input bits",
    "dac_bits": "DAC bits",
    "adc_bits": "ADC bits",
    "mux": "columns per ADC",
    "duplication": "copies",
}
"""Numeric fields of :class:`nax_bo.hardware.ArraySpec` and their labels."""


@dataclass(frozen=True)
class Anatomy:
    """A design taken apart; empty where the cost model gives no breakdown."""

    layer_names: tuple[str, ...]
    layer_rows: tuple[LayerRow, ...]
    components: tuple[ComponentShare, ...]
    shared: str


def choose(study: Study, number: int | None, front: list[Trial]) -> tuple[Trial, str] | None:
    """The design to show and why: the one asked for, else the front's bend, else the most accurate one.

    Raises:
        InputError: There is no design of that number.
    """
    if number is not None:
        return study.trial(number), "as asked"
    if front:
        return knee(study, front)
    trained = [t for t in study.trials() if t.best]
    if not trained:
        return None
    return max(
        trained, key=lambda t: _accuracy(study, t)
    ), "the most accurate one, as no design is on the front yet"


def _accuracy(study: Study, trial: Trial) -> tuple[bool, float]:
    evaluation = trial.best
    return trial.at(FULL.name) is not None, study.accuracy(evaluation) if evaluation else 0.0


def knee(study: Study, front: list[Trial]) -> tuple[Trial, str]:
    """The design of a front at its sharpest bend, and why it was chosen.

    The bend is the point farthest from the line between the front's ends, in the objectives' measure scales, each
    mapped to [0, 1] (Das 1999, doi:10.1007/BF01195985). A front of one or two has none: then it is the most accurate.
    """
    if len(front) < 3:
        return front[0], "the most accurate of the front"
    problem = study.log().problem
    rows = [study.values(t) for t in front]
    y = np.array([[float(o.scales.to_measure(row[o.name])) for o in problem.objectives] for row in rows])
    scaled = (y - y.min(axis=0)) / np.maximum(np.ptp(y, axis=0), 1e-12)
    return front[int(np.argmin(scaled.sum(axis=1)))], "the bend of the front"


def anatomy(study: Study, trial: Trial) -> Anatomy:
    """Layers, components and shared settings of one design."""
    network, chip = study.network_and_chip(trial)
    cost = study.cost_report(trial)
    names = tuple(layer.name for layer in cost.layers) or tuple(layer.name for layer in network.static_layers)
    choices = _choice_rows(network, chip, names)
    rows = (*(row for row in choices if _varies(row)), *_cost_rows(cost))
    same = [
        f"{row.name} {row.values[0]:g}" for row in choices if not _varies(row) and np.isfinite(row.values[0])
    ]
    shared = ", ".join(
        [f"device {chip.device}", f"{chip.arrays[0].adc_type} ADC", f"{chip.technology_nm:g} nm", *same]
    )
    return Anatomy(names, rows, _components(cost), f"All layers: {shared}.")


def layers_of(study: Study, trial: Trial) -> tuple[Layer, ...]:
    """What each layer of a design costs and how it is set; empty where the cost model gives no breakdown."""
    if not study.specs(trial).report:
        return ()
    network, chip = study.network_and_chip(trial)
    cost = study.cost_report(trial)
    rows = _choice_rows(network, chip, tuple(layer.name for layer in cost.layers))
    return tuple(
        Layer(
            layer.name,
            layer.energy_pj * 1e-6,
            layer.latency_ns * 1e-6,
            layer.area_um2 * 1e-6,
            layer.bound_by,
            ", ".join(f"{r.name} {r.values[i]:g}" for r in rows if np.isfinite(r.values[i])),
        )
        for i, layer in enumerate(cost.layers)
    )


def _choice_rows(network: NetworkSpec, chip: ChipSpec, names: tuple[str, ...]) -> tuple[LayerRow, ...]:
    static = {layer.name: i for i, layer in enumerate(network.static_layers)}
    layers = [network.static_layers[static[n]] if n in static else None for n in names]
    arrays = [chip.array(static[n], len(static)) if n in static else None for n in names]
    rows = [
        LayerRow("output channels", tuple(float(x.out_shape[0]) if x else np.nan for x in layers)),
        LayerRow("kernel", tuple(float(x.kernel[0]) if x else np.nan for x in layers)),
    ]
    for field, label in _CHOICES.items():
        rows.append(LayerRow(label, tuple(float(getattr(a, field)) if a else np.nan for a in arrays)))
    if rows[2].values == rows[3].values:  # square arrays: one row says it
        rows[2:4] = [LayerRow("crossbar size", rows[2].values)]
    return tuple(rows)


def _varies(row: LayerRow) -> bool:
    return len(set(row.values)) > 1


def _cost_rows(cost: CostReport) -> tuple[LayerRow, ...]:
    if not cost.layers:
        return ()
    columns = {
        "arrays": [float(x.arrays) for x in cost.layers],
        "cells used (%)": [100 * x.utilisation for x in cost.layers],
        "energy (nJ)": [x.energy_pj * 1e-3 for x in cost.layers],
        "latency (µs)": [x.latency_ns * 1e-3 for x in cost.layers],
        "area (mm²)": [x.area_um2 * 1e-6 for x in cost.layers],
    }
    return tuple(LayerRow(name, tuple(values)) for name, values in columns.items())


def _components(cost: CostReport) -> tuple[ComponentShare, ...]:
    parts = [ComponentShare(c.name, c.energy_pj, c.area_um2) for c in cost.components]
    return tuple(p for p in parts if p.energy_pj > 0 or p.area_um2 > 0)
