"""What a layer knows of each place where a model calls it: inputs, and so ranges and fits, differ between places."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.linearised import Moments
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.response import Response


@dataclass(frozen=True)
class Fit:
    """What the cheap modes know of the exact one.

    Attributes:
        fast: Response of the fast mode.
        adaptive: Response of the adaptive mode, and the pairs that it simulates; ``None`` until it is used.
        sums: What converters are given.
    """

    fast: Response
    adaptive: tuple[Response, Tensor] | None
    sums: Moments


@dataclass
class Site:
    """One call of a layer in a forward pass; the n-th call of every pass is the same site.

    Attributes:
        input_range, converter: As calibrated on the inputs of this call.
        inputs_clipped: Share of the calibration inputs beyond the range.
        fit: What the cheap modes know of the exact one here.
        arrays, draw: The arrays that were read last, and of which chip they are.
        linear_weight, fast_weight: Weights derived from them, kept until the chip changes.
    """

    input_range: InputRange | None = None
    converter: Converter | None = None
    inputs_clipped: float = 0.0
    fit: Fit | None = None
    arrays: Arrays | None = None
    draw: int = 0
    linear_weight: Tensor | None = None
    fast_weight: tuple[Tensor, Tensor] | None = None
