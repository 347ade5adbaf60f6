"""Training-free scores of many designs at once: closed-form, microseconds each, torch-free.

They enter the surrogate as inputs and guide the initial design. How much they are worth is learned from trials; none of
them is trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.device_noise import (
    NoNoise,
    PolynomialNoise,
    RangeNoise,
    RelativeNoise,
    ResistanceNoise,
    StateNoise,
)
from nax_bo.hardware.devices import Device, device
from nax_bo.hardware.workload import CROSSBAR, Workload

_LEVELS = np.linspace(0.0, 1.0, 33)


def proxies(workload: Workload) -> dict[str, NDArray[np.float64]]:
    """Scores of each design, n values each.

    ``noise_score``: log10 of the summed noise-to-signal power of the layers' outputs (:func:`noise_to_signal`).
    ``log_macs``, ``log_weights``: log10 of multiply-accumulates and of weights: how much the network can express.
    """
    present = np.broadcast_to(workload.kind, workload.shape) != 0
    weights = np.where(present, workload.matrix_rows * workload.matrix_cols * workload.groups, 0.0)
    noise = np.where(present, noise_to_signal(workload), 0.0)
    return {
        "noise_score": np.log10(noise.sum(axis=1) + 1e-9),
        "log_macs": np.log10((weights * workload.vectors).sum(axis=1) + 1.0),
        "log_weights": np.log10(weights.sum(axis=1) + 1.0),
    }


def noise_to_signal(workload: Workload) -> NDArray[np.float64]:
    """Noise power over signal power of each slot's output, n x L, for typical weights and activations.

    Weights are taken as normal with three standard deviations at full scale, activations as rectified normal likewise,
    so a uniform quantiser of ``b`` bits adds ``(step^2 / 12) / power`` (Bennett 1948). Device variation adds the cited
    model's mean variance over the conductance range, once per side of a differential pair. The converter covers six
    standard deviations of a partial sum with ``2 ** adc_bits`` levels, unless it resolves every level. A score for
    ranking, not a prediction: correlations, training and clipping are left out.
    """
    weight = 3.0 / (2.0**workload.weight_bits - 1.0) ** 2
    power_x = 0.5 / 9.0  # E[x^2] of a rectified normal, full scale at three standard deviations
    activation = 1.0 / (12.0 * power_x * (2.0**workload.input_bits - 1.0) ** 2)
    variances = np.array([_relative_variance(device(name)) for name in workload.devices])
    variation = 9.0 * variances[workload.device] * np.where(workload.offset == 1, 1.0, 2.0)
    levels = 2.0**workload.adc_bits
    rows = np.minimum(workload.rows, workload.matrix_rows)
    finest = rows * (2.0**workload.dac_bits - 1.0) * (2.0**workload.bits_per_cell - 1.0) + 1.0
    converter = np.where(levels >= finest, 0.0, 36.0 / (12.0 * levels**2))
    noise = np.where(workload.kind == CROSSBAR, variation + converter, 0.0) + weight + activation
    return np.asarray(np.broadcast_to(noise, workload.shape))


def _relative_variance(dev: Device) -> float:
    """Variance of a programmed conductance over the squared range, averaged over evenly spread targets."""
    span = 1.0 - (0.0 if np.isinf(dev.on_off_ratio) else 1.0 / dev.on_off_ratio)
    u = 1.0 - span + span * _LEVELS
    match dev.programming:
        case NoNoise():
            sigma = np.zeros_like(u)
        case PolynomialNoise(coefficients_us=rows, g_max_us=g_max):
            sigma = np.polynomial.polynomial.polyval(u, rows[0]) / g_max
        case RelativeNoise(fraction=fraction):
            sigma = fraction * u
        case RangeNoise(fraction=fraction):
            sigma = np.full_like(u, fraction * span)
        case StateNoise(positions=positions, fractions=fractions):
            sigma = span * np.interp(_LEVELS, positions, fractions)
        case ResistanceNoise(log_sigma=log_sigma):
            sigma = log_sigma * u
    return float(np.mean((sigma / span) ** 2))
