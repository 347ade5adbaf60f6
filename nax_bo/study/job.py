"""What a worker does: train and measure one design, from plain values to plain values.

Jobs carry references and JSON forms, never objects, so that any executor (threads, processes, a cluster) can run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING, Any

import numpy as np

from nax_bo.accuracy.evaluator import OWN, evaluate_by, remembered
from nax_bo.errors import EnvironmentFaultError, NaxboError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec

if TYPE_CHECKING:
    from nax_bo.accuracy.data import DataSet


@dataclass(frozen=True)
class Job:
    """One evaluation to run.

    Attributes:
        network, chip, conditions: Plain forms of the specs.
        data: Data set specification.
        fidelity: Rung of the ladder.
        recipe: How networks learn.
        seed: Seed of initial weights, batches and noise draws.
        timeout_s: After this time the training gives up.
        evaluator: Reference of what measures accuracy; naxbo's own training by default.
        least_chips: Programmed chips to read at least, where chips differ.
        fingerprint: Of the data set that is meant; empty: whatever is found.
        version: Of naxbo, which the worker must have; empty: any.
        checkpoints: Folder in which a long training leaves what it needs to go on; empty: nowhere.
    """

    network: Mapping[str, Any]
    chip: Mapping[str, Any]
    conditions: Mapping[str, Any]
    data: str
    fidelity: str
    recipe: str
    seed: int
    timeout_s: float
    least_chips: int = 1
    evaluator: str = OWN
    checkpoints: str = ""
    fingerprint: str = ""
    version: str = ""


@dataclass(frozen=True)
class JobResult:
    """What came of it: ``outcome`` of a finished job, or ``error`` in words."""

    outcome: Mapping[str, Any] | None
    error: str = ""


def job_seed(study_seed: int, trial: int) -> int:
    """Seed of trial ``trial``: independent of every other trial's, and of who runs it when."""
    return int(np.random.SeedSequence((study_seed, trial)).generate_state(1)[0])


def run_job(job: Job) -> JobResult:
    """Run one job; a failure of the design is a result, not an exception.

    Raises:
        DataError, InputError: The data set or the evaluator is missing or damaged here: no design is to blame.
        EnvironmentFaultError: Other data lie here under the same name, or another version of naxbo runs.
    """
    import torch

    from nax_bo.accuracy.evaluate import evaluate

    torch.set_num_threads(1)  # parallel trainings share the cores, and one thread sums in one order
    if job.version and job.version != version("naxbo"):
        raise EnvironmentFaultError(
            f"{node()} runs naxbo {version('naxbo')}, the study {job.version}",
            "Install one version everywhere.",
        )
    data = data_set(job.data)
    if job.fingerprint and job.fingerprint != data.fingerprint:
        raise EnvironmentFaultError(
            f"on {node()}, {job.data} holds other data than the study's", "Put the same copy there."
        )
    network, chip = NetworkSpec.from_dict(job.network), ChipSpec.from_dict(job.chip)
    if job.evaluator != OWN:
        remembered(job.evaluator)  # that it cannot be loaded here is no design's fault
        try:
            return JobResult(evaluate_by(job.evaluator, network, chip, data, job.fidelity, job.seed))
        except Exception as ex:  # the user's code: whatever it raises is a failure of this design
            return JobResult(None, ex.message if isinstance(ex, NaxboError) else f"{type(ex).__name__}: {ex}")
    try:
        report = evaluate(
            network,
            chip,
            data,
            fidelity=job.fidelity,
            recipe=job.recipe,
            seed=job.seed,
            conditions=Conditions(**job.conditions),
            timeout_s=job.timeout_s,
            least_chips=job.least_chips,
            checkpoints=Path(job.checkpoints) if job.checkpoints else None,
        )
    except NaxboError as ex:
        return JobResult(None, ex.message)
    except (RuntimeError, ValueError, ArithmeticError, MemoryError) as ex:
        return JobResult(None, f"{type(ex).__name__}: {ex}")
    return JobResult(report.to_dict())


def describe_data(spec: str) -> dict[str, Any]:
    """Shape, classes and fingerprint of a data set: what a study remembers of it.

    Raises:
        DataError: The data set is missing or damaged.
    """
    data = data_set(spec)
    return {
        "name": data.name,
        "input_shape": list(data.input_shape),
        "num_classes": data.num_classes,
        "test_images": len(data.test_labels),
        "fingerprint": data.fingerprint,
        "source": data.source,
    }


@lru_cache(maxsize=2)
def data_set(spec: str) -> DataSet:
    """The data set of a specification, loaded once in this process."""
    from nax_bo.accuracy.data import parse_data

    return parse_data(spec).load()
