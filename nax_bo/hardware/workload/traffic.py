"""Bits that move during an inference: tile and global buffers, network on chip, off-chip memory.

Each tile buffer serves the unrolling of convolutions (im2col): if it holds as many feature-map rows as the kernel is
high, every element crosses the chip once; what is missing is fetched again from the global buffer, up to once per
kernel position. Kernel-position mapping needs no unrolling. Feature maps that do not fit the global buffer spill to
off-chip memory, which also delivers the image, the weights of products on the digital unit, and the weights of
crossbars that must be rewritten. Element-wise layers are fused behind the product; maps from elsewhere are read again.
A layer computed in passes reads its inputs once per pass over its columns, and between passes over its rows its partial
sums rest in the global buffer (their size is not held against its capacity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import ABSENT, CROSSBAR, DIGITAL, Workload
from nax_bo.hardware.workload.mapping import Mapping
from nax_bo.hardware.workload.residency import Residency

KBIT = 8192.0
"""Bits per kB."""
OPERAND_REUSE = 32.0
"""Uses of an operand that the digital unit has fetched: the side of its array of 32 x 32 multipliers."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bits per inference and slot, n x L.

    Attributes:
        tile_read, tile_write: Tile buffers.
        global_read, global_write: Global buffer.
        network: Over the network on chip while computing, once for every tile that receives them.
        off_chip: To and from off-chip memory while computing.
        reloaded: Weights from off-chip memory to crossbars, between passes; they cross the network too.
        unplaced: n; bits that need off-chip memory although the chip has none (0: feasible).
    """

    tile_read: Floats
    tile_write: Floats
    global_read: Floats
    global_write: Floats
    network: Floats
    off_chip: Floats
    reloaded: Floats
    unplaced: Floats


def count_traffic(w: Workload, m: Mapping, r: Residency, profile: Profile) -> Traffic:
    """Traffic of every slot of a workload."""
    crossbar = w.kind == CROSSBAR
    inputs = w.in_elements * w.input_bits
    unrolled = w.matrix_rows * w.groups * w.vectors * w.input_bits
    once = np.minimum(inputs, unrolled)
    channels = w.matrix_rows * w.groups / w.kernel_area
    line = np.sqrt(w.kernel_area * w.in_elements * channels) * w.input_bits
    fits = np.minimum(1.0, w.tile_buffer_kb * m.tile_rows * KBIT / np.maximum(line, 1.0))
    refetched = np.where(w.kernel_position != 0, 0.0, (unrolled - once) * (1.0 - fits))
    from_global = np.where(crossbar, (once + refetched) * r.col_passes, _digital_operands(w))
    outputs = w.out_elements * w.input_bits
    residual = w.residual_elements * w.input_bits
    sums = w.matrix_cols * w.groups * w.vectors * crossbar
    to_tiles = (once + refetched) * m.tile_cols * crossbar
    sum_bits = profile["digital.partial_sum_bits"]
    resting = sums * (r.row_passes - 1.0) * sum_bits
    off_chip, reloaded, unplaced = _off_chip(w, r, line)
    return Traffic(
        np.where(w.kernel_position != 0, once, unrolled) * m.tile_cols * crossbar,
        to_tiles,
        from_global + residual + resting,
        outputs + resting,
        to_tiles + sums * (m.tile_rows - 1.0) * sum_bits + outputs + residual,
        off_chip,
        reloaded,
        unplaced,
    )


def _digital_operands(w: Workload) -> Floats:
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors
    return np.asarray(macs * (w.weight_bits + w.input_bits) / OPERAND_REUSE * (w.kind != ABSENT))


def _off_chip(w: Workload, r: Residency, line: Floats) -> tuple[Floats, Floats, Floats]:
    """Off-chip bits per slot, weights to be loaded per slot, bits per design that have no memory to go to."""
    inputs, outputs = w.in_elements * w.input_bits, w.out_elements * w.input_bits
    residual = w.residual_elements * w.input_bits
    capacity = w.global_buffer_kb * KBIT
    over = np.maximum(0.0, inputs + outputs + residual - capacity)
    spill = 2.0 * over + (r.col_passes - 1.0) * np.minimum(over, inputs)
    if w.pipelined.any():
        held = np.add.accumulate(line * (w.kind != ABSENT), axis=1)[:, -1:]  # left to right, as all sums
        share = np.maximum(0.0, 1.0 - capacity / np.maximum(held, 1.0))
        spill = np.where(w.pipelined != 0, 2.0 * share * inputs, spill)
    weights = w.matrix_rows * w.matrix_cols * w.groups * w.weight_bits
    streamed = weights * (w.kind == DIGITAL)
    reloaded = weights * (w.kind == CROSSBAR) * r.loaded
    needed = spill + streamed
    absent = w.dram == 0
    unplaced = np.where(absent, needed + reloaded, 0.0).max(axis=1)
    image = inputs * _first(w) + outputs * _last(w)
    return np.where(absent, 0.0, needed + image), np.where(absent, 0.0, reloaded), unplaced


def _first(w: Workload) -> Floats:
    mask = np.zeros((1, w.kind.shape[1]))
    mask[0, 0] = 1.0
    return mask


def _last(w: Workload) -> Floats:
    present = (w.kind != ABSENT).astype(float)
    last = present.copy()
    last[:, :-1] -= present[:, 1:]
    return np.asarray(last)
