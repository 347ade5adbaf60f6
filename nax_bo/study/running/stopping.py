"""When to stop before the budget is spent: once further designs are expected to gain too little.

The decision is a function of the log. It is written into the study, since the full trainings that follow change the
log: a study that is interrupted among them goes on with them, and does not look at new designs again.
"""

from __future__ import annotations

from nax_bo.search import Optimizer
from nax_bo.search.outlook import Outlook
from nax_bo.study.config import StudyConfig
from nax_bo.study.file.store import Store

AHEAD = 50
"""Designs whose expected gain is told and decides."""

STOPPED = "stopped"
"""Fact of the store: the share asked for, and how many designs there were when it was reached."""


class Stopping:
    """Whether a running study has had enough, and what it says of the designs to come."""

    def __init__(self, store: Store, config: StudyConfig, optimizer: Optimizer) -> None:
        self._store, self._least, self._optimizer = store, config.until_gain, optimizer
        self._told = config.strategy == "naxbo"  # its models are fitted anyway
        self.outlook: Outlook | None = None

    def why(self, designs: int) -> str:
        """Why no further design is to be looked at, in words; empty if one is. ``designs`` is how many there are."""
        if not (self._told or self._least):
            return ""
        self.outlook = self._optimizer.outlook(AHEAD)
        if not self._least:
            return ""
        now = {"until_gain": self._least, "designs": designs}
        if self._store.meta(STOPPED) == now:
            return f"stopped at {designs} designs, as before: too little is expected of more (until_gain)"
        if self.outlook is None or self.outlook.gain >= self._least:
            return ""
        self._store.set_meta({STOPPED: now})
        return f"stopped at {designs} designs: {in_words(self.outlook)}, less than {percent(self._least)} (until_gain)"


def in_words(outlook: Outlook) -> str:
    """An outlook as a sentence."""
    return (
        f"another {outlook.designs} designs are expected to gain {percent(outlook.gain)} "
        f"({percent(outlook.low)} to {percent(outlook.high)}) of the hypervolume"
    )


def percent(share: float) -> str:
    """A share in percent, two digits; below a hundredth of a percent it is none."""
    if share < 1e-4:
        return "0 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
