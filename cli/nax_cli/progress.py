"""Progress of a running study on stderr."""

from __future__ import annotations

import os
import sys
import textwrap
from time import monotonic
from typing import TYPE_CHECKING

from nax_bo.durations import spoken

if TYPE_CHECKING:
    from nax_bo.study import Progress

LINES_APART = 10
"""Designs between two lines in a log, unless they take longer than :data:`SECONDS_APART`."""

SECONDS_APART = 60.0

BAR, WIDE = 12, 72
"""Cells of the bar, and columns from which on a terminal has room for it."""

LOG_WIDTH = 79
"""Of a line in a log, which says no more than a terminal would."""


class ProgressLine:
    """One line on stderr: rewritten in place on a terminal, whatever its width, and printed now and then in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._printed, self._at = -1, monotonic()

    def show(self, p: Progress) -> None:
        """Show where the study stands, and its news as lines that stay."""
        if p.news:
            sys.stderr.write(f"\r\033[K{wrapped(p.news, _width())}\n" if self._terminal else f"{p.news}\n")
        if self._terminal:
            width = _width()
            lead = bar(p.designs / max(1, p.budget)) if width >= WIDE else ""
            rest = fitted(parts(p), width - 1 - len(lead))
            sys.stderr.write("\r\033[K" + (f"\033[32m{lead}\033[0m" if lead and coloured() else lead) + rest)
        elif p.designs // LINES_APART > self._printed or monotonic() - self._at >= SECONDS_APART:
            self._printed, self._at = p.designs // LINES_APART, monotonic()
            sys.stderr.write(fitted(parts(p), LOG_WIDTH) + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            sys.stderr.write("\n")


def bar(share: float) -> str:
    """How much of the budget is spent, as a bar."""
    full = min(BAR, round(BAR * share))
    return f"[{'#' * full}{'.' * (BAR - full)}] "


def coloured() -> bool:
    """Whether a terminal wants colour (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def parts(p: Progress) -> list[str]:
    """What there is to say, the most wanted first."""
    said = [f"{p.designs}/{p.budget} designs"]
    if p.eta_s is not None:
        said.append(f"about {spoken(p.eta_s)} left")
    if p.best is not None:
        said.append(f"best {100 * p.best:.1f} %")
    elif p.full:
        said.append("none within the limits yet")
    far = ", ".join(f"{100 * share:.0f} %" for share in p.shares) if any(p.shares) else ""
    said += [
        f"{p.running} running" + (f" ({far})" if far else ""),
        f"front of {p.front}",
        f"{p.full} in full",
    ]
    said += [f"{p.failed} failed"] if p.failed else []
    if p.outlook is not None:
        from nax_bo.study.running.stopping import in_words

        said.append(in_words(p.outlook))
    return [*said, f"hypervolume {p.hypervolume:.3g}"]


def fitted(said: list[str], width: int) -> str:
    """As many of the parts as fit into a line of ``width`` characters, cut only if the first one does not."""
    while len(said) > 1 and len(", ".join(said)) > width:
        said = said[:-1]
    return ", ".join(said)[: max(0, width)]


def wrapped(news: str, width: int) -> str:
    """News in lines of at most ``width`` characters, further ones indented."""
    return "\n".join(textwrap.wrap(news, max(20, width - 1), subsequent_indent="  ")) or news


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
