"""Training-free scores of many designs at once: closed-form, microseconds each, torch-free.

They enter the surrogate as inputs and guide the initial design. How much they are worth is learned from trials; none of
them is trusted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.chip.device_noise import (
    NoNoise,
    PolynomialNoise,
    RangeNoise,
    RelativeNoise,
    ResistanceNoise,
    StateNoise,
)
from nax_bo.hardware.chip.devices import Device, device
from nax_bo.hardware.workload import CROSSBAR, Workload

SCORE_NAMES = ("noise_score", "log_macs", "log_weights", "log_capacity")
"""What :func:`proxies` returns."""

_LEVELS = np.linspace(0.0, 1.0, 33)
_WIRE_OHM_NM = 46.5
"""Row wire resistance per cell times the node: 2.1 ohm at 22 nm, 1.47 ohm at 32 nm (tightest metal, cells of
4 F x 12 F, as in the crossbar simulator); a column wire is three times as long per cell."""


def proxies(workload: Workload) -> dict[str, NDArray[np.float64]]:
    """Scores of each design, n values each.

    ``noise_score``: log10 of the summed noise-to-signal power of the layers' outputs (:func:`noise_to_signal`).
    ``log_macs``, ``log_weights``: log10 of multiply-accumulates and of weights: how much the network can express.
    ``log_capacity``: log10 of the bits per position that get through the narrowest layer under the noise summed up to
    there: channels times ``log2(1 + signal / noise) / 2`` (Shannon 1949, doi:10.1109/JRPROC.1949.232969), the last
    layer, whose outputs are the classes, left out.
    """
    present = np.broadcast_to(workload.kind, workload.shape) != 0
    weights = np.where(present, workload.matrix_rows * workload.matrix_cols * workload.groups, 0.0)
    noise = np.where(present, noise_to_signal(workload), 0.0)
    summed = noise.cumsum(axis=1)
    channels = np.broadcast_to(workload.matrix_cols * workload.groups, workload.shape)
    hidden = present & (present.cumsum(axis=1) < present.sum(axis=1, keepdims=True))
    bits = np.where(hidden, channels * 0.5 * np.log2(1.0 + 1.0 / (summed + 1e-9)), np.inf).min(axis=1)
    return {
        "noise_score": np.log10(summed[:, -1] + 1e-9),
        "log_macs": np.log10((weights * workload.vectors).sum(axis=1) + 1.0),
        "log_weights": np.log10(weights.sum(axis=1) + 1.0),
        "log_capacity": np.log10(np.where(np.isfinite(bits), bits, 1.0)),
    }


def noise_to_signal(workload: Workload) -> NDArray[np.float64]:
    """Noise power over signal power of each slot's output, n x L, for typical weights and activations.

    * Weights: normal with three standard deviations at the largest code, uniform quantiser (Bennett 1948).
    * Activations: rectified normal, ranges learned; an optimal quantiser of a normal with one bit more, for the sign
      that is not needed: ``(sqrt(3) pi / 2) 4 ** -(bits + 1)`` (Panter and Dite 1951, doi:10.1109/JRPROC.1951.230419).
    * Device variation: the cited model's mean variance over the conductance range, once per side of a pair.
    * Converters: their range is calibrated to the spread of partial sums, not to the largest possible one: three
      standard deviations to either side, for cells and pulses that are even random digits with half of the pulses off.
      No error once a step is one level.
    * Wires: mean voltage drop along rows and columns to first order, all cells of the array alike, as a fraction of the
      read voltage; what both sides of a differential pair carry counts in full.

    A score for ranking, not a prediction: correlations, training, read noise, faults, drift and clipping are left out.
    """
    w = workload
    crossbar = _converter_noise(w) + _wire_noise(w)
    variances = np.array([_relative_variance(device(name)) for name in w.devices])
    crossbar = crossbar + 9.0 * variances[w.device] * np.where(w.offset == 1, 1.0, 2.0)
    weight = 0.75 / np.maximum(2.0 ** (w.weight_bits - 1) - 1.0, 1.0) ** 2
    activation = 0.5 * np.sqrt(3.0) * np.pi * 4.0 ** -(w.input_bits + 1.0)
    noise = np.where(w.kind == CROSSBAR, crossbar, 0.0) + weight + activation
    return np.asarray(np.broadcast_to(noise, w.shape), dtype=np.float64)


def _converter_noise(w: Workload) -> Any:
    rows = np.minimum(w.rows, w.matrix_rows)
    pulse_power = 0.5 * _digit_power(np.minimum(w.dac_bits, w.input_bits))
    spread = np.sqrt(rows * pulse_power * _digit_power(w.bits_per_cell))
    step = 6.0 * spread / 2.0**w.adc_bits
    return np.where(step <= 1.0, 0.0, step**2 / (12.0 * spread**2))


def _wire_noise(w: Workload) -> Any:
    devices = [device(name) for name in w.devices]
    conducting = np.array([float(d.resistive) for d in devices])[w.device]
    g_off_s = conducting * np.array([d.g_off_s for d in devices])[w.device]
    swing_s = np.array([d.g_on_s - d.g_off_s for d in devices])[w.device]
    mean_s = (
        g_off_s + conducting * 0.25 * swing_s
    )  # half of the cells stand on the other side, the rest halfway up
    slices = np.ceil((w.weight_bits - 1) / w.bits_per_cell)
    rows, cols = np.minimum(w.rows, w.matrix_rows), np.minimum(w.cols, w.matrix_cols * slices)
    drop = (
        _WIRE_OHM_NM / w.technology_nm * 0.25 * mean_s * (3.0 * rows**2 + cols**2) / 3.0
    )  # column wires: 3 x longer
    return (drop * mean_s / (0.25 * swing_s)) ** 2


def _digit_power(bits: Any) -> Any:
    """Mean square of an even random digit of ``bits`` bits."""
    largest = 2.0**bits - 1.0
    return largest * (2.0 * largest + 1.0) / 6.0


def _relative_variance(dev: Device) -> float:
    """Variance of a programmed conductance over the squared range, averaged over evenly spread targets."""
    span = 1.0 - (0.0 if np.isinf(dev.on_off_ratio) else 1.0 / dev.on_off_ratio)
    u = 1.0 - span + span * _LEVELS
    sigma: NDArray[Any]
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
