"""XPert: VGG16 with a width, converter type, column sharing, input and converter bits of its own in every layer.

Moitra, Bhattacharjee, Kim, Panda, DAC 2023, arXiv:2303.17646; variables and choices from its public code
(``Phase1_CoSearch``, ``XPertSim_Tool`` at commit ad5db32). Kernels are 3 x 3 and pooling follows layers 2, 4, 7 and 10.
Prices: ``xpertsim``, or ``xpert-lut`` for area against latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.families import vgg_layers
from nax_bo.network.spec import Shape
from nax_bo.space import Space, Value, Variable, categorical, ordinal
from nax_bo.systems.claims import Assumed, Claim
from nax_bo.systems.system import Choices

_ABSTRACT = "arXiv:2303.17646, abstract (CIFAR-10)"
_HOMOGENEOUS = "homogeneous VGG16, its settings not stated in what is public"
SHARING = (2, 4, 8, 16, 32)
L_60_1: Mapping[str, tuple[Value, ...]] = {
    "width": (128, 128, 256, 64, 64, 256, 512, 64, 256, 512, 512, 128, 128),
    "mux": (16, 16, 4, 4, 8, 2, 4, 16, 4, 32, 2, 32, 16),
    "adc_type": ("flash",) * 6 + ("sar", "flash", "sar", "flash", "sar", "sar", "sar"),
    "input_bits": (4, 5, *(4,) * 11),
    "adc_bits": (6,) * 6 + (5,) * 7,
}
"""The design that the release ships (``NetWork_custom.csv``), layer by layer."""


@dataclass(frozen=True)
class XpertSystem:
    """XPert's space; for images below 32 pixels a backbone scaled down, as its assumptions say."""

    input_shape: Shape
    num_classes: int
    name: str = "xpert"
    summary: str = "XPert (DAC 2023): VGG16, width, converter type, sharing and bits per layer"

    def __post_init__(self) -> None:
        if min(self.input_shape[1:]) < 8:
            raise InputError(
                f"images of {self.input_shape[1:]} pixels", "XPert's space needs at least 8 x 8."
            )

    claims: ClassVar[tuple[Claim, ...]] = (
        Claim("edap_uj_ms_mm2", _HOMOGENEOUS, 10.24, _ABSTRACT),
        Claim("tops_w", _HOMOGENEOUS, 1.72, _ABSTRACT),
        Claim("tops_mm2", _HOMOGENEOUS, 1.93, _ABSTRACT),
    )
    settings: ClassVar[Mapping[str, Any]] = {
        "cost_model": "xpertsim",
        "objectives": ("accuracy", "edap_uj_ms_mm2"),
        "strategy": "xpert",
        "conditions": {"time_s": 0.0, "converter_errors": False, "ir_drop": False, "faults": False},
    }

    @property
    def full_size(self) -> bool:
        """Whether the backbone is VGG16."""
        return min(self.input_shape[1:]) >= 32

    @property
    def backbone(self) -> tuple[int, ...]:
        """Widths of the homogeneous baseline."""
        if self.full_size:
            return (64, 64, 128, 128, 256, 256, 256, *(512,) * 6)
        return (8, 16, 32, 32, 64, 64)

    @property
    def pool_after(self) -> tuple[int, ...]:
        """Convolutions, from 0, that a pooling follows."""
        return (1, 3, 6, 9) if self.full_size else (1, 3)

    @property
    def assumptions(self) -> tuple[Assumed, ...]:
        """What the publication and its code leave open."""
        small = Assumed(
            "backbone", self.backbone, "images are small: every other layer of VGG16, 1/8 of its widths"
        )
        return (
            Assumed("input_bits", self.space["input_bits_1"].values, "choice list not released; shipped: 4 and 5"),
            Assumed("adc_bits", self.space["adc_bits_1"].values, "choice list not released; shipped: 5 and 6"),
            Assumed("baseline", "SAR, sharing 8, 8/6 bits", "not stated; the simulator's defaults are 8 and 6 bits"),
            Assumed("crossbar", "64 x 64, RRAM of 4 bits, 32 nm", "what the release's look-up table was fitted to"),
            Assumed("device variation", "2 % of each conductance", "the paper's sigma is not public"),
            Assumed("conditions", "no wires, ideal converters", "what the release's accuracy model leaves out"),
            Assumed("classifier", "converters of the last convolution", "as the release prices its area"),
            Assumed("converter levels", "2 ** bits", "the release passes bits as levels by mistake"),
        ) + (() if self.full_size else (small,))  # fmt: skip

    @cached_property
    def space(self) -> Space:
        """Five choices per convolution; type and sharing affect cost only."""
        return Space(v for i in range(1, len(self.backbone) + 1) for v in self._layer(i))

    def _layer(self, i: int) -> Iterable[Variable]:
        scope = f"layer:{i}"
        yield ordinal(f"width_{i}", sorted(set(self.backbone)), scope=scope)
        yield ordinal(f"input_bits_{i}", (3, 4, 5, 6, 8), scope=scope)
        yield ordinal(f"adc_bits_{i}", (4, 5, 6, 8), scope=scope)
        yield categorical(f"adc_type_{i}", ("sar", "flash"), scope=scope, affects="cost")
        yield ordinal(f"mux_{i}", SHARING, scope=scope, affects="cost")

    @cached_property
    def baselines(self) -> Mapping[str, Mapping[str, Value]]:
        """Paper-like; one converter setting for all layers; the same at smaller widths."""
        found = {"paper": self._homogeneous()}
        for adc_type in ("sar", "flash"):
            for mux in SHARING:
                found[f"homogeneous {adc_type} {mux}"] = self._homogeneous(adc_type=adc_type, mux=mux)
        least = min(self.backbone)
        for part in (2, 4, 8):
            found[f"scaled 1/{part}"] = self._homogeneous([max(w // part, least) for w in self.backbone])
        if self.full_size:
            found["shipped L_60_1"] = {
                f"{k}_{i}": v for k, row in L_60_1.items() for i, v in enumerate(row, 1)
            }
        return found

    def _homogeneous(
        self, widths: Sequence[int] = (), adc_type: str = "sar", mux: int = 8
    ) -> dict[str, Value]:
        same: dict[str, Any] = {"adc_type": adc_type, "mux": mux, "input_bits": 8, "adc_bits": 6}
        layers = list(enumerate(widths or self.backbone, 1))
        return {f"width_{i}": w for i, w in layers} | {
            f"{k}_{i}": v for i, _ in layers for k, v in same.items()
        }

    def build(self, graph: Graph, choices: Choices) -> None:
        """Convolutions of 3 x 3 and the classifier."""
        widths = [choices[f"width_{i}"] for i in range(1, len(self.backbone) + 1)]
        vgg_layers(graph, self.num_classes, widths, [3] * len(widths), self.pool_after)

    def chip(self, choices: Choices) -> ChipPlan:
        """Converters of each convolution; the classifier's are those of the last."""
        names = ("input_bits", "adc_bits", "adc_type", "mux")
        layers = {
            f"conv{i}": {name: choices[f"{name}_{i}"] for name in names}
            for i in range(1, len(self.backbone) + 1)
        }
        layers["classifier"] = layers[f"conv{len(self.backbone)}"]
        return ChipPlan(layers, device="xpert-rram", technology_nm=32, rows=64, cols=64, bits_per_cell=4,
                        weight_bits=8, encoding="offset")  # fmt: skip
