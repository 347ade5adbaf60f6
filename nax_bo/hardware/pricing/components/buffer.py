"""On-chip buffers: CACTI 7 results, interpolated in log(energy, area, leakage) over log(capacity).

Tabulated at 22, 32, 45 and 65 nm from 2 KB to 2 MB (``data/sram_cacti.csv``). Between these nodes the node axis is
interpolated the same way; beyond them the nearest node is scaled by :mod:`nax_bo.hardware.chip.technology`, and beyond
the capacities the last slope is continued: both are stated extrapolations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.chip import technology
from nax_bo.hardware.tables import Floats, column

_QUANTITIES = ("read_pj_per_bit", "write_pj_per_bit", "area_um2", "leakage_mw")


@dataclass(frozen=True, slots=True)
class BufferPrice:
    """Prices of buffers; every array has the shape of the capacities."""

    read_pj_per_bit: Floats
    write_pj_per_bit: Floats
    area_um2: Floats
    leakage_mw: Floats


def buffer_price(capacity_kb: Floats, tech_nm: Floats) -> BufferPrice:
    """Price of buffers of the given capacities at the given nodes (shapes that broadcast)."""
    log_nodes, log_capacities, grid = _grid()
    nm = np.broadcast_to(tech_nm, np.broadcast_shapes(capacity_kb.shape, tech_nm.shape))
    inside = np.minimum(np.maximum(nm, _NODES_NM[0]), _NODES_NM[-1])
    x, ix = _place(log_capacities, np.log(capacity_kb))
    y, iy = _place(log_nodes, np.log(inside))
    low = grid[:, iy, ix] * (1 - x) + grid[:, iy, ix + 1] * x
    high = grid[:, iy + 1, ix] * (1 - x) + grid[:, iy + 1, ix + 1] * x
    price = np.exp(low * (1 - y) + high * y)
    if (inside != nm).any():
        energy = technology.energy_factor(nm) / technology.energy_factor(inside)
        shrink = technology.area_scale(32, nm) / technology.area_scale(32, inside)
        price = price * np.stack([energy, energy, shrink, shrink])
    return BufferPrice(*price)


def _place(axis: Floats, at: Floats) -> tuple[Floats, NDArray[np.intp]]:
    index = np.minimum(np.maximum(axis.searchsorted(at) - 1, 0), len(axis) - 2)
    return (at - axis[index]) / (axis[index + 1] - axis[index]), index


_NODES_NM = (22.0, 32.0, 45.0, 65.0)


@cache
def _grid() -> tuple[Floats, Floats, Floats]:
    """Log nodes, log capacities, and log values: quantity x node x capacity."""
    capacities = np.unique(column("sram_cacti", "capacity_kb"))
    shape = (len(_NODES_NM), len(capacities))
    values = np.stack([np.log(column("sram_cacti", q)).reshape(shape) for q in _QUANTITIES])
    return np.log(_NODES_NM), np.log(capacities), values
