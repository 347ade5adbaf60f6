"""``naxbo export``: one design of a study, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say

if TYPE_CHECKING:
    from nax_bo.study.answers.export import Taken


class Form(StrEnum):
    """Forms in which a design can be written."""

    json = "json"
    neurosim = "neurosim"
    xpert = "xpert"
    weights = "weights"
    onnx = "onnx"


EXAMPLES = (
    "Examples: naxbo export 17 > design.json; naxbo export 17 --form weights; naxbo export 17 --form "
    "onnx --training 1; naxbo export 17 --form neurosim."
)


def export(
    number: Annotated[int, typer.Argument(help="Number of the design (see: naxbo pareto).")],
    study: StudyOption = "study.naxbo",
    form: Annotated[
        Form,
        typer.Option(
            "--form",
            help="json: network, chip, costs, accuracy. neurosim, xpert: input files of those simulators. weights: "
            "the trained networks with all that reading their chips takes, as safetensors. onnx: one of them in "
            "floating point.",
        ),
    ] = Form.json,
    training: Annotated[
        int | None,
        typer.Option(
            "--training",
            metavar="K",
            help="Only this training of the design, counted from 0. [weights: all; onnx: 0]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File or folder to write; default: stdout for json.")
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Write one design for other tools.

    To build it, to check it in another simulator, or to use it elsewhere. Weights are those that the study kept
    (--keep-weights); without them, the design is trained again from its seed.
    """
    from nax_bo.errors import InputError
    from nax_bo.study import Study
    from nax_bo.study.answers.export import design_document, write_onnx, write_simulator_files, write_weights

    if training is not None and form not in (Form.weights, Form.onnx):
        raise InputError(
            f"--training with --form {form.value}", "It belongs to --form weights and --form onnx."
        )

    taken: Taken | None = None
    with Study(study, trust=trust) as opened:
        trial = opened.trial(number)
        if form is Form.json:
            document = design_document(opened, trial)
            if out is None:
                print_json(document)
                return
            written = [_write_json(document, out)]
        elif form is Form.weights:
            path = out or Path(f"design-{number}.safetensors")
            taken = write_weights(opened, trial, path, training, _say_training)
            written = [path]
        elif form is Form.onnx:
            path = out or Path(f"design-{number}.onnx")
            taken = write_onnx(opened, trial, path, training or 0, _say_training)
            written = [path]
        else:
            written = list(
                write_simulator_files(opened, trial, form.value, out or Path(f"design-{number}-{form.value}"))
            )
    answer: dict[str, Any] = {"design": number, "files": [str(p) for p in written]}
    if taken is not None:
        answer |= _about(taken)
        say(_told(taken, number))
    if as_json:
        print_json(answer)
    else:
        print("\n".join(answer["files"]))


def _say_training() -> None:
    say("the study did not keep these weights: training the design again from its seed ...")


def _about(taken: Taken) -> dict[str, Any]:
    networks = taken.kept.trained.networks
    return {
        "accuracy": taken.kept.accuracy.mean,
        "float_accuracy": [n.float_accuracy for n in networks],
        "retrained": taken.retrained,
        "agrees_with_study": taken.agrees,
    }


def _told(taken: Taken, number: int) -> str:
    kept = taken.kept
    trainings, chips = len(kept.trained.networks), len(kept.accuracy.draws)
    plain = ", ".join(f"{100 * n.float_accuracy:.2f}" for n in kept.trained.networks)
    told = (
        f"design {number}: {100 * kept.accuracy.mean:.2f} % on {chips} programmed chip{'s' * (chips > 1)} of "
        f"{trainings} training{'s' * (trainings > 1)}; in floating point {plain} %"
    )
    if taken.agrees is False:
        told += (
            "\nwarning: training again gave other accuracies than the study holds (another machine or torch?)"
        )
    return told


def _write_json(document: object, path: Path) -> Path:
    import json

    from nax_bo.files import write_whole
    from nax_cli.output import strict

    text = json.dumps(strict(document), indent=2, allow_nan=False) + "\n"
    return write_whole(path, text, "Choose another file with --out.")
