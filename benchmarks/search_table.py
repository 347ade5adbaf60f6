"""naxbo beside its peers on a table of real trainings: every network of a small space was trained, so looks are free.

    python benchmarks/search_table.py --table nas_bench_macro.csv [--strategies naxbo,linas,optuna-nsga2,optuna-tpe]
        [--seeds 5] [--budget 200]

The table is NAS-Bench-Macro (Su et al., CVPR 2021, arXiv:2103.11922): one of three blocks in each of eight layers, test
accuracy of three trainings, parameters. One training, drawn by seed and design, is told; the mean of the three is
judged. Error (plain) and parameters (log10) are to be small; hypervolume is that below the largest network and an
error of one half, as a share of what the whole table gives. naxbo knows the parameters, its peers are told of them. All
start from naxbo's initial designs. "Short of the best" is how many points of accuracy the best network seen lies below
the best of the table.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem
from nax_bo.search.bench.compare import run_once, true_objectives
from nax_bo.search.pareto import hypervolume
from nax_bo.space import Design, Space, categorical

BLOCKS = ("identity", "kernel3", "kernel5")
AT = (25, 50, 100, 200)


@dataclass(frozen=True, eq=False)
class Table:
    """Trained networks by their blocks: accuracies ``networks x 3`` (shares) and parameters."""

    accuracy: np.ndarray
    parameters: np.ndarray

    @cached_property
    def problem(self) -> Problem:
        """Error is told, parameters are known."""
        space = Space([categorical(f"layer_{i}", BLOCKS) for i in range(8)])
        reference = {"error": 0.5, "parameters": 1.01 * float(self.parameters.max())}
        size = Objective("parameters", known=self._parameters, scale="log10")
        return Problem(space, [Objective("error", scale="logit"), size], reference_point=reference)

    def _parameters(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        levels = [np.array([BLOCKS.index(b) for b in columns[f"layer_{i}"]]) for i in range(8)]
        return self.parameters[_rows(np.array(levels).T)]

    def truth(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Mean error of three trainings, ``n``."""
        return {"error": 1.0 - self.accuracy[_rows(indices)].mean(axis=1)}

    def evaluate(self, design: Design, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Error of one training; its noise is not told."""
        which = np.random.default_rng([seed, *design.indices]).integers(3)
        return {"error": 1.0 - float(self.accuracy[_rows(np.array([design.indices])), which][0])}, {}


def _rows(indices: np.ndarray) -> np.ndarray:
    return np.asarray(indices) @ 3 ** np.arange(7, -1, -1)


def read(path: Path) -> Table:
    """The table of a file with the columns blocks, acc_1, acc_2, acc_3 and params."""
    with path.open(newline="") as file:
        rows = {row["blocks"]: row for row in csv.DictReader(file)}
    names = [np.base_repr(i, 3).zfill(8) for i in range(3**8)]
    if missing := set(names) - set(rows):
        raise InputError(f"{path} lacks {len(missing)} of 6561 networks", "Give nas_bench_macro.csv.")
    accuracy = [[float(rows[n][f"acc_{k}"]) / 100 for k in (1, 2, 3)] for n in names]
    return Table(np.array(accuracy), np.array([float(rows[n]["params"]) for n in names]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--strategies", default="naxbo,linas,optuna-nsga2,optuna-tpe")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=200)
    arguments = parser.parse_args()
    table = read(arguments.table)
    every = table.problem.space.enumerate()
    y, _ = true_objectives(table, every)
    error = table.truth(every)["error"]
    worst = [0.5, float(np.log10(table.problem.reference_point["parameters"]))]
    whole = hypervolume(y, worst)
    at = [k for k in AT if k <= arguments.budget]
    print(f"{'strategy':14} share of the hypervolume, and points short of the best, after {at}; worst seed")
    for strategy in arguments.strategies.split(","):
        shares, short = [], []
        for seed in range(arguments.seeds):
            search = Optimizer(table.problem, strategy=strategy, seed=seed)
            found = run_once(table, search, strategy, seed, arguments.budget)
            seen = _rows(np.array([o.indices for o in search.state.observations]))
            shares.append([found.at(k) / whole for k in at])
            short.append([100 * float(error[seen[:k]].min() - error.min()) for k in at])
        cells = [
            f"{np.mean(s):.3f} ({np.min(s):.3f})  {np.mean(m):.2f} ({np.max(m):.2f})"
            for s, m in zip(np.transpose(shares), np.transpose(short), strict=True)
        ]
        print(f"{strategy:14} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
