"""``naxbo devices``: the memory devices that a chip can be built of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nax_bo.units import significant
from nax_cli.output import JsonFlag, labelled, print_json, table

if TYPE_CHECKING:
    from nax_bo.hardware.chip.devices import Device


_ROOM = 33
"""For names of facts."""

EXAMPLES = "Examples: naxbo devices; naxbo devices rram; naxbo devices --json."


def devices(
    name: Annotated[str | None, typer.Argument(help="One device, with its source and assumptions.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List memory devices, with sources, assumptions and ranges.

    A device without noise has none that its source quantifies; spaces do not offer it unless you name it.
    """
    from nax_bo.hardware.chip.devices import DEVICES, device

    if name is not None:
        chosen = device(name)
        if as_json:
            print_json(_plain(chosen))
            return
        facts = {k: v for k, v in _plain(chosen).items() if k not in ("assumed", "ranges", "noise_data")}
        for key, value in _flat(facts):
            field = key.partition(".")[0]
            print(labelled(key, f"{value}{'   (assumed)' if field in chosen.assumed else ''}", _ROOM))
        noise = "yes" if chosen.characterised else "none: not offered to a search by default"
        print(labelled("noise data", noise, _ROOM))
        for known in chosen.ranges:
            span = f"{known.low:g} to {known.high:g}: {known.source}"
            print(labelled(f"range of {known.field}", span, _ROOM))
        return
    if as_json:
        print_json({n: _plain(d) for n, d in DEVICES.items()})
        return
    rows = [
        {
            "name": n,
            "kind": d.kind,
            "on (kohm)": significant(d.r_on_ohm / 1e3),
            "off/on": significant(d.on_off_ratio) if math.isfinite(d.on_off_ratio) else "inf",
            "bits": d.bits_per_cell,
            "read (ns)": d.read_pulse_ns or "-",
            "noise": "yes" if d.characterised else "no data",
            "source": d.source[:60],
        }
        for n, d in DEVICES.items()
    ]
    print(table(rows))


def _plain(row: Device) -> dict[str, Any]:
    return asdict(row) | {"noise_data": row.characterised}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as ``programming.sigma``; empty ones as a dash."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, "-" if value in (None, {}, ()) else value
