"""NAX: kernel and crossbar size of every layer of a residual network.

Negi et al., DAC 2022, doi:10.1145/3489517.3530476, arXiv:2106.12125. Every convolution inside a residual block
chooses among kernels and crossbar sizes, or the zero op, which removes it. The chip is PUMA-like (Ankit et al. 2019,
doi:10.1145/3297858.3304049); its only non-ideality is that of the crossbars' wires (device ``nax-geniex``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import Any

import numpy as np

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT, Shape
from nax_bo.space import Condition, Space, Value, Variable, ordinal
from nax_bo.systems.claims import Assumed, Baselines, Claim
from nax_bo.systems.system import Choices

_DAC, _ARXIV = "abstract, DAC 2022, doi:10.1145/3489517.3530476", "abstract, arXiv:2106.12125v1"
_BASE = "the homogeneous ResNet with the best accuracy on non-ideal crossbars"
CLAIMS_20 = (
    Claim("accuracy", _BASE, 0.9, _DAC), Claim("edap_uj_ms_mm2", _BASE, 1 / 0.7, _DAC),
    Claim("accuracy", _BASE, 0.8, _ARXIV), Claim("edap_uj_ms_mm2", _BASE, 1 / 0.83, _ARXIV),
)  # fmt: skip
CLAIMS_18 = (
    Claim("accuracy", _BASE, 18.57, _DAC), Claim("edap_uj_ms_mm2", _BASE, 1 / 1.1047, f"{_DAC}: 10.47 % more"),
    Claim("accuracy", _BASE, 0.2, _ARXIV), Claim("edap_uj_ms_mm2", _BASE, 1 / 0.96, _ARXIV),
)  # fmt: skip
ASSUMED = (
    Assumed("weight_bits, input_bits", 8, "not told; 16 in the group's simulator, which train slowly here"),
    Assumed("stem, shortcut and classifier crossbars", "chosen each", "layers outside the search: not told"),
    Assumed("shortcut", "1 x 1 convolution", "not told; He et al. know this and padding"),
    Assumed("zero op", "the second convolution is removed, or both", "without the first there is no branch"),
    Assumed("resistances", "100 kOhm, on/off 6, 0.25 V", "Table I is not public; constants of puma-functional-model"),
    Assumed("wires", "exact IR drop in place of GENIEx", "its trained weights are not public"),
    Assumed("mux", "one converter per crossbar", "PUMA's simulator times a converter for all of 128 columns"),
    Assumed("pes_per_tile x arrays_per_pe", "8 x 32", "8 cores of 2 units of 8 crossbars and their negatives"),
    Assumed("global_buffer_kb, dram", "three feature maps, none", "weights stay on the chip; PUMA's links left out"),
    Assumed("paper baseline", "the smallest crossbars", "least loss in the wires; which one it was is not told"),
)  # fmt: skip
PUMA: dict[str, Any] = {
    "device": "nax-geniex", "technology_nm": 32.0, "clock_ghz": 1.0, "weight_bits": 8, "input_bits": 8, "dac_bits": 1,
    "bits_per_cell": 2, "encoding": "differential", "pes_per_tile": 8, "arrays_per_pe": 32, "tile_use": "shared",
    "tile_buffer_kb": 64.0, "dram": "none",
}  # fmt: skip
"""Settings of the chip, shared by all layers."""
SETTINGS: Mapping[str, Any] = {
    "cost_model": "puma", "objectives": ("accuracy", "edap"),
    "conditions": {"time_s": 0.0, "converter_errors": False, "faults": False},
}  # fmt: skip


@dataclass(frozen=True)
class NaxSystem:
    """ResNet-20 by default (He et al. 2016, doi:10.1109/CVPR.2016.90), as searched for CIFAR-10, and its choices.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        name, summary: For lists.
        claims: What the paper says of this network.
        stages: Blocks of each stage.
        width: Channels of the first stage; every further stage has twice as many.
        kernels, crossbars: What a convolution chooses from.
    """

    input_shape: Shape
    num_classes: int
    name: str = "nax"
    summary: str = "NAX: ResNet-20, kernel and crossbar size of each convolution, zero op"
    claims: tuple[Claim, ...] = CLAIMS_20
    stages: tuple[int, ...] = (3, 3, 3)
    width: int = 16
    kernels: tuple[int, ...] = (3, 5, 7)
    crossbars: tuple[int, ...] = (16, 32, 64, 128)
    assumptions = ASSUMED
    settings = SETTINGS

    @cached_property
    def space(self) -> Space:
        """How many convolutions each block has left of two; each one's kernel and crossbar; those of other layers."""
        fixed = [ordinal(f"{layer}_crossbar", self.crossbars) for layer in ("stem", "shortcut", "classifier")]
        return Space([*self._layers(), *fixed])

    def _layers(self) -> Iterable[Variable]:
        for b in range(1, sum(self.stages) + 1):
            yield ordinal(f"convs_{b}", (0, 1, 2), scope=f"layer:{2 * b - 1}")
            for i, at_least in ((2 * b - 1, (1, 2)), (2 * b, (2,))):
                when, scope = Condition(f"convs_{b}", at_least), f"layer:{i}"
                yield ordinal(f"kernel_{i}", self.kernels, scope=scope, when=when)
                yield ordinal(f"crossbar_{i}", self.crossbars, scope=scope, when=when)

    @cached_property
    def blocks(self) -> list[tuple[str, int, int]]:
        """Name, channels and stride of each block."""
        places = [(stage, block) for stage, count in enumerate(self.stages) for block in range(count)]
        return [(f"s{s + 1}.b{b + 1}", self.width * 2**s, 2 if s > 0 and b == 0 else 1) for s, b in places]

    def build(self, graph: Graph, choices: Choices) -> None:
        """Stem, blocks and classifier; where a block has no convolution left, its shortcut is what remains."""
        x = graph.conv(INPUT, self.width, kernel=3, norm="batch", activation="relu", name="stem")
        for b, (name, width, stride) in enumerate(self.blocks, 1):
            convs, y = choices[f"convs_{b}"], x
            first, second = (choices[f"kernel_{i}"] for i in (2 * b - 1, 2 * b))
            if stride > 1:
                x = graph.conv(x, width, kernel=1, stride=stride, norm="batch", name=f"{name}.shortcut")
            with graph.present(convs >= 1):
                y = graph.conv(y, width, kernel=first, stride=stride, norm="batch", activation="relu",
                               name=f"{name}.conv1")  # fmt: skip
                with graph.present(convs >= 2):
                    y = graph.conv(y, width, kernel=second, norm="batch", name=f"{name}.conv2")
                # the shortcut comes first: it is handed on where the branch is absent
                x = graph.add(x, y, activation="relu", name=f"{name}.add")
        graph.linear(graph.flatten(graph.global_avgpool(x)), self.num_classes, name="classifier")

    def chip(self, choices: Choices) -> ChipPlan:
        """Square crossbars of each layer and converters that resolve every sum of theirs."""
        layers = {layer: _crossbar(choices[f"{layer}_crossbar"]) for layer in ("stem", "classifier")}
        for b, (name, _, stride) in enumerate(self.blocks, 1):
            for i in (1, 2):
                layers[f"{name}.conv{i}"] = _crossbar(choices[f"crossbar_{2 * b - 2 + i}"])
            if stride > 1:
                layers[f"{name}.shortcut"] = _crossbar(choices["shortcut_crossbar"])
        # a block reads two and writes one of the largest feature maps
        values = 3 * self.width * self.input_shape[1] * self.input_shape[2]
        buffer_kb = float(max(1, 2 ** ceil(log2(values * PUMA["input_bits"] / 8 / 1024))))
        return ChipPlan(layers, global_buffer_kb=buffer_kb, **PUMA)

    @property
    def baselines(self) -> Baselines:
        """Homogeneous crossbars; widths are not searched, so it is the depth that is scaled."""
        alike = {f"homogeneous-{side}": self.homogeneous(side) for side in self.crossbars}
        scaled = {f"scaled-half-{side}": self.homogeneous(side, convs=1) for side in self.crossbars}
        return {"paper": self.homogeneous(self.crossbars[0]), **alike, **scaled}

    def homogeneous(self, side: int, convs: int = 2) -> dict[str, Value]:
        """The backbone with all kernels (3 x 3), all crossbars and all blocks alike."""
        values = {"convs": convs, "kernel": 3}
        return {v.name: values.get(v.name.split("_")[0], side) for v in self.space.variables}


def nax_resnet18(input_shape: Shape, num_classes: int) -> NaxSystem:
    """The space searched for TinyImageNet."""
    summary = "NAX: ResNet-18, kernel and crossbar size of each convolution, zero op"
    return NaxSystem(
        input_shape, num_classes, "nax-resnet18", summary, CLAIMS_18, (2, 2, 2, 2), 64, (3, 5), (64, 128)
    )


def _crossbar(side: Any) -> dict[str, Any]:
    bits = np.ceil(np.log2(3.0 * np.asarray(side))).astype(int)
    return {"rows": side, "cols": side, "mux": side, "adc_bits": bits, "adc_range": 1.0}
