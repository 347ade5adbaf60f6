"""Runs of search strategies on the benchmark problems, each kept in a JSON file so that a study can be resumed."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from general_problems import GENERAL

from nax_bo.search import Optimizer
from nax_bo.search.bench.compare import Curve, Testbed, best_known_hypervolume, run_once
from nax_bo.search.bench.synthetic import synthetic_problem

CACHE = Path(tempfile.gettempdir()) / "naxbo-search-runs"


@dataclass(frozen=True)
class Run:
    """One run: which problem, which proxy, which strategy, how."""

    problem: str
    strategy: str
    seed: int
    budget: int
    proxy: str = "none"
    q: int = 1
    own_initial: bool = False
    asynchronous: bool = False
    surrogate: str = "gp"

    @property
    def file(self) -> Path:
        """Where the run is kept."""
        name = "-".join(str(v).replace("/", "_") for v in asdict(self).values())
        return CACHE / f"{name}.json"


@lru_cache(maxsize=32)
def bed(problem: str, proxy: str) -> Testbed:
    return GENERAL[problem]() if problem in GENERAL else synthetic_problem(problem, proxy)


def best_known(problem: str) -> float:
    """Best hypervolume of three long noiseless NSGA-II runs (90 600 evaluations)."""
    file = CACHE / f"best-{problem}.json"
    if not file.exists():
        value = max(best_known_hypervolume(bed(problem, "none"), seed) for seed in range(3))
        _write(file, {"hypervolume": value})
    return float(json.loads(file.read_text())["hypervolume"])


def curve(run: Run) -> Curve:
    """The run's curve, from its file if there is one."""
    if run.file.exists():
        kept = json.loads(run.file.read_text())
        return Curve(kept["strategy"], kept["seed"], tuple(kept["hypervolume"]), tuple(kept["seconds"]))
    synthetic = bed(run.problem, run.proxy)
    search = Optimizer(
        synthetic.problem,
        strategy=run.strategy,
        surrogate=run.surrogate,
        seed=run.seed,
        initial=0 if run.own_initial else None,
    )
    found = run_once(synthetic, search, run.strategy, run.seed, run.budget, run.q, run.asynchronous)
    _write(run.file, asdict(found))
    return found


def finished(run: Run) -> bool:
    """Whether the run is kept already."""
    return run.file.exists()


def _write(file: Path, content: object) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(file)
