"""Read noise: fresh at every read, hence given as a variance and not as a sample.

Cells fluctuate independently, so the noise of a column's current under inputs x is Gaussian in the limit of many cells,
and exactly so for Gaussian cells, with variance ``sum_i x_i^2 sigma_ij^2``: one extra matrix product of squares.
Each pulse of a streamed input, each slice and each row block is a separate read with its own draw.
"""

from __future__ import annotations

import math

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


def read_sigma(
    g_s: Tensor, device: Device, time_s: float = 0.0, g_programmed_s: Tensor | None = None
) -> Tensor:
    """Standard deviation of each cell's conductance in one read, siemens, in the shape of ``g_s``.

    1/f noise is the fluctuation accumulated since programming over the bandwidth of one read; that successive reads
    share its slow part is not modelled.

    Args:
        g_s: Conductances now, after drift.
        device: Gives the law.
        time_s: Seconds since the first read after programming.
        g_programmed_s: Conductances before drift, on which the relative 1/f amplitude depends; default ``g_s``.

    Raises:
        InputError: NaN, negative or no conductances; negative time.
    """
    check_conductance(g_s)
    check_nonnegative(time_s, "time_s", "s")
    match device.read_noise:
        case FlickerReadNoise() as model:
            u = (g_s if g_programmed_s is None else g_programmed_s) / device.g_on_s
            amplitude = (model.q / u.pow(model.exponent).clamp(min=1e-3)).clamp(max=model.q_max)
            return g_s * amplitude * _flicker_bandwidth(time_s + model.t0_s, model.t_read_s)
        case LogConductanceReadNoise(k_us, t_read_s):
            factor = 1e-6 * k_us * _flicker_bandwidth(max(time_s, 1.0), t_read_s)
            return factor * (g_s * 1e6).clamp(min=1).log10()
        case RelativeNoise(fraction):
            return fraction * g_s
        case RangeNoise(fraction):
            return torch.full_like(g_s, fraction * (device.g_on_s - device.g_off_s))
        case _:
            return torch.zeros_like(g_s)


def output_sigma(x: Tensor, sigma_s: Tensor) -> Tensor:
    """Standard deviation of ``x @ g`` from cell noise; ``x: ... x rows``, ``sigma_s: ... x rows x cols``."""
    return (x.square() @ sigma_s.square()).sqrt()


def _flicker_bandwidth(time_s: float, t_read_s: float) -> float:
    return math.sqrt(max(0.0, math.log((time_s + t_read_s) / (2 * t_read_s))))
