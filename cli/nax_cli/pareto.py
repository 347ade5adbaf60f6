"""``naxbo pareto``: the front of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from nax_cli.output import JsonFlag, StudyOption, front_table, print_json, say


def pareto(
    study: StudyOption = "study.naxbo",
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print the front of a study.

    These are the fully trained designs within the limits that no other beats in all objectives.
    """
    from nax_bo.study import Study

    with Study(study) as opened:
        rows = [opened.row(trial) for trial in opened.front()]
        hypervolume = opened.hypervolume()
        costs = opened.config.cost_columns
    if as_json:
        print_json({"study": study, "hypervolume": hypervolume, "front": rows})
        return
    if not rows:
        say("No design has been trained in full yet.")
    flat = [{**{k: v for k, v in row.items() if k != "design"}, **row["design"]} for row in rows]
    if csv:
        import csv as writer
        import sys

        names = list(dict.fromkeys(name for row in flat for name in row))
        out = writer.DictWriter(sys.stdout, names, lineterminator="\n")
        out.writeheader()
        out.writerows(flat)
        return
    print(front_table(rows, costs))
    say(
        f"\nhypervolume {hypervolume:.4g}; settings of one: naxbo export NUMBER; all columns: --csv or --json"
    )
