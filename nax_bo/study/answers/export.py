"""One design of a study, written for other tools: JSON, trained weights, input files of simulators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.errors import InputError
from nax_bo.files import refuse_database, write_whole
from nax_bo.study.file.trial import Trial
from nax_bo.study.running.job import job_seed
from nax_bo.study.study import Study


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


def write_weights(study: Study, trial: Trial, path: Path) -> Path:
    """Train the design again from its seed, as the study did, and write its weights as safetensors.

    Where ``full`` trains several networks, these are the weights of the first training. Keys and shapes are those of
    ``nax_bo.network.torch_build.build(network)``; the metadata entry ``naxbo`` holds network, chip, seed and fidelity
    as JSON text. The same machine and torch version give the same bytes.

    Raises:
        InputError: The file cannot be written.
        EvaluationError: The training fails.
    """
    import torch
    from safetensors.torch import save

    from nax_bo.accuracy.data import parse_data
    from nax_bo.accuracy.recipes import recipe
    from nax_bo.accuracy.training import train

    study.need("data", why="training a design")
    refuse_database(path, "Choose another place with --out.")
    _check_place(path)
    torch.set_num_threads(1)  # as the study's workers: sums keep their order
    network, chip = study.network_and_chip(trial)
    level = SHORT if trial.at(FULL.name) is None and trial.at(SHORT.name) else FULL
    seed = job_seed(study.config.seed, trial.number)
    trained = train(
        network,
        chip,
        parse_data(study.config.data).load(),
        recipe=recipe(study.config.recipe, level.recipe, network),
        seed=seed,
        conditions=study.config.conditions,
        timeout_s=study.config.timeout_s,
    )
    weights = {name: value.detach().contiguous() for name, value in trained.model.state_dict().items()}
    about = {"network": network.to_dict(), "chip": chip.to_dict(), "seed": seed, "fidelity": level.name}
    metadata = {"naxbo": json.dumps(about, sort_keys=True)}  # one entry: safetensors shuffles several
    write_whole(path, save(weights, metadata=metadata), "Choose another place with --out.")
    return path


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
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give the name of a file with --out.")
    if not path.parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", "Create it, or choose another place with --out."
        )
