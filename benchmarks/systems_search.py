"""The searches of published systems beside naxbo's, each on its own space, at equal training images seen.

    python benchmarks/systems_search.py train SPACE [--designs 40] [--seconds 450] [--folder systems-search]
    python benchmarks/systems_search.py compare SPACE [--strategies naxbo,NAME,random] [--seeds 5] [--budget 100]
    python benchmarks/systems_search.py gates SPACE [--images 40000] [--seeds 2]
    python benchmarks/systems_search.py table

``train`` trains random designs briefly (the rung ``short``) under the system's own conditions and writes them down,
one line each; called again, it goes on. ``compare`` lets a surrogate of those trainings play further ones
(:class:`nax_bo.study.answers.testbed.StudyTestbed`): gradient boosting, so that naxbo's Gaussian process has not the
same form as the truth. Objectives, prices and limits are the system's settings. Every evaluation stands for one
training, so equal evaluations are equal images seen. Hypervolume is the noiseless one of all designs seen, as a share
of the best that a noiseless NSGA-II of 30,000 evaluations finds. ``gates`` runs NAX's own search, which is a training
and needs real ones, and naxbo on as many images in brief trainings; hypervolume (decades of cost times fractions of
accuracy) is that of measured designs: NAX's two, of a low and a high weight of the cost, and all of naxbo's. Finished
runs are kept; ``table`` prints means over seeds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.data import load
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import LADDER
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.training import batch_size, step_count
from nax_bo.search import Fidelity, Optimizer, Problem
from nax_bo.search.bench.compare import best_known_hypervolume, run_once
from nax_bo.search.models.learned import fit_models
from nax_bo.search.pareto import hypervolume
from nax_bo.search.strategies.gates import NaxGates
from nax_bo.space import Design
from nax_bo.study import StudyConfig
from nax_bo.study.answers.prediction import AccuracyModel
from nax_bo.study.answers.testbed import StudyTestbed
from nax_bo.study.problem import StudyProblem
from nax_bo.systems import load_system

DATA = "digits"
TRUTH = "gbt"


def study_of(space: str) -> StudyProblem:
    """The system's problem on digits, under its own settings."""
    images = load(DATA)
    settings = dict(load_system(space, images.input_shape, images.num_classes).settings)
    config = StudyConfig.from_dict({**settings, "system": space, "data": DATA, "within": 100.0})
    return StudyProblem(config, images.input_shape, images.num_classes)


def train(space: str, designs: int, seconds: float, folder: Path) -> None:
    """Train random designs until there are ``designs`` of them or time is over."""
    start, study, images = perf_counter(), study_of(space), load(DATA)
    path = folder / f"{space}.jsonl"
    done = len(_lines(path))
    for design in study.space.designs(study.space.sample(designs, 0))[done:]:
        if perf_counter() - start > seconds:
            break
        conditions = study.config.conditions
        report = evaluate(*study.system.decode(design), images, fidelity="short", conditions=conditions)
        _append(path, {"design": dict(design), "mean": report.mean, "error": report.standard_error})
    print(f"{space}: {len(_lines(path))} of {designs} designs trained")


def testbed_of(space: str, folder: Path) -> StudyTestbed:
    """The system's problem with a surrogate of its trainings as the truth."""
    study = study_of(space)
    problem = replace(
        study.problem(study.reference_point), fidelities=(Fidelity("full", 1.0, 1.0),), within={}
    )
    only = Problem(
        problem.space, [o for o in problem.objectives if o.name == "accuracy"], proxies=problem.proxies
    )
    log = Optimizer(only, surrogate=TRUTH, initial=0)
    rows = _lines(folder / f"{space}.jsonl")
    for row in rows:
        log.tell(row["design"], {"accuracy": row["mean"]}, {"accuracy": (row["error"] or 0.0) ** 2})
    noise = fmean((r["error"] or 0.0) ** 2 / max(r["mean"] * (1 - r["mean"]), 1e-3) ** 2 for r in rows)
    return StudyTestbed(problem, AccuracyModel(TRUTH, fit_models(log.state), "accuracy", noise))


def compare(
    space: str, strategies: list[str], seeds: range, budget: int, folder: Path, seconds: float
) -> None:
    """Run what has not been run yet."""
    start, testbed, path = perf_counter(), testbed_of(space, folder), folder / "runs.jsonl"
    known = {(r["space"], r["strategy"], r["seed"], r["budget"]) for r in _lines(path)}
    best = 0.0
    for seed in seeds:
        for name in strategies:
            if (space, name, seed, budget) in known:
                continue
            if perf_counter() - start > seconds:
                print("time is over: call again to go on")
                return
            best = best or best_known_hypervolume(testbed)
            search = Optimizer(testbed.problem, strategy=name, seed=seed)
            curve = run_once(testbed, search, name, seed, budget)
            row = {"space": space, "strategy": name, "seed": seed, "budget": budget, "best": best}
            _append(path, {**row, "hypervolume": list(curve.hypervolume), "seconds": curve.seconds[-1]})
            print(
                space,
                name,
                seed,
                f"{curve.hypervolume[-1] / best:.3f}",
                f"{curve.seconds[-1]:.0f} s",
                flush=True,
            )


def gates(space: str, images: int, seeds: range, folder: Path) -> None:
    """NAX's procedure and naxbo on real trainings."""
    study, data, path = study_of(space), load(DATA), folder / "gates.jsonl"
    problem = replace(
        study.problem(study.reference_point), fidelities=(Fidelity("full", 1.0, 1.0),), within={}
    )
    conditions, cost = study.config.conditions, study.config.main_cost.name
    recipe = LADDER["short"].recipe
    each = step_count(recipe, len(data.train_images)) * batch_size(len(data.train_images))
    reference = [float(o.scales.to_measure(problem.reference_point[o.name])) for o in problem.objectives]

    def measured(design: Design) -> AccuracyReport:
        return evaluate(*study.system.decode(design), data, fidelity="short", conditions=conditions)

    def log_cost(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(np.log10(problem.known(rows)[cost]))

    for seed in seeds:
        found = [
            NaxGates(cost_weight=weight).run(
                Family(study.space, study.system.decode),
                data,
                log_cost,
                images=images // 2,
                seed=seed,
                conditions=conditions,
            )
            for weight in (0.05, 0.5)
        ]
        nax = Optimizer(problem, initial=0)
        for one in found:
            nax.tell(one.design, {"accuracy": measured(one.design).mean})
        search = Optimizer(problem, seed=seed)
        for _ in range(images // each):
            (asked,) = search.ask()
            report = measured(asked.design)
            search.tell(
                asked.design, {"accuracy": report.mean}, {"accuracy": (report.standard_error or 0.0) ** 2}
            )
        for name, log in (("nax", nax), ("naxbo", search)):
            _, y, _ = log.state.points()
            row = {"space": space, "search": name, "seed": seed, "images": images, "points": y.tolist()}
            _append(path, {**row, "hypervolume": hypervolume(y, reference)})
            print(space, name, seed, f"{hypervolume(y, reference):.3f}", np.round(y, 3).tolist(), flush=True)


def table(folder: Path) -> None:
    """Means over seeds of the shares after a quarter, half and all of the evaluations."""
    runs = _lines(folder / "runs.jsonl")
    for key in dict.fromkeys((r["space"], r["budget"], r["strategy"]) for r in runs):
        mine = [r for r in runs if (r["space"], r["budget"], r["strategy"]) == key]
        at = [max(1, key[1] // 4), max(1, key[1] // 2), key[1]]
        shares = [[r["hypervolume"][min(n, len(r["hypervolume"])) - 1] / r["best"] for r in mine] for n in at]
        cells = " ".join(f"{fmean(s):.3f}±{stdev(s) if len(s) > 1 else 0:.3f}" for s in shares)
        print(
            f"{key[0]:12} {key[2]:8} {len(mine)} seeds  at {at}: {cells}  {fmean(r['seconds'] for r in mine):.0f} s"
        )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _append(path: Path, row: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(
            json.dumps(row, default=lambda v: v.item() if isinstance(v, np.generic) else str(v)) + "\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "compare", "gates", "table"))
    parser.add_argument("space", nargs="?", default="nacim")
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=450.0)
    parser.add_argument("--strategies", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, default=Path("systems-search"))
    args = parser.parse_args()
    if args.what == "train":
        train(args.space, args.designs, args.seconds, args.folder)
    elif args.what == "gates":
        gates(args.space, args.images, range(args.seeds), args.folder)
    elif args.what == "compare":
        own = study_of(args.space).config.strategy
        names = (
            args.strategies.split(",") if args.strategies else list(dict.fromkeys(("naxbo", own, "random")))
        )
        compare(args.space, names, range(args.seeds), args.budget, args.folder, args.seconds)
    else:
        table(args.folder)


if __name__ == "__main__":
    main()
