"""``naxbo evaluate``: price and train one design."""

from __future__ import annotations

from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, say, table


def evaluate(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Choices of the design (naxbo spaces NAME lists them); the rest "
            "take their first value. Repeat for several.",
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", "-s", metavar="FILE", help="Take settings from this study.")
    ] = None,
    design: Annotated[
        int | None, typer.Option("--design", help="Evaluate this design of the study again.")
    ] = None,
    system: Annotated[str, typer.Option("--system", help="Joint space, when no study is given.")] = "vgg",
    data: Annotated[
        str, typer.Option("--data", help="digits, cifar10:PATH, tiny-imagenet:PATH, folder:PATH.")
    ] = "digits",
    fidelity: Annotated[
        str, typer.Option("--fidelity", help="short: seconds, a guess. full: what fronts are made of.")
    ] = "full",
    seed: Annotated[int, typer.Option("--seed", help="Seed of weights, batches and noise.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Price one design and train it under the noise of its chip."""
    from nax_bo.study.single import evaluate_design
    from nax_cli.settings import pairs

    say("training ...")
    answer = evaluate_design(
        choices=pairs("--set", set_),
        study=study,
        design=design,
        system=system,
        data=data,
        fidelity=fidelity,
        seed=seed,
    )
    if as_json:
        print_json(answer)
        return
    accuracy = answer["accuracy"]
    print(table([{"choice": k, "value": str(v)} for k, v in answer["design"].items()]))
    print()
    print(table([answer["costs"]]))
    print(
        f"\naccuracy {100 * accuracy['mean']:.2f} % ± {100 * accuracy['std']:.2f} between chips "
        f"({len(accuracy['draws'])} draws, worst 5 %: {100 * accuracy['p05']:.2f} %), "
        f"{100 * accuracy['clean']:.2f} % on an ideal chip; {accuracy['seconds']:.1f} s"
    )
