"""``naxbo init``: a settings file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, say

EXAMPLES = "Examples: naxbo init; naxbo init mine.toml, then naxbo optimize --config mine.toml."


def init(
    file: Annotated[Path, typer.Argument(help="Where to write the settings.")] = Path("naxbo.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a TOML file with every setting of a study."""
    from nax_bo.errors import InputError
    from nax_bo.files import write_whole
    from nax_bo.study.config import config_toml

    if file.exists() and not force:
        raise InputError(f"{file} exists already", "Choose another name, or replace it with --force.")
    write_whole(file, config_toml(), "Choose another name, in a folder that can be written.")
    if as_json:
        print_json({"file": str(file)})
    else:
        print(file)
    say(f"Edit it, then: naxbo optimize --config {file}")
