"""Dynamic energy of every slot by component."""

from __future__ import annotations

import numpy as np

from nax_bo.hardware.pricing.stages import Context, hops
from nax_bo.hardware.tables import Floats, column
from nax_bo.hardware.workload import CROSSBAR


def price_energy(c: Context, adc_pj: Floats) -> dict[str, Floats]:
    """Dynamic energy per inference of every slot by component, n x L or broadcastable.

    Arrays that hold any weight run whole: all rows are driven and all columns converted (``driver.idle_activity``);
    only cells that hold weights draw read energy.
    """
    w, m, t, s, p = c.workload, c.mapping, c.traffic, c.scales, c.profile
    idle = p["driver.idle_activity"]
    array_reads = m.arrays * w.vectors * m.streams
    conversions = array_reads * w.cols * (idle + (1 - idle) * m.col_use)
    drives = array_reads * w.rows * (idle + (1 - idle) * m.row_use)
    v2 = s.supply_v**2
    cell_pj = _cell_pj(c)
    drive_pj = (
        p["driver.energy_per_bit_pj"] * w.dac_bits * s.energy
        + p["driver.wire_ff_per_cell"] * 1e-3 * w.cols * v2
    )
    sums = w.vectors * w.matrix_cols * w.groups * (w.kind == CROSSBAR)
    adds = sums * (m.row_blocks - 1.0) * p["digital.partial_sum_bits"]
    macs = w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind > CROSSBAR)
    per_read_bits = w.cols / m.cells_per_weight * p["digital.output_bits"]
    return {
        "array": m.cells * w.vectors * m.streams * cell_pj,
        "driver": drives * drive_pj,
        "adc": conversions * adc_pj,
        "sample_hold": conversions
        * ((p["sample_hold.energy_pj"] + p["sample_hold.mux_energy_pj"]) * s.energy),
        "shift_add": (
            conversions * p["digital.shift_add_energy_pj"] + adds * p["digital.adder_energy_per_bit_pj"]
        )
        * s.energy,
        "register": (
            m.arrays * w.vectors * w.rows * w.input_bits * p["register.energy_per_bit_pj"]
            + array_reads * per_read_bits * p["register.output_energy_per_bit_pj"]
        )
        * s.energy,
        "tile_buffer": (t.tile_read * s.tile.read_pj_per_bit + t.tile_write * s.tile.write_pj_per_bit)
        * p["buffer.energy_scale"],
        "global_buffer": (
            t.global_read * (s.shared.read_pj_per_bit + s.links.port_pj_per_bit)
            + t.global_write * (s.shared.write_pj_per_bit + s.links.port_pj_per_bit)
        )
        * p["buffer.energy_scale"],
        "interconnect": t.tile_read * (p["interconnect.bus_energy_per_bit_pj"] * s.energy)
        + (t.network + t.reloaded) * (hops(c.residency.used, p) * s.links.hop_pj_per_bit),
        "digital": (
            w.digital_ops * p["digital.lane_energy_pj"]
            + macs * (w.weight_bits * w.input_bits / 64.0) * p["digital.mac_energy_pj"]
        )
        * s.energy,
        "off_chip": (t.off_chip + t.reloaded)
        * column("off_chip_memory", "energy_pj_per_bit")[w.dram]
        * p["memory.energy_scale"],
        "rewrite": c.residency.loaded * m.cells * w.duplication * c.cells.write_pj[w.device],
    }


def _cell_pj(c: Context) -> Floats:
    w, s, p = c.workload, c.scales, c.profile
    if p["array.cell_energy_fj"]:
        return np.asarray(p["array.cell_energy_fj"] * 1e-3 * s.energy)
    resistive = c.cells.read_pj[(w.device * 2 + w.offset).astype(np.intp)]
    return np.asarray(resistive + c.cells.charge_ff[w.device] * 1e-3 * s.supply_v**2)
