"""``naxbo trials``: every design of a study as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, StudyOption, in_units, print_json, say, table

_SHOWN = 50


EXAMPLES = (
    "Examples: naxbo trials --where state=failed; naxbo trials --min accuracy=0.95 --sort energy; "
    "naxbo trials --csv > trials.csv."
)


def trials(
    study: StudyOption = "study.naxbo",
    max_: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="NAME=LIMIT", help="Designs up to this only: area_mm2=1. Repeatable."),
    ] = None,
    min_: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="NAME=LIMIT", help="From this on only: accuracy=0.98. Repeatable."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="NAME=VALUE", help="With this value only: state=failed, device=rram."
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="NAME", help="Any column; outcomes best first. [number]")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="FILE", help="Write a parquet file (takes pandas and pyarrow)."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print all designs of a study: results, costs, choices.

    Its tables come back: naxbo optimize --start FILE.csv, or nax_bo.space.read_designs in Python.
    """
    from nax_bo.errors import InputError
    from nax_bo.report.collect import describe
    from nax_bo.study import Study
    from nax_bo.study.file.table import write_parquet
    from nax_cli.settings import numbers, pairs

    if sum((csv, as_json, parquet is not None)) > 1:
        raise InputError("--csv, --json and --parquet are three forms of one answer", "Give one of them.")
    with Study(study) as opened:
        rows = opened.rows()
        names = [v.name for v in opened.store.space.variables]
        shown = ("number", "state", "fidelity", "accuracy", *opened.config.cost_columns)
    rows = _ordered(
        _filtered(rows, numbers("--max", max_), numbers("--min", min_), pairs("--where", where)), sort
    )
    if as_json:
        print_json({"study": study, "trials": rows})
    elif csv:
        _print_csv(rows)
    elif parquet is not None:
        write_parquet(rows, parquet)
        say(f"{len(rows)} designs written to {parquet}")
    else:
        lines = in_units([{name: row.get(name) for name in shown} for row in rows[:_SHOWN]])
        chosen = [describe({n: row[n] for n in names if row[n] is not None}) for row in rows[:_SHOWN]]
        print(table([{**line, "choices": text} for line, text in zip(lines, chosen, strict=True)]))
        if len(rows) > _SHOWN:
            say(f"\nthe first {_SHOWN} of {len(rows)} designs; all of them, and all columns: --csv or --json")


def _column(rows: Sequence[Mapping[str, Any]], name: str, option: str) -> str:
    """The column that a name means: an outcome by its short name, or any column as such."""
    import difflib

    from nax_bo.outcomes import OUTCOMES

    columns = list(rows[0]) if rows else []
    full = next((o.name for o in OUTCOMES.values() if o.short == name and o.name in columns), name)
    if not rows or full in columns:
        return full
    from nax_bo.errors import InputError

    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(columns)}."
    raise InputError(f"{option} {name}: there is no such column", hint)


def _filtered(
    rows: list[dict[str, Any]],
    upper: Mapping[str, float],
    lower: Mapping[str, float],
    equal: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Rows within limits; what has no value is not."""
    from nax_bo.errors import InputError

    for option, bounds, sign in (("--max", upper, 1), ("--min", lower, -1)):
        for name, limit in bounds.items():
            column = _column(rows, name, option)
            if any(isinstance(row[column], str) for row in rows):
                raise InputError(f"{option} {name}: these are no numbers", f"Use --where {name}=VALUE.")
            rows = [r for r in rows if r[column] is not None and sign * r[column] <= sign * limit]
    for name, value in equal.items():
        column = _column(rows, name, "--where")
        rows = [r for r in rows if str(r[column]) == value or _same_number(r[column], value)]
    return rows


def _same_number(found: Any, text: str) -> bool:
    try:
        return not isinstance(found, (str, bool)) and found is not None and float(text) == found
    except ValueError:
        return False


def _ordered(rows: list[dict[str, Any]], name: str | None) -> list[dict[str, Any]]:
    """Outcomes best first, other columns ascending; what has no value last."""
    from nax_bo.outcomes import OUTCOMES

    if name is None or not rows:
        return rows
    column = _column(rows, name, "--sort")
    known = [r for r in rows if r[column] is not None]
    numbers = all(isinstance(r[column], (int, float)) for r in known)
    down = column in OUTCOMES and OUTCOMES[column].best == "max"
    known.sort(key=lambda r: r[column] if numbers else str(r[column]), reverse=down)
    return known + [r for r in rows if r[column] is None]


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    import csv as writer
    import sys

    out = writer.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
