"""``naxbo report``: one page that shows a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say


def report(
    study: StudyOption = "study.naxbo",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for index.html and the figures (PNG, SVG).")
    ] = Path("report"),
    design: Annotated[
        int | None,
        typer.Option(
            "--design", help="Number of the design to show layer by layer; default: the front's knee."
        ),
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a page and figures that show a study.

    One self-contained HTML file on which designs are filtered, compared and taken apart; each figure as PNG and SVG.
    """
    from nax_bo.report.collect import collect
    from nax_bo.report.page import write_report
    from nax_bo.study import Study
    from nax_cli.settings import check_folder

    check_folder("--out", out)
    with Study(study, trust=trust) as opened:
        if design is not None:
            opened.trial(design)  # refuse a wrong number before the work
        say("refitting surrogates to check their predictions ...")
        page = write_report(collect(opened, design), out)
    if as_json:
        print_json(
            {
                "page": str(page),
                "figures": sorted(str(p) for form in ("png", "svg") for p in out.glob(f"*.{form}")),
            }
        )
    else:
        print(page)
