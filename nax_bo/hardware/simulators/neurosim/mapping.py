"""How layers are laid onto tiles, processing elements (PEs) and arrays, and how often they are copied.

All tiles of a kind have one size for the whole chip. *Conventional* tiles hold a block of the unrolled weight matrix
(c_in * k_h * k_w rows). *Novel* tiles have one PE per kernel position, each with c_in rows (Peng et al., ISCAS 2019,
doi:10.1109/ISCAS.2019.8702715), used for layers of the most common kernel size that fill an array.
Copies use arrays that a tile would leave empty; in a pipeline, slow layers also get more tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import EvaluationError
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig, NeuroSimLayer

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class LayerTable:
    """Columns of a network table as arrays of one entry per layer."""

    in_h: Ints
    in_w: Ints
    c_in: Ints
    k_h: Ints
    kernel: Ints
    c_out: Ints
    pooled: Bools
    vectors: Ints
    rows: Ints
    """Rows of the unrolled weight matrix."""
    cols: Ints
    """Cell columns of the weight matrix."""


def layer_table(layers: tuple[NeuroSimLayer, ...], cells_per_weight: int) -> LayerTable:
    """Gather the layers of a network into arrays."""

    def column(name: str) -> Ints:
        return np.asarray([getattr(layer, name) for layer in layers], dtype=np.int64)

    kernel = column("k_h") * column("k_w")
    return LayerTable(
        in_h=column("in_h"),
        in_w=column("in_w"),
        c_in=column("c_in"),
        k_h=column("k_h"),
        kernel=kernel,
        c_out=column("c_out"),
        pooled=np.asarray([layer.maxpool_after for layer in layers], dtype=np.bool_),
        vectors=column("num_input_vectors"),
        rows=column("c_in") * kernel,
        cols=column("c_out") * cells_per_weight,
    )


@dataclass(frozen=True)
class FloorPlan:
    """Sizes in cells; per-layer arrays have one entry per layer."""

    novel: Bools
    pes_per_novel_tile: int
    novel_pe_side: int
    tile_side: int
    pe_side: int
    """Sides of a conventional tile and of its PEs."""
    pe_copies_row: Ints
    pe_copies_col: Ints
    array_copies_row: Ints
    array_copies_col: Ints
    extra_tiles: Ints
    """Groups of tiles per layer: 1, or more in a pipeline."""
    tile_rows: Ints
    tile_cols: Ints
    utilization: NDArray[np.float64]

    @property
    def tiles(self) -> Ints:
        """Tiles of each layer."""
        return self.tile_rows * self.tile_cols

    @property
    def speedup_row(self) -> Ints:
        """Copies over rows."""
        return self.pe_copies_row * self.array_copies_row * self.extra_tiles

    @property
    def speedup_col(self) -> Ints:
        """Copies over columns."""
        return self.pe_copies_col * self.array_copies_col

    @property
    def memory_utilization(self) -> float:
        """Share of the chip's cells that hold weights, copies included."""
        return float((self.tiles * self.utilization).sum() / self.tiles.sum())


def floor_plan(table: LayerTable, config: NeuroSimConfig) -> FloorPlan:
    """Choose tile and PE sizes for a network, and the copies of each layer.

    Raises:
        EvaluationError: if the widest layer cannot fill the smallest tile hierarchy.
    """
    side = config.xbar_rows_cols
    novel, pes = _novel_layers(table, config)
    widest_cm = _widest(table.cols[~novel])
    widest_nm = _widest(table.cols[novel])
    if (widest_nm < 2 * side) if config.mapping == "novel" else (widest_cm < 4 * side):
        raise EvaluationError(
            "subarray too large: tile hierarchy (tile>=4x4 subarrays, PE>=2x2) cannot be formed",
            "use smaller arrays, more cells per weight or a wider network",
        )
    pe_nm = _best_side(widest_nm, 2 * side, lambda size: _novel_utilization(table, novel, size))
    tile = _best_side(widest_cm, 4 * side, lambda size: _conventional_utilization(table, novel, size))
    pe, best = tile // 2, _conventional_utilization(table, novel, tile) if widest_cm > 4 * side else 0.0
    candidate = tile // 2
    while candidate > 2 * side:
        filled = _filled_with_copies(table, novel, tile, candidate)
        if filled > best:
            pe, best = candidate, filled
        candidate //= 2
    return _with_copies(table, config, novel, pes=pes, pe_nm=pe_nm, tile=tile, pe=pe)


def _novel_layers(table: LayerTable, config: NeuroSimConfig) -> tuple[Bools, int]:
    """Which layers use novel mapping, and the PEs of their tiles."""
    if config.mapping != "novel":
        return np.zeros(len(table.rows), dtype=np.bool_), 0
    most, pes = 0, 0
    for kernel in table.kernel:
        count = 1 + (int((table.kernel == kernel).sum()) if kernel != 1 else 0)
        if count > most:
            most, pes = count, int(kernel)
    novel: Bools = (table.kernel == pes) & (table.rows >= config.xbar_rows_cols)
    return novel, pes


def _widest(cols: Ints) -> int:
    return 2 ** math.ceil(math.log2(int(cols.max()))) if cols.size else 0


def _best_side(widest: int, smallest: int, utilization: Callable[[int], float]) -> int:
    best_side, best = max(widest, smallest), 0.0
    candidate = best_side
    while candidate > smallest:
        filled = utilization(candidate)
        if filled > best:
            best_side, best = candidate, filled
        candidate //= 2
    return best_side


def _blocks(size: Ints, side: int) -> Ints:
    return -(-size // side)


def _conventional_utilization(table: LayerTable, novel: Bools, tile: int) -> float:
    chosen = ~novel
    tiles = (_blocks(table.rows, tile) * _blocks(table.cols, tile))[chosen].sum()
    return float((table.rows * table.cols)[chosen].sum() / (tiles * tile * tile)) if tiles else 0.0


def _novel_utilization(table: LayerTable, novel: Bools, pe: int) -> float:
    tiles = (_blocks(table.c_in, pe) * _blocks(table.cols, pe))[novel].sum()
    cells = (table.c_in * table.cols)[novel].sum()
    return float(cells / (tiles * pe * pe)) if tiles else 0.0


def _filled_with_copies(table: LayerTable, novel: Bools, tile: int, pe: int) -> float:
    chosen = ~novel
    row, col = _pe_copies(table, novel, tile, pe)
    tiles = (_blocks(table.rows, tile) * _blocks(table.cols, tile))[chosen].sum()
    cells = (row * col * table.rows * table.cols)[chosen].sum()
    return float(cells / (tiles * tile * tile)) if tiles else 0.0


def _pe_copies(table: LayerTable, novel: Bools, tile: int, pe: int) -> tuple[Ints, Ints]:
    fits = ((table.rows <= tile) | (table.cols <= tile)) & ~novel
    per_side = -(-tile // pe)
    row = np.where(fits, np.maximum(per_side // _blocks(table.rows, pe), 1), 1)
    col = np.where(fits, np.maximum(per_side // _blocks(table.cols, pe), 1), 1)
    return row, col


def _array_copies(rows: Ints, cols: Ints, pe: int, side: int) -> tuple[Ints, Ints]:
    fits = (rows <= pe) | (cols <= pe)
    per_side = -(-pe // side)
    row = np.where(fits, np.maximum(per_side // _blocks(rows, side), 1), 1)
    col = np.where(fits, np.maximum(per_side // _blocks(cols, side), 1), 1)
    return row, col


def _with_copies(
    table: LayerTable, config: NeuroSimConfig, novel: Bools, *, pes: int, pe_nm: int, tile: int, pe: int
) -> FloorPlan:
    side = config.xbar_rows_cols
    pe_row, pe_col = _pe_copies(table, novel, tile, pe)
    array_rows = np.where(novel, table.c_in, table.rows)
    cm_row, cm_col = _array_copies(array_rows, table.cols, pe, side)
    nm_row, nm_col = _array_copies(array_rows, table.cols, max(pe_nm, 1), side)
    array_row, array_col = np.where(novel, nm_row, cm_row), np.where(novel, nm_col, cm_col)
    side_of_tile = np.where(novel, pe_nm, tile)
    base_rows = _blocks(array_rows, side_of_tile)  # type: ignore[arg-type]
    tile_cols = _blocks(table.cols, side_of_tile)  # type: ignore[arg-type]
    copies = pe_row * pe_col * array_row * array_col
    wanted = _pipeline_speedup(table, config)
    extra = -(-wanted // copies)
    in_use = np.maximum(wanted, copies)
    tile_rows = base_rows * extra
    cells = tile_rows * tile_cols * side_of_tile**2
    return FloorPlan(
        novel=novel,
        pes_per_novel_tile=pes,
        novel_pe_side=pe_nm,
        tile_side=tile,
        pe_side=pe,
        pe_copies_row=pe_row,
        pe_copies_col=pe_col,
        array_copies_row=array_row,
        array_copies_col=array_col,
        extra_tiles=extra,
        tile_rows=tile_rows,
        tile_cols=tile_cols,
        utilization=in_use * array_rows * table.cols / cells,
    )


def _pipeline_speedup(table: LayerTable, config: NeuroSimConfig) -> Ints:
    """Copies that each layer wants so that no layer holds up the pipeline; 1 outside pipelines."""
    if config.dataflow != "pipeline":
        return np.ones(len(table.rows), dtype=np.int64)
    largest = int(table.in_h[0])
    spatial = table.in_h[table.k_h != 1]
    smallest = min(largest, int(spatial.min())) if spatial.size else largest
    degree = min(config.pipeline_speedup, largest // smallest)
    bound = math.ceil(largest / degree)
    return np.ceil((table.in_h / bound) ** 2).astype(np.int64)
