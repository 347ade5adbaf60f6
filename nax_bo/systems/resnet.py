"""A joint space of residual networks on a chip with crossbars per stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload
from nax_bo.network import NetworkSpec, resnet
from nax_bo.network.spec import Shape
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems.chip_choices import array_choices, chip_columns, chip_variables, shared_settings

MAX_BLOCKS = 3

Column = NDArray[np.float64]


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

    def decode(self, design: Mapping[str, Value]) -> tuple[NetworkSpec, ChipSpec]:
        """Network and chip of a design."""
        stages = range(1, int(design["stages"]) + 1)

        def of(name: str) -> list[int]:
            return [int(design[f"{name}_{s}"]) for s in stages]

        network = resnet(self.input_shape, self.num_classes, of("width"), of("blocks"), of("kernel"))
        layers_of_stage = [2 * blocks + (s > 0) for s, blocks in enumerate(of("blocks"))]
        sides = of("crossbar")
        per_layer = [
            sides[0],
            *(side for side, n in zip(sides, layers_of_stage, strict=True) for _ in range(n)),
            sides[-1],
        ]
        shared = array_choices(design)
        arrays = tuple(ArraySpec(rows=side, cols=side, **shared) for side in per_layer)
        return network, ChipSpec(str(design["device"]), arrays=arrays, **shared_settings(self.input_shape))

    def workload(self, columns: Mapping[str, NDArray[Any]]) -> Workload:
        """The cost model's input for many designs: every possible layer, then the absent ones moved to the end."""
        slots = list(self._slots(columns))
        present = np.stack([slot.pop("present") for slot in slots], axis=1).astype(bool)
        order = np.argsort(~present, axis=1, kind="stable")

        def field(name: str, absent: float) -> Column:
            values = np.stack([np.broadcast_to(slot[name], present.shape[:1]) for slot in slots], axis=1)
            return np.take_along_axis(np.where(present, values, absent), order, axis=1)

        geometry = ("matrix_rows", "matrix_cols", "kernel_area")
        counts = ("vectors", "in_elements", "out_elements", "residual_elements", "digital_ops")
        side = field("side", 1.0)
        settings: dict[str, Any] = {name: field(name, 1.0) for name in geometry} | chip_columns(columns)
        settings |= {name: field(name, 0.0) for name in counts}
        return Workload.from_arrays(
            kind=np.take_along_axis(np.where(present, CROSSBAR, ABSENT), order, axis=1),
            rows=side,
            cols=np.maximum(side, columns["mux"][:, None]),
            **settings,
            **shared_settings(self.input_shape),
        )

    def _slots(self, columns: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
        """Every layer that some design has, in order; values per design, and whether the design has it."""
        stages = columns["stages"].astype(int)
        width, kernel, side, blocks = (
            {s: columns[f"{name}_{s}"].astype(float) for s in range(1, self.max_stages + 1)}
            for name in ("width", "kernel", "crossbar", "blocks")
        )
        pixels = float(self.input_shape[1] * self.input_shape[2])
        always = np.ones(len(stages), dtype=bool)
        yield _conv(
            always, float(self.input_shape[0]), width[1], 3.0, side[1], pixels, pixels, elementwise=1.0
        )
        before, height, wide = width[1], *self.input_shape[1:]
        for s in range(1, self.max_stages + 1):
            source = pixels
            if s > 1:
                height, wide = (height + 1) // 2, (wide + 1) // 2
                pixels = float(height * wide)
            for block in range(1, MAX_BLOCKS + 1):
                has = (stages >= s) & (blocks[s] >= block)
                inputs, image = (before, source) if block == 1 else (width[s], pixels)
                final = has & (stages == s) & (blocks[s] == block)
                yield _conv(has, inputs, width[s], kernel[s], side[s], image, pixels, elementwise=1.0)
                shortcut = s > 1 and block == 1
                yield _conv(has, width[s], width[s], kernel[s], side[s], pixels, pixels,
                            elementwise=0.0, joins=not shortcut, final=final)  # fmt: skip
                if shortcut:
                    yield _conv(
                        has,
                        inputs,
                        width[s],
                        1.0,
                        side[s],
                        image,
                        pixels,
                        elementwise=0.0,
                        joins=True,
                        final=final,
                    )
            before = width[s]
        features = np.choose(stages - 1, [width[s] for s in range(1, self.max_stages + 1)])
        last_side = np.choose(stages - 1, [side[s] for s in range(1, self.max_stages + 1)])
        yield {
            **_conv(always, features, float(self.num_classes), 1.0, last_side, 1.0, 1.0, elementwise=0.0),
            "in_elements": features,
        }


def _conv(
    present: NDArray[np.bool_],
    inputs: Column | float,
    outputs: Column | float,
    kernel: Column | float,
    side: Column,
    pixels_in: float,
    pixels_out: float,
    *,
    elementwise: float,
    joins: bool = False,
    final: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """One convolution.

    ``elementwise``: operations per output; ``joins``: a shortcut is added, then ReLU; ``final``: where global average
    pooling follows.
    """
    elements = outputs * pixels_out
    last = np.zeros_like(present) if final is None or not joins else final
    return {
        "present": present,
        "matrix_rows": inputs * kernel**2,
        "matrix_cols": outputs,
        "kernel_area": kernel**2,
        "vectors": pixels_out,
        "in_elements": inputs * pixels_in,
        "out_elements": np.where(last, outputs, elements),
        "residual_elements": elements if joins else 0.0,
        "digital_ops": elements * (elementwise + 2.0 * joins) + np.where(last, elements, 0.0),
        "side": side,
    }
