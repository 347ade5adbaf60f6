"""Sizes of memory as people write and read them."""

from __future__ import annotations

import re

from nax_bo.errors import InputError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?", re.IGNORECASE)
_UNITS = {"M": 2**20, "G": 2**30, "T": 2**40}

LEAST = 512 * 2**20
"""What a worker takes before it trains anything, roughly: torch and naxbo."""


def bytes_of(text: str) -> int:
    """``"4G"``, ``"800M"`` or ``"1.5 GB"`` in bytes; units are binary.

    Raises:
        InputError: It is none of these, or too little for any training.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise InputError(f"memory = {text!r}", "Write gigabytes or megabytes: 4G, 800M.")
    size = round(float(found[1]) * _UNITS[found[2].upper()])
    if size < LEAST:
        raise InputError(f"memory = {text!r}", "A worker takes half a gigabyte by itself: give more.")
    return size


def spoken_size(size: float) -> str:
    """A size in gigabytes."""
    return f"{size / 2**30:.2g} GB"
