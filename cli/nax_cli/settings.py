"""Options of the form NAME=VALUE."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError


def pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    """``["a=1", "b=x"]`` as a dict of texts; raises InputError naming the option."""
    out = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} {text!r}", f"Write {option} NAME=VALUE.")
        if name.strip() in out:
            raise InputError(f"{option} names {name.strip()} twice", "Give it once.")
        out[name.strip()] = value.strip()
    return out


def numbers(option: str, texts: Sequence[str] | None) -> dict[str, float]:
    """Like :func:`pairs`, with numbers as values."""
    out = {}
    for name, value in pairs(option, texts).items():
        try:
            out[name] = float(value)
        except ValueError:
            raise InputError(
                f"{option} {name}={value!r} is not a number", f"Write {option} {name}=NUMBER."
            ) from None
    return out


def read_rows(path: Path) -> list[Any]:
    """The rows of a table, ``.csv`` or ``.json`` (a list of rows, or what ``naxbo trials --json`` prints).

    Raises:
        InputError: The file cannot be read, or holds no rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # as spreadsheets write it
        rows: Any = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    except (OSError, ValueError, csv.Error) as ex:
        raise InputError(f"cannot read {path}: {ex}", "Give a .csv or .json table of designs.") from ex
    rows = rows.get("trials") if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows:
        raise InputError(
            f"{path} holds no rows", "Give a table with one design per row, columns named like choices."
        )
    return rows


def image_shape(text: str) -> tuple[int, int, int]:
    """``"3x32x32"`` as (channels, height, width); raises InputError otherwise."""
    try:
        channels, height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise InputError(f"--shape {text!r}", "Write channels x height x width, such as 3x32x32.") from None
    if min(channels, height, width) < 1:
        raise InputError(f"--shape {text!r}", "Every size is at least 1.")
    return channels, height, width


def check_folder(option: str, folder: Path) -> None:
    """Refuse a folder that cannot be written before the work, not after it; creates nothing."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise InputError(f"the report cannot be written to {folder}", f"Choose another folder with {option}.")
