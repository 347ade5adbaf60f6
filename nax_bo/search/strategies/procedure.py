"""Searches that are trainings themselves: not functions of a log of evaluated designs, so not asked and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.supernet.family import Family
from nax_bo.hardware.chip import Conditions
from nax_bo.space import Design

Cost = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Cost of designs with index vectors ``n x d`` in a scale in which it may be added to a loss (log10, say), ``n``."""


@dataclass(frozen=True)
class Found:
    """What a procedure ends with.

    Attributes:
        design: The design that it derives, to be trained from scratch.
        images_seen: Images that went through a network, forward or both ways, calibration included: the budget that
            searches are compared by.
        certainty: Mean probability of the derived choices, over its active variables.
    """

    design: Design
    images_seen: int
    certainty: float


class Procedure(Protocol):
    """Runs until the budget of images is spent."""

    def run(
        self,
        family: Family,
        data: DataSet,
        cost: Cost,
        *,
        images: int,
        seed: int = 0,
        conditions: Conditions | None = None,
    ) -> Found:
        """Search ``family`` on the training images of ``data``.

        Args:
            family: The space.
            data: Its test images are not looked at.
            cost: What besides the loss is to be small.
            images: Images that may be seen.
            seed: Of everything random.
            conditions: Non-idealities.

        Raises:
            InputError: The budget does not suffice for a step of each kind.
        """
        ...
