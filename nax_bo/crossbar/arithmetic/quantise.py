"""Uniform quantisation of weights and activations to integer codes.

Codes are held in floating tensors: every code and every sum of products stays below the integers that the dtype holds
exactly (:func:`exact_dtype`), so that matrix products of codes are integer products bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from nax_bo.errors import InputError


@dataclass(frozen=True, slots=True)
class InputRange:
    """How a layer's inputs become codes: ``code = clamp(round(x / scale), low, high)``.

    Unsigned inputs (after a ReLU) use all ``input_bits`` for the magnitude; signed ones use a sign and
    ``input_bits - 1`` magnitude bits, driven as pulses of either polarity.

    Attributes:
        scale: Value of one code step.
        low, high: Smallest and largest code.
    """

    scale: float
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether negative inputs are represented."""
        return self.low < 0

    @classmethod
    def of(cls, smallest: float, largest: float, bits: int) -> InputRange:
        """The range that just holds ``[smallest, largest]``; signed if ``smallest`` is negative.

        Raises:
            InputError: A bound is NaN or infinite.
        """
        if not (math.isfinite(smallest) and math.isfinite(largest)):
            raise InputError(
                f"a layer's inputs range from {smallest} to {largest}",
                "Check the images and the weights of earlier layers for NaN or overflow.",
            )
        signed = smallest < 0
        high = max(1, 2 ** (bits - 1) - 1) if signed else 2**bits - 1
        reach = max(abs(smallest), abs(largest))
        # a subnormal step would lose the codes' precision; such inputs are zero for every purpose
        return cls(reach / high if reach > 1e-30 else 1.0, -high if signed else 0, high)

    @classmethod
    def fitted(cls, x: Tensor, bits: int) -> InputRange:
        """The range for inputs like ``x`` that makes their mean squared quantisation error least.

        Values beyond it are clipped, which pays at few bits. Clip candidates reach down to a fifth of the largest
        magnitude; errors are measured on at most 8192 evenly spaced elements.

        Raises:
            InputError: ``x`` holds NaN or infinity.
        """
        low, high = (float(v) for v in torch.aminmax(x))
        widest = cls.of(low, high, bits)
        sample = x.flatten()
        sample = sample[:: max(1, len(sample) // 8192)]
        scales = widest.scale * torch.linspace(1.0, 0.2, 17, dtype=x.dtype, device=x.device)[:, None]
        error = (sample / scales).round_().clamp_(widest.low, widest.high).mul_(scales).sub_(sample)
        return cls(float(scales[error.square_().mean(1).argmin()]), widest.low, widest.high)

    def codes(self, x: Tensor) -> Tensor:
        """Integer codes of ``x``, as floats."""
        return (x * (1 / self.scale)).round_().clamp_(self.low, self.high)

    def clipped(self, x: Tensor) -> float:
        """Share of the elements of ``x`` that lie beyond the range."""
        beyond = (x > (self.high + 0.5) * self.scale) | (x < (self.low - 0.5) * self.scale)
        return float(beyond.float().mean())

    def quantised(self, x: Tensor) -> Tensor:
        """``codes(x) * scale``; its gradient is 1 where ``x`` rounds to a code of the range and 0 elsewhere."""
        if not (x.requires_grad and torch.is_grad_enabled()):
            return self.codes(x).mul_(self.scale)
        out: Tensor = _Quantise.apply(x, self)  # type: ignore[no-untyped-call]
        return out


class _Quantise(torch.autograd.Function):
    """Straight through inside the range; several times faster than torch's fake quantisation on the CPU."""

    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, limits: InputRange) -> Tensor:
        rounded = (x * (1 / limits.scale)).round_()
        codes = rounded.clamp(limits.low, limits.high)
        ctx.save_for_backward(rounded == codes)
        return codes.mul_(limits.scale)

    @staticmethod
    @override
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (inside,) = ctx.saved_tensors
        return grads[0] * inside, None


def weight_scale(weight: Tensor, bits: int, clip: float | None = None) -> Tensor:
    """Value of one code step per output channel, ``weight: out x ...`` -> ``out``: largest magnitude to largest code.

    With ``clip``, magnitudes beyond that many root mean squares of their channel are clipped: the others then use more
    of the cells' range, and noise that is a fraction of it weighs less (Joshi et al. 2020,
    doi:10.1038/s41467-020-16108-9, clip at 2.5 standard deviations). Channels of zeros get scale 1.
    """
    flat = weight.detach().flatten(1)
    largest = flat.abs().amax(1)
    if clip is not None:
        largest = torch.minimum(largest, clip * flat.square().mean(1).sqrt())
    return torch.where(largest > 0, largest / largest_code(bits), torch.ones_like(largest))


def weight_codes(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Signed integer codes of ``weight: out x ...``, as floats, at most :func:`largest_code` in magnitude."""
    high = largest_code(bits)
    scale = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return (weight.detach() / scale).round_().clamp_(-high, high)


def largest_code(bits: int) -> int:
    """Largest weight code: one sign bit, symmetric around zero."""
    return int(2 ** (bits - 1) - 1)


def exact_dtype(largest_sum: float) -> torch.dtype:
    """The cheapest dtype in which sums of integers up to ``largest_sum`` are exact."""
    return torch.float32 if largest_sum < 2**24 else torch.float64
