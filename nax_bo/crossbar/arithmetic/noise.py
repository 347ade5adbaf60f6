"""Random numbers of reads that do not depend on who computes them: the kernel or torch, on whatever processor.

A read has one seed. The noise of each conversion is a normal number from a fixed bank, at a place that is a hash of the
seed and of what is converted: row block, column, stream and vector. ``kernel.c`` computes the same places.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor

BANK = 1 << 16  # this and the constants below stand in kernel.c too
VECTORS = 32  # that share a place, with consecutive numbers from there on
MOST_STREAMS = 16
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64


@lru_cache(maxsize=1)
def bank() -> Tensor:
    """Standard normals, with as many beyond :data:`BANK` as one place reaches."""
    size = BANK + MOST_STREAMS * VECTORS
    return torch.randn(size, generator=Generator("cpu").manual_seed(0), device="cpu")


def conversion_normals(seed: int, streams: int, vectors: range, columns: range) -> tuple[Tensor, Tensor]:
    """Two independent normals for each conversion of one row block, both ``streams x vectors x columns``.

    Args:
        seed: Of the read.
        streams: Pulses per vector.
        vectors: Which vectors, counted over the images.
        columns: Which columns, counted over groups, blocks, slices and outputs, in this order.
    """
    vector = np.arange(vectors.start, vectors.stop, dtype=np.uint64)
    column = np.arange(columns.start, columns.stop, dtype=np.uint64)
    with np.errstate(over="ignore"):
        counter = (column << np.uint64(32)) | (vector[:, None] // np.uint64(VECTORS))
        z = np.uint64(seed) + (counter + np.uint64(1)) * np.uint64(_GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
        z ^= z >> np.uint64(31)
    lane = (vector % np.uint64(VECTORS)).astype(np.int64)[:, None]
    stream = VECTORS * np.arange(streams, dtype=np.int64)[:, None, None]
    places = (((z >> np.uint64(shift)) & np.uint64(BANK - 1)).astype(np.int64) for shift in (0, 16))
    first, second = (bank()[torch.from_numpy(place + lane + stream)] for place in places)
    return first, second
