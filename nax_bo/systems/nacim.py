"""NACIM: device, circuit, network and quantisation of each layer at once.

Jiang et al. 2021, arXiv:1911.00139, doi:10.1109/TC.2020.2991575. The paper's own lists of choices are not public.
Those of the network are of the same group's joint search of networks and quantisation (github.com/qinglu0330/NAQS);
device and circuit are the kinds that the abstract names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT, Shape
from nax_bo.space import Condition, Space, Variable, categorical, ordinal
from nax_bo.systems.chip_choices import DEVICES, shared_settings
from nax_bo.systems.system import Choices

LAYERS = 6
HIDDEN = 256
"""Channels of the fully connected layer before the classifier."""
QUANTISED = ("weight_bits", "input_bits")


@dataclass(frozen=True)
class NacimSystem:
    """Six convolutions with their quantisation, and a chip of one device and circuit.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
    """

    input_shape: Shape
    num_classes: int
    name: str = "nacim"
    summary: str = "NACIM: device, circuit, and kernel, stride, width, pooling and bits of each of six layers"

    @cached_property
    def space(self) -> Space:
        """Layer by layer, then the fully connected layers' bits, device and circuit."""
        return Space([*self._layers(), *_circuit()])

    @property
    def widths(self) -> tuple[int, ...]:
        """Output channels to choose from; a third of NAQS's for images below 16 pixels."""
        wide = (24, 36, 48, 64)
        return (8, 12, 16, 24) if min(self.input_shape[1:]) < 16 else wide

    def _layers(self) -> Iterable[Variable]:
        for i in range(1, LAYERS + 1):
            scope = f"layer:{i}"
            yield ordinal(f"kernel_height_{i}", (1, 3, 5, 7), scope=scope)
            yield ordinal(f"kernel_width_{i}", (1, 3, 5, 7), scope=scope)
            yield ordinal(f"stride_height_{i}", (1, 2, 3), scope=scope)
            yield ordinal(f"stride_width_{i}", (1, 2, 3), scope=scope)
            yield ordinal(f"width_{i}", self.widths, scope=scope)
            yield ordinal(f"pool_{i}", (1, 2), scope=scope)
            yield from _bits(f"_{i}", scope)
        yield from _bits("_fc", f"layer:{LAYERS + 1}")

    def build(self, graph: Graph, choices: Choices) -> None:
        """The convolutions, each with its pooling while two pixels are left, and two fully connected layers."""
        x = INPUT
        for i in range(1, LAYERS + 1):
            x = graph.conv(
                x,
                choices[f"width_{i}"],
                kernel=(choices[f"kernel_height_{i}"], choices[f"kernel_width_{i}"]),
                stride=(choices[f"stride_height_{i}"], choices[f"stride_width_{i}"]),
                norm="batch",
                activation="relu",
                name=f"conv{i}",
            )
            _, height, width = graph.shape(x)
            with graph.present((choices[f"pool_{i}"] == 2) & (height >= 2) & (width >= 2)):
                x = graph.maxpool(x, name=f"pool{i}")
        x = graph.linear(graph.flatten(x), HIDDEN, activation="relu", name="fc")
        graph.linear(x, self.num_classes, name="classifier")

    def chip(self, choices: Choices) -> ChipPlan:
        """One device and circuit; bits of every layer."""
        layers = {f"conv{i}": _of(choices, f"_{i}") for i in range(1, LAYERS + 1)}
        layers |= {"fc": _of(choices, "_fc"), "classifier": _of(choices, "_fc")}
        names = ("device", "adc_bits", "adc_type", "mux", "pes_per_tile", "arrays_per_pe", "tile_buffer_kb")
        own: dict[str, Any] = {name: choices[name] for name in names}
        own |= {"rows": choices["crossbar"], "cols": choices["crossbar"]}
        own["bits_per_cell"] = np.maximum(choices["bits_per_cell"], choices["fefet_bits_per_cell"])
        return ChipPlan(layers, **{**shared_settings(self.input_shape), **own})


def _bits(suffix: str, scope: str) -> Iterable[Variable]:
    yield ordinal(f"weight_bits{suffix}", (2, 3, 4, 5, 6, 7, 8, 9), scope=scope)
    yield ordinal(f"input_bits{suffix}", (1, 2, 3, 4, 5, 6, 7, 8, 9), scope=scope)


def _of(choices: Choices, suffix: str) -> dict[str, Any]:
    return {name: choices[name + suffix] for name in QUANTISED}


def _circuit() -> Iterable[Variable]:
    yield categorical("device", ("nacim-gaussian", *DEVICES))
    yield ordinal("bits_per_cell", (1, 2), when=Condition("device", ("nacim-gaussian", "rram", "pcm")))
    yield ordinal("fefet_bits_per_cell", (1, 2), when=Condition("device", ("fefet",)))
    yield ordinal("crossbar", (32, 64, 128, 256))
    yield ordinal("adc_bits", (3, 4, 5, 6, 7, 8))
    yield categorical("adc_type", ("sar", "flash"), affects="cost")
    yield ordinal("mux", (1, 2, 4, 8, 16, 32), affects="cost")
    yield ordinal("pes_per_tile", (1, 2, 4, 8), affects="cost")
    yield ordinal("arrays_per_pe", (1, 2, 4, 8), affects="cost")
    yield ordinal("tile_buffer_kb", (2, 4, 8, 16, 32, 64), affects="cost")
