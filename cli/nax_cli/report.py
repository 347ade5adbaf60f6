"""``naxbo report``: one page that shows a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say

EXAMPLES = (
    "Examples: naxbo report; naxbo report --design 17 --out design-17; naxbo report --watch 30 (while "
    "a study runs)."
)


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
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            metavar="SECONDS",
            help="Write the page again that often while the study runs, and let open pages follow; ends with it.",
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
    if watch is not None:
        _follow(study, out, design, watch, trust)
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


def _follow(study: str, out: Path, design: int | None, seconds: float, trust: bool) -> None:
    """Keep the page up to date until the study is no longer run."""
    from time import sleep

    from nax_bo.errors import InputError
    from nax_bo.report.collect import collect
    from nax_bo.report.page import write_report
    from nax_bo.study import Study

    if not 1 <= seconds <= 86_400:
        raise InputError(f"--watch {seconds:g}", "Give seconds, from 1 to 86400.")
    with Study(study, trust=trust) as opened:
        seen = None
        while opened.store.running():
            if (now := opened.store.version()) != seen:
                page = write_report(collect(opened, design, quick=True), out, refresh_s=seconds)
                if seen is None:
                    say(f"{page} follows {study}; Ctrl-C ends it")
                seen = now
            sleep(seconds)
    say("the study is not running" if seen is None else "the study has stopped")
