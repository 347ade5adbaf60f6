"""CiMNet's transformer: sub-networks of ViT-B/16 with the memory hierarchy of :mod:`nax_bo.systems.cimnet_chip`.

Kundu et al. 2024, arXiv:2402.11780; choices of DyNAS-T's super-network ``vit_base_imagenet``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import Shape
from nax_bo.network.vit import vit_layers
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems import cimnet_chip
from nax_bo.systems.claims import Assumed, Baselines, Claim
from nax_bo.systems.system import Choices

_ABSTRACT, _BASE = "abstract, arXiv:2402.11780", "ViT-B at equal accuracy"


@dataclass(frozen=True)
class CimnetVitSystem:
    """Number of encoder layers, heads and MLP width of each, and the chip.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
    """

    input_shape: Shape
    num_classes: int
    name: str = "cimnet-vit"
    summary: str = "CiMNet: ViT sub-networks with bandwidths, PE and memory sizes of the chip"
    claims = (
        Claim("latency_ms", f"{_BASE}: network and chip searched", 3.1, _ABSTRACT),
        Claim("latency_ms", f"{_BASE}: network alone searched", 1.7, _ABSTRACT),
    )
    assumptions = (
        Assumed("network", "DyNAS-T's choices for ViT-B/16", "the paper's list is not public"),
        Assumed(
            "width, layers", "an eighth, 4 to 6, below 128 pixels; patches of 4 or 2", "such images need less"
        ),
        *cimnet_chip.ASSUMED,
    )

    @property
    def part(self) -> int:
        """Widths of ViT-B are divided by this."""
        return 1 if cimnet_chip.large(self.input_shape) else 8

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of encoder layers to choose from."""
        return (10, 11, 12) if self.part == 1 else (4, 5, 6)

    @cached_property
    def space(self) -> Space:
        """Layer by layer, then the chip."""
        return Space([*self._layers(), *cimnet_chip.variables(self.input_shape)])

    def _layers(self) -> Iterable[Variable]:
        yield ordinal("layers", self.depths, scope="network")
        for i in range(1, self.depths[-1] + 1):
            deep, widths = tuple(range(i, self.depths[-1] + 1)), (1024, 2048, 3072)
            when = () if i <= self.depths[0] else Condition("layers", deep)
            yield ordinal(f"heads_{i}", (6, 8, 10, 12), scope=f"layer:{i}", when=when)
            yield ordinal(f"mlp_{i}", [w // self.part for w in widths], scope=f"layer:{i}", when=when)

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
        """The memory hierarchy."""
        return cimnet_chip.plan(choices)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Accuracy against latency on no more area than ``paper`` takes."""
        return cimnet_chip.settings(self, self.input_shape)

    @property
    def baselines(self) -> Baselines:
        """ViT-B on a middling chip (``paper``) and on chips of other arrays, and smaller networks."""
        return cimnet_chip.baselines(self.input_shape, self._uniform)

    def _uniform(self, share: float) -> dict[str, Value]:
        return {v.name: v.values[round(share * (v.cardinality - 1))] for v in self._layers()}
