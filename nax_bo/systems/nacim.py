"""NACIM: device, circuit, network and quantisation of each layer at once.

Jiang et al. 2021, arXiv:1911.00139, doi:10.1109/TC.2020.2991575. The paper's own lists of choices are not public.
Those of the network are of the same group's joint search of networks and quantisation (github.com/qinglu0330/NAQS);
device and circuit are the kinds that the abstract names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT, Shape
from nax_bo.space import Condition, Space, Value, Variable, categorical, ordinal
from nax_bo.systems.chip_choices import DEVICES, shared_settings
from nax_bo.systems.claims import Assumed, Baselines, Claim
from nax_bo.systems.system import Choices

LAYERS = 6
HIDDEN = 256
"""Channels of the fully connected layer before the classifier."""
QUANTISED = ("weight_bits", "input_bits")

_ABSTRACT = "abstract, doi:10.1109/TC.2020.2991575"
CLAIMS = (
    Claim("points of accuracy lost to variation", "a search without variation loses 76.44", 0.45, _ABSTRACT),
    Claim("tops_w", "the best design of a search without variation", 3.17, f"{_ABSTRACT}: 16.3 TOPS/W"),
)
ASSUMED = (
    Assumed("network", "NAQS's choices for 6 layers", "the paper's are not public; same group, also on CIFAR-10"),
    Assumed("width", "a third below 16 pixels", "such images need less"),
    Assumed("weight_bits, input_bits", "to 8", "NAQS: 0 to 3 integer, 0 to 6 fractional; calibrated here"),
    Assumed("device", "five, and Gaussian variation of 0.1", "kinds and sigma are not told; 0.1 is SWIM's"),
    Assumed("crossbar, adc_bits, mux, hierarchy", "usual ranges", "the abstract says circuit topology"),
    Assumed("cost_model", "published", "NeuroSim in the paper, settings not told (--cost-model neurosim)"),
    Assumed("paper baseline", "8 bits, 128 x 128 crossbars", "QuantNAS's chip is not told"),
)  # fmt: skip
SETTINGS: Mapping[str, Any] = {"objectives": ("accuracy", "tops_w"), "strategy": "nacim"}


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
    claims = CLAIMS
    assumptions = ASSUMED
    settings = SETTINGS

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
        yield from _bits(f"_{LAYERS + 1}", f"layer:{LAYERS + 1}")

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
        layers["fc"] = layers["classifier"] = _of(choices, f"_{LAYERS + 1}")
        names = ("device", "adc_bits", "adc_type", "mux", "pes_per_tile", "arrays_per_pe", "tile_buffer_kb")
        own: dict[str, Any] = {name: choices[name] for name in names}
        own |= {"rows": choices["crossbar"], "cols": choices["crossbar"]}
        own["bits_per_cell"] = np.maximum(choices["bits_per_cell"], choices["fefet_bits_per_cell"])
        return ChipPlan(layers, **{**shared_settings(self.input_shape), **own})

    @property
    def baselines(self) -> Baselines:
        """Networks with all layers alike on crossbars of one size; ``paper`` is the widest, on those of 128."""
        wide = self.widths[-1]
        alike = {f"homogeneous-{side}": self.uniform(wide, side) for side in (32, 64, 128, 256)}
        scaled = {f"scaled-{width}": self.uniform(width, 128) for width in self.widths[:-1]}
        return {"paper": self.uniform(wide, 128), **alike, **scaled}

    def uniform(self, width: int, side: int) -> dict[str, Value]:
        """3 x 3 kernels, pooling after every second layer, 8 bits, cells of 2 bits and Gaussian variation."""
        alike: dict[str, Value] = {"width": width, "weight_bits": 8, "input_bits": 8}
        alike |= {"kernel_height": 3, "kernel_width": 3, "stride_height": 1, "stride_width": 1}
        circuit: dict[str, Value] = {"device": "nacim-gaussian", "bits_per_cell": 2, "crossbar": side}
        circuit |= {"adc_bits": 8, "mux": 8, "pes_per_tile": 4, "arrays_per_pe": 2, "tile_buffer_kb": 8}
        pools = {f"pool_{i}": 2 - i % 2 for i in range(1, LAYERS + 1)}
        layers = {v.name: alike[v.name.rsplit("_", 1)[0]] for v in self._layers() if v.name not in pools}
        return {**layers, **pools, **circuit}


def _bits(suffix: str, scope: str) -> Iterable[Variable]:
    yield ordinal(f"weight_bits{suffix}", (2, 3, 4, 5, 6, 7, 8), scope=scope)
    yield ordinal(f"input_bits{suffix}", (1, 2, 3, 4, 5, 6, 7, 8), scope=scope)


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
