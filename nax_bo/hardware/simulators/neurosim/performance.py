"""Energy, cycles and leakage of every layer on a finished chip.

A layer's weight matrix is cut three times (tiles, processing elements, arrays); each cut gives at most two sizes, full
and remainder. All quantities are therefore arrays of shape layers x tile rows x tile cols x PE rows x PE cols, each of
the last four axes of length 2, and a count says how often each combination occurs. Energies in J, times in cycles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.array import reads_per_vector
from nax_bo.hardware.simulators.neurosim.columns import ColumnModel
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.digital import AdderTree, flip_flop
from nax_bo.hardware.simulators.neurosim.hierarchy import ChipParts, Tile
from nax_bo.hardware.simulators.neurosim.layout import Layout
from nax_bo.hardware.simulators.neurosim.mapping import FloorPlan, LayerTable
from nax_bo.hardware.simulators.neurosim.wires import HTree

Array = NDArray[np.float64]

REFERENCE_CLOCK_HZ = 1e9
PARTS = ("adc", "accum", "other", "buffer", "ic")
"""``adc + accum + other`` is the total; ``buffer`` and ``ic`` (interconnect) are inside ``other``."""


@dataclass(frozen=True)
class Parts:
    """One quantity by part; arrays broadcast over the same shape."""

    adc: Array
    accum: Array
    other: Array
    buffer: Array
    ic: Array

    def map(self, function: Callable[[Array], Array]) -> Parts:
        """Apply a function to every part."""
        return Parts(*(function(getattr(self, name)) for name in PARTS))

    @property
    def total(self) -> Array:
        """Sum of the disjoint parts."""
        return self.adc + self.accum + self.other


@dataclass(frozen=True)
class LayerCosts:
    """What each layer costs; arrays of one entry per layer."""

    energy_j: Parts
    cycles: Parts
    tile_leakage_w: Array
    """Leakage of one tile while the layer runs."""
    in_use_leakage_w: Array
    """Part of it that a tile at work leaks all the same (revision 14)."""


@lru_cache(maxsize=4096)
def tree_values(tree: AdderTree, what: str, most: int, clock_hz: float) -> Array:
    """Energy, cycles or leakage of a tree for 0, 1, ... ``most`` operands."""
    if what == "cycles":
        values: list[float] = [tree.cycles(count, clock_hz) for count in range(most + 1)]
    elif what == "energy":
        values = [tree.energy_j(count) for count in range(most + 1)]
    else:
        values = [tree.leakage_w(count) for count in range(most + 1)]
    return np.asarray(values, dtype=np.float64)


class Run:
    """The layers of one network on one chip; holds intermediate arrays while they are priced."""

    def __init__(
        self,
        table: LayerTable,
        plan: FloorPlan,
        chip: ChipParts,
        pieces: Layout,
        config: NeuroSimConfig,
        *,
        columns: ColumnModel,
        clock_hz: float,
    ) -> None:
        self.table, self.plan, self.chip, self.config, self.columns = table, plan, chip, config, columns
        self.pieces, self.rows, self.cols, self.novel = pieces, pieces.rows, pieces.cols, pieces.novel
        self.vectors = table.vectors.astype(np.float64)
        self.bits = config.input_bits
        self.reads = reads_per_vector(config)
        self.clock_hz = clock_hz

    def layerwise(self, values: object, extra: int) -> Array:
        """Per-layer values with ``extra`` trailing axes."""
        array = np.asarray(values, dtype=np.float64)
        return array.reshape(array.shape + (1,) * extra)

    def per_kind(self, novel_value: float, conventional_value: float) -> Array:
        """One of two values per layer."""
        return np.where(self.novel, novel_value, conventional_value)

    # ---- processing elements -----------------------------------------------------------------------------------

    def pe_costs(self) -> tuple[Parts, Parts]:
        """Energy and cycles of one PE of every size: layers x tile rows x tile cols x PE rows x PE cols."""
        config, chip, array = self.config, self.chip, self.chip.array
        side = config.xbar_rows_cols
        q = self.rows.pe[:, :, None, :, None]
        n = self.cols.pe[:, None, :, None, :]
        vectors = self.layerwise(self.vectors, 4)
        pulses = vectors * self.bits
        pe_novel, pe_conv = (chip.novel or chip.conventional).pe, chip.conventional.pe
        copies = self.layerwise(self.pieces.array_copies, 4)
        copied = copies > 1
        filled = self.layerwise(self.pieces.filled, 4) > 0
        # without copies inside it, a PE reads no more than its own arrays, even when handed a larger block
        most = self.layerwise(np.where(self.pieces.whole, self.plan.pe_side, self.plan.tile_side), 4)
        most = np.where(copied | (self.layerwise(self.novel, 4) > 0), np.inf, most)
        read_rows, read_cols = np.minimum(q, most), np.minimum(n, most)
        blocks_r = np.where(filled, np.minimum(q, 1), -(-read_rows // side))
        blocks_c = np.where(filled, np.minimum(n, 1), -(-read_cols // side))
        blocks = blocks_r * blocks_c
        active = self.layerwise(self.columns.active_share, 4) * read_rows * blocks_c
        if not config.quirks.activity_per_array_rows:
            active = self.layerwise(self.columns.active_share, 4) * side * blocks
        conversions = np.where(
            filled, self._filled_conversions(n.astype(np.float64)), self._conversions(read_rows, read_cols)
        )
        operands = np.where(filled, blocks_r, -(-q // side))
        trees = np.where(filled, 0.0, np.where(copied, blocks, 1.0))
        tree_energy = self.tree_table(pe_novel.tree, pe_conv.tree, operands, "energy") * trees
        registers = flip_flop(chip.tech).energy_j
        in_bits = self.layerwise(self.per_kind(pe_novel.input_bits, pe_conv.input_bits), 4)
        out_bits = self.layerwise(self.per_kind(pe_novel.output_bits, pe_conv.output_bits), 4)
        result_bits = self.layerwise(self.per_kind(pe_novel.tree.bits, pe_conv.tree.bits), 4)
        weights = n // config.cells_per_weight
        in_uses = np.floor(q * pulses / in_bits)
        out_uses = np.floor(weights * result_bits * vectors / out_bits)
        buffer = (in_uses * in_bits + out_uses * out_bits) * registers
        wires = (
            q * pulses * self.layerwise(self.per_kind(pe_novel.bus_in_j_per_bit, pe_conv.bus_in_j_per_bit), 4)
        )
        wires = wires + weights * self.pe_result_bits() * vectors * self.layerwise(
            self.per_kind(pe_novel.bus_out_j_per_bit, pe_conv.bus_out_j_per_bit), 4
        )
        other = pulses * (blocks * array.other_fixed_j + active * array.other_per_active_row_j)
        energy = Parts(
            adc=pulses * (blocks * array.adc_fixed_j + active * array.adc_per_active_row_j + conversions),
            accum=pulses * blocks * array.accum_fixed_j + vectors * self.reads * tree_energy,
            other=other + buffer + wires,
            buffer=buffer,
            ic=wires,
        )
        return energy, self.pe_cycles(
            operands, pulses, vectors, copies=copies, filled=filled, transfers=in_uses + out_uses
        )

    def pe_result_bits(self) -> Array | int:
        """Bits of a result on the output bus of a PE."""
        return self.config.adc_bits

    def _filled_conversions(self, n: Array) -> Array:
        """Energy of all columns of a PE per vector when one array holds the whole tile block."""
        return n * self.columns.energy_j[:, :, :, None, None]

    def _conversions(self, q: Array, n: Array) -> Array:
        """Energy of all columns of all arrays of a PE, per vector."""
        side = self.config.xbar_rows_cols
        price = self.columns.energy_j.reshape(-1, 2, 2, 1, 1, 1, 1)
        full_cols, rest_cols = n // side * side, n % side
        by_rows = [full_cols * price[:, i, 0] + rest_cols * price[:, i, 1] for i in (0, 1)]
        return q // side * by_rows[0] + (q % side > 0) * by_rows[1]

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
        """Cycles of one PE of every size, copies inside it working in parallel."""
        config, chip = self.config, self.chip
        shift = (config.col_mux if config.cells_per_weight > 1 else 0) + (self.reads if self.bits > 1 else 0)
        trees = self.tree_table(
            (chip.novel or chip.conventional).pe.tree, chip.conventional.pe.tree, operands, "cycles"
        )
        summing = np.where(filled, 0.0, vectors * self.reads * trees)
        used = (operands > 0) * np.ones_like(transfers)
        return Parts(
            adc=used * pulses * config.col_mux / copies,
            accum=used * (pulses * shift + summing) / copies,
            other=transfers,
            buffer=transfers,
            ic=np.zeros_like(transfers),
        )

    def tree_table(self, novel: AdderTree, conventional: AdderTree, inputs: Array, what: str) -> Array:
        """Energy, cycles or leakage of the layer's kind of tree for an array of operand counts (layers first)."""
        most = int(inputs.max(initial=1))
        tables = np.stack([tree_values(tree, what, most, self.clock_hz) for tree in (novel, conventional)])
        kind = np.where(self.novel, 0, 1).reshape((-1,) + (1,) * (inputs.ndim - 1))
        values: Array = tables[kind, inputs.astype(np.int64)]
        return values

    # ---- tiles -------------------------------------------------------------------------------------------------

    def tile_costs(self) -> tuple[Parts, Parts]:
        """Energy and cycles of one tile of every size: layers x tile rows x tile cols."""
        pe_energy, pe_cycles = self.pe_costs()
        count_r = self.rows.pes[:, :, None, :, None]
        count_c = self.cols.pes[:, None, :, None, :]
        counts = count_r * count_c * self.layerwise(self.pieces.kernel_positions, 4)
        energy = pe_energy.map(lambda part: (part * counts).sum(axis=(3, 4)) + self._phantoms(part))
        cycles = pe_cycles.map(lambda part: np.where(counts > 0, part, 0.0).max(axis=(3, 4)))
        per_side = self.chip.conventional.pes_per_side
        speedup = self.plan.speedup_row * self.plan.speedup_col
        shared = self.layerwise(
            np.where(self.pieces.whole, per_side**2, np.where(self.pieces.single, 1, speedup)), 2
        )
        cycles = cycles.map(lambda part: part / shared)
        return self._add_tile_units(energy, cycles)

    def _phantoms(self, energy: Array) -> Array:
        """Energy charged for unmapped PEs of undivided tiles: that of the last mapped PE before each."""
        if not self.config.quirks.phantom_processing_elements:
            return np.zeros(energy.shape[:3])
        per_side = self.chip.conventional.pes_per_side
        last_col = np.where((self.cols.pes[:, None, :, 1] > 0)[..., None], energy[..., 1], energy[..., 0])
        last = np.where((self.rows.pes[:, :, None, 1] > 0), last_col[..., 1], last_col[..., 0])
        used_rows = self.rows.pes.sum(axis=-1)[:, :, None]
        used_cols = self.cols.pes.sum(axis=-1)[:, None, :]
        beside = (last_col * self.rows.pes[:, :, None, :]).sum(axis=-1) * (per_side - used_cols)
        below = last * (per_side - used_rows) * per_side
        return np.where(self.layerwise(self.pieces.single, 2) > 0, beside + below, 0.0)

    def _add_tile_units(self, energy: Parts, cycles: Parts) -> tuple[Parts, Parts]:
        config, chip = self.config, self.chip
        novel, conv = chip.novel or chip.conventional, chip.conventional
        vectors = self.layerwise(self.vectors, 2)
        operands, used = self.tile_operands()
        exact = math.ceil(config.col_mux / config.cells_per_weight)
        if not config.quirks.exact_reads_in_conventional_tile:
            exact = self.reads
        reads = vectors * self.layerwise(self.per_kind(self.reads, exact), 2)
        sum_energy = reads * used * self.tree_table(novel.tree, conv.tree, operands, "energy")
        sum_cycles = reads * used * self.tree_table(novel.tree, conv.tree, operands, "cycles")
        positions = self.layerwise(self.pieces.kernel_positions, 2)
        rows, cols = self.rows.tile[:, :, None] * positions, self.cols.tile[:, None, :]
        bits_in = rows * vectors * self.bits / np.sqrt(positions)
        widths = self.layerwise(self.per_kind(novel.tree.bits, conv.tree.bits), 2)
        bits_out = cols // config.cells_per_weight * self.tile_result_bits(widths, positions) * vectors
        moved_energy, moved_cycles, wire_energy, wire_cycles = (np.zeros(bits_in.shape) for _ in range(4))
        for tile, chosen in ((novel, self.novel), (conv, ~self.novel)):
            mask = self.layerwise(chosen, 2) > 0
            pieces = self.tile_transfers(tile, bits_in, bits_out, chosen is self.novel)
            moved_energy = np.where(mask, pieces[0], moved_energy)
            moved_cycles = np.where(mask, pieces[1], moved_cycles)
            wire_energy = np.where(mask, pieces[2], wire_energy)
            wire_cycles = np.where(mask, pieces[3], wire_cycles)
        energy = Parts(
            energy.adc,
            energy.accum + sum_energy,
            energy.other + moved_energy + wire_energy,
            energy.buffer + moved_energy,
            energy.ic + wire_energy,
        )
        cycles = Parts(
            cycles.adc,
            cycles.accum + sum_cycles,
            cycles.other + moved_cycles + wire_cycles,
            cycles.buffer + moved_cycles,
            cycles.ic + wire_cycles,
        )
        return energy, cycles

    def tile_result_bits(self, widths: Array, positions: Array) -> Array:
        """Bits of a tile's result in its output buffer, per PE that makes it."""
        return (1 + widths) / positions

    def tile_operands(self) -> tuple[Array, Array]:
        """Operands of a tile's adder tree, and whether it is used: layers x tile rows x 1."""
        chip = self.chip
        blocks = -(-self.rows.tile // self.plan.pe_side)
        per_side = chip.conventional.pes_per_side
        fixed = self.per_kind((chip.novel or chip.conventional).pes_per_side, per_side)[:, None]
        operands = np.where(self.pieces.partly[:, None], blocks, fixed)
        used = np.where(
            self.pieces.whole[:, None], 0.0, np.where(self.pieces.partly[:, None], blocks > 1, 1.0)
        )
        return operands[:, :, None], used[:, :, None]

    def tile_transfers(
        self, tile: Tile, bits_in: Array, bits_out: Array, novel: bool
    ) -> tuple[Array, Array, Array, Array]:
        """Energy and cycles of a tile's buffers and of its H-tree."""
        source, sink = tile.input_buffer, tile.output_buffer
        per_bit_in = source.read_j_per_bit + source.write_j_per_bit
        per_bit_out = sink.read_j_per_bit + sink.write_j_per_bit
        ports_in = math.ceil(tile.wires.bus_bits / source.line_bits)
        ports_out = ports_in if novel else math.ceil(tile.wires.bus_bits / sink.line_bits)
        lines = 2 * bits_in / source.line_bits / min(tile.input_cores, ports_in)
        lines = lines + 2 * bits_out / sink.line_bits / min(tile.output_cores, ports_out)
        side_m = tile.pe.side_m
        flits = (bits_in + bits_out) / tile.wires.bus_bits
        hop = math.ceil(tile.wires.delay_s(side_m, side_m) * self.clock_hz)
        wire_energy = (bits_in + bits_out) * tile.wires.energy_j_per_bit(side_m, side_m)
        return bits_in * per_bit_in + bits_out * per_bit_out, lines, wire_energy, flits * hop

    # ---- layers ------------------------------------------------------------------------------------------------

    def layer_costs(self) -> LayerCosts:
        """Energy, cycles and tile leakage of every layer."""
        tile_energy, tile_cycles = self.tile_costs()
        counts = self.rows.tiles[:, :, None] * self.cols.tiles[:, None, :]
        energy = tile_energy.map(lambda part: (part * counts).sum(axis=(1, 2)))
        cycles = tile_cycles.map(lambda part: np.where(counts > 0, part, 0.0).max(axis=(1, 2)))
        accum_energy, accum_cycles, unit_energy, unit_cycles = self.global_units()
        move_energy, move_cycles, wire_energy, wire_cycles = self.global_transfers()
        return LayerCosts(
            Parts(
                energy.adc,
                energy.accum + accum_energy,
                energy.other + unit_energy + move_energy + wire_energy,
                energy.buffer + move_energy,
                energy.ic + wire_energy,
            ),
            Parts(
                cycles.adc,
                cycles.accum + accum_cycles,
                cycles.other + unit_cycles + move_cycles + wire_cycles,
                cycles.buffer + move_cycles,
                cycles.ic + wire_cycles,
            ),
            self.tile_leakage(),
            self.in_use_leakage(),
        )

    def global_units(self) -> tuple[Array, Array, Array, Array]:
        """Sums over tiles, then ReLU and pooling."""
        table, chip, config = self.table, self.chip, self.config
        register = flip_flop(chip.tech).energy_j
        relu_uses = np.ceil(table.vectors * table.c_out / chip.relu_units)
        energy = relu_uses * register * chip.relu_units * config.input_bits
        cycles = relu_uses
        tiles = self.plan.tile_rows
        summed = table.cols if config.quirks.tile_sums_per_column else table.c_out * self.plan.tile_cols
        uses = np.where(tiles > 1, np.ceil(summed * (table.vectors / chip.tree.trees)), 0.0)
        most = int(tiles.max())
        sums = tree_values(chip.tree, "energy", most, self.clock_hz)[tiles]
        sum_cycles = tree_values(chip.tree, "cycles", most, self.clock_hz)[tiles]
        units = self.per_kind(
            self.plan.novel_pe_side / math.sqrt(max(self.plan.pes_per_novel_tile, 1)), self.plan.tile_side
        )
        pool_cycles = math.ceil(chip.pool.delay_s * self.clock_hz) * chip.pool.stages
        pooled = table.pooled
        cycles = cycles + np.where(pooled, np.ceil(table.vectors / 4 / units) * pool_cycles, 0)
        pool_uses = np.where(pooled, np.ceil(table.vectors // 4 / units), 0)
        energy = energy + pool_uses * chip.pool.energy_j * self.plan.tile_side
        return uses * sums, uses * sum_cycles, energy, cycles

    def global_transfers(self) -> tuple[Array, Array, Array, Array]:
        """Global buffer and H-tree."""
        table, chip, config, wires = self.table, self.chip, self.config, self.chip.wires
        if not isinstance(wires, HTree):
            raise TypeError("a chip of revision 13 has an H-tree")
        bits_in = table.rows * config.input_bits * table.vectors / np.where(self.novel, table.k_h, 1)
        bits_out = table.c_out * config.input_bits * table.vectors / np.where(table.pooled, 4, 1)
        memory = chip.global_buffer
        energy = bits_in * memory.read_j_per_bit + bits_out * memory.write_j_per_bit
        ports = min(chip.global_cores, math.ceil(chip.bus_bits / memory.line_bits))
        share = np.ceil(self.plan.tiles.sum() / self.plan.tiles)
        cycles = (bits_in + bits_out) / memory.line_bits / ports * share
        flits = np.ceil((bits_in + bits_out) / chip.bus_bits)
        sides = [tile.side_m if tile else 0.0 for tile in (chip.novel, chip.conventional)]
        hops = [math.ceil(wires.delay_s(side, side) * self.clock_hz) if side else 0 for side in sides]
        per_bit = [wires.energy_j_per_bit(side, side) if side else 0.0 for side in sides]
        wire_energy = flits * chip.bus_bits * self.per_kind(*per_bit)
        return energy, cycles, wire_energy, flits * self.per_kind(*hops)

    def tile_leakage(self) -> Array:
        """Leakage of one tile of each layer; idle adder trees may keep the value of their last use."""
        novel, conv = self.chip.novel or self.chip.conventional, self.chip.conventional
        side = self.config.xbar_rows_cols
        last_tile = np.where(self.rows.tiles[:, 1] > 0, self.rows.tile[:, 1], self.rows.tile[:, 0])
        pe_side = self.rows.pe[:, 0, 0]
        rest = last_tile % pe_side
        last_pe = np.where(rest > 0, rest, np.minimum(last_tile, pe_side))
        blocks = -(-last_pe // side)
        pe_tree = self._last_use(
            self.tree_table(novel.pe.tree, conv.pe.tree, blocks, "leakage"), ~self.pieces.filled
        )
        operands, used = self.tile_operands()
        final = np.where(self.rows.tiles[:, 1] > 0, 1, 0)
        pick = np.arange(len(final))
        operands, used = operands[pick, final, 0], used[pick, final, 0]
        tile_tree = self._last_use(self.tree_table(novel.tree, conv.tree, operands, "leakage"), used > 0)
        pe = self.per_kind(novel.pe.fixed_leakage_w, conv.pe.fixed_leakage_w) + pe_tree
        buffers = self.per_kind(
            novel.input_buffer.leakage_w + novel.output_buffer.leakage_w,
            conv.input_buffer.leakage_w + conv.output_buffer.leakage_w,
        )
        return pe * self.per_kind(novel.pes, conv.pes) + tile_tree + buffers

    def in_use_leakage(self) -> Array:
        """Leakage charged to a tile at work; none in revision 13."""
        return np.zeros(len(self.novel))

    def _last_use(self, leakage: Array, used: NDArray[np.bool_]) -> Array:
        """Leakage of each layer's tree, or of the last layer of its kind that used it (cyclically)."""
        result = np.where(used, leakage, 0.0)
        if not self.config.quirks.stale_leakage:
            return result
        for kind in (self.novel, ~self.novel):
            users = np.flatnonzero(kind & used)
            if users.size:
                for index in np.flatnonzero(kind & ~used):
                    before = users[users < index]
                    result[index] = leakage[before[-1] if before.size else users[-1]]
        return result
