"""What cost-only variables are solved for, and what a cost model must offer to solve them slot by slot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from nax_bo.hardware.optimum.objective import ObjectiveName
from nax_bo.hardware.pricing.priced import SlotTerms
from nax_bo.hardware.report import CostBatch
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload

Score = Callable[[CostBatch], Floats]
"""Costs of designs to numbers, less being better; it may use energy, latency, area and what follows from them."""


@runtime_checkable
class SlotPricing(Protocol):
    """A cost model that prices slots by themselves."""

    def slot_terms(self, workload: Workload, periods_ns: Floats) -> SlotTerms:
        """Terms of every slot at clock periods n x C."""
        ...

    def slot_clocks(self, workload: Workload) -> Floats:
        """Shortest clock period of every slot, n x L."""
        ...


@dataclass(frozen=True)
class Goal:
    """What cost-only variables are solved for.

    Attributes:
        score: Limits included.
        exponents: Of area, latency and energy in the product that the score follows within the limits.
        limited: Whether there are limits.
        max_area_um2: The limit of the area, for the exact solution.
    """

    score: Score
    exponents: tuple[float, float, float] = (1.0, 1.0, 1.0)
    limited: bool = False
    max_area_um2: float = np.inf

    @property
    def objective(self) -> ObjectiveName | None:
        """The name of the product, if it has one."""
        names: dict[tuple[float, float, float], ObjectiveName] = {
            (1, 1, 1): "edap", (0, 1, 1): "edp", (0, 0, 1): "energy", (0, 1, 0): "latency", (1, 0, 0): "area",
        }  # fmt: skip
        return names.get(self.exponents)
