"""What width costs: routers of the network on chip, ports of the global buffer, the interface to off-chip memory.

A router is buffers, arbiters and links, in proportion to the width, and a crossbar switch whose sides are as long as
all its wires side by side: its area grows with the square of the width, and every bit crosses both sides. A buffer as
tabulated has one port of 256 bits; each further bit brings the sense amplifier, latch and drivers that a small array
spends per port bit, and the data then cross a buffer that is longer on the side. The off-chip interface is as large as
its pins, whose number follows the bandwidth. Not modelled: latency that wide crossbar switches add, packing of data
into flits, differences between the interfaces of memory types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.chip.technology import Scaling
from nax_bo.hardware.pricing.components.buffer import BufferPrice
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload

TABULATED_PORT_BITS = 256
"""Port of the buffers in ``data/sram_cacti.csv``."""


@dataclass(frozen=True, slots=True)
class LinkPrice:
    """Prices of what moves data; n x 1.

    Attributes:
        hop_pj_per_bit: Energy of a bit per router and link.
        router_um2: Area of a router.
        port_pj_per_bit, port_um2: What the global buffer's port adds to its price as tabulated.
        interface_um2, interface_mw: Interface to off-chip memory; 0 without one.
    """

    hop_pj_per_bit: Floats
    router_um2: Floats
    port_pj_per_bit: Floats
    port_um2: Floats
    interface_um2: Floats
    interface_mw: Floats


def link_price(w: Workload, p: Profile, s: Scaling, shared: BufferPrice) -> LinkPrice:
    """Prices at the widths of the designs.

    Args:
        w: Designs.
        p: Constants; routers are priced at ``interconnect.flit_bits``, interfaces at ``interconnect.io_gb_s``.
        s: Factors from the reference node to those of the designs.
        shared: The global buffer as tabulated.
    """
    pitch = p["interconnect.router_ports"] * p["interconnect.wire_pitch_um"]
    flit = p["interconnect.flit_bits"]
    wider = w.noc_bits / flit
    switch_um2 = (pitch * flit) ** 2
    wire_pj = p["interconnect.wire_ff_per_um"] * 1e-3 * s.supply_v**2 * p["interconnect.wire_activity"]
    farther_um = 2.0 * pitch * s.delay * (w.noc_bits - flit)
    port_um2 = (w.buffer_port_bits - TABULATED_PORT_BITS) * p["buffer.port_um2_per_bit"] * s.area
    longer_um = np.sqrt(np.maximum(shared.area_um2 + port_um2, 0.0)) - np.sqrt(shared.area_um2)
    bandwidth = w.dram_bandwidth_gb_s / p["interconnect.io_gb_s"] * (w.dram > 0)
    hop_pj = p["interconnect.hop_energy_per_bit_pj"] * s.energy
    return LinkPrice(
        np.maximum(hop_pj + wire_pj * farther_um, 0.0),
        ((p["interconnect.router_area_um2"] - switch_um2) * wider + switch_um2 * wider**2) * s.area,
        wire_pj * longer_um,
        port_um2,
        bandwidth * p["interconnect.io_area_um2"],
        bandwidth * p["interconnect.io_static_mw"],
    )
