"""What converters do wrong: offset, gain and curvature of each, drawn once per chip, and noise of each conversion.

Every column of an array has a converter of its own here. Columns that share one (``mux``) would share its errors:
that changes which columns err together, not how much each errs, so that sharing stays a question of cost alone.
Not modelled: code-to-code (differential) nonlinearity, kick-back between neighbouring comparators, settling, supply
and temperature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.generators import generator_on
from nax_bo.hardware.chip import ArraySpec, Conditions

_S_CURVE = 1.5 * math.sqrt(3.0)  # scales u^3 - u to a largest magnitude of 1 between -1 and 1


@dataclass(frozen=True)
class ConverterErrors:
    """Errors of the converters of one layer on one chip.

    A converter given ``v`` steps decides on ``v + c0 + c1 v + c2 v^2 + c3 v^3 + noise_lsb N``; beyond one step outside
    its range the curve is that of the range's end.

    Attributes:
        curve: ``slices x groups x blocks x cols x 4``, single precision: coefficients; ``None``: straight and centred.
        noise_lsb: Standard deviation of the noise of one conversion, steps.
    """

    curve: Tensor | None
    noise_lsb: float

    @property
    def offset(self) -> Tensor | None:
        """``slices x groups x blocks x cols``, steps."""
        return None if self.curve is None else self.curve[..., 0]

    @property
    def gain(self) -> Tensor | None:
        """Relative gain error at small signals, in the same shape."""
        return None if self.curve is None else self.curve[..., 1]


def draw_errors(
    shape: tuple[int, int, int, int], array: ArraySpec, conditions: Conditions, generator: Generator
) -> ConverterErrors | None:
    """Errors of converters ``slices x groups x blocks x cols`` of one chip; ``None`` if they have none.

    Takes one number from ``generator`` whatever the conditions, so that draws made from it later do not depend on them;
    offsets and gains keep their signs when their spread changes.
    """
    where = generator.device
    own = generator_on(where, int(torch.randint(2**62, (), generator=generator, device=where)))
    if not conditions.converter_errors:
        return None
    noise = conditions.noise_lsb(array)
    offset, gain, inl = (
        conditions.offset_sigma_lsb,
        conditions.converter_gain_error,
        conditions.converter_inl_lsb,
    )
    if offset == gain == inl == 0:
        return ConverterErrors(None, noise) if noise else None
    normals = torch.randn((2, *shape), generator=own, device=where)
    angle = 2 * math.pi * torch.rand(shape, generator=own, device=where)
    half = float(2 ** (array.adc_bits - 1))
    bow, bend = inl * angle.cos() / half**2, inl * _S_CURVE * angle.sin() / half
    curve = torch.stack([offset * normals[0], gain * normals[1] - bend, bow, bend / half**2], -1)
    return ConverterErrors(curve, noise)
