"""The default joint space: a chain of convolutions on a chip with per-layer crossbars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload
from nax_bo.network import NetworkSpec, vgg
from nax_bo.network.spec import Shape
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems.chip_choices import array_choices, chip_columns, chip_variables, shared_settings

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

    def _pool_after(self, depth: int) -> list[int]:
        return [i for i in range(depth) if self._sizes[i + 1] != self._sizes[i]]

    def decode(self, design: Mapping[str, Value]) -> tuple[NetworkSpec, ChipSpec]:
        """Network and chip of a design."""
        depth = int(design["depth"])
        layers = range(1, depth + 1)
        network = vgg(
            self.input_shape,
            self.num_classes,
            widths=[int(design[f"width_{i}"]) for i in layers],
            kernels=[int(design[f"kernel_{i}"]) for i in layers],
            pool_after=self._pool_after(depth),
        )
        shared = array_choices(design)
        sides = [int(design[f"crossbar_{i}"]) for i in layers]
        arrays = tuple(ArraySpec(rows=side, cols=side, **shared) for side in (*sides, sides[-1]))
        return network, ChipSpec(str(design["device"]), arrays=arrays, **shared_settings(self.input_shape))

    def workload(self, columns: Mapping[str, NDArray[Any]]) -> Workload:
        """The cost model's input for many designs: one slot per convolution, then the classifier."""
        depth = columns["depth"].astype(int)
        n, slots = len(depth), self.max_depth + 1
        at = np.arange(slots)
        conv, last = at < depth[:, None], at == depth[:, None]
        width, kernel, side = (
            np.stack([columns[f"{name}_{i}"] for i in range(1, slots)], axis=1).astype(float)
            for name in ("width", "kernel", "crossbar")
        )
        pixels = np.array(
            [h * w for h, w in self._sizes], dtype=float
        )  # before each convolution, and at the end
        pooled = 4.0 * pixels[1:] * (pixels[1:] != pixels[:-1])  # pooling operations per channel

        def slot(of_conv: NDArray[np.float64], of_classifier: Any, absent: float) -> NDArray[np.float64]:
            out = np.full((n, slots), absent)
            out[:, :-1] = np.where(conv[:, :-1], of_conv, absent)
            return np.where(last, of_classifier, out)

        before = np.concatenate([np.full((n, 1), float(self.input_shape[0])), width[:, :-1]], axis=1)
        features = width[np.arange(n), depth - 1][:, None]
        final = conv[:, :-1] & ~conv[:, 1:]
        ops = width * (pixels[:-1] + pooled + np.where(final, pixels[1:], 0.0))  # ReLU, pooling, averaging
        written = width * np.where(final, 1.0, pixels[1:])
        sides = slot(side, side[np.arange(n), depth - 1][:, None], 1.0)
        return Workload.from_arrays(
            kind=np.where(conv | last, CROSSBAR, ABSENT),
            matrix_rows=slot(before * kernel**2, features, 1.0),
            matrix_cols=slot(width, float(self.num_classes), 1.0),
            vectors=slot(np.broadcast_to(pixels[:-1], width.shape), 1.0, 0.0),
            in_elements=slot(before * pixels[:-1], features, 0.0),
            out_elements=slot(written, float(self.num_classes), 0.0),
            kernel_area=slot(kernel**2, 1.0, 1.0),
            digital_ops=slot(ops, 0.0, 0.0),
            rows=sides,
            cols=np.maximum(sides, columns["mux"][:, None]),  # absent slots: any size that fits the mux
            **chip_columns(columns),
            **shared_settings(self.input_shape),
        )
