"""CiMNet: sub-networks of CNN and transformer super-networks with the memory hierarchy of their chip.

Kundu et al. 2024, arXiv:2402.11780. The networks are those of DyNAS-T (github.com/IntelLabs/DyNAS-T), an author's
search engine: Once-for-all MobileNetV3 (Cai et al. 2020, arXiv:1908.09791) and ViT-B/16. The abstract names what the
chip chooses: bandwidths at interfaces, the size of processing elements, and of memories. Latency counts, so search
with a cap on the area (``--max area_mm2``): without one the largest chip is best.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any

import numpy as np

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.mobilenet import InvertedBlock, inverted_block
from nax_bo.network.spec import INPUT, Activation, Shape
from nax_bo.network.vit import vit_layers
from nax_bo.space import Condition, Space, Variable, ordinal
from nax_bo.systems.system import Choices

_LARGE = 128
"""From so many pixels on networks have the published size; below, as much of it as small images need."""

STAGES: tuple[tuple[int, int, bool, Activation], ...] = (
    (24, 2, False, "relu"), (40, 2, True, "relu"), (80, 2, False, "hardswish"), (112, 1, True, "hardswish"),
    (160, 2, True, "hardswish"),
)  # fmt: skip
"""Width, stride, squeeze-and-excitation and activation of each stage of Once-for-all's MobileNetV3."""


@dataclass(frozen=True)
class CimnetSystem:
    """The convolutional half: depth of each stage, kernel and expansion of each block.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
    """

    input_shape: Shape
    num_classes: int
    name: str = "cimnet"
    summary: str = "CiMNet: MobileNetV3 sub-networks with bandwidths, PE and memory sizes of the chip"

    @cached_property
    def space(self) -> Space:
        """Stage by stage, then the chip."""
        return Space([*self._stage_variables(), *_chip_variables(self.input_shape)])

    def _stage_variables(self) -> Iterable[Variable]:
        for s in range(1, len(STAGES) + 1):
            yield ordinal(f"depth_{s}", (2, 3, 4), scope=f"layer:{s}")
            for b in range(1, 5):
                when = () if b <= 2 else Condition(f"depth_{s}", tuple(range(b, 5)))
                yield ordinal(f"kernel_{s}_{b}", (3, 5, 7), scope=f"layer:{s}", when=when)
                yield ordinal(f"expansion_{s}_{b}", (3, 4, 6), scope=f"layer:{s}", when=when)

    def build(self, graph: Graph, choices: Choices) -> None:
        """Stem, stages of inverted blocks, head and classifier; strides while eight pixels are left."""
        large = min(self.input_shape[1:]) >= _LARGE
        part, size = (1 if large else 4), min(self.input_shape[1:]) // (2 if large else 1)
        x = graph.conv(
            INPUT, 16 // part, stride=2 if large else 1, norm="batch", activation="hardswish", name="stem"
        )
        for s, (width, wanted, squeeze, activation) in enumerate(STAGES, 1):
            stride = wanted if size >= 8 else 1
            size = -(-size // stride)
            for b in range(1, 5):
                with graph.present(choices[f"depth_{s}"] >= b):
                    expanded = choices[f"expansion_{s}_{b}"] * graph.shape(x)[0]
                    block = InvertedBlock(
                        expanded,
                        width // part,
                        choices[f"kernel_{s}_{b}"],
                        stride if b == 1 else 1,
                        squeeze,
                        activation,
                    )
                    x = inverted_block(graph, x, block, f"s{s}.b{b}")
        x = graph.conv(x, 960 // part, kernel=1, norm="batch", activation="hardswish", name="head")
        x = graph.linear(
            graph.flatten(graph.global_avgpool(x)), 1280 // part, activation="hardswish", name="hidden"
        )
        graph.linear(x, self.num_classes, name="classifier")

    def chip(self, choices: Choices) -> ChipPlan:
        """The hierarchy of :func:`_chip`."""
        return _chip(choices)


@dataclass(frozen=True)
class CimnetVitSystem:
    """The transformer half: layers, and heads and MLP width of each.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
    """

    input_shape: Shape
    num_classes: int
    name: str = "cimnet-vit"
    summary: str = "CiMNet: ViT sub-networks with bandwidths, PE and memory sizes of the chip"

    @property
    def part(self) -> int:
        """Small images get widths divided by this, and fewer layers."""
        return 1 if min(self.input_shape[1:]) >= _LARGE else 8

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of encoder layers to choose from."""
        return (10, 11, 12) if self.part == 1 else (4, 5, 6)

    @cached_property
    def space(self) -> Space:
        """Layer by layer, then the chip."""
        return Space([*self._layers(), *_chip_variables(self.input_shape)])

    def _layers(self) -> Iterable[Variable]:
        yield ordinal("layers", self.depths, scope="network")
        for i in range(1, self.depths[-1] + 1):
            deep = tuple(range(i, self.depths[-1] + 1))
            when = () if i <= self.depths[0] else Condition("layers", deep)
            yield ordinal(f"heads_{i}", (6, 8, 10, 12), scope=f"layer:{i}", when=when)
            yield ordinal(
                f"mlp_{i}", tuple(w // self.part for w in (1024, 2048, 3072)), scope=f"layer:{i}", when=when
            )

    def build(self, graph: Graph, choices: Choices) -> None:
        """Patches, encoder layers and the classifier."""
        height, width = self.input_shape[1:]
        side = 16 if self.part == 1 else 4 if min(height, width) >= 16 else 2
        layers = range(1, self.depths[-1] + 1)
        vit_layers(
            graph,
            self.num_classes,
            768 // self.part,
            [choices[f"heads_{i}"] for i in layers],
            [choices[f"mlp_{i}"] for i in layers],
            depth=choices["layers"],
            head_width=64 // self.part,
            patch=gcd(side, height, width),
        )

    def chip(self, choices: Choices) -> ChipPlan:
        """The hierarchy of :func:`_chip`."""
        return _chip(choices)


def _chip_variables(input_shape: Shape) -> Iterable[Variable]:
    large = min(input_shape[1:]) >= _LARGE
    scale = 16 if large else 1
    yield ordinal("dram_bandwidth_gb_s", tuple(scale * b for b in (0.8, 1.6, 3.2, 6.4)), affects="cost")
    yield ordinal("noc_bits", (16, 32, 64, 128), affects="cost")
    yield ordinal("buffer_port_bits", (64, 128, 256, 512, 1024), affects="cost")
    yield ordinal("crossbar", (32, 64, 128, 256))
    yield ordinal("arrays_per_pe", (1, 2, 4, 8), affects="cost")
    yield ordinal("pes_per_tile", (1, 2, 4, 8), affects="cost")
    yield ordinal("tiles", tuple(scale * t for t in (4, 8, 16, 32, 64)), affects="cost")
    yield ordinal("tile_buffer_kb", (4, 8, 16, 32, 64), affects="cost")
    yield ordinal("global_buffer_kb", tuple(scale * k for k in (16, 32, 64, 128, 256)), affects="cost")


_HIERARCHY = (
    "dram_bandwidth_gb_s", "noc_bits", "buffer_port_bits", "arrays_per_pe", "pes_per_tile", "tiles", "tile_buffer_kb",
    "global_buffer_kb",
)  # fmt: skip


def _chip(choices: Choices) -> ChipPlan:
    """SRAM of one bit per cell with 8-bit weights and inputs, whose sums are read without loss."""
    rows = choices["crossbar"]
    settings: dict[str, Any] = {name: choices[name] for name in _HIERARCHY}
    exact = np.asarray(np.log2(rows)).astype(int) + 1
    settings |= {"rows": rows, "cols": rows, "adc_bits": exact}
    return ChipPlan(device="sram-6t", bits_per_cell=1, mux=8, adc_range=1.0, **settings)
