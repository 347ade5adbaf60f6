"""Conductance drift after programming, and the gain that a chip applies to undo its mean."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.physics.checks import check_conductance, check_nonnegative
from nax_bo.crossbar.physics.programming import normal_like
from nax_bo.errors import InputError
from nax_bo.hardware.chip.device_noise import LogTimeDrift, PowerLawDrift
from nax_bo.hardware.chip.devices import Device

_LEAST_FRACTION = 1e-7  # of g_on: keeps ln(u) finite in cells that conduct nothing


def drift(
    g_s: Tensor, device: Device, time_s: float, generator: Generator, g_target_s: Tensor | None = None
) -> Tensor:
    """Conductances ``time_s`` seconds after their first read; nothing happens at ``time_s = 0``.

    Each cell draws its own drift coefficient. The same generator state gives the same coefficients at every time, so a
    sequence of calls with re-seeded generators follows one chip through time. Without a drift model: ``g_s`` itself.

    Args:
        g_s: Conductances after programming, siemens, any shape.
        device: Gives the drift law.
        time_s: Seconds.
        generator: Source of all randomness.
        g_target_s: Conductances on which the law's mean and spread depend; default ``g_s``. The source fits them to
            the targets.

    Raises:
        InputError: NaN, negative or no conductances; negative time.
    """
    check_conductance(g_s)
    check_nonnegative(time_s, "time_s", "s")
    model = device.drift
    if isinstance(model, PowerLawDrift):
        nu = _drift_exponent(g_s if g_target_s is None else g_target_s, device, model, generator)
        return g_s * torch.exp(-math.log1p(time_s / model.t0_s) * nu)
    if isinstance(model, LogTimeDrift):
        noise = normal_like(g_s, generator)
        if time_s == 0:
            return g_s
        scale, log_t = device.g_on_s / model.g_max_us, math.log(max(time_s, 1.0))
        slope, offset = model.std_us
        return (g_s + scale * (model.mean_us * log_t + (slope * log_t + offset) * noise)).clamp(min=0)
    return g_s


def _drift_exponent(g_s: Tensor, device: Device, model: PowerLawDrift, generator: Generator) -> Tensor:
    log_u = (g_s / device.g_on_s).clamp(min=_LEAST_FRACTION).log()
    mean, std = (
        (slope * log_u + offset).clamp(low, high)
        for slope, offset, low, high in (model.nu_mean, model.nu_std)
    )
    return (mean + std * normal_like(g_s, generator)).abs()


def compensation_gain(g_before_s: Tensor, g_now_s: Tensor, batch_dims: int = 0) -> Tensor:
    """Gain per layer that restores the summed conductance: total before over total now.

    A chip measures both totals by reading its columns under one constant input, and scales its outputs by their ratio
    (global drift compensation; Joshi et al. 2020, doi:10.1038/s41467-020-16108-9).

    Args:
        g_before_s: Conductances of one layer at the reference time.
        g_now_s: The same cells now.
        batch_dims: Leading dimensions that are separate chips (draws); each gets its own gain.

    Returns:
        ``batch_dims`` leading dimensions of ``g_now_s``, then ones: multiplies ``g_now_s`` or, reshaped, the outputs.
        1 where nothing conducts now.

    Raises:
        InputError: Shapes differ, or as many batch dimensions as there are dimensions.
    """
    if g_before_s.shape != g_now_s.shape or not 0 <= batch_dims < g_now_s.ndim:
        raise InputError(
            f"drift compensation of {tuple(g_now_s.shape)} against {tuple(g_before_s.shape)}, {batch_dims=}",
            "Pass the same cells at two times, and fewer batch dimensions than dimensions.",
        )
    dims = tuple(range(batch_dims, g_now_s.ndim))
    now = g_now_s.sum(dims, keepdim=True)
    before = g_before_s.sum(dims, keepdim=True)
    return torch.where(now > 0, before / now.clamp(min=torch.finfo(now.dtype).tiny), torch.ones_like(now))
