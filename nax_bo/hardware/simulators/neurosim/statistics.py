"""Statistics of inputs and weights: how many rows are active, how much current a column carries.

Inputs are applied one bit at a time, so each bit of an activation is a binary vector; weights are split over cells.
The distributions are those of `Activity`; bits and digits are counted exactly on the quantised grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.config import Activity, NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.technology import IR_DROP_TOLERANCE
from nax_bo.hardware.simulators.neurosim.transistor_data import FINS
from nax_bo.hardware.simulators.neurosim.wires import wire_resistance_ohm_per_m

Array = NDArray[np.float64]
CELL_1T1R_F = (4, 12)
"""Height and width of a 1T1R cell in wire pitch units (and, for areas, in feature sizes)."""
CELL_SRAM_F = (10, 28)
_NODES, _WEIGHTS = (np.polynomial.legendre.leggauss(6)[0] + 1) / 2, np.polynomial.legendre.leggauss(6)[1] / 2


def _normal_cdf(values: Array, std: float) -> Array:
    return np.asarray([0.5 * (1 + math.erf(v / (std * math.sqrt(2)))) for v in values])


def _grid_probabilities(bits: int, std: float) -> Array:
    """Probability of each two's complement code -2**(bits-1) ... 2**(bits-1) - 1 of a rounded normal number."""
    half = 2 ** (bits - 1)
    edges = (np.arange(-half, half - 1) + 0.5) / half
    return np.diff(_normal_cdf(edges, std), prepend=0.0, append=1.0)


@lru_cache(maxsize=64)
def bit_plane_density(bits: int, std: float, signed: bool) -> tuple[float, ...]:
    """Share of ones in each bit plane of an activation, most significant (sign) first."""
    half = 2 ** (bits - 1)
    share = _grid_probabilities(bits, std)
    if not signed:
        share = np.concatenate([np.zeros(half), [share[: half + 1].sum()], share[half + 1 :]])
    codes = np.arange(-half, half) % (2 * half)
    return tuple(float(share[(codes >> bit) & 1 == 1].sum()) for bit in range(bits - 1, -1, -1))


@lru_cache(maxsize=64)
def digit_probabilities(weight_bits: int, cell_bits: int, std: float) -> Array:
    """Probability of each cell level, by digit, most significant first: cells x levels."""
    share = _grid_probabilities(weight_bits, std)
    codes = np.arange(2**weight_bits)
    cells, levels = math.ceil(weight_bits / cell_bits), 2**cell_bits
    table = np.zeros((cells, levels))
    for position in range(cells):
        digit = (codes >> (cell_bits * (cells - 1 - position))) % levels
        table[position] = np.bincount(digit, weights=share, minlength=levels)
    return table


def zero_borders(layers: tuple[NeuroSimLayer, ...]) -> tuple[int, ...]:
    """Zero border of each layer; where not given, padding is inferred once for the whole network.

    Feature maps halve from layer to layer, so the unpadded size has the most factors of two: 34 = 32 + 2 is padded
    for a 3 x 3 kernel, 32 is not. The largest convolution decides for all of them.
    """
    spatial = [layer for layer in layers if layer.k_h > 1]
    padded = False
    if spatial:
        widest = max(spatial, key=lambda layer: layer.in_h)
        without = widest.in_h - (widest.k_h - 1)
        padded = _factors_of_two(without) > _factors_of_two(widest.in_h)
    inferred = [(layer.k_h - 1) // 2 if padded and layer.k_h > 1 else 0 for layer in layers]
    return tuple(
        guess if layer.zero_border is None else layer.zero_border
        for layer, guess in zip(layers, inferred, strict=True)
    )


def _factors_of_two(value: int) -> int:
    return (value & -value).bit_length() - 1 if value > 0 else -1


@lru_cache(maxsize=4096)
def _window_shares(size: int, kernel: int, stride: int, border: int) -> dict[float, float]:
    """Share of a window's taps off the zero border, and how often it occurs, along one dimension."""
    starts = np.arange(0, size - kernel + 1, stride)
    taps = starts[:, None] + np.arange(kernel)
    inside = ((taps >= border) & (taps < size - border)).mean(axis=1)
    shares, counts = np.unique(inside, return_counts=True)
    return dict(zip(shares.tolist(), (counts / len(starts)).tolist(), strict=True))


@dataclass(frozen=True)
class InputCases:
    """Kinds of binary input vectors of each layer: one per bit plane and kind of window. Arrays: layers x cases."""

    weight: Array
    """How often a case occurs; rows sum to 1."""
    density: Array
    """Share of rows that are one."""
    plane_density: Array
    """Share of ones off the zero border."""
    inside: Array
    """Share of rows off the zero border."""


def input_cases(layers: tuple[NeuroSimLayer, ...], config: NeuroSimConfig) -> InputCases:
    """Kinds of input vectors; cases that a layer lacks have weight 0."""
    planes = plane_densities(layers, config)
    windows = []
    for layer, border in zip(layers, zero_borders(layers), strict=True):
        down = _window_shares(layer.in_h, layer.k_h, layer.stride, border)
        across = _window_shares(layer.in_w, layer.k_w, layer.stride, border)
        windows.append([(a * b, wa * wb) for a, wa in down.items() for b, wb in across.items()])
    most = max(len(kinds) for kinds in windows)
    padded = np.asarray([kinds + [(1.0, 0.0)] * (most - len(kinds)) for kinds in windows])
    shape = (len(layers), planes.shape[1], most)
    inside = np.broadcast_to(padded[:, None, :, 0], shape).reshape(len(layers), -1)
    weight = np.broadcast_to(padded[:, None, :, 1] / planes.shape[1], shape).reshape(len(layers), -1)
    ones = np.broadcast_to(planes[:, :, None], shape).reshape(len(layers), -1)
    return InputCases(weight, ones * inside, ones, inside)


def signed_inputs(layers: tuple[NeuroSimLayer, ...], activity: Activity) -> tuple[bool, ...]:
    """Whether each layer sees inputs of both signs."""
    return tuple(
        (index == 0 and activity.first_layer_signed) if layer.signed_input is None else layer.signed_input
        for index, layer in enumerate(layers)
    )


def plane_densities(layers: tuple[NeuroSimLayer, ...], config: NeuroSimConfig) -> Array:
    """Share of ones inside the zero border: layers x bit planes."""
    activity = config.activity
    return np.asarray(
        [
            bit_plane_density(config.input_bits, activity.activation_std, signed)
            for signed in signed_inputs(layers, activity)
        ]
    )


def mean_cell_currents(
    config: NeuroSimConfig, rows: Array, cols: Array, access_ohm: float
) -> tuple[Array, Array]:
    """Conductance that a column sees in an active cell, wires included, by digit of the weight.

    Args:
        config: The chip.
        rows: Rows of the sub-matrix, any shape.
        cols: Columns of the sub-matrix, same shape.
        access_ohm: Series resistance of an SRAM cell; ignored for other devices.

    Returns:
        Mean (S) and variance (S2) over cells of shape ``rows.shape + (cells per weight,)``. SRAM cells are all alike.
    """
    per_m = wire_resistance_ohm_per_m(config.wire_width_nm, config.temp_k, config.quirks.revision)
    per_m *= config.wire_width_nm * 1e-9
    if config.device == "SRAM":
        fin = FINS.get(config.tech_node_nm) if config.quirks.revision == 14 else None
        width_f = fin.sram_cell_f[1] if fin else CELL_SRAM_F[1]
        seen = np.full((*rows.shape, config.cells_per_weight), 1 / (access_ohm + per_m * width_f))
        return seen, np.zeros_like(seen)
    digits = digit_probabilities(config.weight_bits, config.cell_bits, config.activity.weight_std)
    levels = digits.shape[1]
    g_on, g_off = 1 / config.r_on_ohm, 1 / config.r_off_ohm
    cell_ohm = 1 / (np.arange(levels) / (levels - 1) * (g_on - g_off) + g_off)
    access = config.r_on_ohm * IR_DROP_TOLERANCE if config.device == "RRAM" else 0.0
    row_ohm = per_m * CELL_1T1R_F[0] * (_NODES * cols[..., None] + 0.5)
    col_ohm = per_m * CELL_1T1R_F[1] * (_NODES * rows[..., None] + 0.5)
    series = row_ohm[..., :, None] + col_ohm[..., None, :] + access
    seen = 1 / (cell_ohm[:, None, None] + series[..., None, :, :])
    first = np.einsum("...lij,i,j->...l", seen, _WEIGHTS, _WEIGHTS)
    second = np.einsum("...lij,i,j->...l", seen**2, _WEIGHTS, _WEIGHTS)
    mean = first @ digits.T
    return mean, np.maximum(second @ digits.T - mean**2, 0.0)
