"""What is built once per chip: processing elements, tiles, the global buffer, trees and units, with their areas.

A `ChipParts` is made from a configuration and a floor plan; `performance` then runs layers on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nax_bo.hardware.simulators.neurosim.array import ArrayPrices
from nax_bo.hardware.simulators.neurosim.arrays import array_prices
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.control import MaxPool, max_pool
from nax_bo.hardware.simulators.neurosim.digital import AdderTree, flip_flop
from nax_bo.hardware.simulators.neurosim.mapping import FloorPlan, LayerTable
from nax_bo.hardware.simulators.neurosim.memory import Buffer, buffer_core
from nax_bo.hardware.simulators.neurosim.technology import Technology, technology
from nax_bo.hardware.simulators.neurosim.wires import (
    BalancedTree,
    CrossBus,
    HTree,
    repeater,
    wire_resistance_ohm_per_m,
)

GLOBAL_BUFFER_LINE_BITS = 128
TILE_TREE_FOLDING = 16
CHIP_TREE_FOLDING = 4


@dataclass(frozen=True)
class Areas:
    """Areas in m2 by part."""

    array: float = 0.0
    adc: float = 0.0
    accum: float = 0.0
    other: float = 0.0
    interconnect: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return self.array + self.adc + self.accum + self.other + self.interconnect

    def plus(self, other: Areas) -> Areas:
        """Sum part by part."""
        return Areas(
            self.array + other.array,
            self.adc + other.adc,
            self.accum + other.accum,
            self.other + other.other,
            self.interconnect + other.interconnect,
        )

    def times(self, factor: float) -> Areas:
        """Every part scaled."""
        return Areas(
            self.array * factor,
            self.adc * factor,
            self.accum * factor,
            self.other * factor,
            self.interconnect * factor,
        )


@dataclass(frozen=True)
class ProcessingElement:
    """A square of arrays with an adder tree, registers at its edges and buses."""

    arrays_per_side: int
    tree: AdderTree
    input_bits: int
    output_bits: int
    areas: Areas
    bus_in_j_per_bit: float
    bus_out_j_per_bit: float
    fixed_leakage_w: float
    """Leakage without the adder tree."""
    footprint_m2: float
    """Area with what its arrays leave empty (revision 14); the sum of its parts in revision 13."""

    @property
    def side_m(self) -> float:
        """Side of the square that its area fills."""
        return math.sqrt(self.footprint_m2)


@dataclass(frozen=True)
class Tile:
    """A grid of processing elements with buffers, an adder tree and an H-tree."""

    pe: ProcessingElement
    pes_per_side: int
    """PEs per side of a conventional tile; kernel positions of a novel one."""
    pes: int
    tree: AdderTree
    input_buffer: Buffer
    output_buffer: Buffer
    input_cores: int
    output_cores: int
    """Buffer cores (in revision 13 the conventional tile decides for both kinds)."""
    wires: HTree | BalancedTree
    areas: Areas
    footprint_m2: float

    @property
    def side_m(self) -> float:
        """Side of the square that its area fills."""
        return math.sqrt(self.footprint_m2)


@dataclass(frozen=True)
class ChipParts:
    """Everything on the chip."""

    tech: Technology
    array: ArrayPrices
    conventional: Tile
    novel: Tile | None
    global_buffer: Buffer
    global_cores: int
    bus_bits: float
    wires: HTree | CrossBus
    tree: AdderTree
    relu_units: int
    pool: MaxPool
    pool_units: int
    areas: Areas
    footprint_m2: float


def build_chip13(table: LayerTable, plan: FloorPlan, config: NeuroSimConfig) -> ChipParts:
    """Size and price every block of the chip."""
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k)
    array = array_prices(config)
    per_side = -(-plan.tile_side // plan.pe_side)
    core_bits = config.tile_buffer_core_dim**2
    cores = (
        math.ceil(per_side * config.input_bits * config.xbar_rows_cols / core_bits),
        math.ceil(_output_bits(config, plan.pe_side, per_side) / core_bits),
    )
    conventional = _tile(tech, array, config, plan.pe_side, per_side=per_side, pes=per_side**2, cores=cores)
    novel = None
    if config.mapping == "novel":
        pes = plan.pes_per_novel_tile
        novel = _tile(tech, array, config, plan.novel_pe_side, per_side=pes, pes=pes, cores=cores)
    count = int(plan.tiles.sum())
    tile_rows = math.ceil(math.sqrt(count))
    bus_bits = global_bus_bits(plan, config)
    wires = HTree(
        tech, tile_rows, math.ceil(count / tile_rows), bus_bits, config.wire_width_nm, config.temp_k
    )
    ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k)
    memory = buffer_core(
        tech, GLOBAL_BUFFER_LINE_BITS**2, GLOBAL_BUFFER_LINE_BITS, config.global_buffer_type == "SRAM", ohm
    )
    held = int(global_input_values(table, config) * config.input_bits) / GLOBAL_BUFFER_LINE_BITS**2
    global_cores = math.ceil(held) if config.quirks.round_up_buffer_cores else max(int(held), 1)
    tree, relu_units = _global_units(tech, table, plan, config)
    pool = max_pool(tech, config.input_bits)
    side_m = max(conventional.side_m, novel.side_m if novel else 0.0)
    areas = conventional.areas.times(int(plan.tiles[~plan.novel].sum()))
    if novel:
        areas = areas.plus(novel.areas.times(int(plan.tiles[plan.novel].sum())))
    relu = flip_flop(tech).area_m2 * relu_units * config.input_bits
    shared = Areas(
        accum=tree.area_m2,
        other=memory.area_m2 * global_cores + pool.area_m2 * plan.tile_side + relu,
        interconnect=wires.area_m2(side_m, side_m, CHIP_TREE_FOLDING),
    )
    return ChipParts(
        tech=tech,
        array=array,
        conventional=conventional,
        novel=novel,
        global_buffer=memory,
        global_cores=global_cores,
        bus_bits=bus_bits,
        wires=wires,
        tree=tree,
        relu_units=relu_units,
        pool=pool,
        pool_units=plan.tile_side,
        areas=areas.plus(shared),
        footprint_m2=areas.plus(shared).total,
    )


def _sum_bits(config: NeuroSimConfig, pe_side: int) -> int:
    """Width of a PE's result."""
    depth = math.ceil(math.log2(pe_side / config.xbar_rows_cols))
    return config.adc_bits + config.input_bits + config.cells_per_weight + 1 + depth


def _output_bits(config: NeuroSimConfig, pe_side: int, pes_per_side: int) -> float:
    return _sum_bits(config, pe_side) * pes_per_side * config.xbar_rows_cols / config.col_mux


def _processing_element(
    tech: Technology, array: ArrayPrices, config: NeuroSimConfig, pe_side: int
) -> ProcessingElement:
    side = config.xbar_rows_cols
    count = -(-pe_side // side)
    tree = AdderTree(
        tech,
        count,
        config.adc_bits + config.input_bits + config.cells_per_weight + 1,
        math.ceil(count * side / config.col_mux),
    )
    register = flip_flop(tech)
    input_bits = config.input_bits * side
    output_bits = config.converters * (
        config.adc_bits + config.input_bits + config.cells_per_weight + tree.stages
    )
    input_area, _ = register.area_in_height(input_bits, count * array.height_m)
    output_area, _ = register.area_in_width(output_bits, count * array.width_m)
    bus = repeater(tech, wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k), 0.0)
    per_m = bus.energy_j_per_m(tech.vdd_v)
    areas = Areas(
        array.cell_area_m2 * count**2,
        array.adc_area_m2 * count**2,
        array.accum_area_m2 * count**2 + tree.area_m2,
        array.other_area_m2 * count**2 + input_area + output_area,
    )
    return ProcessingElement(
        arrays_per_side=count,
        tree=tree,
        input_bits=input_bits,
        output_bits=output_bits,
        areas=areas,
        footprint_m2=areas.total,
        bus_in_j_per_bit=per_m * array.width_m * (count - 1),
        bus_out_j_per_bit=per_m * array.height_m * (count - 1),
        fixed_leakage_w=array.leakage_w * count**2 + register.leakage_w * (input_bits + output_bits),
    )


def _tile(
    tech: Technology,
    array: ArrayPrices,
    config: NeuroSimConfig,
    pe_side: int,
    *,
    per_side: int,
    pes: int,
    cores: tuple[int, int],
) -> Tile:
    side, core = config.xbar_rows_cols, config.tile_buffer_core_dim
    pe = _processing_element(tech, array, config, pe_side)
    ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k)
    tree = AdderTree(tech, per_side, _sum_bits(config, pe_side), math.ceil(per_side * side / config.col_mux))
    input_bits = per_side * config.input_bits * side
    output_bits = int(_output_bits(config, pe_side, per_side))
    small_in, small_out = input_bits < core * core, output_bits < core * core
    source = buffer_core(
        tech, input_bits if small_in else core**2, per_side * side if small_in else core, False, ohm
    )
    line = _sum_bits(config, pe_side) * per_side
    sink = buffer_core(tech, output_bits if small_out else core**2, line if small_out else core, False, ohm)
    wires = HTree(tech, per_side, per_side, per_side * side, config.wire_width_nm, config.temp_k)
    areas = pe.areas.times(pes).plus(
        Areas(
            accum=tree.area_m2,
            other=source.area_m2 * cores[0] + sink.area_m2 * cores[1],
            interconnect=wires.area_m2(pe.side_m, pe.side_m, TILE_TREE_FOLDING),
        )
    )
    return Tile(
        pe=pe,
        pes_per_side=per_side,
        pes=pes,
        tree=tree,
        input_buffer=source,
        output_buffer=sink,
        input_cores=cores[0],
        output_cores=cores[1],
        wires=wires,
        areas=areas,
        footprint_m2=areas.total,
    )


def global_bus_bits(plan: FloorPlan, config: NeuroSimConfig) -> float:
    """Width of the global bus: what all tiles could take, halved until it is allowed."""
    novel_side = plan.novel_pe_side * math.ceil(math.sqrt(plan.pes_per_novel_tile))
    bits = 0.0
    for novel, tiles in zip(plan.novel, plan.tiles, strict=True):
        side = novel_side if novel else plan.tile_side
        groups = int(tiles) if config.dataflow == "pipeline" else 1
        bits += (side + side / config.col_mux) * groups
    while bits > config.max_global_bus_width:
        bits /= 2
    return bits


def global_input_values(table: LayerTable, config: NeuroSimConfig) -> float:
    """Values the global buffer holds: the largest input, or half of all inputs in a pipeline."""
    values = table.in_h * table.in_w * table.c_in
    return float(values.sum() / 2) if config.dataflow == "pipeline" else float(values.max())


def _global_units(
    tech: Technology, table: LayerTable, plan: FloorPlan, config: NeuroSimConfig
) -> tuple[AdderTree, int]:
    """Adder trees that sum tiles, and the number of ReLU units."""
    side = config.xbar_rows_cols
    layers = len(table.rows) + 1 if config.dataflow == "pipeline" else 1
    added = -(-plan.pe_side // side)
    per_side = -(-plan.tile_side // plan.pe_side)
    outputs = plan.tile_side
    if config.mapping == "novel":
        root = math.ceil(math.sqrt(plan.pes_per_novel_tile))
        outputs = max(outputs, root * plan.novel_pe_side) * layers
        added = max(added, -(-plan.novel_pe_side // side))
        per_side = max(per_side, root)
    added *= per_side * layers
    units = math.ceil(outputs / config.col_mux)
    bits = config.adc_bits + config.input_bits + config.cells_per_weight + 1 + math.ceil(math.log2(added))
    return AdderTree(tech, int(plan.tile_rows.max()), bits, units), units
