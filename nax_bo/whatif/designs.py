"""Designs side by side, and grids of settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.protocol import CostEvaluator, cost_model, evaluate_designs
from nax_bo.hardware.report import CostBatch, CostReport
from nax_bo.network.spec import NetworkSpec
from nax_bo.notebook import table_html
from nax_bo.outcomes import MAIN_COSTS, PRICED, SUMMARY_COST, cost_ends, priced
from nax_bo.units import cost_cells
from nax_bo.whatif.settings import Setting, Sweep, apply_settings, implied

Row = dict[str, Any]
Model = str | CostEvaluator

METRICS = tuple(o.name for o in PRICED)
"""Columns of every table of designs."""

_MOST_DESIGNS = 200_000


@dataclass(frozen=True)
class Comparison:
    """Designs side by side; the first is the baseline.

    Attributes:
        names: Of the designs.
        reports: Their costs.
        chips: Their chips.
    """

    names: tuple[str, ...]
    reports: tuple[CostReport, ...]
    chips: tuple[ChipSpec, ...]

    def rows(self) -> list[Row]:
        """One row per design: :data:`METRICS`, ``feasible``, ``bound_by``, ranges of costs, and ``edap_ratio``."""
        batch = CostBatch.stack(self.reports)
        first = getattr(self.reports[0], SUMMARY_COST)
        return [
            {
                "design": name,
                **metrics(batch, i),
                **cost_ends(report),
                "bound_by": report.bound_by,
                "lifetime_inferences": lifetime,
                "edap_ratio": getattr(report, SUMMARY_COST) / first,
            }
            for i, (name, report, lifetime) in enumerate(
                zip(self.names, self.reports, self._lifetimes(), strict=True)
            )
        ]

    def _repr_html_(self) -> str:
        wanted = {"edap_ratio": "EDAP, times the first"}
        return table_html(headed(self.rows(), ("design",), wanted), "what if")

    def _lifetimes(self) -> list[float | None]:
        """Inferences after which cells that are rewritten reach their device's endurance; None: never, or not known."""
        endured = [device(chip.device).endurance_cycles for chip in self.chips]
        return [
            cycles / report.writes if cycles and report.writes else None
            for cycles, report in zip(endured, self.reports, strict=True)
        ]

    def layer_rows(self) -> list[Row]:
        """One row per design and layer."""
        return [
            {
                "design": name,
                "layer": layer.name,
                "energy_uj": layer.energy_pj * 1e-6,
                "latency_ms": layer.latency_ns * 1e-6,
                "area_mm2": layer.area_um2 * 1e-6,
                "tiles": layer.tiles,
                "arrays": layer.arrays,
                "utilisation": layer.utilisation,
                "passes": layer.passes,
                "loaded": layer.loaded,
                "bound_by": layer.bound_by,
            }
            for name, report in zip(self.names, self.reports, strict=True)
            for layer in report.layers
        ]

    def component_rows(self) -> list[Row]:
        """One row per design and component, with its share of the design's energy and area."""
        return [
            {
                "design": name,
                "component": part.name,
                "energy_uj": part.energy_pj * 1e-6,
                "energy_share": part.energy_pj / report.energy_pj,
                "area_mm2": part.area_um2 * 1e-6,
                "area_share": part.area_um2 / report.area_um2,
            }
            for name, report in zip(self.names, self.reports, strict=True)
            for part in report.components
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form: the tables, and every chip in full."""
        return {
            "designs": self.rows(),
            "layers": self.layer_rows(),
            "components": self.component_rows(),
            "chips": {name: asdict(chip) for name, chip in zip(self.names, self.chips, strict=True)},
        }


@dataclass(frozen=True)
class SweepResult:
    """A grid of settings.

    Attributes:
        addresses: What was varied.
        points: Settings of each design, in the order of the grid (last axis fastest).
        adjusted: What each combination implies besides (``bits_per_cell=1``), empty if nothing.
        errors: Why a combination is impossible, empty if it is not.
        costs: Totals of the possible ones, in order; None if none is possible.
    """

    addresses: tuple[str, ...]
    points: tuple[tuple[Setting, ...], ...]
    adjusted: tuple[str, ...]
    errors: tuple[str, ...]
    costs: CostBatch | None

    def rows(self) -> list[Row]:
        """One row per combination: settings, :data:`METRICS`, ``feasible``, ``bound_by``, ``adjusted``, ``error``."""
        out, position = [], 0
        bounds = self.costs.bound_by() if self.costs is not None else []
        for point, note, error in zip(self.points, self.adjusted, self.errors, strict=True):
            row: Row = {
                s.address: s.label.partition("=")[2] if isinstance(s.value, tuple) else s.value for s in point
            }
            if error or self.costs is None:
                row |= {**dict.fromkeys(METRICS), "feasible": False, "bound_by": ""}
            else:
                row |= {**metrics(self.costs, position), "bound_by": bounds[position]}
                position += 1
            out.append({**row, "adjusted": note, "error": error})
        return out

    def _repr_html_(self) -> str:
        return table_html(headed(self.rows(), self.addresses, {"error": "impossible"}), "sweep")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {"settings": list(self.addresses), "designs": self.rows()}


def variants(
    network: NetworkSpec, chip: ChipSpec, changes: Sequence[Sequence[Setting]]
) -> dict[str, tuple[NetworkSpec, ChipSpec]]:
    """Named designs for :func:`compare`: the chip as it is (``"base"``), then one per set of changes.

    Names are the changes with what they imply: ``device=sram bits_per_cell=1``.

    Raises:
        InputError: Two sets of changes are the same, or one does not fit the network.
    """
    designs = {"base": (network, chip)}
    for settings in changes:
        name = " ".join(setting.label for setting in (*settings, *implied(chip, settings)))
        if not settings or name in designs:
            raise InputError(f"a variant {name!r} is empty or given twice", "Give each set of changes once.")
        designs[name] = (network, apply_settings(network, chip, settings))
    return designs


def compare(designs: Mapping[str, tuple[NetworkSpec, ChipSpec]], model: Model = "published") -> Comparison:
    """Price designs side by side, down to layers and components.

    Args:
        designs: (network, chip) by name; the first is the baseline.
        model: A cost model, or a reference to one (:func:`~nax_bo.hardware.protocol.cost_model`).

    Raises:
        InputError: No designs, or one that the model cannot price.
    """
    if not designs:
        raise InputError("no designs to compare", "Give at least one.")
    pricer = cost_model(model) if isinstance(model, str) else model
    reports = tuple(pricer.evaluate(network, chip) for network, chip in designs.values())
    return Comparison(tuple(designs), reports, tuple(chip for _, chip in designs.values()))


def sweep(
    network: NetworkSpec, chip: ChipSpec, axes: Sequence[Sweep], model: Model = "published"
) -> SweepResult:
    """Price every combination of the axes' values; impossible ones are listed with the reason.

    Raises:
        InputError: No axis, an axis given twice, or too many combinations.
    """
    addresses = tuple(axis.address for axis in axes)
    size = math.prod(len(axis.settings) for axis in axes)
    if not axes or len(set(addresses)) < len(addresses) or size > _MOST_DESIGNS:
        raise InputError(
            f"a sweep over {', '.join(addresses) or 'nothing'} with {size} combinations",
            f"Give each setting once, and at most {_MOST_DESIGNS} combinations.",
        )
    points = tuple(itertools.product(*(axis.settings for axis in axes)))
    chips, notes, errors = [], [], []
    for point in points:
        note, error = "", ""
        try:
            note = " ".join(setting.label for setting in implied(chip, point))
            chips.append(apply_settings(network, chip, point))
        except InputError as ex:
            error = ex.message
        notes.append(note)
        errors.append(error)
    return SweepResult(
        addresses, points, tuple(notes), tuple(errors), price(network, chips, model) if chips else None
    )


def price(network: NetworkSpec, chips: Sequence[ChipSpec], model: Model) -> CostBatch:
    """Totals of one network on many chips; arrays of shape (n,)."""
    pricer = cost_model(model) if isinstance(model, str) else model
    return evaluate_designs(pricer, [network] * len(chips), list(chips))


def metrics(batch: CostBatch, index: int) -> Row:
    """:data:`METRICS` and ``feasible`` of one design of a batch."""
    values = priced(batch)
    return {name: float(value[index]) for name, value in values.items()} | {
        "feasible": bool(batch.feasible[index])
    }


def headed(rows: Sequence[Row], first: Sequence[str], last: Mapping[str, str]) -> list[Row]:
    """Rows as people read them: some columns, the main costs with units and ranges, some columns under other names."""
    return [
        {n: row[n] for n in first} | costs | {title: row[n] for n, title in last.items()}
        for row, costs in zip(rows, cost_cells(rows, MAIN_COSTS), strict=True)
    ]
