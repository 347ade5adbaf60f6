"""``naxbo evaluators``: whether an accuracy evaluator keeps its contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check your own accuracy evaluator.")


@app.callback()
def _root() -> None:
    """Check your own accuracy evaluator."""


@app.command(epilog="Example: naxbo evaluators check ./examples/my_accuracy.py:Formula")
def check(
    reference: Annotated[str, typer.Argument(help="package.module:Class or file.py:Class.")],
    system: Annotated[
        str, typer.Option("--system", help="Space of the designs that it is asked about.")
    ] = "vgg",
    data: Annotated[str, typer.Option("--data", help="Data set that it gets.")] = "digits",
    as_json: JsonFlag = False,
) -> None:
    """Check that an accuracy evaluator keeps its contract.

    Fractions at every rung, the same for the same seed, whatever was asked before. Runs its code. Exit code 6 if it
    breaks the contract. Use it with: naxbo optimize --accuracy REFERENCE
    """
    from nax_bo.accuracy.data import parse_data
    from nax_bo.accuracy.evaluator_check import check_evaluator
    from nax_bo.systems import load_system

    images = parse_data(data).load()
    space = load_system(system, images.input_shape, images.num_classes)
    designs = space.space.designs(space.space.sample(3, 0))
    found = check_evaluator(reference, [space.decode(d) for d in designs], images)
    passed = all(c.ok for c in found)
    if as_json:
        print_json({"evaluator": reference, "passed": passed, "checks": [asdict(c) for c in found]})
    else:
        for c in found:
            print(f"{'ok ' if c.ok else 'BAD'}  {c.name}: {c.found}")
    if not passed:
        raise typer.Exit(6)
