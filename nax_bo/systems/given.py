"""The space of a network that stays as it is: only its chip is searched."""

from __future__ import annotations

from functools import cached_property

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph, NetworkSpec
from nax_bo.space import Space, categorical, ordinal
from nax_bo.systems.chip_choices import chip_settings, chip_variables, shared_settings
from nax_bo.systems.system import Choices

CROSSBARS = (32, 64, 128, 256)
MOST_LAYERS = 64
"""Networks of more layers share one converter type and one column sharing."""

_ADC_TYPES, _MUX = ("sar", "flash"), (1, 2, 4, 8, 16, 32)


class GivenSystem:
    """Device, cells, crossbars and precisions of the chip, and converters of each layer.

    Each layer has its own converter type (``adc_type_3``) and column sharing (``mux_3``), layers being counted from 1
    in the order in which they are computed. They cannot change accuracy and are solved, not searched (decision 0006).

    Args:
        network: The network.
    """

    def __init__(self, network: NetworkSpec) -> None:
        self.network = network
        self.name = network.name
        self.summary = f"the chip of {network.name}, which stays as it is"
        self._names = [layer.name for layer in network.static_layers]

    @property
    def _per_layer(self) -> bool:
        return 1 < len(self._names) <= MOST_LAYERS

    @cached_property
    def space(self) -> Space:
        """The chip's choices."""
        chip = [v for v in chip_variables() if not self._per_layer or v.name not in ("adc_type", "mux")]
        variables = [ordinal("crossbar", CROSSBARS), *chip]
        if self._per_layer:
            for i in range(1, len(self._names) + 1):
                variables.append(categorical(f"adc_type_{i}", _ADC_TYPES, affects="cost"))
                variables.append(ordinal(f"mux_{i}", _MUX, affects="cost"))
        return Space(variables)

    def build(self, graph: Graph, choices: Choices) -> None:
        """The network, whatever is chosen."""
        graph.include(self.network)

    def chip(self, choices: Choices) -> ChipPlan:
        """The chip."""
        layers = {}
        if self._per_layer:
            for i, name in enumerate(self._names, 1):
                layers[name] = {"adc_type": choices[f"adc_type_{i}"], "mux": choices[f"mux_{i}"]}
        side = choices["crossbar"]
        common = shared_settings(self.network.input_shape)
        return ChipPlan(layers, rows=side, cols=side, **chip_settings(choices), **common)
