"""``naxbo study``: whether a study is sound, what can be saved of one that is not, and its form for Optuna."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, say

app = typer.Typer(help="Check, mend or move a study; write it for Optuna.", no_args_is_help=True)

_SHOWN = 20

File = Annotated[Path, typer.Argument(help="The study's file.")]


@app.command("check", epilog="Example: naxbo study check study.naxbo")
def check(file: File, as_json: JsonFlag = False) -> None:
    """Read all of a study, and say what is wrong.

    Ends with code 4 if anything is.
    """
    from nax_bo.study.file.salvage import check as find

    problems = find(file)
    if as_json:
        print_json({"study": str(file), "sound": not problems, "problems": problems})
    else:
        print(f"{file} is sound" if not problems else f"{file} is damaged:")
        for line in problems[:_SHOWN]:
            print(f"  {line}")
        if len(problems) > _SHOWN:
            print(f"  and {len(problems) - _SHOWN} more")
    if problems:
        say(f"save what can be read with: naxbo study salvage {file} NEW")
        raise typer.Exit(4)


@app.command("salvage", epilog="Example: naxbo study salvage damaged.naxbo saved.naxbo")
def salvage(
    file: File,
    new: Annotated[Path, typer.Argument(help="File of the new study; must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Save what can be read of a damaged study.

    Into a new one; the damaged one is left as it is.
    """
    from nax_bo.study.file.salvage import salvage as save

    found = save(file, new)
    if as_json:
        print_json({"study": str(new), **found})
        return
    print(f"{new} holds {found['designs']} designs and {found['evaluations']} evaluations")
    for line in found["problems"][:_SHOWN]:
        say(f"  lost or mended: {line}")
    if found["numbers"] != list(range(found["designs"])):
        say("designs are numbered anew; --json lists their former numbers")


@app.command("export", epilog="Example: naxbo study export study.naxbo --out log.jsonl")
def export(
    file: File,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The text; must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Write a whole study as text.

    JSON lines, one per fact and design, that any tool reads.
    """
    from nax_bo.study.file.transcript import export_study

    found = export_study(file, out)
    if as_json:
        print_json({"out": str(out), **found})
    else:
        print(f"{out} holds {found['designs']} designs and {found['evaluations']} evaluations")


@app.command("import", epilog="Example: naxbo study import log.jsonl --out new.naxbo")
def import_(
    log: Annotated[Path, typer.Argument(help="Text that naxbo study export wrote.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new study; must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a study of the text that export wrote.

    If its end is missing, what stands before comes over, with a warning.
    """
    from nax_bo.study.file.transcript import import_study

    found = import_study(log, out)
    if found["warning"]:
        say(f"warning: {found['warning']}")
    if as_json:
        print_json({"study": str(out), **found})
    else:
        print(f"{out} holds {found['designs']} designs and {found['evaluations']} evaluations")


@app.command(
    "optuna", epilog="Example: naxbo study optuna study.naxbo study.db; optuna-dashboard sqlite:///study.db"
)
def to_optuna(
    file: File,
    storage: Annotated[Path, typer.Argument(help="File of the new Optuna storage; must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Write all designs into an Optuna storage.

    Which optuna-dashboard opens. Takes the extra optuna. Choices are parameters, objectives are values; trials say in
    "fidelity" how far their designs were trained: compare full with full.
    """
    from nax_bo.study import Study
    from nax_bo.study.answers.optuna_export import export_optuna

    with Study(str(file)) as opened:
        count = export_optuna(opened, storage)
    print_json({"storage": str(storage), "trials": count}) if as_json else print(f"{storage}: {count} trials")
