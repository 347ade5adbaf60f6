"""Read noise: what is fresh at every read is given as a variance and not as a sample.

Cells fluctuate independently, so the noise of a column's current under inputs x is Gaussian in the limit of many cells,
and exactly so for Gaussian cells, with variance ``sum_i x_i^2 sigma_ij^2``: one extra matrix product of squares.
Each pulse of a streamed input, each slice and each row block is a separate read with its own draw.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from nax_bo.crossbar.physics.checks import check_conductance, check_nonnegative
from nax_bo.hardware.chip.device_noise import (
    FlickerReadNoise,
    LogConductanceReadNoise,
    RangeNoise,
    RelativeNoise,
)
from nax_bo.hardware.chip.devices import Device

Part = Literal["all", "slow", "fast"]


def read_sigma(
    g_s: Tensor,
    device: Device,
    time_s: float = 0.0,
    g_programmed_s: Tensor | None = None,
    part: Part = "all",
) -> Tensor:
    """Standard deviation of each cell's conductance in one read, siemens, in the shape of ``g_s``.

    1/f noise is the fluctuation accumulated since programming over the bandwidth of one read. Its slow part, below the
    frequency of one inference, is the same in all reads of a chip and is drawn with it
    (:func:`nax_bo.crossbar.physics.realise.realise`); its fast part is drawn at each read. Other noise is fast.

    Args:
        g_s: Conductances now, after drift.
        device: Gives the law.
        time_s: Seconds since the first read after programming.
        g_programmed_s: Conductances before drift, on which the relative 1/f amplitude depends; default ``g_s``.
        part: ``"slow"`` and ``"fast"`` add up in variance to ``"all"``.

    Raises:
        InputError: NaN, negative or no conductances; negative time.
    """
    check_conductance(g_s)
    check_nonnegative(time_s, "time_s", "s")
    match device.read_noise:
        case FlickerReadNoise() as model:
            u = (g_s if g_programmed_s is None else g_programmed_s) / device.g_on_s
            amplitude = (model.q / u.pow(model.exponent).clamp(min=1e-3)).clamp(max=model.q_max)
            return g_s * amplitude * _bandwidth(time_s + model.t0_s, model.t_read_s, model.window_s, part)
        case LogConductanceReadNoise(k_us, t_read_s, window_s):
            factor = 1e-6 * k_us * _bandwidth(max(time_s, 1.0), t_read_s, window_s, part)
            return factor * (g_s * 1e6).clamp(min=1).log10()
        case RelativeNoise(fraction) if part != "slow":
            return fraction * g_s
        case RangeNoise(fraction) if part != "slow":
            return torch.full_like(g_s, fraction * (device.g_on_s - device.g_off_s))
        case _:
            return torch.zeros_like(g_s)


def clamped(g_s: Tensor, sigma_s: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of ``max(0, g + sigma N)``: cells that fluctuate do not conduct backwards."""
    live = sigma_s > 0
    sigma = torch.where(live, sigma_s, torch.ones_like(sigma_s))
    a = torch.where(live, g_s / sigma, torch.zeros_like(g_s))
    below = torch.special.ndtr(a)
    density = torch.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    mean = sigma * (a * below + density)
    square = sigma * sigma * ((a * a + 1) * below + a * density)
    mean = torch.where(live, mean, g_s)
    return mean, torch.where(live, (square - mean * mean).clamp(min=0), torch.zeros_like(square))


def output_sigma(x: Tensor, sigma_s: Tensor) -> Tensor:
    """Standard deviation of ``x @ g`` from cell noise; ``x: ... x rows``, ``sigma_s: ... x rows x cols``."""
    return (x.square() @ sigma_s.square()).sqrt()


def _bandwidth(time_s: float, t_read_s: float, window_s: float, part: Part) -> float:
    """Root of the logarithm of the ratio of frequencies between which noise of unit amplitude is summed up."""
    whole = math.log(max(1.0, (time_s + t_read_s) / (2 * t_read_s)))
    fast = math.log(max(1.0, (min(time_s, window_s) + t_read_s) / (2 * t_read_s)))
    return math.sqrt({"all": whole, "fast": fast, "slow": max(0.0, whole - fast)}[part])
