"""The default joint space: a chain of convolutions on a chip with per-layer crossbars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.families import vgg_layers
from nax_bo.network.spec import Shape
from nax_bo.space import Condition, Space, Variable, ordinal
from nax_bo.systems.chip_choices import chip_settings, chip_variables, shared_settings
from nax_bo.systems.system import Choices, last_of

MIN_DEPTH = 2


@dataclass(frozen=True)
class VggSystem:
    """Depth, width and kernel of each convolution, its crossbar, and the chip's shared settings.

    Every second convolution is followed by a 2 x 2 max-pooling while the image is at least 4 pixels wide; the
    classifier stands in crossbars of the last convolution's size.
    """

    input_shape: Shape
    num_classes: int
    name: str = "vgg"
    summary: str = "chain of convolutions with per-layer width, kernel and crossbar, on a shared chip"

    def __post_init__(self) -> None:
        if min(self.input_shape[1:]) < 4:
            raise InputError(
                f"images of {self.input_shape[1:]} pixels", "The vgg space needs at least 4 x 4."
            )

    @property
    def max_depth(self) -> int:
        """Deepest network: five layers for 8 x 8 images, two more for every doubling."""
        size, depth = min(self.input_shape[1:]), 3
        while size >= 8:
            size, depth = size // 2, depth + 2
        return depth

    @property
    def widths(self) -> tuple[int, ...]:
        """Output channels to choose from; larger images get wider layers."""
        small = (4, 8, 12, 16, 24, 32, 48)
        return small if min(self.input_shape[1:]) < 16 else tuple(4 * w for w in small)

    @cached_property
    def space(self) -> Space:
        """Depth, per layer width, kernel and crossbar, then the chip's choices."""
        return Space(
            [
                ordinal("depth", range(MIN_DEPTH, self.max_depth + 1), scope="network"),
                *self._layers(),
                *chip_variables(),
            ]
        )

    def _layers(self) -> Iterable[Variable]:
        for i in range(1, self.max_depth + 1):
            deep = range(max(i, MIN_DEPTH), self.max_depth + 1)
            when = () if i <= MIN_DEPTH else Condition("depth", tuple(deep))
            scope = f"layer:{i}"
            yield ordinal(f"width_{i}", self.widths, scope=scope, when=when)
            yield ordinal(f"kernel_{i}", (1, 3, 5), scope=scope, when=when)
            yield ordinal(f"crossbar_{i}", (32, 64, 128, 256), scope=scope, when=when)

    @cached_property
    def _sizes(self) -> list[tuple[int, int]]:
        """Image size at each convolution, and after the last: pooling follows every second one while it can."""
        height, width = self.input_shape[1:]
        sizes = [(height, width)]
        for i in range(self.max_depth):
            if i % 2 == 1 and min(height, width) >= 4:
                height, width = height // 2, width // 2
            sizes.append((height, width))
        return sizes

    def build(self, graph: Graph, choices: Choices) -> None:
        """Convolutions up to the depth, pooling between them, and the classifier."""
        layers = range(1, self.max_depth + 1)
        vgg_layers(
            graph,
            self.num_classes,
            widths=[choices[f"width_{i}"] for i in layers],
            kernels=[choices[f"kernel_{i}"] for i in layers],
            pool_after=[i for i in range(self.max_depth) if self._sizes[i + 1] != self._sizes[i]],
            depth=choices["depth"],
        )

    def chip(self, choices: Choices) -> ChipPlan:
        """Crossbars of each convolution; the classifier's are those of the last."""
        sides = [choices[f"crossbar_{i}"] for i in range(1, self.max_depth + 1)]
        layers = {f"conv{i}": {"rows": side, "cols": side} for i, side in enumerate(sides, 1)}
        last = last_of(choices["depth"], sides)
        layers["classifier"] = {"rows": last, "cols": last}
        return ChipPlan(layers, **chip_settings(choices), **shared_settings(self.input_shape))
