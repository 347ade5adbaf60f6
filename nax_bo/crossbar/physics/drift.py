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


def compensation_gain(before: Tensor, now: Tensor, batch_dims: int = 0) -> Tensor:
    """Gain of a layer's outputs that brings its weights back as near as one factor can: least squares.

    A chip measures outputs under known inputs after programming and again later, and scales by the ratio of the two
    (global drift compensation; Joshi et al. 2020, doi:10.1038/s41467-020-16108-9). There the ratio is one of summed
    conductances, which is right where drift is a factor. Here it is one of the *signed* weights that outputs are made
    of, ``sum(before * now) / sum(now^2)``: what all cells lose alike cancels between the two sides of a weight and is
    not compensated, and the weights' squared error is never larger than without a gain.

    Args:
        before: Signed weights of one layer as programmed, in any unit.
        now: The same weights now.
        batch_dims: Leading dimensions that are separate chips (draws); each gets its own gain.

    Returns:
        ``batch_dims`` leading dimensions of ``now``, then ones. 1 where no weight is left.

    Raises:
        InputError: Shapes differ, or as many batch dimensions as there are dimensions.
    """
    if before.shape != now.shape or not 0 <= batch_dims < now.ndim:
        raise InputError(
            f"drift compensation of {tuple(now.shape)} against {tuple(before.shape)}, {batch_dims=}",
            "Pass the same weights at two times, and fewer batch dimensions than dimensions.",
        )
    dims = tuple(range(batch_dims, now.ndim))
    power = now.square().sum(dims, keepdim=True)
    shared = (before * now).sum(dims, keepdim=True)
    return torch.where(
        power > 0, shared / power.clamp(min=torch.finfo(now.dtype).tiny), torch.ones_like(power)
    )
