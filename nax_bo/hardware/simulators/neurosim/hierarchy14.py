"""The chip of DNN+NeuroSim V1.4: wider results, one buffer design per kind of tile, an X-Y bus between tiles.

Areas by part are those of the used blocks; the footprint also counts what bounding boxes leave empty.
"""

from __future__ import annotations

import math

from nax_bo.hardware.simulators.neurosim.array import ArrayPrices
from nax_bo.hardware.simulators.neurosim.arrays import array_prices
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.control import max_pool
from nax_bo.hardware.simulators.neurosim.digital import AdderTree, flip_flop
from nax_bo.hardware.simulators.neurosim.hierarchy import (
    CHIP_TREE_FOLDING,
    GLOBAL_BUFFER_LINE_BITS,
    TILE_TREE_FOLDING,
    Areas,
    ChipParts,
    ProcessingElement,
    Tile,
    global_bus_bits,
    global_input_values,
)
from nax_bo.hardware.simulators.neurosim.mapping import FloorPlan, LayerTable
from nax_bo.hardware.simulators.neurosim.memory import buffer_core
from nax_bo.hardware.simulators.neurosim.technology import Technology, technology
from nax_bo.hardware.simulators.neurosim.wires import (
    BalancedTree,
    CrossBus,
    repeater,
    wire_resistance_ohm_per_m,
)

INPUT_TOGGLE, OUTPUT_TOGGLE = 0.18, 0.5
"""Share of input and of result bits that toggle on a wire."""


def build_chip14(table: LayerTable, plan: FloorPlan, config: NeuroSimConfig) -> ChipParts:
    """Size and price every block of the chip."""
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k, 14)
    array = array_prices(config)
    per_side = -(-plan.tile_side // plan.pe_side)
    conventional = _tile(tech, array, config, plan.pe_side, per_side=per_side, novel=False)
    novel = None
    if config.mapping == "novel":
        novel = _tile(tech, array, config, plan.novel_pe_side, per_side=plan.pes_per_novel_tile, novel=True)
    count = int(plan.tiles.sum())
    rows = math.ceil(math.sqrt(count))
    bus_bits = global_bus_bits(plan, config)
    bus = CrossBus(tech, rows, math.ceil(count / rows), bus_bits, config.wire_width_nm, config.temp_k)
    ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k, 14)
    sram = config.global_buffer_type == "SRAM"
    memory = buffer_core(tech, GLOBAL_BUFFER_LINE_BITS**2, GLOBAL_BUFFER_LINE_BITS, sram, ohm)
    bits = int(config.input_bits * global_input_values(table, config))
    cores = math.ceil(bits / GLOBAL_BUFFER_LINE_BITS**2)
    outputs = max(plan.tile_side, plan.novel_pe_side) if novel else plan.tile_side
    if config.dataflow == "pipeline" and novel:
        outputs *= len(table.rows) + 1
    units = math.ceil(outputs / config.col_mux)
    tree = AdderTree(tech, int(plan.tile_rows.max()), _global_sum_bits(table, plan, config), units)
    pool = max_pool(tech, config.input_bits)
    pool_units = int(max(plan.tile_side / config.col_mux, plan.novel_pe_side / config.col_mux))
    side_m = max(conventional.side_m, novel.side_m if novel else 0.0)
    counts = (int(plan.tiles[~plan.novel].sum()), int(plan.tiles[plan.novel].sum()))
    areas = conventional.areas.times(counts[0])
    footprint = conventional.footprint_m2 * counts[0]
    if novel:
        areas = areas.plus(novel.areas.times(counts[1]))
        footprint += novel.footprint_m2 * counts[1]
    shared = Areas(
        accum=tree.area_m2,
        other=memory.area_m2 * cores
        + pool.area_m2 * pool_units
        + flip_flop(tech).area_m2 * units * config.input_bits,
        interconnect=bus.area_m2(side_m, side_m, CHIP_TREE_FOLDING),
    )
    return ChipParts(
        tech=tech,
        array=array,
        conventional=conventional,
        novel=novel,
        global_buffer=memory,
        global_cores=cores,
        bus_bits=bus_bits,
        wires=bus,
        tree=tree,
        relu_units=units,
        pool=pool,
        pool_units=pool_units,
        areas=areas.plus(shared),
        footprint_m2=footprint + shared.total,
    )


def _result_bits(config: NeuroSimConfig) -> int:
    """Width of an array's result after all bits of input and weight."""
    partial = math.ceil(math.log2(config.partial_reads))
    return (
        config.adc_bits + partial + config.input_bits + (config.cells_per_weight - 1) * config.cell_bits + 1
    )


def _global_sum_bits(table: LayerTable, plan: FloorPlan, config: NeuroSimConfig) -> int:
    side = config.xbar_rows_cols
    added = -(-plan.pe_side // side)
    per_side = -(-plan.tile_side // plan.pe_side)
    if config.mapping == "novel":
        added = max(added, -(-plan.novel_pe_side // side))
        per_side = max(per_side, math.ceil(math.sqrt(plan.pes_per_novel_tile)))
    added *= per_side * (len(table.rows) + 1 if config.dataflow == "pipeline" else 1)
    return _result_bits(config) + math.ceil(math.log2(added))


def _processing_element(
    tech: Technology, array: ArrayPrices, config: NeuroSimConfig, pe_side: int
) -> ProcessingElement:
    side = config.xbar_rows_cols
    count = -(-pe_side // side)
    tree = AdderTree(tech, count, _result_bits(config), math.ceil(count * side / config.col_mux))
    register = flip_flop(tech)
    input_bits = config.input_bits * side
    output_bits = config.converters * (_result_bits(config) + tree.stages)
    input_area, _ = register.area_in_height(input_bits, count * array.height_m)
    output_area, _ = register.area_in_width(output_bits, count * array.width_m)
    wire = repeater(tech, wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k, 14), 0.0)
    per_m = wire.energy_j_per_m(tech.vdd_v, 0.5)
    across, down = array.width_m * (count - 1), array.height_m * (count - 1)
    leakage_per_m = (
        tech.leakage_w("inv", 1, wire.size * tech.min_n_m, wire.size * tech.min_p_m) / wire.spacing_m
    )
    buses = leakage_per_m * side * (across + down * count)
    return ProcessingElement(
        arrays_per_side=count,
        tree=tree,
        input_bits=input_bits,
        output_bits=output_bits,
        areas=Areas(
            array.cell_area_m2 * count**2,
            array.adc_area_m2 * count**2,
            array.accum_area_m2 * count**2 + tree.area_m2,
            array.other_area_m2 * count**2 + input_area + output_area,
        ),
        footprint_m2=array.height_m * array.width_m * count**2 + tree.area_m2 + input_area + output_area,
        bus_in_j_per_bit=per_m * INPUT_TOGGLE * across,
        bus_out_j_per_bit=per_m * OUTPUT_TOGGLE * down,
        fixed_leakage_w=array.leakage_w * count**2 + register.leakage_w * (input_bits + output_bits) + buses,
    )


def _tile(
    tech: Technology, array: ArrayPrices, config: NeuroSimConfig, pe_side: int, *, per_side: int, novel: bool
) -> Tile:
    side, core = config.xbar_rows_cols, config.tile_buffer_core_dim
    pe = _processing_element(tech, array, config, pe_side)
    pes = per_side if novel else per_side**2
    ohm = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k, 14)
    bits = _result_bits(config) + pe.arrays_per_side
    outputs = pe_side if novel else per_side * pe_side
    tree = AdderTree(tech, per_side, bits, math.ceil(outputs / config.col_mux))
    width = bits + math.ceil(math.log2(per_side))
    out_bits = width * per_side * side / config.col_mux
    in_bits = per_side * config.input_bits * side
    small_in, small_out = in_bits < core * core, out_bits < core * core
    source = buffer_core(
        tech, in_bits if small_in else core**2, per_side * side if small_in else core, False, ohm
    )
    sink_bits, line = (int(out_bits), width * per_side) if small_out else (core**2, core)
    sink = buffer_core(tech, sink_bits, line, False, ohm)
    grid = math.ceil(math.sqrt(per_side)) if novel else per_side
    wires = BalancedTree(tech, grid, grid, per_side * pe_side, config.wire_width_nm, config.temp_k)
    cores = math.ceil(in_bits / core**2), math.ceil(out_bits / core**2)
    shared = Areas(
        accum=tree.area_m2,
        other=source.area_m2 * cores[0] + sink.area_m2 * cores[1],
        interconnect=wires.area_m2(pe.side_m, pe.side_m, TILE_TREE_FOLDING),
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
        areas=pe.areas.times(pes).plus(shared),
        footprint_m2=pe.footprint_m2 * pes + shared.total,
    )
