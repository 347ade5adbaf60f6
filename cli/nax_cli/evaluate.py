"""``naxbo evaluate``: price and train one design."""

from __future__ import annotations

from typing import Annotated

import typer

from nax_cli.output import JsonFlag, TrustFlag, in_units, print_json, say, spread_text, table


def evaluate(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A choice of the design (naxbo spaces NAME lists them); the others are those of --design, else "
            "middle values. Repeat for several.",
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
    system: Annotated[
        str,
        typer.Option(
            "--system", help="Joint space, when no study is given: a name (naxbo spaces) or a reference."
        ),
    ] = "vgg",
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="Images, when no study is given: cluttered-digits, digits, cifar10:PATH, tiny-imagenet:PATH, "
            "folder:PATH.",
        ),
    ] = "cluttered-digits",
    fidelity: Annotated[
        str,
        typer.Option(
            "--fidelity",
            help="inherit: weights from the space's super-network, which is trained first if the "
            "study holds none. short: seconds, a guess. full: what fronts are made of.",
        ),
    ] = "full",
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of weights, batches and noise. [the design's own, else 0]"),
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Price one design and train it under the noise of its chip."""
    from nax_bo.study.single import evaluate_setting, prepare
    from nax_cli.settings import pairs

    choices = pairs("--set", set_)
    setting = prepare(
        choices,
        study=study,
        design=design,
        system=system,
        data=data,
        fidelity=fidelity,
        seed=seed,
        trust=trust,
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
        f"\naccuracy {100 * accuracy['mean']:.2f} %, {100 * accuracy['clean']:.2f} % on an ideal chip; "
        f"{accuracy['seconds']:.1f} s\n{spread_text(accuracy)}"
    )
