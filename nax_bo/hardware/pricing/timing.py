"""Clock of the chip and time of every slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.pricing.stages import Context, hops, total
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import ABSENT, CROSSBAR


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock and time.

    Attributes:
        period_ns: n x 1.
        step_ns: Time per input pulse, n x L.
        slot_ns: Time of each slot, n x L.
        latency_ns: Interval between inferences, n.
        response_ns: Time from image to result, n; differs from ``latency_ns`` when pipelined.
    """

    period_ns: Floats
    step_ns: Floats
    slot_ns: Floats
    latency_ns: Floats
    response_ns: Floats


def conversion_ns(c: Context) -> Floats:
    """Shortest cycle of every slot's converters, ns: a bit decision, slower with more rows.

    Linear in the rows; fitted from 16 to 1024 rows, continued outside (stated extrapolation).
    """
    w, p = c.workload, c.profile
    sense = p["adc.sense_ns"] + p["adc.sense_per_row_ns"] * w.rows
    return np.asarray((sense + w.flash * p["adc.encoder_delay_per_bit_ns"] * w.adc_bits) * c.scales.delay)


def price_time(c: Context) -> Timing:
    """Clock of the chip and time of every slot.

    One clock for the chip, set by its slowest converter stage (a clock domain per layer would let other layers run
    faster). Sampling decouples reading from converting: a pulse takes the longer of the read pulse and ``mux``
    conversions. Arithmetic, buffers, network and off-chip memory work at the same time; a slot takes the longest.
    """
    w, m, t, p = c.workload, c.mapping, c.traffic, c.profile
    crossbar = w.kind == CROSSBAR
    slowest = np.where(crossbar, conversion_ns(c), 0.0).max(axis=1, keepdims=True)
    period = np.maximum(slowest, 1.0 / w.clock_ghz)
    convert = np.ceil(w.mux * c.adc.cycles[c.adc_index]) * period
    step_ns = np.maximum(convert, c.cells.read_pulse_ns[w.device])
    mvm_ns = np.ceil(w.vectors / w.duplication) * m.streams * step_ns
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind != ABSENT)
    lanes = np.where(
        crossbar, p["digital.lanes_per_tile"] * np.maximum(m.tiles, 1.0), p["digital.macs_per_cycle"]
    )
    compute = np.where(crossbar, mvm_ns, macs / p["digital.macs_per_cycle"] * period)
    routers = np.ceil(np.maximum(m.tiles, 1.0) / p["interconnect.tiles_per_router"])
    digital = np.maximum(w.digital_ops / lanes, t.network / (p["interconnect.flit_bits"] * routers))
    port_ns = (t.global_read + t.global_write) / p["buffer.global_port_bits"] * period
    memory_ns = t.off_chip / (8.0 * w.dram_bandwidth_gb_s)
    write_ns = t.rewritten * w.rows * c.cells.write_pulse_ns[w.device] * crossbar
    fill_ns = (hops(m, p) * p["interconnect.hop_cycles"] * period + step_ns * crossbar) * (w.kind != ABSENT)
    busy_ns = np.maximum(compute, digital * period)
    slot_ns = np.maximum(np.maximum(busy_ns, port_ns), memory_ns) + fill_ns + write_ns
    response = total(slot_ns)
    latency = response
    if w.pipelined.any():
        shared = np.maximum(total(port_ns), total(memory_ns))
        interval = np.maximum(slot_ns.max(axis=1), shared)
        latency = np.where(w.pipelined[:, 0] != 0, interval, response)
    return Timing(period, step_ns, slot_ns, latency, response)
