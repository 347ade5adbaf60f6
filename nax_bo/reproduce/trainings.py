"""Full trainings of designs that are compared, kept in a file: nothing is trained twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nax_bo.accuracy.fidelity import FULL
from nax_bo.errors import EvaluationError, StoreError
from nax_bo.files import write_whole
from nax_bo.hardware import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.reproduce.pairs import trainings_of
from nax_bo.study.config import StudyConfig
from nax_bo.study.running.job import Job, JobResult, job_seed, run_job

Specs = tuple[NetworkSpec, ChipSpec]

_STREAM = 0x5EED
"""Keeps the seeds of comparisons apart from those of searches."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Accuracies of a design by training, and without noise of devices by look."""

    accuracies: tuple[float, ...]
    clean: tuple[float, ...]


class Trainings:
    """Trains designs in full from the same seeds.

    Args:
        path: The file.
        config: Data, recipe and conditions.
        looks: Full evaluations of each design.
    """

    def __init__(self, path: Path, config: StudyConfig, looks: int) -> None:
        self.path, self.config, self.looks = path, config, looks
        self._kept: dict[str, dict[str, Any]] = _read(path)

    def measure(
        self, designs: Sequence[Specs], pool: Executor, tick: Callable[[], None], looks: int = 0
    ) -> list[Measured]:
        """Accuracies of each design, trained where they are not known yet.

        Args:
            designs: Networks and chips.
            pool: Where trainings run.
            tick: Called after each training; may raise to stop.
            looks: Full evaluations; all by default.

        Raises:
            EvaluationError: A design cannot be trained.
        """
        wanted = [
            (self._key(*specs, look), specs, look) for specs in designs for look in range(looks or self.looks)
        ]
        jobs: dict[Future[JobResult], str] = {}
        try:
            for key, (network, chip), look in wanted:
                if key not in self._kept and key not in jobs.values():
                    jobs[pool.submit(run_job, self._job(network, chip, look))] = key
            for future in as_completed(jobs):
                self._keep(jobs[future], future.result())
                tick()
        finally:
            for future in jobs:
                future.cancel()
        found = []
        for specs in designs:
            outcomes = [self._kept[self._key(*specs, look)] for look in range(looks or self.looks)]
            for outcome in outcomes:
                if error := outcome.get("error"):
                    raise EvaluationError(
                        f"{specs[0].name} cannot be trained: {error}", "Choose another data set."
                    )
            accuracies = tuple(a for outcome in outcomes for a in trainings_of(outcome))
            clean = tuple(float(outcome.get("clean") or outcome["mean"]) for outcome in outcomes)
            found.append(Measured(accuracies, clean))
        return found

    def _keep(self, key: str, result: JobResult) -> None:
        self._kept[key] = dict(result.outcome) if result.outcome is not None else {"error": result.error}
        write_whole(self.path, json.dumps(self._kept, indent=1))

    def _job(self, network: NetworkSpec, chip: ChipSpec, look: int) -> Job:
        config = self.config
        return Job(
            network.to_dict(),
            chip.to_dict(),
            config.to_dict()["conditions"],
            config.data,
            FULL.name,
            config.recipe,
            job_seed(config.seed ^ _STREAM, look),
            config.timeout_s,
            config.least_chips,
            config.accuracy,
            f"{self.path}.checkpoints",
        )

    def _key(self, network: NetworkSpec, chip: ChipSpec, look: int) -> str:
        """Names a training: network, chip and everything else that decides its result."""
        job = self._job(network, chip, look)
        settings = [
            job.network,
            _computes(job.chip),
            job.conditions,
            job.data,
            job.recipe,
            job.seed,
            job.least_chips,
        ]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _computes(chip: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a chip that decide what it computes; designs that differ in others share their trainings."""
    costs = ("adc_type", "mux", "duplication")
    arrays = [{k: v for k, v in array.items() if k not in costs} for array in chip["arrays"]]
    return {"device": chip["device"], "digital_layers": chip["digital_layers"], "arrays": arrays,
            "technology_nm": chip["technology_nm"]}  # fmt: skip


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        if not all(isinstance(v, dict) and ("error" in v or v["mean"] >= 0) for v in found.values()):
            raise ValueError("trainings without accuracies")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as ex:
        raise StoreError(f"{path} is damaged: {ex}", "Remove it: its trainings are run again.") from ex
    return dict(found)
