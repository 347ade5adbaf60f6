"""Single figures as files: refused before the work if they cannot be written, and never half-written."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.figure import Figure

from nax_bo.errors import InputError

_METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def check_file(path: Path, option: str) -> None:
    """Refuse a file that :func:`save` could not write; ``option`` is the setting to change."""
    if path.suffix[1:].lower() not in _METADATA:
        raise InputError(
            f"{path} is no figure file", f"End its name with {', '.join(_METADATA)}: {option} FILE.png"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder", f"Give the name of a file: {option} FILE.png")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"cannot write the figure {path}", f"Give a file in a folder that exists: {option} FILE.png"
        )


def save(figure: Figure, path: Path, option: str) -> None:
    """Write a figure in the format of the file's suffix; the file is there as a whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    check_file(path, option)
    form, buffer = path.suffix[1:].lower(), io.BytesIO()
    figure.savefig(buffer, format=form, dpi=160, metadata=_METADATA[form])
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_bytes(buffer.getvalue())
        draft.replace(path)
    except OSError as ex:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"cannot write the figure {path}: {ex.strerror}", f"Choose another file: {option} FILE.png"
        ) from ex
