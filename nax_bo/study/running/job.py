"""What a worker does: train and measure one design, from plain values to plain values.

Jobs carry references and JSON forms, never objects, so that any executor (threads, processes, a cluster) can run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING, Any

import numpy as np

from nax_bo.accuracy.evaluator import OWN, evaluate_by, remembered
from nax_bo.accuracy.fidelity import INHERIT
from nax_bo.errors import EnvironmentFaultError, NaxboError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.space import Space
from nax_bo.study.config import StudyConfig
from nax_bo.study.running.pace import Sign, sign_on
from nax_bo.systems import load_system

if TYPE_CHECKING:
    from nax_bo.accuracy.data import DataSet
    from nax_bo.accuracy.evaluate import Given
    from nax_bo.accuracy.supernet.shared import SharedNetwork


CHECKPOINTS = ".checkpoints"
"""Ending of the folder beside a study in which long trainings leave what they need to go on, and super-networks lie."""


MADE = "made"
"""Name in an outcome of where and with what it was measured: ``host``, ``device`` and version of ``naxbo``."""


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
        checkpoints: Folder in which a long training leaves what it needs to go on, and a super-network is kept;
            empty: nowhere.
        weights_mb: Trained weights come back with the result if they are no larger; 0: they do not.
        given, given_weights: A network that comes as a torch module, and its weights (:mod:`nax_bo.interop.given`);
            empty: it is built from its description.
        family: For the rung ``inherit``, the space of the super-network (:func:`family_of`).
        sign: File in which it leaves how far it has come; empty: nowhere.
        device: Where the worker trains and reads (:mod:`nax_bo.accuracy.device`).
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
    weights_mb: float = 0.0
    family: Mapping[str, Any] = field(default_factory=dict)
    sign: str = ""
    device: str = "cpu"
    given: str = ""
    given_weights: str = ""


@dataclass(frozen=True)
class JobResult:
    """What came of it: ``outcome`` of a finished job, or ``error`` in words.

    ``weights`` is the content of a file (:mod:`nax_bo.accuracy.kept`) where they were asked for, and ``weights_mb`` its
    size; they are left out where they would be too large.
    """

    outcome: Mapping[str, Any] | None
    error: str = ""
    weights: bytes = b""
    weights_mb: float = 0.0


def job_seed(study_seed: int, trial: int) -> int:
    """Seed of trial ``trial``: independent of every other trial's, and of who runs it when."""
    return int(np.random.SeedSequence((study_seed, trial)).generate_state(1)[0])


def run_job(job: Job) -> JobResult:
    """Run one job; a failure of the design is a result, not an exception.

    Raises:
        DataError, InputError: The data set or the evaluator is missing or damaged here: no design is to blame.
        EnvironmentFaultError: Other data lie here under the same name, or another version of naxbo runs.
        EvaluationError: The super-network of the space could not be trained.
    """
    sign_on(job.sign)
    import torch

    from nax_bo.accuracy.device import torch_device
    from nax_bo.accuracy.evaluate import evaluate
    from nax_bo.accuracy.kept import DataFacts, KeptDesign, Trained, pack

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
    torch_device(job.device)  # that there is none here is no design's fault
    if job.evaluator != OWN:
        remembered(job.evaluator)  # that it cannot be loaded here is no design's fault
        try:
            told = evaluate_by(job.evaluator, network, chip, data, job.fidelity, job.seed)
            return JobResult({**told, MADE: _made("")})
        except Exception as ex:  # the user's code: whatever it raises is a failure of this design
            return JobResult(None, ex.message if isinstance(ex, NaxboError) else f"{type(ex).__name__}: {ex}")
    shared = _super_network(job, data) if job.fidelity == INHERIT.name else None  # no design's fault
    given = _given(job, data) if job.given else None
    conditions, trained = Conditions(**job.conditions), list[Trained]()
    try:
        report = evaluate(
            network,
            chip,
            data,
            fidelity=job.fidelity,
            recipe=job.recipe,
            seed=job.seed,
            conditions=conditions,
            timeout_s=job.timeout_s,
            least_chips=job.least_chips,
            checkpoints=Path(job.checkpoints) if job.checkpoints else None,
            shared=shared,
            given=given,
            keep=trained.append if job.weights_mb else None,
            on_progress=Sign(job.sign),
            device=job.device,
        )
    except NaxboError as ex:
        return JobResult(None, ex.message)
    except (RuntimeError, ValueError, ArithmeticError, MemoryError) as ex:
        return JobResult(None, f"{type(ex).__name__}: {ex}")
    outcome = {**report.to_dict(), MADE: _made(str(torch_device(job.device)))}
    if not trained:
        return JobResult(outcome)
    facts = DataFacts.of(job.data, data)
    weights = pack(KeptDesign(network, chip, conditions, facts, job.recipe, job.seed, trained[0], report))
    size = len(weights) / 1e6
    return JobResult(outcome, weights=weights if size <= job.weights_mb else b"", weights_mb=size)


def _made(device: str) -> dict[str, str]:
    return {"host": node(), "device": device, "naxbo": version("naxbo")}


def _given(job: Job, data: DataSet) -> Given:
    from nax_bo.accuracy.evaluate import Given
    from nax_bo.interop.given import remembered_network

    found = remembered_network(job.given, data.input_shape, data.num_classes, job.given_weights)
    return Given(found.make, found.trained, found.fingerprint)


def family_of(config: StudyConfig, space: Space) -> dict[str, Any]:
    """What a worker needs to train the super-network of a study's space, as plain values."""
    return {"system": config.system, "space": space.to_json(), "seed": config.seed}


def _super_network(job: Job, data: DataSet) -> SharedNetwork:
    asked = (job.data, job.recipe, job.checkpoints, job.timeout_s)
    plain = tuple(tuple(sorted(values.items())) for values in (job.family, job.conditions))
    return _remembered_network(data.fingerprint, *asked, *plain)


@lru_cache(maxsize=1)
def _remembered_network(
    fingerprint: str,
    data: str,
    recipe: str,
    folder: str,
    timeout_s: float,
    family: tuple[tuple[str, Any], ...],
    conditions: tuple[tuple[str, Any], ...],
) -> SharedNetwork:
    """The super-network of a space, looked for or trained once in this process; ``fingerprint`` is that of ``data``."""
    from nax_bo.accuracy.supernet.family import Family
    from nax_bo.accuracy.supernet.inherit import super_network

    images, about = data_set(data), dict(family)
    system = load_system(about["system"], images.input_shape, images.num_classes)
    return super_network(
        Family(Space.from_json(about["space"]), system.decode),
        images,
        recipe=recipe,
        seed=about["seed"],
        conditions=Conditions(**dict(conditions)),
        folder=Path(folder) if folder else None,
        timeout_s=timeout_s,
    )


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
    """A data set by its specification, once in this process."""
    from nax_bo.accuracy.data import parse_data

    return parse_data(spec).load()
