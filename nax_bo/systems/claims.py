"""What a published system claims, what of it had to be assumed, and the designs that it is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nax_bo.space import Value


@dataclass(frozen=True, slots=True)
class Claim:
    """A published figure.

    Attributes:
        metric: What is claimed: an outcome of :mod:`nax_bo.outcomes`, or words where it is none of them.
        baseline: What it is measured against, as far as the source says.
        value: The figure: a ratio for costs (of the better kind: 2 is twice as good), points for accuracy.
        source: Where it is published: the paper, and where in it.
    """

    metric: str
    baseline: str
    value: float
    source: str

    @property
    def lost(self) -> bool:
        """Whether it is the accuracy lost to variation that is claimed: the less, the better."""
        return "lost" in self.metric


@dataclass(frozen=True, slots=True)
class Assumed:
    """A setting that the sources leave open.

    Attributes:
        field: What is set: a variable, a setting of the chip, or words.
        value: What it is set to here.
        why: Why this value.
    """

    field: str
    value: object
    why: str


Baselines = Mapping[str, Mapping[str, Value]]
"""Designs by name. ``paper`` is the one of the publication, as far as known. Of those whose names begin with
``homogeneous`` and of those that begin with ``scaled`` (the same network at other widths), the best one counts."""
