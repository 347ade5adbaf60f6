"""Clock of the chip and time of every slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.pricing.stages import Context, hops
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.report import RESOURCES
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload
from nax_bo.hardware.workload.mapping import total


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock and time.

    Attributes:
        period_ns: n x 1.
        step_ns: Time per input pulse, n x L.
        slot_ns: Time of each slot, n x L.
        latency_ns: Interval between inferences, n.
        response_ns: Time from image to result, n; differs from ``latency_ns`` when pipelined.
        parts: Time that each of :data:`RESOURCES` asks for, n x L or broadcastable.
    """

    period_ns: Floats
    step_ns: Floats
    slot_ns: Floats
    latency_ns: Floats
    response_ns: Floats
    parts: dict[str, Floats]


def conversion_ns(w: Workload, p: Profile, delay: Floats) -> Floats:
    """Shortest cycle of every slot's converters, ns: a bit decision, slower with more rows; ``delay`` by node.

    Linear in the rows; fitted from 16 to 1024 rows, continued outside (stated extrapolation).
    """
    sense = p["adc.sense_ns"] + p["adc.sense_per_row_ns"] * w.rows
    return np.asarray((sense + w.flash * p["adc.encoder_delay_per_bit_ns"] * w.adc_bits) * delay)


def clock_ns(c: Context) -> Floats:
    """Period of the chip's clock: its slowest converters, or the upper limit of the clock; n x 1."""
    stages_ns = conversion_ns(c.workload, c.profile, c.scales.delay)
    slowest = np.where(c.workload.kind == CROSSBAR, stages_ns, 0.0).max(axis=1, keepdims=True)
    return np.asarray(np.maximum(slowest, 1.0 / c.workload.clock_ghz))


def price_time(c: Context, period_ns: Floats | None = None) -> Timing:
    """Clock of the chip and time of every slot; ``period_ns``, n x 1, replaces the chip's own clock.

    One clock for the chip, set by its slowest converter stage (a clock domain per layer would let other layers run
    faster). Sampling decouples reading from converting: a pulse takes the longer of the read pulse and ``mux``
    conversions. Arithmetic, buffers, network and off-chip memory work at the same time; a slot takes the longest.
    Loading weights comes before each pass: the longest of moving them and of writing all rows, one after another.
    A chip with too few tiles is given the distances of one that has enough: they hardly count beside the loading.
    """
    w, m, t, p, r = c.workload, c.mapping, c.traffic, c.profile, c.residency
    crossbar = w.kind == CROSSBAR
    period = clock_ns(c) if period_ns is None else period_ns
    convert = np.ceil(w.mux * c.adc.cycles[c.adc_index]) * period
    step_ns = np.maximum(convert, c.cells.read_pulse_ns[w.device])
    mvm_ns = np.ceil(w.vectors / w.duplication) * m.streams * step_ns * r.passes
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
    at_work = np.maximum(r.active, 1.0)
    lanes = np.where(crossbar, p["digital.lanes_per_tile"] * _own_tiles(c, at_work), w.digital_macs)
    flits_ns = period / (w.noc_bits * np.ceil(at_work / p["interconnect.tiles_per_router"]))
    dram_ns = 1.0 / (8.0 * w.dram_bandwidth_gb_s)
    write_ns = r.passes * w.rows * c.cells.write_pulse_ns[w.device] * (crossbar & (r.loaded > 0))
    parts = {
        "compute": np.where(crossbar, mvm_ns, macs / w.digital_macs * period),
        "digital": w.digital_ops / lanes * period,
        "noc": t.network * flits_ns,
        "buffer": (t.global_read + t.global_write) / w.buffer_port_bits * period,
        "dram": t.off_chip * dram_ns,
        "reload": np.maximum(np.maximum(t.reloaded * dram_ns, t.reloaded * flits_ns), write_ns),
    }
    fill_ns = hops(r.demand, p) * p["interconnect.hop_cycles"] * period + step_ns * crossbar
    busy_ns = np.maximum(parts["compute"], np.maximum(parts["digital"], parts["noc"]))
    slot_ns = np.maximum(np.maximum(busy_ns, parts["buffer"]), parts["dram"]) + parts["reload"]
    slot_ns = slot_ns + fill_ns * r.passes * (w.kind != ABSENT)
    response = total(slot_ns)
    latency = response
    if w.pipelined.any():
        shared = np.maximum(total(parts["buffer"]), total(parts["dram"]))
        interval = np.maximum(slot_ns.max(axis=1), shared)
        latency = np.where(w.pipelined[:, 0] != 0, interval, response)
    return Timing(period, step_ns, slot_ns, latency, response, parts)


def _own_tiles(c: Context, at_work: Floats) -> Floats:
    """Tiles whose lanes serve a slot: where tiles are shared and all slots work at once, its share of them."""
    w = c.workload
    if not (w.shared_tiles.any() and w.pipelined.any()):
        return at_work
    return np.where((w.shared_tiles != 0) & (w.pipelined != 0), np.maximum(c.mapping.tiles, 1e-9), at_work)


def bound_by(timing: Timing, present: Floats) -> NDArray[np.intp]:
    """Index into :data:`RESOURCES` of what takes longest in every slot; -1 where absent."""
    stacked = np.stack(np.broadcast_arrays(*(timing.parts[name] for name in RESOURCES)))
    return np.where(present, stacked.argmax(axis=0), -1)
