"""One design of a study, written for other tools: JSON, trained weights, input files of simulators."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nax_bo.accuracy.evaluator import OWN
from nax_bo.accuracy.fidelity import FULL
from nax_bo.errors import EvaluationError, InputError
from nax_bo.files import refuse_database, write_whole
from nax_bo.study.file.trial import Trial
from nax_bo.study.running.job import Job, job_seed, run_job
from nax_bo.study.running.weights import WeightsFolder
from nax_bo.study.study import Study

if TYPE_CHECKING:
    from nax_bo.accuracy.kept import KeptDesign

_ELSEWHERE = "Choose another place with --out."


def design_document(study: Study, trial: Trial) -> dict[str, Any]:
    """Everything about one design as plain values: choices, network, chip, cost breakdown, accuracies, settings.

    ``NetworkSpec.from_dict`` and ``ChipSpec.from_dict`` read ``network`` and ``chip`` back.
    """
    specs = study.specs(trial)
    return {
        "study": study.store.path.name,
        "number": trial.number,
        "seed": job_seed(study.config.seed, trial.number),
        "design": dict(trial.design),
        "network": specs.network,
        "chip": specs.chip,
        "cost": specs.report,
        "accuracy": {e.fidelity: dict(e.outcome) for e in trial.evaluations if e.state == "done"},
        "failures": {e.fidelity: e.message for e in trial.evaluations if e.state == "failed"},
        "settings": study.config.to_dict(),
        "data": study.data,
    }


@dataclass(frozen=True)
class Taken:
    """A trained design that was written.

    Attributes:
        kept: The design.
        retrained: Whether it had to be trained again, since the study did not keep its weights.
        agrees: Whether its chips have the accuracies that the study holds; None if the study holds none.
    """

    kept: KeptDesign
    retrained: bool
    agrees: bool | None


def write_weights(
    study: Study,
    trial: Trial,
    path: Path,
    training: int | None = None,
    on_training: Callable[[], object] = lambda: None,
) -> Taken:
    """Write a design's trained networks as safetensors (:mod:`nax_bo.accuracy.kept`).

    They are those that the study kept; else the design is trained again from its seed, which gives the same on the
    same machine and torch version.

    Args:
        study: The study.
        trial: The design.
        path: Where to.
        training: One of its trainings, counted from 0; None: all.
        on_training: Called before it is trained again.

    Raises:
        InputError: There is no such training, the kept file is damaged, accuracy is not measured by trainings, or
            the file cannot be written.
        EvaluationError: It has to be trained, and the training fails.
    """
    from nax_bo.accuracy.kept import pack

    _check_place(path)
    taken = _take(study, trial, on_training)
    chosen = taken.kept if training is None else taken.kept.only(training)
    write_whole(path, pack(chosen), _ELSEWHERE)
    return replace(taken, kept=chosen)


def write_onnx(
    study: Study,
    trial: Trial,
    path: Path,
    training: int = 0,
    on_training: Callable[[], object] = lambda: None,
) -> Taken:
    """Write one of a design's networks as an ONNX model (:mod:`nax_bo.interop.onnx_export`); as :func:`write_weights`.

    Raises:
        InputError: Also: ONNX is not installed.
    """
    from nax_bo.interop.onnx_export import onnx_model

    _check_place(path)
    taken = _take(study, trial, on_training)
    write_whole(path, onnx_model(taken.kept, training), _ELSEWHERE)
    return replace(taken, kept=taken.kept.only(training))


def _take(study: Study, trial: Trial, on_training: Callable[[], object]) -> Taken:
    full = trial.at(FULL.name)
    held = WeightsFolder(study.store.path).read(trial.number, full) if full else None
    kept = held or _trained_again(study, trial, on_training)
    agrees = None if full is None else list(kept.accuracy.draws) == list(full.outcome.get("draws", ()))
    return Taken(kept, held is None, agrees)


def _trained_again(study: Study, trial: Trial, on_training: Callable[[], object]) -> KeptDesign:
    from nax_bo.accuracy.kept import unpack

    study.need("data", why="training a design")
    config, specs = study.config, study.specs(trial)
    if config.accuracy != OWN:
        raise InputError(
            f"the study's accuracy is measured by {config.accuracy}: there are no weights",
            "Choose another --form.",
        )
    if config.network:
        raise InputError(
            f"the weights of {config.network} are not kept", "Choose another --form, or train it in torch."
        )
    job = Job(
        specs.network,
        specs.chip,
        config.to_dict()["conditions"],
        config.data,
        FULL.name,
        config.recipe,
        job_seed(config.seed, trial.number),
        config.timeout_s,
        config.least_chips,
        fingerprint=study.data["fingerprint"],
        weights_mb=math.inf,
        device=config.device,
    )
    on_training()
    result = run_job(job)
    if result.outcome is None:
        raise EvaluationError(f"design {trial.number} cannot be trained again: {result.error}")
    return unpack(result.weights, f"design {trial.number}")


def write_simulator_files(study: Study, trial: Trial, form: str, folder: Path) -> tuple[Path, ...]:
    """Write the input files of ``neurosim`` (DNN+NeuroSim V1.3) or ``xpert`` (XPertSim) into ``folder``.

    Raises:
        InputError: The simulator cannot describe the design, or the files cannot be written.
    """
    from nax_bo.interop.neurosim_csv import export_neurosim
    from nax_bo.interop.xpert_csv import export_xpert, xpert_csv

    network, chip = study.network_and_chip(trial)
    try:
        if form == "neurosim":
            return export_neurosim(network, chip, folder)
        xpert_csv(network, chip)  # refuse before there is a folder
        folder.mkdir(parents=True, exist_ok=True)
        return (export_xpert(network, chip, folder / f"design-{trial.number}.csv"),)
    except OSError as ex:
        raise InputError(
            f"cannot write to {folder}: {ex.strerror}", "Choose another place with --out."
        ) from ex


def _check_place(path: Path) -> None:
    """Refuse a place that cannot be written before the training, not after it."""
    refuse_database(path, _ELSEWHERE)
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give the name of a file with --out.")
    if not path.parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", "Create it, or choose another place with --out."
        )
