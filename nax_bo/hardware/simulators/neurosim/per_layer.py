"""The ``xpertsim`` profile: every layer on arrays of its own, priced as XPertSim prices single layers.

XPertSim (Moitra et al., DAC 2023, arXiv:2303.17646) evaluates a layer beside a fixed one that sets the size of a tile,
so layers may differ in array, column sharing, converter and precision. A network is the sum of its layers: energy,
latency, and the area of each layer's tiles; all tiles leak for as long as an image takes. Each layer keeps the clock of
its own arrays, so the chip has no clock period. Not modelled beyond the simulator: what joins layers of different
arrays, pipelining.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.reads import Reads
from nax_bo.hardware.report import CostReport, LayerCost, LayerPrice
from nax_bo.hardware.simulators.neurosim.config import XPERTSIM, NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.cost import NeuroSimReport, evaluate
from nax_bo.hardware.simulators.neurosim.profile import (
    ARRAY_FIELDS,
    CHIP_FIELDS,
    check_array,
    check_layer,
    chip_config,
    layer_row,
)
from nax_bo.network.spec import NetworkSpec

PAD = {"c_in": 64, "k_h": 3, "k_w": 3, "c_out": 512}
"""Layer that XPertSim's authors append to every single layer, to fix the tile size."""

READS = Reads(
    "xpertsim",
    ChipSpec(
        device="sram", technology_nm=32, arrays=(ArraySpec(bits_per_cell=1, encoding="offset", adc_bits=6),)
    ),
    frozenset({*ARRAY_FIELDS, *CHIP_FIELDS} - {"dataflow"}),
)
"""What XPertSim reads of a chip, and the chip that it ships with."""


def beside_pad(layer: NeuroSimLayer) -> tuple[NeuroSimLayer, NeuroSimLayer]:
    """A layer and the one that fixes the tile size."""
    size = {"in_h": max(layer.in_h, PAD["k_h"]), "in_w": max(layer.in_w, PAD["k_w"])}
    pad = replace(layer, **size, **PAD, maxpool_after=False, stride=1, zero_border=None, signed_input=False)
    return layer, pad


class XpertSimCostModel:
    """Prices one design at a time; settings may differ between layers, hierarchy and buffers are the simulator's."""

    name = "xpertsim"
    reads = READS

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price a network on a chip.

        Raises:
            InputError: Settings that the simulator does not read, several input bits per pulse, layers on the digital
                unit, grouped convolutions or attention, a node that is not tabulated.
            EvaluationError: The simulator cannot build the chip.
        """
        prices = [self.layer_price(network, chip, i) for i in range(len(network.static_layers))]
        latency_ns = sum(p.latency_ns for p in prices)
        layers = tuple(
            LayerCost(
                layer.name,
                energy_pj=p.energy_pj + p.leakage_mw * latency_ns,
                latency_ns=p.latency_ns,
                area_um2=p.area_um2,
                tiles=p.tiles,
                utilisation=p.utilisation,
            )
            for layer, p in zip(network.static_layers, prices, strict=True)
        )
        return CostReport(
            energy_pj=sum(layer.energy_pj for layer in layers),
            latency_ns=latency_ns,
            area_um2=sum(p.area_um2 for p in prices),
            leakage_pj=sum(p.leakage_mw for p in prices) * latency_ns,
            response_ns=latency_ns,
            macs=float(network.macs),
            utilisation=float(np.average([p.utilisation for p in prices], weights=[p.tiles for p in prices])),
            layers=layers,
            model=self.name,
        )

    def layer_price(self, network: NetworkSpec, chip: ChipSpec, index: int) -> LayerPrice:
        """What static layer ``index`` adds to the chip; raises as :meth:`evaluate`."""
        self.reads.check(chip)
        if chip.digital_layers:
            raise InputError("layers on the digital unit", "XPertSim puts every layer into crossbars.")
        found = self._layer(network, chip, index)
        return LayerPrice(
            energy_pj=float(found.layer_energy_pj[0]),
            latency_ns=float(found.layer_latency_ns[0]),
            area_um2=found.area_um2 * int(found.layer_tiles[0]) / int(found.layer_tiles.sum()),
            leakage_mw=float(found.layer_leakage_power_uw[0]) * 1e-3,
            tiles=int(found.layer_tiles[0]),
            utilisation=float(found.layer_utilization[0]),
        )

    def _layer(self, network: NetworkSpec, chip: ChipSpec, index: int) -> NeuroSimReport:
        array, layer = chip.array(index, len(network.static_layers)), network.static_layers[index]
        check_array(array)
        for each in network.layers:
            check_layer(each)
        row = replace(layer_row(layer, layer.name in network.pooled_layers), signed_input=index == 0)
        config = replace(chip_config(array, chip, device(chip.device)), quirks=XPERTSIM)
        return _alone(row, config)


@lru_cache(maxsize=65536)
def _alone(layer: NeuroSimLayer, config: NeuroSimConfig) -> NeuroSimReport:
    return evaluate(beside_pad(layer), config)
