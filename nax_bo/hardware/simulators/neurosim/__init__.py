"""Closed-form re-implementation of how DNN+NeuroSim (V1.3, V1.4) and XPertSim price a network on a crossbar chip."""

from nax_bo.hardware.simulators.neurosim.config import (
    V13,
    V14,
    XPERTSIM,
    Activity,
    NeuroSimConfig,
    NeuroSimLayer,
    Quirks,
)
from nax_bo.hardware.simulators.neurosim.cost import NeuroSimReport, evaluate

__all__ = [
    "V13",
    "V14",
    "XPERTSIM",
    "Activity",
    "NeuroSimConfig",
    "NeuroSimLayer",
    "NeuroSimReport",
    "Quirks",
    "evaluate",
]
