"""CiMNet: sub-networks of a CNN super-network with the memory hierarchy of their chip.

Kundu et al. 2024, arXiv:2402.11780. The networks are those of DyNAS-T (github.com/IntelLabs/DyNAS-T), an author's
search engine: Once-for-all MobileNetV3 (Cai et al. 2020, arXiv:1908.09791) here, ViT-B/16 in
:mod:`nax_bo.systems.cimnet_vit`. The abstract names what the chip chooses: bandwidths at interfaces, the size of
processing elements, and of memories (:mod:`nax_bo.systems.cimnet_chip`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.mobilenet import InvertedBlock, inverted_block
from nax_bo.network.spec import INPUT, Activation, Shape
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems import cimnet_chip
from nax_bo.systems.claims import Assumed, Baselines
from nax_bo.systems.system import Choices

STAGES: tuple[tuple[int, int, bool, Activation], ...] = (
    (24, 2, False, "relu"), (40, 2, True, "relu"), (80, 2, False, "hardswish"), (112, 1, True, "hardswish"),
    (160, 2, True, "hardswish"),
)  # fmt: skip
"""Width, stride, squeeze-and-excitation and activation of each stage of Once-for-all's MobileNetV3."""
BLOCKS = 4
"""Most blocks of a stage."""


@dataclass(frozen=True)
class CimnetSystem:
    """Depth of each stage, kernel and expansion of each block, and the chip.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
    """

    input_shape: Shape
    num_classes: int
    name: str = "cimnet"
    summary: str = "CiMNet: MobileNetV3 sub-networks with bandwidths, PE and memory sizes of the chip"
    assumptions = (
        Assumed("network", "Once-for-all MobileNetV3, as in DyNAS-T", "the abstract says CNN; its figures are of ViT"),
        Assumed("width", "a quarter below 128 pixels, strides while 8 pixels are left", "such images need less"),
        *cimnet_chip.ASSUMED,
    )  # fmt: skip

    @cached_property
    def space(self) -> Space:
        """Stage by stage, then the chip."""
        return Space([*self._stage_variables(), *cimnet_chip.variables(self.input_shape)])

    def _stage_variables(self) -> Iterable[Variable]:
        for s in range(len(STAGES)):
            yield ordinal(f"depth_{s + 1}", range(2, BLOCKS + 1), scope=f"layer:{s * BLOCKS + 1}")
            for b in range(1, BLOCKS + 1):
                when = () if b <= 2 else Condition(f"depth_{s + 1}", tuple(range(b, BLOCKS + 1)))
                block = s * BLOCKS + b
                yield ordinal(f"kernel_{block}", (3, 5, 7), scope=f"layer:{block}", when=when)
                yield ordinal(f"expansion_{block}", (3, 4, 6), scope=f"layer:{block}", when=when)

    def build(self, graph: Graph, choices: Choices) -> None:
        """Stem, stages of inverted blocks, head and classifier; strides while eight pixels are left."""
        large, size = cimnet_chip.large(self.input_shape), min(self.input_shape[1:])
        part, first = (1, 2) if large else (4, 1)
        x = graph.conv(INPUT, 16 // part, stride=first, norm="batch", activation="hardswish", name="stem")
        size //= first
        for s, (width, wanted, squeeze, activation) in enumerate(STAGES):
            stride = wanted if size >= 8 else 1
            size = -(-size // stride)
            for b in range(1, BLOCKS + 1):
                kernel, wider = (choices[f"{what}_{s * BLOCKS + b}"] for what in ("kernel", "expansion"))
                with graph.present(choices[f"depth_{s + 1}"] >= b):
                    expanded, at = wider * graph.shape(x)[0], stride if b == 1 else 1
                    block = InvertedBlock(expanded, width // part, kernel, at, squeeze, activation)
                    x = inverted_block(graph, x, block, f"s{s + 1}.b{b}")
        x = graph.conv(x, 960 // part, kernel=1, norm="batch", activation="hardswish", name="head")
        pooled = graph.flatten(graph.global_avgpool(x))
        hidden = graph.linear(pooled, 1280 // part, activation="hardswish", name="hidden")
        graph.linear(hidden, self.num_classes, name="classifier")

    def chip(self, choices: Choices) -> ChipPlan:
        """The memory hierarchy."""
        return cimnet_chip.plan(choices)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Accuracy against latency on no more area than ``paper`` takes."""
        return cimnet_chip.settings(self, self.input_shape)

    @property
    def baselines(self) -> Baselines:
        """The largest network on a middling chip (``paper``) and on chips of other arrays, and smaller networks."""
        return cimnet_chip.baselines(self.input_shape, self._uniform)

    def _uniform(self, share: float) -> dict[str, Value]:
        return {v.name: v.values[round(share * (v.cardinality - 1))] for v in self._stage_variables()}
