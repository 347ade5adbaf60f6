"""Programming error: what conductance a cell ends up with when a target is written into it.

The models are data in :mod:`nax_bo.hardware.chip.device_noise`, cited there and in :mod:`nax_bo.hardware.chip.devices`.
All functions work elementwise on tensors of any shape, so draws, slices and blocks are leading dimensions.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.physics.checks import check_conductance, check_nonnegative
from nax_bo.hardware.chip.device_noise import (
    NoNoise,
    PolynomialNoise,
    RangeNoise,
    RelativeNoise,
    ResistanceNoise,
    StateNoise,
)
from nax_bo.hardware.chip.devices import Device


def normal_like(g_s: Tensor, generator: Generator) -> Tensor:
    """Standard normal draws in the shape, dtype and place of ``g_s``, drawn where the generator lives."""
    noise = torch.randn(g_s.shape, generator=generator, device=generator.device, dtype=g_s.dtype)
    return noise.to(g_s.device)


def program(
    g_target_s: Tensor,
    device: Device,
    generator: Generator,
    time_s: float = 0.0,
    variation_scale: float = 1.0,
) -> Tensor:
    """Conductances after writing ``g_target_s`` and, for models tabulated over time, waiting ``time_s``.

    Gaussian errors are clamped at zero conductance. The same generator state gives the same draw per cell at every
    ``time_s`` and ``variation_scale``: errors then differ in size, not in sign. Drift is apart, in
    :func:`nax_bo.crossbar.physics.drift.drift`. Differentiable in the targets. Without noise the targets come back
    as they are.

    Args:
        g_target_s: Target conductances in siemens, any shape.
        device: What is being programmed.
        generator: Source of all randomness.
        time_s: Seconds since programming.
        variation_scale: Multiplies the standard deviation of the model.

    Raises:
        InputError: NaN, negative or no conductances; negative time or scale.
    """
    check_conductance(g_target_s, "g_target_s")
    check_nonnegative(variation_scale, "variation_scale", "(a factor)")
    model = device.programming
    if isinstance(model, NoNoise) or variation_scale == 0:
        return g_target_s
    if isinstance(model, ResistanceNoise):
        return g_target_s * torch.exp(variation_scale * model.log_sigma * normal_like(g_target_s, generator))
    sigma = variation_scale * programming_sigma(g_target_s, device, time_s)
    return (g_target_s + sigma * normal_like(g_target_s, generator)).clamp(min=0)


def programming_sigma(g_target_s: Tensor, device: Device, time_s: float = 0.0) -> Tensor:
    """Standard deviation of the programmed conductance, siemens, before the clamp at zero; shape of ``g_target_s``.

    For log-normal resistance it is the exact one of ``g exp(s N)``, ``g exp(s^2 / 2) sqrt(exp(s^2) - 1)``.
    """
    check_nonnegative(time_s, "time_s", "s")
    match device.programming:
        case PolynomialNoise() as model:
            scale = device.g_on_s / model.g_max_us  # siemens per tabulated microsiemens
            fraction = (g_target_s / device.g_on_s).clamp(0, 1)
            sigma = _horner(_coefficients_at(model, time_s), fraction)
            if model.least_us:
                sigma = torch.maximum(sigma, _horner(model.least_us, fraction))
            return scale * sigma.clamp(min=0)
        case RelativeNoise(fraction):
            return fraction * g_target_s
        case RangeNoise(fraction):
            return torch.full_like(g_target_s, fraction * (device.g_on_s - device.g_off_s))
        case StateNoise() as model:
            span = device.g_on_s - device.g_off_s
            return span * _piecewise_linear(model, ((g_target_s - device.g_off_s) / span).clamp(0, 1))
        case ResistanceNoise(s):
            return g_target_s * (math.exp(s * s / 2) * math.sqrt(math.expm1(s * s)))
        case _:
            return torch.zeros_like(g_target_s)


def _coefficients_at(model: PolynomialNoise, time_s: float) -> tuple[float, ...]:
    """Coefficients at a time: interpolated in log time, held outside the tabulated span."""
    times = model.times_s
    if time_s <= times[0]:
        return model.coefficients_us[0]
    knots = zip(pairwise(times), pairwise(model.coefficients_us), strict=True)
    for (start, end), (before, after) in knots:
        if time_s <= end:
            weight = math.log(time_s / start) / math.log(end / start)
            return tuple(a + weight * (b - a) for a, b in zip(before, after, strict=True))
    return model.coefficients_us[-1]


def _horner(coefficients: tuple[float, ...], u: Tensor) -> Tensor:
    value = torch.full_like(u, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = value * u + c
    return value


def _piecewise_linear(model: StateNoise, x: Tensor) -> Tensor:
    """Interpolate as a sum of hinges, one per change of slope."""
    segments = zip(pairwise(model.positions), pairwise(model.fractions), strict=True)
    value, previous = torch.full_like(x, model.fractions[0]), 0.0
    for (left, right), (low, high) in segments:
        slope = (high - low) / (right - left)
        value = value + (slope - previous) * (x - left).clamp(min=0)
        previous = slope
    return value
