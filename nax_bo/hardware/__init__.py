"""Crossbar hardware: chips, devices, and what designs cost. Nothing here imports torch."""

from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.protocol import CostEvaluator, CostModel, cost_model, cost_model_names, evaluate_designs
from nax_bo.hardware.report import ComponentCost, CostBatch, CostReport, LayerCost, Spread
from nax_bo.hardware.workload import Workload

__all__ = [
    "ArraySpec",
    "ChipSpec",
    "ComponentCost",
    "Conditions",
    "CostBatch",
    "CostEvaluator",
    "CostModel",
    "CostReport",
    "LayerCost",
    "Spread",
    "Workload",
    "cost_model",
    "cost_model_names",
    "evaluate_designs",
]
