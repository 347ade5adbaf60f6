"""Price a network on a chip as DNN+NeuroSim does, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.simulators.neurosim.array import CLOCK_MARGIN
from nax_bo.hardware.simulators.neurosim.columns import column_model
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.hierarchy import Areas
from nax_bo.hardware.simulators.neurosim.layout import layout
from nax_bo.hardware.simulators.neurosim.mapping import floor_plan, layer_table
from nax_bo.hardware.simulators.neurosim.performance import PARTS, Parts
from nax_bo.hardware.simulators.neurosim.revisions import build_chip, layer_costs

Array = NDArray[np.float64]
POST_LAYOUT_ENERGY = 1.22
"""Growth of energy after layout (silicon validation, zeta); only in TOPS/W."""


@dataclass(frozen=True)
class NeuroSimReport:
    """Cost of one image. Arrays have one entry per layer; dicts have the parts adc, accum, other, buffer, ic.

    ``adc + accum + other`` is the total; ``buffer`` and ``ic`` (interconnect) are inside ``other``.
    In a pipeline, chip latencies are those of the slowest layer.
    """

    clock_period_ns: float
    layer_energy_pj: Array
    layer_energy_parts_pj: dict[str, Array]
    layer_latency_ns: Array
    layer_latency_parts_ns: dict[str, Array]
    layer_leakage_energy_pj: Array
    layer_leakage_power_uw: Array
    layer_tiles: NDArray[np.int64]
    layer_duplication: NDArray[np.int64]
    layer_utilization: Array
    energy_pj: float
    energy_parts_pj: dict[str, float]
    latency_ns: float
    latency_parts_ns: dict[str, float]
    leakage_energy_pj: float
    leakage_power_uw: float
    area_um2: float
    area_parts_um2: dict[str, float]
    num_tiles: int
    memory_utilization: float
    num_ops: int

    @property
    def total_energy_pj(self) -> float:
        """Dynamic and leakage energy."""
        return self.energy_pj + self.leakage_energy_pj

    @property
    def tops_per_w(self) -> float:
        """Efficiency as the reference prints it, after the post-layout growth of energy."""
        return self.num_ops / self.total_energy_pj / POST_LAYOUT_ENERGY

    @property
    def edap_pj_ns_mm2(self) -> float:
        """Energy-delay-area product."""
        return self.total_energy_pj * self.latency_ns * self.area_um2 * 1e-6


def evaluate(layers: Sequence[NeuroSimLayer], config: NeuroSimConfig) -> NeuroSimReport:
    """Price a network on a chip.

    Args:
        layers: Layers in order; the first one is taken to have signed, dense inputs.
        config: The chip.

    Raises:
        InputError: if there are no layers or the node is not tabulated.
        EvaluationError: if the chip cannot be built (arrays too large for the network, access device too wide).
    """
    rows = tuple(layers)
    if not rows:
        raise InputError("a network needs at least one layer", "give the layer table of the network")
    table = layer_table(rows, config.cells_per_weight)
    plan = floor_plan(table, config)
    chip = build_chip(table, plan, config)
    pieces = layout(table, plan, config)
    columns = column_model(rows, config, pieces)
    array = chip.array
    period_s = CLOCK_MARGIN * float(array.static_delay_s + array.converter_delay_s + columns.sensing_s.max())
    costs = layer_costs(table, plan, chip, pieces, config, columns=columns, period_s=period_s)
    latency_s = costs.cycles.map(lambda part: part * period_s)
    total_s = latency_s.total
    leakage_w = costs.tile_leakage_w * plan.tiles
    if config.dataflow == "pipeline":
        chip_latency = {name: float(getattr(latency_s, name).max()) for name in PARTS}
        slowest_s = float(total_s.max())
        leakage_j = leakage_w * (slowest_s - total_s)
        if (
            config.quirks.revision == 14
        ):  # averaged over the slowest layer so far, then charged for the slowest of all
            so_far_s = np.maximum.accumulate(total_s)
            waiting = costs.tile_leakage_w * (so_far_s - total_s) + costs.in_use_leakage_w * total_s
            leakage_w = plan.tiles * waiting / so_far_s
            leakage_j = leakage_w * slowest_s
    else:
        chip_latency = {name: float(getattr(latency_s, name).sum()) for name in PARTS}
        slowest_s = float(total_s.sum())
        leakage_j = costs.tile_leakage_w * (plan.tiles.sum() - plan.tiles) * total_s
        leakage_j = leakage_j + costs.in_use_leakage_w * plan.tiles * total_s
    return NeuroSimReport(
        clock_period_ns=period_s * 1e9,
        layer_energy_pj=costs.energy_j.total * 1e12,
        layer_energy_parts_pj=_scaled(costs.energy_j, 1e12),
        layer_latency_ns=total_s * 1e9,
        layer_latency_parts_ns=_scaled(latency_s, 1e9),
        layer_leakage_energy_pj=leakage_j * 1e12,
        layer_leakage_power_uw=leakage_w * 1e6,
        layer_tiles=plan.tiles,
        layer_duplication=plan.speedup_row * plan.speedup_col,
        layer_utilization=plan.utilization,
        energy_pj=float(costs.energy_j.total.sum()) * 1e12,
        energy_parts_pj={name: float(getattr(costs.energy_j, name).sum()) * 1e12 for name in PARTS},
        latency_ns=slowest_s * 1e9,
        latency_parts_ns={name: value * 1e9 for name, value in chip_latency.items()},
        leakage_energy_pj=float(leakage_j.sum()) * 1e12,
        leakage_power_uw=float(leakage_w.sum()) * 1e6,
        area_um2=chip.footprint_m2 * 1e12,
        area_parts_um2=_area_parts(chip.areas),
        num_tiles=int(plan.tiles.sum()),
        memory_utilization=plan.memory_utilization,
        num_ops=sum(layer.num_ops for layer in rows),
    )


def _scaled(parts: Parts, factor: float) -> dict[str, Array]:
    return {name: getattr(parts, name) * factor for name in PARTS}


def _area_parts(areas: Areas) -> dict[str, float]:
    return {
        "array": areas.array * 1e12,
        "adc": areas.adc * 1e12,
        "accum": areas.accum * 1e12,
        "other": areas.other * 1e12,
        "ic": areas.interconnect * 1e12,
    }
