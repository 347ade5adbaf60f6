"""NAX: kernel and crossbar size of every layer of a residual network.

Negi et al., DAC 2022, doi:10.1145/3489517.3530476, arXiv:2106.12125. Every convolution inside a residual block
chooses among kernels and crossbar sizes, or the zero op, which removes it. The chip is PUMA-like (Ankit et al. 2019,
doi:10.1145/3297858.3304049): price it with ``--cost-model puma``. Its only non-ideality is that of the crossbars'
wires (device ``nax-geniex``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT, Shape
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems.system import Choices

STAGES_20, STAGES_18 = (3, 3, 3), (2, 2, 2, 2)
"""Blocks of each stage: ResNet-20 for CIFAR, ResNet-18 (He et al. 2016, doi:10.1109/CVPR.2016.90)."""


@dataclass(frozen=True)
class NaxSystem:
    """ResNet-20 and its choices, or ResNet-18 and its own.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        name, summary: For lists.
        stages: Blocks of each stage.
        width: Channels of the first stage; every further stage has twice as many.
        kernels, crossbars: What a convolution chooses from.
    """

    input_shape: Shape
    num_classes: int
    name: str = "nax"
    summary: str = "NAX: ResNet-20, kernel and crossbar size of each convolution, zero op"
    stages: tuple[int, ...] = STAGES_20
    width: int = 16
    kernels: tuple[int, ...] = (3, 5, 7)
    crossbars: tuple[int, ...] = (16, 32, 64, 128)

    def __post_init__(self) -> None:
        if min(self.input_shape[1:]) < 4:
            raise InputError(f"images of {self.input_shape[1:]} pixels", "NAX needs at least 4 x 4.")

    @cached_property
    def space(self) -> Space:
        """Per block how many convolutions are left of two, per convolution kernel and crossbar; then fixed layers."""
        fixed = [ordinal(f"crossbar_{layer}", self.crossbars) for layer in ("stem", "shortcut", "classifier")]
        return Space([*self._block_variables(), *fixed])

    @property
    def blocks(self) -> Iterable[tuple[str, int, int]]:
        """Name, channels and stride of each block."""
        for stage, count in enumerate(self.stages):
            for block in range(count):
                yield (
                    f"s{stage + 1}.b{block + 1}",
                    self.width * 2**stage,
                    2 if stage > 0 and block == 0 else 1,
                )

    def _block_variables(self) -> Iterable[Variable]:
        for layer, (name, _, _) in enumerate(self.blocks):
            convs = f"convs_{_key(name)}"
            yield ordinal(convs, (0, 1, 2), scope=f"layer:{2 * layer + 1}")
            for i in (1, 2):
                when, scope = Condition(convs, (1, 2) if i == 1 else (2,)), f"layer:{2 * layer + i}"
                yield ordinal(f"kernel_{_key(name)}_{i}", self.kernels, scope=scope, when=when)
                yield ordinal(f"crossbar_{_key(name)}_{i}", self.crossbars, scope=scope, when=when)

    def build(self, graph: Graph, choices: Choices) -> None:
        """Stem, blocks and classifier; where a block has no convolution left, its shortcut is what remains."""
        x = graph.conv(INPUT, self.width, kernel=3, norm="batch", activation="relu", name="stem")
        for name, width, stride in self.blocks:
            convs = choices[f"convs_{_key(name)}"]
            y = x
            if stride > 1:
                x = graph.conv(
                    x, width, kernel=1, stride=stride, padding=0, norm="batch", name=f"{name}.shortcut"
                )
            for i, at in ((1, stride), (2, 1)):
                with graph.present(convs >= i):
                    y = graph.conv(
                        y,
                        width,
                        kernel=choices[f"kernel_{_key(name)}_{i}"],
                        stride=at,
                        norm="batch",
                        activation="relu" if i == 1 else "none",
                        name=f"{name}.conv{i}",
                    )
            # the shortcut comes first: it is handed on where the branch is absent
            with graph.present(convs >= 1):
                x = graph.add(x, y, activation="relu", name=f"{name}.add")
        graph.linear(graph.flatten(graph.global_avgpool(x)), self.num_classes, name="classifier")

    def chip(self, choices: Choices) -> ChipPlan:
        """Square crossbars of each layer and converters that resolve every sum of theirs."""
        layers = {layer: _crossbar(choices[f"crossbar_{layer}"]) for layer in ("stem", "classifier")}
        for name, _, stride in self.blocks:
            for i in (1, 2):
                layers[f"{name}.conv{i}"] = _crossbar(choices[f"crossbar_{_key(name)}_{i}"])
            if stride > 1:
                layers[f"{name}.shortcut"] = _crossbar(choices["crossbar_shortcut"])
        return ChipPlan(layers, global_buffer_kb=self.buffer_kb, **PUMA)

    @property
    def buffer_kb(self) -> float:
        """Power of two that holds three of the largest feature maps: a block reads two and writes one."""
        values = 3 * self.width * self.input_shape[1] * self.input_shape[2]
        return float(2 ** ceil(log2(values * PUMA["input_bits"] / 8 / 1024)))

    def homogeneous(self, side: int, kernel: int = 3) -> dict[str, Value]:
        """The backbone with all kernels and all crossbars alike."""
        values = {"convs": 2, "kernel": kernel, "crossbar": side}
        return {v.name: values[v.name.split("_")[0]] for v in self.space.variables}


PUMA: dict[str, Any] = {
    "device": "nax-geniex", "technology_nm": 32.0, "clock_ghz": 1.0, "weight_bits": 8, "input_bits": 8, "dac_bits": 1,
    "bits_per_cell": 2, "encoding": "differential", "pes_per_tile": 8, "arrays_per_pe": 32, "tile_use": "shared",
    "tile_buffer_kb": 64.0, "dram": "none",
}  # fmt: skip
"""Settings of the chip, shared by all layers."""


def nax(input_shape: Shape, num_classes: int) -> NaxSystem:
    """The space searched for CIFAR-10."""
    return NaxSystem(input_shape, num_classes)


def nax_resnet18(input_shape: Shape, num_classes: int) -> NaxSystem:
    """The space searched for TinyImageNet."""
    return NaxSystem(
        input_shape,
        num_classes,
        "nax-resnet18",
        "NAX: ResNet-18, kernel and crossbar size of each convolution, zero op",
        STAGES_18,
        64,
        (3, 5),
        (64, 128),
    )


def _crossbar(side: Any) -> dict[str, Any]:
    bits = np.ceil(np.log2(3.0 * np.asarray(side))).astype(int)
    return {"rows": side, "cols": side, "mux": side, "adc_bits": bits, "adc_range": 1.0}


def _key(name: str) -> str:
    return name.replace(".", "")
