"""How each layer's matrix is cut into tiles, processing elements (PEs) and arrays.

Each of the three cuts gives at most two sizes per dimension, a full one and a remainder, so all pieces of a layer fit
arrays of length 2 per cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.mapping import FloorPlan, LayerTable

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cuts:
    """Sizes and counts of the pieces of one matrix dimension; the last entry of an axis is the remainder."""

    tile: Ints
    tiles: Ints
    """Size and count of tiles: layers x 2."""
    pe: Ints
    pes: Ints
    """Size and count of PEs in a tile: layers x 2 x 2."""
    block: Ints
    blocks: Bools
    """Size and presence of what one array (or, in filled layers, one PE's array group) holds: layers x 2."""


@dataclass(frozen=True)
class Layout:
    """Pieces of all layers, and how copies are arranged; arrays have one entry per layer unless stated."""

    novel: Bools
    single: Bools
    """Conventional layers without copies: each tile's block is spread over its PEs."""
    partly: Bools
    """Conventional layers with copies on groups of PEs."""
    whole: Bools
    """Conventional layers with so many copies that every PE is handed a whole tile block."""
    filled: Bools
    """Those of them whose copies fill every array: one array is handed the whole tile block."""
    array_copies: Ints
    """Copies inside one PE that its latency is divided by."""
    kernel_positions: Ints
    """PEs per tile of a novel layer, 1 otherwise."""
    rows: Cuts
    cols: Cuts


def layout(table: LayerTable, plan: FloorPlan, config: NeuroSimConfig) -> Layout:
    """Cut every layer of a network according to a floor plan."""
    side = config.xbar_rows_cols
    novel = plan.novel
    per_side = -(-plan.tile_side // plan.pe_side)
    copied = ~novel & (plan.speedup_row * plan.speedup_col > 1)
    whole = copied & (plan.speedup_row >= per_side) & (plan.speedup_col >= per_side)
    copies_row = np.where(whole, -(-plan.speedup_row // per_side), 1)
    copies_col = np.where(whole, -(-plan.speedup_col // per_side), 1)
    arrays = -(-plan.pe_side // side)
    filled = (copies_row * copies_col > 1) & (copies_row >= arrays) & (copies_col >= arrays)
    tile_side = np.where(novel, plan.novel_pe_side, plan.tile_side)
    pe_side = np.where(novel | whole, tile_side, plan.pe_side)
    return Layout(
        novel=novel,
        single=~novel & ~copied,
        partly=copied & ~whole,
        whole=whole,
        filled=filled,
        array_copies=copies_row * copies_col,
        kernel_positions=np.where(novel, plan.pes_per_novel_tile, 1),
        rows=_cut(np.where(novel, table.c_in, table.rows), tile_side, pe_side, side, filled),
        cols=_cut(table.cols, tile_side, pe_side, side, filled),
    )


def _cut(size: Ints, tile_side: Ints, pe_side: Ints, side: int, filled: Bools) -> Cuts:
    tile = np.stack([tile_side, size % tile_side], axis=-1)
    tiles = np.stack([size // tile_side, size % tile_side > 0], axis=-1)
    pe = np.stack([np.broadcast_to(pe_side[:, None], tile.shape), tile % pe_side[:, None]], axis=-1)
    pes = np.stack([tile // pe_side[:, None], tile % pe_side[:, None] > 0], axis=-1)
    array = np.stack([np.full(len(size), side), size % side], axis=-1)
    present = np.stack([size >= side, size % side > 0], axis=-1)
    return Cuts(
        tile=tile,
        tiles=tiles,
        pe=pe,
        pes=pes,
        block=np.where(filled[:, None], tile, array),
        blocks=np.where(filled[:, None], tiles > 0, present),
    )
