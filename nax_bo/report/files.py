"""Single charts as files: refused before the work if they cannot be written, and never half-written."""

from __future__ import annotations

import os
from pathlib import Path

from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.report.charts.theme import Chart, drawn

FORMS = ("png", "svg", "pdf")


def check_file(path: Path, option: str) -> None:
    """Refuse a file that :func:`save` could not write; ``option`` is the setting to change."""
    if path.suffix[1:].lower() not in FORMS:
        raise InputError(
            f"{path} is no figure file", f"End its name with {', '.join(FORMS)}: {option} FILE.png"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder", f"Give the name of a file: {option} FILE.png")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"cannot write the figure {path}", f"Give a file in a folder that exists: {option} FILE.png"
        )


def save(chart: Chart, path: Path, option: str) -> None:
    """Write a chart in the format of the file's suffix; the file is there as a whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    check_file(path, option)
    content = drawn(chart, path.suffix[1:].lower())
    write_whole(path, content, f"Choose another file: {option} FILE.png")
