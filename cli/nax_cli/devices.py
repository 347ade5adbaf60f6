"""``naxbo devices``: the memory devices that a chip can be built of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, print_json, table


def devices(
    name: Annotated[str | None, typer.Argument(help="One device, with its source and assumptions.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List memory devices, with the source of every number."""
    from dataclasses import asdict

    from nax_bo.hardware.chip.devices import DEVICES, device

    if name is not None:
        chosen = asdict(device(name))
        if as_json:
            print_json(chosen)
        else:
            for key, value in _flat(chosen):
                print(f"{key:32} {value}")
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


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as ``programming.sigma``; empty ones as a dash."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, "-" if value in (None, {}, ()) else value
