"""Put weight matrices into arrays, and arrays into tiles.

A layer's K x N matrix is cut into row blocks of ``rows`` and column blocks of ``cols`` cells. Kernel-position mapping
cuts each of the kernel's positions by itself. Small matrices of grouped convolutions are packed along the diagonal
of an array and work at the same time. Blocks of rows fill the tiles first, so a tile adds up as many partial sums as it
can. A layer occupies whole tiles; where the chip lets layers share tiles, their arrays fill them one after another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import CROSSBAR, Workload


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a workload's slots stand. Arrays are n x L or broadcast to it; 0 arrays and tiles off the crossbars.

    Attributes:
        cells_per_weight: Cells that hold one weight (reference column not counted).
        streams: Input pulses per vector.
        row_blocks: Arrays whose partial sums make one output.
        arrays: Arrays of one copy of the layer.
        tiles: Tiles of all copies; the share of them that a layer fills where tiles are shared.
        touched: Tiles that all copies lie in.
        tile_rows, tile_cols: One copy's tiles, along inputs and along outputs; at least 1.
        row_use, col_use: Share of the rows and of the columns of these arrays that hold weights.
        cells: Cells that hold weights in one copy.
    """

    cells_per_weight: Floats
    streams: Floats
    row_blocks: Floats
    arrays: Floats
    tiles: Floats
    touched: Floats
    tile_rows: Floats
    tile_cols: Floats
    row_use: Floats
    col_use: Floats
    cells: Floats


def total(values: Floats) -> Floats:
    """Sum over slots, left to right, so that padding never changes a digit."""
    return np.asarray(np.add.accumulate(values, axis=1)[:, -1])


def map_slots(w: Workload) -> Mapping:
    """Map every slot of a workload."""
    cells_per_weight = np.ceil((w.weight_bits - 1 + w.offset) / w.bits_per_cell) * (2 - w.offset)
    streams = np.ceil(w.input_bits / w.dac_bits)
    positions = np.where(w.kernel_position != 0, w.kernel_area, 1.0)
    block_rows, block_cols = w.matrix_rows / positions, w.matrix_cols * cells_per_weight
    usable_cols = np.maximum(w.cols - w.offset, 1.0)  # offset encoding keeps a reference column
    row_blocks = positions * np.ceil(block_rows / w.rows)
    col_blocks = np.ceil(block_cols / usable_cols)
    packed = np.maximum(1.0, np.minimum(np.floor(w.rows / block_rows), np.floor(usable_cols / block_cols)))
    group_blocks = np.ceil(w.groups / packed)
    on_crossbar = w.kind == CROSSBAR
    arrays = row_blocks * col_blocks * group_blocks * on_crossbar
    per_tile = w.pes_per_tile * w.arrays_per_pe
    filled = arrays * w.duplication / per_tile
    touched = np.ceil(filled)
    tiles = touched
    if w.shared_tiles.any():
        together = total(filled)[:, None]
        tiles = np.where(
            w.shared_tiles != 0, filled * (np.ceil(together) / np.maximum(together, 1e-9)), touched
        )
    tiles_of_copy = np.maximum(1.0, np.ceil(arrays / per_tile))
    tile_rows = np.minimum(np.ceil(row_blocks / per_tile), tiles_of_copy)
    columns_used = w.groups * block_cols
    return Mapping(
        cells_per_weight,
        streams,
        row_blocks,
        arrays,
        tiles,
        touched,
        tile_rows,
        np.ceil(tiles_of_copy / tile_rows),
        w.groups * w.matrix_rows / (group_blocks * row_blocks * w.rows),
        columns_used / (group_blocks * col_blocks * w.cols),
        w.matrix_rows * columns_used * on_crossbar,
    )
