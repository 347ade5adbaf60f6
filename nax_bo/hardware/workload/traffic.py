"""Bits that move during an inference: tile and global buffers, network on chip, off-chip memory.

Each tile buffer serves the unrolling of convolutions (im2col): if it holds as many feature-map rows as the kernel is
high, every element crosses the chip once; what is missing is fetched again from the global buffer, up to once per
kernel position. Kernel-position mapping needs no unrolling. Feature maps that do not fit the global buffer spill to
off-chip memory, which also delivers the image, the weights of products on the digital unit, and the weights of
crossbars that must be rewritten. Element-wise layers are fused behind the product; second operands are read again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import ABSENT, CROSSBAR, DIGITAL, Workload
from nax_bo.hardware.workload.mapping import Mapping

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
        network: Over the network on chip, once for every tile that receives them.
        off_chip: To and from off-chip memory.
        unplaced: n; bits that need off-chip memory although the chip has none (0: feasible).
        rewritten: n x 1; share of the tiles that must be rewritten in every inference.
    """

    tile_read: Floats
    tile_write: Floats
    global_read: Floats
    global_write: Floats
    network: Floats
    off_chip: Floats
    unplaced: Floats
    rewritten: Floats


def count_traffic(w: Workload, m: Mapping, profile: Profile) -> Traffic:
    """Traffic of every slot of a workload."""
    crossbar = w.kind == CROSSBAR
    inputs = w.in_elements * w.input_bits
    unrolled = w.matrix_rows * w.groups * w.vectors * w.input_bits
    once = np.minimum(inputs, unrolled)
    channels = w.matrix_rows * w.groups / w.kernel_area
    line = np.sqrt(w.kernel_area * w.in_elements * channels) * w.input_bits
    fits = np.minimum(1.0, w.tile_buffer_kb * m.tile_rows * KBIT / np.maximum(line, 1.0))
    refetched = np.where(w.kernel_position != 0, 0.0, (unrolled - once) * (1.0 - fits))
    from_global = np.where(crossbar, once + refetched, _digital_operands(w))
    outputs = w.out_elements * w.input_bits
    residual = w.residual_elements * w.input_bits
    sums = w.matrix_cols * w.groups * w.vectors * crossbar
    to_tiles = (once + refetched) * m.tile_cols * crossbar
    off_chip, unplaced, rewritten = _off_chip(w, m, line)
    return Traffic(
        np.where(w.kernel_position != 0, once, unrolled) * m.tile_cols * crossbar,
        to_tiles,
        from_global + residual,
        outputs,
        to_tiles + sums * (m.tile_rows - 1.0) * profile["digital.partial_sum_bits"] + outputs + residual,
        off_chip,
        unplaced,
        rewritten,
    )


def _digital_operands(w: Workload) -> Floats:
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors
    return np.asarray(macs * (w.weight_bits + w.input_bits) / OPERAND_REUSE * (w.kind != ABSENT))


def _off_chip(w: Workload, m: Mapping, line: Floats) -> tuple[Floats, Floats, Floats]:
    """Off-chip bits per slot, bits per design that have no memory to go to, share of tiles rewritten."""
    inputs, outputs = w.in_elements * w.input_bits, w.out_elements * w.input_bits
    residual = w.residual_elements * w.input_bits
    capacity = w.global_buffer_kb * KBIT
    spill = 2.0 * np.maximum(0.0, inputs + outputs + residual - capacity)
    if w.pipelined.any():
        held = np.add.accumulate(line * (w.kind != ABSENT), axis=1)[:, -1:]  # left to right, as all sums
        share = np.maximum(0.0, 1.0 - capacity / np.maximum(held, 1.0))
        spill = np.where(w.pipelined != 0, 2.0 * share * inputs, spill)
    weights = w.matrix_rows * w.matrix_cols * w.groups * w.weight_bits
    streamed = weights * (w.kind == DIGITAL)
    demand = np.sum(m.tiles, axis=1, keepdims=True)
    rewritten = np.where(w.tiles > 0, np.maximum(0.0, 1.0 - w.tiles / np.maximum(demand, 1.0)), 0.0)
    reloaded = weights * (w.kind == CROSSBAR) * rewritten
    needed = spill + streamed + reloaded
    absent = w.dram == 0
    unplaced = np.where(absent, needed, 0.0).max(axis=1)
    image = inputs * _first(w) + outputs * _last(w)
    return np.where(absent, 0.0, needed + image), unplaced, rewritten


def _first(w: Workload) -> Floats:
    mask = np.zeros((1, w.kind.shape[1]))
    mask[0, 0] = 1.0
    return mask


def _last(w: Workload) -> Floats:
    present = (w.kind != ABSENT).astype(float)
    last = present.copy()
    last[:, :-1] -= present[:, 1:]
    return np.asarray(last)
