"""Files that naxbo writes: there as a whole or not at all, and never in the place of a study."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nax_bo.errors import InputError

_SQLITE = b"SQLite format 3\x00"
"""How every SQLite file begins (https://www.sqlite.org/fileformat.html): a study, or somebody else's database."""


def write_whole(path: Path, content: bytes | str | Callable[[Path], object], hint: str = "") -> Path:
    """Write ``content``, or let it write, beside ``path``, and give it its name; returns ``path``.

    Raises:
        InputError: The file cannot be written, or is a database such as a study; ``hint`` says what to do.
    """
    hint = hint or "Choose another place."
    refuse_database(path, hint)
    draft = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        if callable(content):
            content(draft)
        else:
            draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    except OSError as ex:
        raise InputError(f"cannot write {path}: {ex.strerror or ex}", hint) from ex
    finally:
        with suppress(OSError):
            draft.unlink()
    return path


def refuse_database(path: Path, hint: str) -> None:
    """Raise InputError if ``path`` is a database: what is written elsewhere in naxbo never is one."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError:
        return
    if start == _SQLITE:
        raise InputError(f"{path} is a study or another database, and is not overwritten", hint)
