"""Compare the closed-form `neurosim` cost model with tables of simulator outputs, row by row.

Reads any of these from a folder: ``neurosim13_chip.csv`` with ``neurosim13_layers.csv``, the same of ``neurosim14``,
``xpertsim_layers.csv`` and ``infeasible.csv``; and prints, per simulator, network and quantity, the median and 95th
percentile of the relative error and Spearman's rank correlation. Rows that cannot be priced are named with the reason.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from nax_bo.errors import NaxboError
from nax_bo.hardware.simulators.neurosim import NeuroSimReport, evaluate
from nax_bo.hardware.simulators.neurosim.config import V13, V14, XPERTSIM, NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.per_layer import PAD, beside_pad
from nax_bo.hardware.simulators.neurosim.tables import config_of_row, layer_of_row, network_of_rows

Row = Mapping[str, str]
PARTS = ("adc", "accum", "other", "buffer", "ic")
AREA_PARTS = ("array", "adc", "accum", "other", "ic")
SIMULATORS = {"neurosim13": V13, "neurosim14": V14}


@dataclass
class Comparison:
    """Pairs of (predicted, reference) by (simulator, level, network, quantity), and what could not be compared."""

    pairs: dict[tuple[str, str, str, str], list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    unpriced: list[dict[str, str]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, simulator: str, level: str, network: str, predicted: Mapping[str, float], row: Row) -> None:
        """Pair the predicted quantities of a row with its reference values."""
        for quantity, value in predicted.items():
            reference = _reference(row, quantity)
            if reference is not None:
                self.pairs[simulator, level, network, quantity].append((float(value), reference))


def _reference(row: Row, quantity: str) -> float | None:
    if quantity == "energy_pj":
        parts = [row.get("dynamic_energy_pj"), row.get("leakage_energy_pj")]
        return sum(float(part) for part in parts if part) if all(parts) else None
    return float(row[quantity]) if row.get(quantity) else None


def _chip_quantities(report: NeuroSimReport) -> dict[str, float]:
    found = {
        "energy_pj": report.total_energy_pj,
        "latency_ns": report.latency_ns,
        "area_um2": report.area_um2,
        "dynamic_energy_pj": report.energy_pj,
        "leakage_energy_pj": report.leakage_energy_pj,
        "leakage_power_uw": report.leakage_power_uw,
        "clock_period_ns": report.clock_period_ns,
        "num_tiles": report.num_tiles,
        "tops_per_w": report.tops_per_w,
        "edap_pj_ns_mm2": report.edap_pj_ns_mm2,
    }
    for part in PARTS:
        found[f"{part}_energy_pj"] = report.energy_parts_pj[part]
        found[f"{part}_latency_ns"] = report.latency_parts_ns[part]
    for part in AREA_PARTS:
        found[f"{part}_area_um2"] = report.area_parts_um2[part]
    return found


def _layer_quantities(report: NeuroSimReport, index: int) -> dict[str, float]:
    found = {
        "energy_pj": report.layer_energy_pj[index] + report.layer_leakage_energy_pj[index],
        "latency_ns": report.layer_latency_ns[index],
        "dynamic_energy_pj": report.layer_energy_pj[index],
        "leakage_energy_pj": report.layer_leakage_energy_pj[index],
        "leakage_power_uw": report.layer_leakage_power_uw[index],
        "layer_tiles": report.layer_tiles[index],
        "layer_duplication": report.layer_duplication[index],
        "layer_utilization": report.layer_utilization[index],
    }
    for part in PARTS:
        found[f"{part}_energy_pj"] = report.layer_energy_parts_pj[part][index]
        found[f"{part}_latency_ns"] = report.layer_latency_parts_ns[part][index]
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


Layers = tuple[NeuroSimLayer, ...]


def _layer_rows(folder: Path, simulator: str) -> dict[str, list[Row]]:
    by_run: dict[str, list[Row]] = defaultdict(list)
    path = folder / f"{simulator}_layers.csv"
    for row in _rows(path) if path.exists() else []:
        by_run[row["run_id"]].append(row)
    return by_run


def known_networks(folder: Path) -> dict[str, Layers]:
    """Layers of each network, put together from all layer tables of the folder; networks with gaps are left out."""
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    tables = [rows for name in SIMULATORS for rows in _layer_rows(folder, name).values()]
    lone = folder / "xpertsim_layers.csv"
    for rows in [*tables, _rows(lone) if lone.exists() else []]:
        for row in rows:
            found[row.get("network", row["run_id"])].setdefault(int(row["layer_index"] or 1), row)
    return {
        network: network_of_rows(list(rows.values()))
        for network, rows in found.items()
        if sorted(rows) == list(range(1, len(rows) + 1))
    }


def _network(own: list[Row], known: Layers | None) -> Layers | None:
    """A run's layers: its own rows where they are complete, else what is known of its network."""
    indices = sorted(int(row["layer_index"]) for row in own)
    complete = bool(own) and indices == list(range(1, len(own) + 1)) and len(own) >= len(known or ())
    return network_of_rows(own) if complete else known


def compare_networks(
    folder: Path, simulator: str, networks: Mapping[str, Layers], result: Comparison
) -> None:
    """Compare whole networks; a run without layer rows takes the layers that its network has elsewhere."""
    by_run = _layer_rows(folder, simulator)
    path = folder / f"{simulator}_chip.csv"
    chips = _rows(path) if path.exists() else []
    for run in sorted(set(by_run) - {row["run_id"] for row in chips}):
        result.unpriced.append(
            {"run_id": run, "simulator": simulator, "reason": "no chip row with this run's settings"}
        )
    for row in chips:
        result.rows[simulator] += 1
        run, network = row["run_id"], row.get("network", "unknown")
        own = by_run.get(run, [])
        layers = _network(own, networks.get(network))
        if layers is None:
            result.unpriced.append(
                {
                    "run_id": run,
                    "simulator": simulator,
                    "reason": "the layer rows of this network are incomplete",
                }
            )
            continue
        try:
            report = evaluate(layers, config_of_row(row, SIMULATORS[simulator]))
        except NaxboError as ex:
            result.unpriced.append({"run_id": run, "simulator": simulator, "reason": ex.message})
            continue
        result.add(simulator, "chip", network, _chip_quantities(report), row)
        for layer_row in own:
            index = int(layer_row["layer_index"]) - 1
            result.add(simulator, "layer", network, _layer_quantities(report, index), layer_row)


def xpert_case(row: Row) -> tuple[list[NeuroSimLayer], NeuroSimConfig]:
    """One layer and its padding layer, and the chip; the wire width is the node's own, whatever the cell pitch."""
    border = (int(row["k_h"]) - 1) // 2
    layer = layer_of_row(row, zero_border=border, signed_input=row.get("layer_index") == "1")
    return [*beside_pad(layer)], replace(config_of_row(row, XPERTSIM), feature_size_nm=None)


def compare_xpert(folder: Path, result: Comparison) -> None:
    """Compare single layers of XPertSim."""
    path = folder / "xpertsim_layers.csv"
    for row in _rows(path) if path.exists() else []:
        result.rows["xpertsim"] += 1
        try:
            layers, config = xpert_case(row)
            report = evaluate(layers, config)
        except NaxboError as ex:
            result.unpriced.append({"run_id": row["run_id"], "simulator": "xpertsim", "reason": ex.message})
            continue
        found = _layer_quantities(report, 0) | {
            "area_um2": report.area_um2,
            "clock_period_ns": report.clock_period_ns,
            "pad_tiles": float(report.layer_tiles[1]),
        }
        found |= {f"{part}_area_um2": report.area_parts_um2[part] for part in AREA_PARTS}
        result.add("xpertsim", "layer", row.get("network", "unknown"), found, row)


def compare_infeasible(folder: Path, networks: Mapping[str, Layers], result: Comparison) -> dict[str, object]:
    """Whether configurations that a simulator refuses are refused here too."""
    path = folder / "infeasible.csv"
    outcome: dict[str, object] = {"refused": 0, "total": 0, "missed": [], "unknown": []}
    missed: list[str] = []
    unknown: list[str] = []
    refused = 0
    rows = _rows(path) if path.exists() else []
    for row in rows:
        try:
            if row["simulator"] == "XPertSim":
                index = row.get("layer_index") or "1"
                layer = networks.get(row["network"], ())[int(index) - 1 : int(index)]
                if not layer:
                    unknown.append(row["run_id"])
                    continue
                pad = replace(layer[0], **PAD)
                evaluate([layer[0], pad], config_of_row(row, XPERTSIM))
            else:
                quirks = V14 if row["simulator"].endswith("1.4") else V13
                if row["network"] not in networks:
                    unknown.append(row["run_id"])
                    continue
                evaluate(networks[row["network"]], config_of_row(row, quirks))
            missed.append(row["run_id"])
        except NaxboError:
            refused += 1
    outcome.update(refused=refused, total=len(rows), missed=missed, unknown=unknown)
    return outcome


def summary(pairs: Iterable[tuple[float, float]]) -> dict[str, float | int | None]:
    """Median and 95th percentile of the relative error, and rank correlation (None where undefined)."""
    values = np.asarray(list(pairs))
    predicted, reference = values[:, 0], values[:, 1]
    error = np.abs(predicted - reference) / np.where(reference == 0, 1.0, np.abs(reference))
    return {
        "n": len(values),
        "median": float(np.median(error)),
        "p95": float(np.quantile(error, 0.95)),
        "max": float(error.max()),
        "spearman": _spearman(predicted, reference),
    }


def _spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    # six digits, the precision of the tables: ties there must be ties here
    ranks = [rankdata([float(f"{value:.5g}") for value in values]) for values in (a, b)]
    if len(a) < 3 or any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def tabulate(result: Comparison) -> list[dict[str, object]]:
    """One record per simulator, level, network (and ``all``) and quantity."""
    grouped: dict[tuple[str, str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for (simulator, level, network, quantity), pairs in result.pairs.items():
        for scope in ("all", network):
            grouped[simulator, level, scope, quantity] += pairs
    keys = ("simulator", "level", "network", "quantity")
    return [dict(zip(keys, key, strict=True)) | summary(pairs) for key, pairs in grouped.items()]


def print_table(records: list[dict[str, object]], detail: bool) -> None:
    print(
        f"{'simulator':<11}{'level':<6}{'network':<9}{'quantity':<20}{'n':>6}{'median':>9}{'p95':>9}{'max':>9}{'rank':>8}"
    )
    main = {"energy_pj", "latency_ns", "area_um2"}
    for record in records:
        if not detail and record["network"] != "all" and record["quantity"] not in main:
            continue
        rank = "-" if record["spearman"] is None else f"{record['spearman']:.4f}"
        print(
            f"{record['simulator']:<11}{record['level']:<6}{record['network']:<9}{record['quantity']:<20}"
            f"{record['n']:>6}{record['median']:>9.2%}{record['p95']:>9.2%}{record['max']:>9.2%}{rank:>8}"
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True, help="folder with the reference tables")
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of the table")
    parser.add_argument(
        "--detail", action="store_true", help="all quantities for every network, not only totals"
    )
    options = parser.parse_args(arguments)
    if not options.reference.is_dir():
        print(f"{options.reference} is not a folder", file=sys.stderr)
        return 2
    result = Comparison()
    networks = known_networks(options.reference)
    for simulator in SIMULATORS:
        compare_networks(options.reference, simulator, networks, result)
    compare_xpert(options.reference, result)
    feasibility = compare_infeasible(options.reference, networks, result)
    records = tabulate(result)
    if options.json:
        print(
            json.dumps(
                {
                    "agreement": records,
                    "rows": dict(result.rows),
                    "unpriced": result.unpriced,
                    "infeasible": feasibility,
                }
            )
        )
        return 0
    print_table(records, options.detail)
    print(f"rows: {dict(result.rows)}; not priced: {len(result.unpriced)}")
    for item in result.unpriced:
        print(f"  {item['simulator']} {item['run_id']}: {item['reason']}")
    print(
        f"infeasible rows refused here too: {feasibility['refused']} of {feasibility['total']}"
        f" (priced instead: {feasibility['missed'] or 'none'}; network unknown: {feasibility['unknown'] or 'none'})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
