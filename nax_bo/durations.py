"""Durations as people write and read them."""

from __future__ import annotations

import math
import re

from nax_bo.errors import InputError

_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(text: str) -> float:
    """``"2h"``, ``"30m"``, ``"90s"`` or ``"1h30m"`` in seconds.

    Raises:
        InputError: It is none of these, or no time at all.
    """
    parts = _PARTS.fullmatch(text.strip())
    values = [float(part or 0) for part in parts.groups()] if parts else []
    total = sum(value * unit for value, unit in zip(values, (3600.0, 60.0, 1.0), strict=False))
    if not 0 < total < math.inf:
        raise InputError(f"time = {text!r}", "Write hours, minutes or seconds: 2h, 30m, 1h30m, 90s.")
    return total


def spoken(seconds: float) -> str:
    """A duration to the precision that estimates have."""
    if seconds < 9.5:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
