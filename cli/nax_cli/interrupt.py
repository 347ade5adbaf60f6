"""Requests to stop: Ctrl-C, and the signals with which systems end a program, mean the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stoppable() -> Iterator[None]:
    """The first request raises KeyboardInterrupt; later ones wait for what it sets off to end."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before: list[tuple[int, Any]] = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        if not asked:  # else the rest of the program is its way out, which nobody hurries
            for number, handler in before:
                signal.signal(number, handler)
