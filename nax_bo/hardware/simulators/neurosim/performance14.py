"""Energy, cycles and leakage as DNN+NeuroSim V1.4 counts them; what is not overridden is as in `performance`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from nax_bo.hardware.simulators.neurosim.digital import adder, flip_flop
from nax_bo.hardware.simulators.neurosim.hierarchy import Tile
from nax_bo.hardware.simulators.neurosim.hierarchy14 import INPUT_TOGGLE, OUTPUT_TOGGLE
from nax_bo.hardware.simulators.neurosim.performance import Array, Parts, Run, tree_values
from nax_bo.hardware.simulators.neurosim.wires import BalancedTree, CrossBus


class Run14(Run):
    """The layers of one network on one chip of revision 14."""

    @override
    def pe_result_bits(self) -> Array:
        novel, conv = (self.chip.novel or self.chip.conventional).pe.tree, self.chip.conventional.pe.tree
        return self.layerwise(self.per_kind(novel.bits + novel.stages, conv.bits + conv.stages), 4)

    @override
    def pe_cycles(
        self,
        operands: Array,
        pulses: Array,
        vectors: Array,
        *,
        copies: Array,
        filled: NDArray[np.bool_],
        transfers: Array,
    ) -> Parts:
        config, chip = self.config, self.chip
        conversions = config.col_mux * config.partial_reads
        trees = self.tree_table(
            (chip.novel or chip.conventional).pe.tree, chip.conventional.pe.tree, operands, "cycles"
        )
        summing = np.where(filled, 0.0, vectors * self.reads * trees)
        used = (operands > 0) * np.ones_like(transfers)
        return Parts(
            adc=used * pulses * conversions / copies,
            accum=used * (pulses * self._array_sum_cycles() + summing) / copies,
            other=transfers,
            buffer=transfers,
            ic=np.zeros_like(transfers),
        )

    def _array_sum_cycles(self) -> float:
        """Cycles per input bit of an array's adders that the conversions do not hide."""
        config = self.config
        unit, mux, cells, reads = adder(self.chip.tech), config.col_mux, config.cells_per_weight, self.reads
        growth = math.ceil(math.log2(config.partial_reads))
        shift_bits = config.adc_bits + (growth if config.device == "SRAM" else 0)
        hidden, cycles = mux * config.partial_reads, 0.0
        if config.partial_reads > 1:
            step = math.ceil(unit.delay_s(config.adc_bits + growth - 1) * self.clock_hz) - 1
            cycles += mux * (config.partial_reads - 1) * step
        if cells > 1:
            step = math.ceil(unit.delay_s(shift_bits) * self.clock_hz)
            cycles += (cells - 1) * reads * max(step - (hidden + cycles) / mux, 0.0)
        if config.input_bits > 1 and reads:
            step = math.ceil(unit.delay_s(shift_bits + cells) * self.clock_hz)
            cycles += reads * max(step - (hidden + cycles) / reads, 0.0)
        return cycles

    # ---- tiles -------------------------------------------------------------------------------------------------

    @override
    def tile_result_bits(self, widths: Array, positions: Array) -> Array:
        stages = self.per_kind(
            (self.chip.novel or self.chip.conventional).tree.stages, self.chip.conventional.tree.stages
        )
        return self.layerwise(stages, 2) + widths

    @override
    def tile_transfers(
        self, tile: Tile, bits_in: Array, bits_out: Array, novel: bool
    ) -> tuple[Array, Array, Array, Array]:
        source, sink, side_m = tile.input_buffer, tile.output_buffer, tile.pe.side_m
        energy = bits_in * (source.read_j_per_bit + source.write_j_per_bit) / 2
        energy = energy + bits_out * (sink.read_j_per_bit + sink.write_j_per_bit) / 2
        lines = np.zeros(bits_in.shape)
        for buffer, bits, cores in ((source, bits_in, tile.input_cores), (sink, bits_out, tile.output_cores)):
            lines = lines + bits / buffer.line_bits / min(
                cores, math.ceil(tile.wires.bus_bits / buffer.line_bits)
            )
        hop = math.ceil(tile.wires.delay_s(side_m, side_m) * self.clock_hz)
        toggles = bits_in * INPUT_TOGGLE + bits_out * OUTPUT_TOGGLE
        wire_energy = toggles * tile.wires.energy_j_per_bit(side_m, side_m)
        return energy, lines, wire_energy, (bits_in + bits_out) / tile.wires.bus_bits * hop

    # ---- chip --------------------------------------------------------------------------------------------------

    @override
    def global_units(self) -> tuple[Array, Array, Array, Array]:
        table, chip, config = self.table, self.chip, self.config
        register = flip_flop(chip.tech).energy_j
        relu_uses = np.ceil(table.vectors * table.c_out / chip.relu_units)
        energy = relu_uses * register * chip.relu_units * config.input_bits
        tiles = self.plan.tile_rows
        uses = np.where(tiles > 1, np.ceil(table.c_out * (table.vectors / chip.tree.trees)), 0.0)
        most = int(tiles.max())
        sums = tree_values(chip.tree, "energy", most, self.clock_hz)[tiles]
        sum_cycles = tree_values(chip.tree, "cycles", most, self.clock_hz)[tiles]
        pool_uses = np.where(table.pooled, np.ceil(table.vectors * table.c_out / 4 / chip.pool_units), 0)
        pool_cycles = math.ceil(chip.pool.delay_s * self.clock_hz) * chip.pool.stages
        energy = energy + pool_uses * chip.pool.energy_j * chip.pool_units
        return uses * sums, uses * sum_cycles, energy, relu_uses + pool_uses * pool_cycles

    @override
    def global_transfers(self) -> tuple[Array, Array, Array, Array]:
        table, chip, config, bus = self.table, self.chip, self.config, self.chip.wires
        if not isinstance(bus, CrossBus):
            raise TypeError("a chip of revision 14 has an X-Y bus")
        bits_in = table.rows * config.input_bits * table.vectors / np.where(self.novel, table.k_h, 1)
        bits_out = table.c_out * config.input_bits * table.vectors / np.where(table.pooled, 4, 1)
        memory = chip.global_buffer
        energy = bits_in * memory.read_j_per_bit + bits_out * memory.write_j_per_bit
        ports = min(chip.global_cores, math.ceil(chip.bus_bits / memory.line_bits))
        cycles = (bits_in + bits_out) / memory.line_bits / ports
        flits_in = np.ceil(bits_in / chip.bus_bits * bus.rows / self.plan.tile_rows)
        flits_out = np.ceil(bits_out / chip.bus_bits * bus.cols / self.plan.tile_cols)
        sides = [tile.side_m if tile else 0.0 for tile in (chip.novel, chip.conventional)]
        hops, metres = [], []
        for side in sides:
            hops.append([math.ceil(delay * self.clock_hz) for delay in bus.delays_s(side, side)])
            metres.append(bus.lengths_m(side, side))
        wire_energy = bits_in * INPUT_TOGGLE * self.per_kind(metres[0][0], metres[1][0])
        wire_energy = wire_energy + bits_out * OUTPUT_TOGGLE * self.per_kind(metres[0][1], metres[1][1])
        wire_cycles = flits_in * self.per_kind(hops[0][0], hops[1][0])
        wire_cycles = wire_cycles + flits_out * self.per_kind(hops[0][1], hops[1][1])
        return energy, cycles, wire_energy * bus.energy_j_per_bit_m, wire_cycles

    # ---- leakage -----------------------------------------------------------------------------------------------

    @override
    def tile_leakage(self) -> Array:
        trees = []
        for tile in (self.chip.novel or self.chip.conventional, self.chip.conventional):
            wires, side_m = tile.wires, tile.pe.side_m
            trees.append(wires.leakage_w(side_m, side_m) if isinstance(wires, BalancedTree) else 0.0)
        return super().tile_leakage() + self.per_kind(*trees)

    @override
    def in_use_leakage(self) -> Array:
        array = self.chip.array.leakage_in_use_w
        novel, conv = self.chip.novel or self.chip.conventional, self.chip.conventional
        return self.per_kind(
            array * novel.pe.arrays_per_side**2 * novel.pes, array * conv.pe.arrays_per_side**2 * conv.pes
        )
