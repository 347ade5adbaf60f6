"""``naxbo pareto``: the front of a study, and picks from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, StudyOption, front_table, print_json, say, why_empty

EXAMPLES = """
Examples: naxbo pareto --within 0.5 (the cheapest within half a point of the best); naxbo pareto --knee;
naxbo pareto --min accuracy=0.98 --max area_mm2=1 --sort energy; naxbo pareto --robust; naxbo pareto --csv > front.csv
"""


def pareto(
    study: StudyOption = "study.naxbo",
    max_: Annotated[
        list[str] | None,
        typer.Option(
            "--max", metavar="NAME=LIMIT", help="Designs up to this only, e.g. area_mm2=1. Repeatable."
        ),
    ] = None,
    min_: Annotated[
        list[str] | None,
        typer.Option(
            "--min", metavar="NAME=LIMIT", help="Designs from this on only, e.g. accuracy=0.98. Repeatable."
        ),
    ] = None,
    knee: Annotated[bool, typer.Option("--knee", help="The design at the bend of the front.")] = False,
    within: Annotated[
        float | None,
        typer.Option(
            "--within", metavar="POINTS", help="The cheapest within so many percentage points of the best."
        ),
    ] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust",
            help="The designs that stay on the front in 80 % of draws over what sources of costs and devices, and "
            "measured accuracies, leave open.",
        ),
    ] = False,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="NAME", help="energy, latency, area, edap, ... [accuracy]")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print the front of a study, or pick from it.

    These are the fully trained designs that no other beats in all objectives, within limits if some are given.
    An accuracy marked "=" is not told apart from the best. Costs hold as far as sources agree: see the range.
    """
    from nax_bo.errors import InputError
    from nax_bo.report.chosen import knee as bend
    from nax_bo.report.front import Limits, cheapest_within, front_rows, pickable
    from nax_bo.report.robust import stays
    from nax_bo.study import Study
    from nax_cli.settings import numbers

    if (knee, within is not None, robust).count(True) > 1:
        raise InputError("--knee, --within and --robust each pick in their own way", "Give one of them.")
    if within is not None and not 0 <= within <= 100:
        raise InputError(f"--within {within:g}", "Give percentage points from 0 to 100, such as 0.5.")
    with Study(study) as opened:
        limits = Limits.named(numbers("--max", max_), numbers("--min", min_))
        kept = stays(opened, limits) if robust else [(t, None) for t in pickable(opened, limits)]
        trials = [t for t, _ in kept]
        rows = front_rows(opened, trials)
        if robust:
            rows = [{**row, "stays": share} for row, (_, share) in zip(rows, kept, strict=True)]
        if knee and trials:
            best, _ = bend(opened, trials)
            rows = [row for row in rows if row["number"] == best.number]
        hypervolume = opened.hypervolume()
        images = opened.data["test_images"]
        why = "" if rows or (robust and opened.front()) else why_empty(opened)
        costs = opened.config.cost_columns
    if within is not None:
        pick = cheapest_within(rows, within)
        rows = [] if pick is None else [pick]
    rows = _sorted(rows, sort)
    if as_json:
        print_json({"study": study, "hypervolume": hypervolume, "front": rows})
        return
    if not rows:
        if robust and not why:
            why = "No design stays on the front in 80 % of the draws: what sources leave open decides between them."
        say("No fully trained design is within these limits." if max_ or min_ else why)
    if csv:
        _print_csv(rows)
        return
    print(front_table(rows, images, costs))
    tied = [str(row["number"]) for row in rows if row["ties"]]
    if len(tied) > 1:
        say(
            f"\n= designs {', '.join(tied)} tie: their accuracies differ by less than twice the standard error."
        )
    say(
        f"\nhypervolume of the whole front {hypervolume:.4g}; settings of one: naxbo export NUMBER; "
        "all columns: --csv or --json"
    )


def _sorted(rows: list[dict[str, Any]], name: str | None) -> list[dict[str, Any]]:
    """Rows, the best in the outcome first."""
    from nax_bo.errors import InputError
    from nax_bo.outcomes import outcome

    if name is None or not rows:
        return rows
    chosen = outcome(name)
    if chosen.name not in rows[0]:
        raise InputError(f"--sort {name}: this study holds no {chosen.label}", "Sort by a column of --csv.")
    if any(row[chosen.name] is None for row in rows):
        raise InputError(
            f"--sort {name}: {chosen.label} is not known of every design", "Sort by another one."
        )
    return sorted(rows, key=lambda row: chosen.sign * row[chosen.name])


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    import csv as writer
    import sys

    flat = [
        {**{k: v for k, v in row.items() if k != "design"}, "holds_under": " ".join(row["holds_under"])}
        | row["design"]
        for row in rows
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = writer.DictWriter(sys.stdout, names, lineterminator="\n")
    out.writeheader()
    out.writerows(flat)
