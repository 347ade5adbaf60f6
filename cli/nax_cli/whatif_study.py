"""``naxbo what-if --design``: a study's design with changed settings, and the accuracy to expect."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nax_bo.outcomes import MAIN_COSTS, cost_ends, priced
from nax_bo.units import accuracy_text, percent_places
from nax_cli.output import plain_cells, print_json, say, table

if TYPE_CHECKING:
    from nax_bo.study.answers.variants import Variant

MOST_VARIANTS = 1000


def answer(
    path: str, number: int, changes: list[list[str]], sweeps: list[str], as_json: bool, trust: bool
) -> None:
    """Print the design as it is, and every variant of it."""
    from nax_bo.search.optimizer import one_thread
    from nax_bo.study import Study
    from nax_bo.study.answers.variants import vary

    wanted = _grid(changes[0], sweeps) if sweeps else [c for c in changes if c]
    with one_thread(), Study(path, trust=trust) as study:
        variants = vary(study, number, [[], *wanted])
        measured, images = study.row(study.trial(number)), study.data["test_images"]
    rows = [_row(v) for v in variants]
    if as_json:
        designs = [
            row | {"note": v.note, "design": None if v.design is None else dict(v.design)}
            for row, v in zip(rows, variants, strict=True)
        ]
        print_json({"study": path, "number": number, "measured": measured, "designs": designs})
        return
    print(table(_shown(rows)))
    if measured["accuracy"] is not None:
        error = measured["standard_error"]
        text = accuracy_text(measured["accuracy"], error, percent_places([error], images))
        say(f"\nmeasured accuracy of design {number}: {text} ({measured['fidelity']} training)")
    for v in variants:
        if v.note:
            say(f"{v.name}: no accuracy predicted, {v.note}")


def _grid(fixed: list[str], sweeps: Sequence[str]) -> list[list[str]]:
    from nax_bo.errors import InputError

    axes = [_values(text) for text in sweeps]
    grid = [[*fixed, *combination] for combination in itertools.product(*axes)]
    if len(grid) > MOST_VARIANTS:
        raise InputError(
            f"{len(grid)} combinations", f"Sweep fewer values; at most {MOST_VARIANTS} are predicted."
        )
    return grid


def _values(text: str) -> list[str]:
    """``name=1,2,4`` as single changes; ranges where the name is a hardware setting."""
    from nax_bo.errors import InputError
    from nax_bo.whatif import parse_sweep

    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise InputError(f"--sweep {text!r}", "Write --sweep NAME=VALUE,VALUE,...")
    if ":" in values:
        return [setting.label for setting in parse_sweep(text).settings]
    return [f"{name.strip()}={value.strip()}" for value in values.split(",")]


def _row(variant: Variant) -> dict[str, Any]:
    p, cost = variant.prediction, variant.cost
    return {
        "name": variant.name,
        "accuracy": p and p.accuracy,
        "accuracy_low": p and p.low,
        "accuracy_high": p and p.high,
        **priced(cost, MAIN_COSTS),
        **cost_ends(cost),
    }


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    costs = plain_cells(rows, MAIN_COSTS)
    lines = []
    for row, cost in zip(rows, costs, strict=True):
        low, high = row["accuracy_low"], row["accuracy_high"]
        lines.append(
            {
                "design": row["name"],
                "predicted (%)": "-" if row["accuracy"] is None else f"{100 * row['accuracy']:.1f}",
                "95 % interval": "" if low is None else f"{100 * low:.1f} to {100 * high:.1f}",
                **cost,
            }
        )
    return lines
