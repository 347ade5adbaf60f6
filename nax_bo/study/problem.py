"""From settings to a search problem: which outcomes are known, which are learned, what limits apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.proxies import analytic_proxies
from nax_bo.hardware import CostModel, cost_model
from nax_bo.network.spec import Shape
from nax_bo.search import Constraint, Fidelity, Objective, Problem, Proxy
from nax_bo.space import Design, Space
from nax_bo.study.config import StudyConfig
from nax_bo.systems import System, load_system

ERROR, EDAP = "error", "edap_uj_ms_mm2"
_REFERENCE_SAMPLE = 256


@dataclass(frozen=True)
class StudyProblem:
    """The search problem that a study's settings describe, on a data set's image shape and classes."""

    config: StudyConfig
    input_shape: Shape
    num_classes: int

    @cached_property
    def system(self) -> System:
        """The joint space and its decoding."""
        return load_system(self.config.system, self.input_shape, self.num_classes)

    @cached_property
    def cost_model(self) -> CostModel:
        """What prices a design."""
        return cost_model(self.config.cost_model)

    @property
    def space(self) -> Space:
        """The joint space."""
        return self.system.space

    def costs(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Known costs of many designs, by name (see :data:`nax_bo.study.config.KNOWN_COSTS`)."""
        batch = self.cost_model.evaluate_batch(self.system.workload(columns))
        return {
            EDAP: batch.edap_uj_ms_mm2,
            "energy_uj": batch.energy_pj * 1e-6,
            "latency_ms": batch.latency_ns * 1e-6,
            "area_mm2": batch.area_um2 * 1e-6,
        }

    def costs_of(self, designs: Iterable[Design]) -> list[dict[str, float]]:
        """Known costs of each design."""
        columns = self.space.columns(self.space.indices(designs))
        costs = self.costs(columns)
        return [{k: float(v[i]) for k, v in costs.items()} for i in range(len(costs[EDAP]))]
