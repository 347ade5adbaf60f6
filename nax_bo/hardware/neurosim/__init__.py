"""Closed-form re-implementation of how DNN+NeuroSim V1.3 prices a network on a crossbar chip."""

from nax_bo.hardware.neurosim.config import Activity, NeuroSimConfig, NeuroSimLayer, Quirks
from nax_bo.hardware.neurosim.cost import NeuroSimReport, evaluate

__all__ = ["Activity", "NeuroSimConfig", "NeuroSimLayer", "NeuroSimReport", "Quirks", "evaluate"]
