"""``naxbo export``: one design of a study, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say


class Form(StrEnum):
    """Forms in which a design can be written."""

    json = "json"
    neurosim = "neurosim"
    xpert = "xpert"
    weights = "weights"


def export(
    number: Annotated[int, typer.Argument(help="Number of the design (see: naxbo pareto).")],
    study: StudyOption = "study.naxbo",
    form: Annotated[
        Form,
        typer.Option(
            "--form",
            help="json: network, chip, costs, accuracy. neurosim, xpert: input files of those simulators. weights: "
            "trained again from its seed, as safetensors.",
        ),
    ] = Form.json,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File or folder to write; default: stdout for json.")
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Write one design for other tools.

    To build it, to check it in another simulator, or to train it elsewhere.
    """
    from nax_bo.study import Study
    from nax_bo.study.answers.export import design_document, write_simulator_files, write_weights

    with Study(study, trust=trust) as opened:
        trial = opened.trial(number)
        if form is Form.json:
            document = design_document(opened, trial)
            if out is None:
                print_json(document)
                return
            written = [_write_json(document, out)]
        elif form is Form.weights:
            say("training the design again from its seed ...")
            written = [write_weights(opened, trial, out or Path(f"design-{number}.safetensors"))]
        else:
            written = list(
                write_simulator_files(opened, trial, form.value, out or Path(f"design-{number}-{form.value}"))
            )
    if as_json:
        print_json({"design": number, "files": [str(p) for p in written]})
    else:
        print("\n".join(map(str, written)))


def _write_json(document: object, path: Path) -> Path:
    import json

    from nax_bo.files import write_whole
    from nax_cli.output import strict

    text = json.dumps(strict(document), indent=2, allow_nan=False) + "\n"
    return write_whole(path, text, "Choose another file with --out.")
