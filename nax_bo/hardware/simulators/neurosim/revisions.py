"""The chip of a network and the price of its layers, by the rules of the configuration's revision."""

from __future__ import annotations

from nax_bo.hardware.simulators.neurosim.columns import ColumnModel
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.hierarchy import ChipParts, build_chip13
from nax_bo.hardware.simulators.neurosim.hierarchy14 import build_chip14
from nax_bo.hardware.simulators.neurosim.layout import Layout
from nax_bo.hardware.simulators.neurosim.mapping import FloorPlan, LayerTable
from nax_bo.hardware.simulators.neurosim.performance import REFERENCE_CLOCK_HZ, LayerCosts, Run
from nax_bo.hardware.simulators.neurosim.performance14 import Run14


def build_chip(table: LayerTable, plan: FloorPlan, config: NeuroSimConfig) -> ChipParts:
    """Size and price every block of the chip."""
    build = build_chip14 if config.quirks.revision == 14 else build_chip13
    return build(table, plan, config)


def layer_costs(
    table: LayerTable,
    plan: FloorPlan,
    chip: ChipParts,
    pieces: Layout,
    config: NeuroSimConfig,
    *,
    columns: ColumnModel,
    period_s: float,
) -> LayerCosts:
    """Price every layer of a network on a chip whose clock has the given period."""
    clock_hz = (
        REFERENCE_CLOCK_HZ if config.quirks.unit_clock_in_wires else min(REFERENCE_CLOCK_HZ, 1 / period_s)
    )
    run = Run14 if config.quirks.revision == 14 else Run
    return run(table, plan, chip, pieces, config, columns=columns, clock_hz=clock_hz).layer_costs()
