"""How much memory a worker takes, seen from outside: a training that eats the machine is ended before it does.

Read from ``/proc`` (Linux): resident pages of the worker and of the processes that it started (data loaders, say).
Shared pages count for each, so the sum is an upper bound.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nax_bo.errors import InputError

LOOK_EVERY_S = 1.0
"""Seconds between two looks at what workers take."""

_PROC = Path("/proc")


def check_watchable(*, own_workers: bool) -> None:
    """Raise InputError where no worker can be looked at."""
    if not own_workers:
        raise InputError(
            "memory is limited for naxbo's own workers only", "Leave memory or the executor out."
        )
    if not (_PROC / "self" / "statm").exists():
        raise InputError("this system does not say what a process takes", "Leave --memory out.")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all that it started; 0 if it is gone."""
    total, waiting, seen = 0, [pid], set[int]()
    while waiting:
        if (one := waiting.pop()) in seen:
            continue
        seen.add(one)
        with suppress(OSError, ValueError, IndexError):
            total += int((_PROC / str(one) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for children in _PROC.glob(f"{one}/task/*/children"):
            with suppress(OSError, ValueError):
                waiting += map(int, children.read_text().split())
    return total
