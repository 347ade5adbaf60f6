"""What stays on a chip with a fixed number of tiles, and how often the rest is loaded.

A network that takes more tiles than the chip has leaves some weights in place and computes the rest in passes through
the tiles that are left: each pass loads weights, writes crossbars, and applies all input vectors to them. How many
tiles are left for passes, and which layers stay, is chosen per design by its latency: layers stay in the order of what
repeating them costs, or of what loading them costs, and the number of tiles for passes is a power of two, or all.
More tiles admit every plan that fewer admit, so they never make a chip slower by this choice.

Copies of weights need arrays as the weights do: on a chip that does not hold them all they are refused, and the design
is priced without. A chip that must load weights cannot hold all layers at once, so it is not pipelined.
Not modelled: writing one array while another computes, copies in arrays that are idle during a pass, several images
per loading of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload
from nax_bo.hardware.workload.mapping import Mapping, map_slots, total


@dataclass(frozen=True, slots=True)
class Residency:
    """How a network's weights meet the tiles of a chip; n x L unless stated, or broadcastable.

    Attributes:
        row_passes, col_passes: Passes over the rows and over the columns of a layer's matrix.
        loaded: Share of a layer's weights that are loaded in every inference.
        active: Tiles that work on a layer at once.
        demand: Tiles that hold the whole network, n x 1.
        used: Tiles of the chip that hold weights at any time, n x 1.
        installed: Tiles of the chip over the tiles that the network takes, n x 1.
    """

    row_passes: Floats
    col_passes: Floats
    loaded: Floats
    active: Floats
    demand: Floats
    used: Floats
    installed: Floats

    @property
    def passes(self) -> Floats:
        """Times that a layer's input vectors are applied."""
        return self.row_passes * self.col_passes


Latency = Callable[[Workload, Mapping, Residency], Floats]
"""Response time of designs under a residency, n."""


def fit_copies(w: Workload, m: Mapping) -> tuple[Workload, Mapping, Floats]:
    """The workload as the chip can hold it: without copies that do not fit, and not pipelined where weights are loaded.

    Returns:
        Workload, its mapping, and the tiles that the copies lack, n (0: none).
    """
    lacking = np.where(w.tiles > 0, np.maximum(0.0, total(m.tiles)[:, None] - w.tiles), 0.0)
    if not lacking.any():
        return w, m, lacking[:, 0]
    missing = np.where((w.duplication * m.arrays > m.arrays).any(axis=1), lacking[:, 0], 0.0)
    if missing.any():
        w = replace(w, duplication=np.where(missing[:, None] > 0, 1.0, w.duplication))
        m = map_slots(w)
    short = (w.tiles > 0) & (total(m.tiles)[:, None] > w.tiles)
    return replace(w, pipelined=np.where(short, 0.0, w.pipelined)), m, missing


def settle(w: Workload, m: Mapping, latency: Latency) -> Residency:
    """The residency of every design: everything stays where the chip has tiles enough, else the quickest plan."""
    demand = total(m.tiles)[:, None]
    one = np.ones((1, 1))
    if not w.tiles.any():
        return Residency(one, one, 0.0 * one, m.touched, demand, demand, one)
    fixed = w.tiles > 0
    used = np.where(fixed, np.minimum(demand, w.tiles), demand)
    installed = np.where(fixed, w.tiles / np.maximum(demand, 1.0), 1.0)
    short = np.flatnonzero((fixed & (demand > w.tiles))[:, 0])
    whole = Residency(one, one, 0.0 * one, m.touched, demand, used, installed)
    if not len(short):
        return whole
    n, slots = m.touched.shape
    part = w.take(short)
    part = replace(part, kind=np.broadcast_to(part.kind, (len(short), slots)))
    base = [np.broadcast_to(a, (n, slots)).copy() for a in (one, one, 0.0 * one, m.touched)]
    for mine, found in zip(base, _quickest(part, latency), strict=True):
        mine[short] = found
    row_passes, col_passes, loaded, active = base
    return Residency(row_passes, col_passes, loaded, active, demand, used, installed)


def _quickest(w: Workload, latency: Latency) -> list[Floats]:
    """Fields of the plan with the least latency, the first of equals; each n x L."""
    m = map_slots(w)
    best: list[Floats] = []
    least = np.zeros(0)
    for plan in _plans(w, m):
        now = latency(w, m, plan)
        fields = [plan.row_passes, plan.col_passes, plan.loaded, plan.active]
        if not best:
            best, least = fields, now
            continue
        better = now < least
        least = np.where(better, now, least)
        best = [np.where(better[:, None], new, old) for new, old in zip(fields, best, strict=True)]
    return best


def _plans(w: Workload, m: Mapping) -> Iterator[Residency]:
    # Up to each chip's own tiles, so that a design's plans do not depend on the others of its batch.
    sizes = [2.0**k for k in range(int(w.tiles.max()).bit_length())]
    weights = w.matrix_rows * w.matrix_cols * w.groups * w.weight_bits
    held = np.maximum(m.tiles, 1e-9)
    for urgency in (w.vectors * m.streams / held, w.vectors * m.streams, weights / held):
        order = np.argsort(np.where(m.tiles > 0, -urgency, np.inf), axis=1, kind="stable")
        in_order = np.take_along_axis(m.tiles, order, axis=1)
        before = np.empty_like(in_order)
        np.put_along_axis(before, order, np.add.accumulate(in_order, axis=1) - in_order, axis=1)
        for size in (*sizes, np.inf):
            yield _plan(w, m, before, np.minimum(size, w.tiles))


def _plan(w: Workload, m: Mapping, before: Floats, left: Floats) -> Residency:
    """Layers stay in the order in which ``before`` counts tiles; ``left`` tiles take the rest in turns."""
    demand = total(m.tiles)[:, None]
    staying = np.clip(w.tiles - left - before, 0.0, m.tiles)
    rest = m.tiles - staying
    moving = rest > 0
    across = np.maximum(1.0, np.floor(left / m.tile_rows))
    return Residency(
        row_passes=np.where(moving, np.ceil(np.minimum(m.tile_rows, np.ceil(rest)) / left), 1.0),
        col_passes=np.where(moving, np.ceil(np.ceil(rest / m.tile_rows) / across), 1.0),
        loaded=rest / np.maximum(m.tiles, 1e-9),
        active=np.minimum(m.touched, np.ceil(staying) + np.minimum(left, np.ceil(rest))),
        demand=demand,
        used=w.tiles,
        installed=w.tiles / np.maximum(demand, 1.0),
    )
