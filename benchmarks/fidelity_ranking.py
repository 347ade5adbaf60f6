"""How the short rung and the training-free scores rank random designs, compared with the full rung.

Random designs of a joint space are evaluated at both rungs in one process on one thread; Kendall's tau-b compares the
rankings, over all designs and within the half that the full rung finds better. A second full look at every fourth
design, from another seed, says how well full looks rank designs alike: no cheap one can do much better. Where a full
look trains several networks (few test images), the first and the second rank the designs too, as looks that train one
would.

Evaluations are kept in ``out/fidelity_ranking.json`` and not repeated; a change of the rungs starts anew, after a
change of the training itself delete the file. Seconds are processor time.

Run: ``nice python benchmarks/fidelity_ranking.py [--designs 120] [--seed 0] [--json]``
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT
from nax_bo.accuracy.proxies import proxies
from nax_bo.hardware import cost_model
from nax_bo.systems import load_system

CACHE = Path("out/fidelity_ranking.json")
AGAIN = 4  # every fourth design is looked at in full twice
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def looks(number: int) -> list[tuple[str, int]]:
    """(fidelity, seed) of the evaluations of design ``number``."""
    found = [(SHORT.name, 1), (FULL.name, 1)]
    return [*found, (FULL.name, 2)] if number % AGAIN == 0 else found


def evaluations(args: argparse.Namespace, system: Any, indices: Any) -> dict[str, dict[str, Any]]:
    """Every report, from the cache or made now; the cache is written after each."""
    data = parse_data(args.data).load()
    rungs = {name: asdict(rung) for name, rung in LADDER.items()}
    kept = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    if kept.get("rungs") != rungs or kept.get("data") != data.fingerprint:
        kept = {"rungs": rungs, "data": data.fingerprint, "reports": {}}
    CACHE.parent.mkdir(exist_ok=True)
    wanted = {}
    for number, design in enumerate(system.space.designs(indices)):
        network, chip = system.decode(design)
        for rung, seed in looks(number):
            key = f"{args.system} {design.id} {rung} {seed}"
            wanted[key] = number
            if key in kept["reports"]:
                continue
            start = time.process_time()
            report = evaluate(network, chip, data, fidelity=rung, seed=seed)
            kept["reports"][key] = {**report.to_dict(), "cpu_seconds": time.process_time() - start}
            CACHE.write_text(json.dumps(kept))
            print(
                f"{number}: {rung} {seed}: {report.mean:.3f} +- {report.standard_error or 0:.3f}",
                file=sys.stderr,
                flush=True,
            )
    return {key: kept["reports"][key] for key in wanted}


def tau(a: Any, b: Any) -> float:
    return round(float(kendalltau(a, b).statistic), 3)


def quantiles(values: Any) -> dict[str, float]:
    return {str(q): round(float(np.quantile(values, q)), 4) for q in QUANTILES}


def summary(
    args: argparse.Namespace, system: Any, indices: Any, reports: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    ids = [design.id for design in system.space.designs(indices)]

    def column(rung: str, field: str, seed: int = 1, among: Any = None) -> Any:
        chosen = range(len(ids)) if among is None else among
        return np.array([reports[f"{args.system} {ids[i]} {rung} {seed}"][field] for i in chosen])

    short, full = column("short", "mean"), column("full", "mean")
    better = full >= np.median(full)
    twice = np.arange(0, len(ids), AGAIN)
    again = column("full", "mean", 2, twice)
    once = full[twice]
    half = once >= np.median(once)
    workload = system.workload(system.space.columns(indices))
    scores = proxies(workload)
    edap = np.log10(cost_model("published").evaluate_batch(workload).edap_uj_ms_mm2)
    seconds = {rung: float(column(rung, "cpu_seconds").mean()) for rung in LADDER}
    order = np.lexsort((-full, edap))
    front, best = [], -1.0
    for i in order:
        if full[i] > best:
            best = full[i]
            front.append((round(float(full[i]), 4), round(float(edap[i]), 2)))
    confidence = column("short", "confidence")
    return {
        "designs": len(ids),
        "tau_short": tau(short, full),
        "tau_short_better_half": tau(short[better], full[better]),
        "tau_confidence": tau(confidence, full),
        "tau_confidence_better_half": tau(confidence[better], full[better]),
        **between_trainings([reports[f"{args.system} {i} full 1"] for i in ids]),
        "tau_full_again": tau(once, again),
        "tau_full_again_better_half": tau(once[half], again[half]),
        "tau_short_same_designs": tau(short[twice], once),
        "full_again_rms_points": round(100 * float(np.sqrt(np.mean((once - again) ** 2))), 2),
        "seconds_short": round(seconds["short"], 3),
        "seconds_full": round(seconds["full"], 3),
        "cost_ratio": round(seconds["short"] / seconds["full"], 3),
        "tau_proxies": {k: (tau(v, full), tau(v[better], full[better])) for k, v in scores.items()},
        "full_accuracy_quantiles": quantiles(full),
        "between_trainings_quantiles": quantiles(column("full", "between_trainings")),
        "front_accuracy_log10_edap": front,
    }


def between_trainings(looks: list[dict[str, Any]]) -> dict[str, float]:
    """How the first training of each full look and the second rank, as looks that train one would."""
    if any(look["trainings"] == 1 for look in looks):
        return {}
    first, second = (
        np.array([np.mean(look["draws"][turn :: look["trainings"]]) for look in looks]) for turn in range(2)
    )
    better = first >= np.median(first)
    return {
        "tau_one_training_other": tau(first, second),
        "tau_one_training_other_better_half": tau(first[better], second[better]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--designs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0, help="which random designs")
    parser.add_argument("--system", default="vgg")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = parse_data(args.data).load()
    system = load_system(args.system, data.input_shape, data.num_classes)
    indices = system.space.sample(args.designs, args.seed)
    result = summary(args, system, indices, evaluations(args, system, indices))
    if args.json:
        print(json.dumps(result, default=float))
        return
    for name, value in result.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
