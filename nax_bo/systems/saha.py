"""Saha et al.: layer-wise network and crossbar parameters of VGG8 and VGG16 (arXiv:2605.08461, May 2026).

The abstract tells the numbers of dimensions (26 and 50), of designs (about 1e12 and 1e27), and what was gained. Which
variables and values they are is not public; these give the same dimensions and, within a factor of 1.5, the same
numbers of designs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT, Shape
from nax_bo.space import Space, Value, Variable, ordinal
from nax_bo.systems.chip_choices import shared_settings
from nax_bo.systems.claims import Assumed, Baselines, Claim
from nax_bo.systems.system import Choices

VGG8 = (128, 128, 0, 256, 256, 0, 512, 512, 0, 1024)
"""Widths of the convolutions and of the hidden layer; 0 is a 2 x 2 max-pooling (DNN+NeuroSim's network)."""
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0, 512, 512)
"""Simonyan and Zisserman's D (arXiv:1409.1556) with hidden layers for small images."""

_BASE, _ABSTRACT = "their baseline, accuracy comparable", "abstract, arXiv:2605.08461"


def _claims(area: float, latency: float, energy: float, used: float, accuracy: float) -> tuple[Claim, ...]:
    """From the abstract's changes in percent."""
    less = {"area_mm2": area, "latency_ms": latency, "energy_uj": energy}
    gains = {metric: 100 / (100 - percent) for metric, percent in less.items()}
    gains |= {"utilisation": 1 + used / 100, "accuracy of the design, %": accuracy}
    return tuple(Claim(metric, _BASE, value, _ABSTRACT) for metric, value in gains.items())


CLAIMS_8, CLAIMS_16 = _claims(65.52, 9.52, 31.23, 13.41, 91.72), _claims(50.7, 13.27, 52.07, 2.67, 57.2)
ASSUMED = (
    Assumed("variables", "width, weight, converter bits; three of the chip", "only their number is told"),
    Assumed("values", "3 of most, 5 widths for VGG16", "about as many designs as told"),
    Assumed("width", "an eighth below 16 pixels", "such images need less"),
    Assumed("device, cost_model", "rram, published", "the simulator is not told"),
    Assumed("latency_ms, energy_uj", "of the whole inference", "told: of reading the crossbars"),
    Assumed("objectives", "accuracy, area, latency, energy", "those that it reports, utilisation apart"),
    Assumed("paper baseline", "full width, 8-bit weights and inputs, 6-bit converters, 128 x 128", "not told"),
)  # fmt: skip
SETTINGS: Mapping[str, Any] = {"objectives": ("accuracy", "area", "latency", "energy")}


@dataclass(frozen=True)
class SahaSystem:
    """A VGG, by default the one for CIFAR-10, whose layers choose width, weight bits and converter bits.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        name, summary: For lists.
        claims: What the paper says of this network.
        plan: Full widths, and 0 for each pooling.
        hidden: How many of the last widths are of fully connected layers.
        eighths: Widths to choose from, in eighths of the full one.
    """

    input_shape: Shape
    num_classes: int
    name: str = "saha"
    summary: str = "Saha et al.: VGG8, width, weight and converter bits of each layer (26 dimensions)"
    claims: tuple[Claim, ...] = CLAIMS_8
    plan: tuple[int, ...] = VGG8
    hidden: int = 1
    eighths: tuple[int, ...] = (4, 6, 8)
    assumptions = ASSUMED
    settings = SETTINGS

    @cached_property
    def space(self) -> Space:
        """Per layer width, weight bits and converter bits (the classifier's width is fixed), and three of the chip."""
        return Space([*self._layers(), *_chip_variables()])

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, the classifier last."""
        count = sum(width > 0 for width in self.plan)
        convs = [f"conv{i}" for i in range(1, count - self.hidden + 1)]
        return (*convs, *(f"fc{i}" for i in range(1, self.hidden + 1)), "classifier")

    def _layers(self) -> Iterable[Variable]:
        for i, layer in enumerate(self.layers, 1):
            if layer != "classifier":
                yield ordinal(f"eighths_{i}", self.eighths, scope=f"layer:{i}")
            yield ordinal(f"weight_bits_{i}", (4, 6, 8), scope=f"layer:{i}")
            yield ordinal(f"adc_bits_{i}", (4, 5, 6), scope=f"layer:{i}")

    def build(self, graph: Graph, choices: Choices) -> None:
        """Convolutions and poolings (those for which two pixels are left), hidden layers, the classifier."""
        x, i = INPUT, 0
        for full in self.plan:
            if full == 0:
                if min(graph.shape(x)[1:]) >= 2:
                    x = graph.maxpool(x)
                continue
            width = choices[f"eighths_{i + 1}"] * (full // self.divisor) // 8
            name, i = self.layers[i], i + 1
            if name.startswith("conv"):
                x = graph.conv(x, width, kernel=3, norm="batch", activation="relu", name=name)
            else:
                flat = graph.flatten(x) if name == "fc1" else x
                x = graph.linear(flat, width, activation="relu", name=name)
        graph.linear(x, self.num_classes, name="classifier")

    @property
    def divisor(self) -> int:
        """Images below 16 pixels get an eighth of the paper's widths."""
        return 8 if min(self.input_shape[1:]) < 16 else 1

    def chip(self, choices: Choices) -> ChipPlan:
        """Bits of each layer, and crossbars, cells and input bits of the chip."""
        layers = {
            name: {"weight_bits": choices[f"weight_bits_{i}"], "adc_bits": choices[f"adc_bits_{i}"]}
            for i, name in enumerate(self.layers, 1)
        }
        shared: dict[str, Any] = {"rows": choices["crossbar"], "cols": choices["crossbar"]}
        shared |= {name: choices[name] for name in ("bits_per_cell", "input_bits")}
        return ChipPlan(layers, device="rram", **shared, **shared_settings(self.input_shape))

    @property
    def baselines(self) -> Baselines:
        """All layers alike: at full width on crossbars of each size with converters of 5 or 6 bits, and narrower."""
        alike = {
            f"homogeneous-{n}-{bits}": self.uniform(8, n, bits) for n in (64, 128, 256) for bits in (5, 6)
        }
        scaled = {f"scaled-{eighths}": self.uniform(eighths) for eighths in self.eighths[:-1]}
        return {"paper": self.uniform(), **alike, **scaled}

    def uniform(self, eighths: int = 8, crossbar: int = 128, adc_bits: int = 6) -> dict[str, Value]:
        """All layers alike, with 8-bit weights and inputs and cells of 2 bits."""
        alike = {"eighths": eighths, "weight_bits": 8, "adc_bits": adc_bits}
        shared: dict[str, Value] = {"crossbar": crossbar, "bits_per_cell": 2, "input_bits": 8}
        return {**{v.name: alike[v.name.rsplit("_", 1)[0]] for v in self._layers()}, **shared}


def _chip_variables() -> Iterable[Variable]:
    yield ordinal("crossbar", (64, 128, 256))
    yield ordinal("bits_per_cell", (1, 2))
    yield ordinal("input_bits", (6, 8))


def saha_vgg16(input_shape: Shape, num_classes: int) -> SahaSystem:
    """The space searched for Tiny ImageNet."""
    summary = "Saha et al.: VGG16, width, weight and converter bits of each layer (50 dimensions)"
    return SahaSystem(input_shape, num_classes, "saha-vgg16", summary, CLAIMS_16, VGG16, 2, (3, 4, 5, 6, 8))
