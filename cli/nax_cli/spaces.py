"""``naxbo spaces``: the joint spaces that can be searched."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, table

EXAMPLES = "Examples: naxbo spaces; naxbo spaces vgg --shape 3x32x32; naxbo spaces ./my_space.py:MySpace."


def spaces(
    name: Annotated[str | None, typer.Argument(help="Show the variables of one space.")] = None,
    shape: Annotated[
        str,
        typer.Option(
            "--shape", metavar="CxHxW", help="Image shape: larger images allow deeper, wider networks."
        ),
    ] = "1x10x10",
    as_json: JsonFlag = False,
) -> None:
    """List design spaces, or the variables of one."""
    from nax_bo.systems import load_system, system_names
    from nax_cli.settings import image_shape

    if name is None:
        rows = [{"name": n, "what": text} for n, text in system_names().items()]
        print_json(rows) if as_json else print(table(rows))
        return
    system = load_system(name, image_shape(shape), 10)
    space = system.space
    claims = [asdict(claim) for claim in system.claims]
    assumed = [asdict(assumption) for assumption in system.assumptions]
    if as_json:
        import json

        print_json({"name": name, "size": space.size, **json.loads(space.to_json()), "claims": claims,
                    "assumptions": assumed, "settings": system.settings,
                    "baselines": {key: dict(design) for key, design in system.baselines.items()}})  # fmt: skip
        return
    rows = [
        {
            "variable": v.name,
            "scope": v.scope,
            "kind": v.kind,
            "affects": v.affects,
            "values": " ".join(map(str, v.values)),
            "only when": " and ".join(f"{c.variable} in {list(c.values)}" for c in v.active_when),
        }
        for v in space.variables
    ]
    print(table(rows))
    print(f"\n{space.size:.3g} designs")
    for title, found in (("claims", claims), ("assumed, as the sources do not say", assumed)):
        if found:
            print(f"\n{title}\n{table(found)}")
    if system.baselines:
        print(f"\nmeasured against: {', '.join(system.baselines)}")
