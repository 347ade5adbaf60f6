"""``naxbo evaluate``: price and train one design."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nax_bo.units import accuracy_text, percent_places
from nax_cli.output import (
    JsonFlag,
    TrustFlag,
    in_units,
    print_json,
    say,
    spread_text,
    table,
)

EXAMPLES = (
    "Examples: naxbo evaluate --set depth=3 --set device=rram; naxbo evaluate --study study.naxbo "
    "--design 17; naxbo evaluate --weights design-17.safetensors --set time_s=2592000 --chips 100."
)


def evaluate(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A choice of the design (naxbo spaces NAME lists them); the others are those of --design, else "
            "middle values. With --weights: a condition (time_s=2592000) or a hardware setting (adc_bits=5). "
            "Repeat for several.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            "-s",
            metavar="FILE",
            help="Take space, data, conditions and cost model from this study.",
        ),
    ] = None,
    design: Annotated[
        int | None,
        typer.Option(
            "--design",
            help="Start from this design of the study: unchanged, it gives the same accuracy again.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Measure these trained networks again, without training (naxbo export --form weights).",
        ),
    ] = None,
    chips: Annotated[
        int | None,
        typer.Option(
            "--chips", metavar="N", help="With --weights: programmed chips to read. [as many as before]"
        ),
    ] = None,
    training: Annotated[
        int | None,
        typer.Option("--training", metavar="K", help="With --weights: only this training, from 0."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system",
            help="Joint space, when no study is given: a name (naxbo spaces) or a reference. [vgg]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Images, when no study is given: cluttered-digits, digits, cifar10:PATH, tiny-imagenet:PATH, "
            "folder:PATH. With --weights: where they lie now, or others. [cluttered-digits]",
        ),
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(
            "--fidelity",
            help="inherit: weights from the space's super-network, which is trained first if the "
            "study holds none. short: seconds, a guess. full: what fronts are made of. [full]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of weights, batches and noise. [the design's own, else 0]"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="Where to train and read: auto, cpu, cuda or cuda:1. [the study's, else auto]"
        ),
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Price one design and train it under the noise of its chip.

    Or measure trained networks again under other conditions, on more chips or on another chip (--weights).
    """
    from nax_bo.errors import InputError
    from nax_bo.study.answers.single import evaluate_setting, prepare
    from nax_bo.study.config import StudyConfig
    from nax_cli.settings import pairs

    if weights is not None:
        given = {"--study": study, "--design": design, "--system": system, "--fidelity": fidelity}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{wrong[0]} with --weights", "The file says what was trained: leave it out.")
        _measure(weights, set_ or [], data, chips, seed, training, as_json)
        return
    if wrong := [n for n, v in (("--chips", chips), ("--training", training)) if v is not None]:
        raise InputError(f"{wrong[0]} without --weights", "It belongs to --weights FILE.")
    if study is not None and (
        wrong := [n for n, v in (("--system", system), ("--data", data)) if v is not None]
    ):
        raise InputError(f"{wrong[0]} with --study", "The study says it: leave it out.")
    choices = pairs("--set", set_)
    setting = prepare(
        choices,
        study=study,
        design=design,
        system=system or "vgg",
        data=data or StudyConfig.data,
        fidelity=fidelity or "full",
        seed=seed,
        trust=trust,
        device=device,
    )
    say("training ...")
    answer = evaluate_setting(setting)
    if as_json:
        print_json(answer)
        return
    accuracy = answer["accuracy"]
    print(table([{"choice": k, "value": str(v)} for k, v in answer["design"].items()]))
    print()
    print(table([{"cost": k, "value": v} for k, v in in_units([answer["costs"]])[0].items()]))
    print(
        f"\naccuracy {_text(accuracy)}, {100 * accuracy['clean']:.1f} % on an ideal chip; "
        f"{accuracy['seconds']:.1f} s\n{spread_text(accuracy)}"
    )


def _measure(
    weights: Path,
    changes: list[str],
    data: str | None,
    chips: int | None,
    seed: int | None,
    training: int | None,
    as_json: bool,
) -> None:
    """``--weights``: accuracy as it was kept, and as it is now."""
    from nax_bo.study.answers.remeasured import measure_weights

    answer = measure_weights(weights, changes, data=data, chips=chips, seed=seed, training=training)
    if as_json:
        print_json(answer)
        return
    now, before = answer["accuracy"], answer["kept_accuracy"]
    print(f"accuracy {_text(now)}, {100 * now['clean']:.1f} % on an ideal chip")
    print(spread_text(now))
    change = 100 * (now["mean"] - before["mean"])
    print(f"as kept {_text(before)}, a change of {change:+.2f} points")
    if answer["same"] and change:
        say("warning: nothing was changed, and yet the accuracy is another (another machine or torch?)")
    if answer["calibrated_anew"]:
        say(
            "converters and normalisation were fitted to the changed chip; the weights were not trained for it"
        )
    if not answer["same_data"]:
        say("measured on other images than those that the kept accuracy is of")


def _text(accuracy: Mapping[str, Any]) -> str:
    error = accuracy["standard_error"]
    return accuracy_text(accuracy["mean"], error, percent_places([error], accuracy["test_images"]))
