"""A joint space of residual networks on a chip with crossbars per stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.families import resnet_layers
from nax_bo.network.spec import Shape
from nax_bo.space import Condition, Space, Variable, ordinal
from nax_bo.systems.chip_choices import chip_settings, chip_variables, shared_settings
from nax_bo.systems.system import Choices, last_of

MAX_BLOCKS = 3


@dataclass(frozen=True)
class ResnetSystem:
    """Number of stages, blocks, width, kernel and crossbar of each stage, and the chip's shared settings.

    Stem and first stage share crossbars and width; the classifier stands in crossbars of the last stage's size.
    """

    input_shape: Shape
    num_classes: int
    name: str = "resnet"
    summary: str = "residual stages with per-stage blocks, width, kernel and crossbar, on a shared chip"

    def __post_init__(self) -> None:
        if min(self.input_shape[1:]) < 4:
            raise InputError(
                f"images of {self.input_shape[1:]} pixels", "The resnet space needs at least 4 x 4."
            )

    @property
    def max_stages(self) -> int:
        """Most stages: the last one works on at least 2 pixels."""
        return min(4, int(np.log2(min(self.input_shape[1:]))))

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels to choose from; larger images get wider layers."""
        small = (4, 8, 12, 16, 24, 32)
        return small if min(self.input_shape[1:]) < 16 else tuple(4 * w for w in small)

    @cached_property
    def space(self) -> Space:
        """Stages, per stage blocks, width, kernel and crossbar, then the chip's choices."""
        stages = ordinal("stages", range(1, self.max_stages + 1), scope="network")
        return Space([stages, *self._stage_variables(), *chip_variables()])

    def _stage_variables(self) -> Iterable[Variable]:
        for s in range(1, self.max_stages + 1):
            when = () if s == 1 else Condition("stages", tuple(range(s, self.max_stages + 1)))
            scope = f"layer:{s}"
            yield ordinal(f"blocks_{s}", range(1, MAX_BLOCKS + 1), scope=scope, when=when)
            yield ordinal(f"width_{s}", self.widths, scope=scope, when=when)
            yield ordinal(f"kernel_{s}", (1, 3, 5), scope=scope, when=when)
            yield ordinal(f"crossbar_{s}", (32, 64, 128, 256), scope=scope, when=when)

    def build(self, graph: Graph, choices: Choices) -> None:
        """Stem, stages of residual blocks, and the classifier."""
        stages = range(1, self.max_stages + 1)
        resnet_layers(
            graph,
            self.num_classes,
            widths=[choices[f"width_{s}"] for s in stages],
            blocks=[choices[f"blocks_{s}"] for s in stages],
            kernels=[[choices[f"kernel_{s}"]] * (2 * MAX_BLOCKS) for s in stages],
            stem_width=choices["width_1"],
            stages=choices["stages"],
        )

    def chip(self, choices: Choices) -> ChipPlan:
        """Crossbars of each stage."""
        sides = [choices[f"crossbar_{s}"] for s in range(1, self.max_stages + 1)]
        layers = {f"s{s}": {"rows": side, "cols": side} for s, side in enumerate(sides, 1)}
        last = last_of(choices["stages"], sides)
        layers |= {"stem": layers["s1"], "classifier": {"rows": last, "cols": last}}
        return ChipPlan(layers, **chip_settings(choices), **shared_settings(self.input_shape))
