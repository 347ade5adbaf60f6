"""``naxbo devices``: the memory devices that a chip can be built of."""

from __future__ import annotations

from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, table


def devices(
    name: Annotated[str | None, typer.Argument(help="One device, with its source and assumptions.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List memory devices with resistances, noise and the publication each number comes from."""
    from dataclasses import asdict

    from nax_bo.hardware.devices import DEVICES, device

    if name is not None:
        chosen = asdict(device(name))
        if as_json:
            print_json(chosen)
        else:
            for key, value in chosen.items():
                print(f"{key:28} {value}")
        return
    if as_json:
        print_json({n: asdict(d) for n, d in DEVICES.items()})
        return
    rows = [
        {
            "name": n,
            "kind": d.kind,
            "r_on_ohm": d.r_on_ohm,
            "on/off": d.on_off_ratio,
            "bits": d.bits_per_cell,
            "source": d.source[:60],
        }
        for n, d in DEVICES.items()
    ]
    print(table(rows))
