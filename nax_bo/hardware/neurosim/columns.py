"""Energy of converting a column, and the sensing time of data-dependent flash converters.

The column current follows the number of active rows, which is binomial per bit plane; the sensing time of a
current-mode flash converter (32 nm and above, LSTP) follows the column resistance through fitted polynomials and is
set by the slowest column. Extremes over columns and vectors are taken at normal quantiles, not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.neurosim.array import array_prices
from nax_bo.hardware.neurosim.config import NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.neurosim.converters import (
    SAR,
    ZERO_COLUMN_W,
    column_power_coefficients,
    flash_references_ohm,
    sensing_depends_on_data,
    sensing_time_s,
)
from nax_bo.hardware.neurosim.layout import Layout
from nax_bo.hardware.neurosim.statistics import (
    inside_share,
    mean_cell_currents,
    plane_densities,
    zero_borders,
)

Array = NDArray[np.float64]

SENSING_RANGE_S = (1e-9, 10e-9)
_SPREAD_WITHIN_VECTOR = 2.3
"""Standard deviations between the mean column of a vector and its extreme one (about 1 in 100 columns)."""
_SPREAD_OF_VECTORS = 3.5
"""Standard deviations between the mean vector of a layer and its extreme one (about 1 in 5,000 vectors)."""


@dataclass(frozen=True)
class ColumnModel:
    """Per layer and block size; ``rows`` and ``cols`` index (full array, remainder)."""

    energy_j: Array
    """Conversion energy of one column and one vector: layers x 2 x 2 (rows, cols)."""
    sensing_s: Array
    """Slowest sensing of a layer: layers."""
    active_share: Array
    """Share of ones over all vectors and rows: layers."""


def column_model(
    layers: tuple[NeuroSimLayer, ...], config: NeuroSimConfig, pieces: Layout
) -> ColumnModel:
    """Expected conversion energy and slowest sensing.

    Args:
        layers: Layers of the network.
        config: The chip.
        pieces: How the layers are cut into arrays.
    """
    inside = np.asarray([inside_share(a, b) for a, b in zip(layers, zero_borders(layers), strict=True)])
    planes = plane_densities(layers, config)
    shape = (len(layers), 2, 2)
    rows = np.broadcast_to(pieces.rows.block[:, :, None], shape)
    cols = np.broadcast_to(pieces.cols.block[:, None, :], shape)
    present = pieces.rows.blocks[:, :, None] & pieces.cols.blocks[:, None, :]
    cell, spread = mean_cell_currents(config, rows, cols, array_prices(config).access_ohm)
    share = inside[:, None, None, None]
    density = planes[:, None, None, :] * share
    active = rows[..., None] * density
    read = config.read_voltage_v / 0.5
    time, slowest = _sensing(config, active, density, cell, spread, present)
    fixed, scale, power = column_power_coefficients(
        config.adc_type, config.tech_node_nm, config.roadmap, config.adc_bits
    )
    current = scale * (active * cell.mean(axis=-1)[..., None] * read) ** power
    empty = (1 - planes[:, None, None, :]) ** (rows[..., None] * share)
    watts = (1 - empty) * fixed + empty * ZERO_COLUMN_W + current
    heat = 1 + 1.3e-3 * (config.temp_k - 300)
    return ColumnModel((watts * time).mean(axis=-1) * heat, slowest, planes.mean(axis=1) * inside)


def _sensing(
    config: NeuroSimConfig,
    active: Array,
    density: Array,
    cell: Array,
    spread: Array,
    present: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Mean time per vector (broadcastable to ``active``) and slowest time per layer."""
    layers = active.shape[0]
    if config.adc_type == SAR:
        return np.full_like(active, (config.adc_bits + 1) * 1e-9), np.zeros(layers)
    if not sensing_depends_on_data(config.adc_type, config.tech_node_nm, config.roadmap):
        return np.full_like(active, 1e-9), np.full(layers, 1e-9)
    deviation = np.sqrt(active * np.maximum(1 - density, 0.0))
    scale = config.read_voltage_v / 0.5
    mean_time = np.zeros_like(active)
    for shift in (-1.0, 0.0, 1.0):
        low, high = _column_range(np.maximum(active + shift * deviation, 1.0), cell, spread, _SPREAD_WITHIN_VECTOR)
        mean_time += _slowest_between(config, low * scale, high * scale) / 3
    mean_time = np.where(active > 1e-9, mean_time, SENSING_RANGE_S[0])
    sparsest = np.maximum(active - _SPREAD_OF_VECTORS * deviation, 1.0)
    densest = active + _SPREAD_OF_VECTORS * deviation
    low, _ = _column_range(sparsest, cell, spread, _SPREAD_WITHIN_VECTOR)
    _, high = _column_range(densest, cell, spread, _SPREAD_WITHIN_VECTOR)
    extreme = np.where((active > 1e-9) & present[..., None], _slowest_between(config, low * scale, high * scale), SENSING_RANGE_S[0])
    return mean_time, extreme.reshape(layers, -1).max(axis=1)


def _column_range(active: Array, cell: Array, spread: Array, deviations: float) -> tuple[Array, Array]:
    """Smallest and largest column conductance among the digits of a weight (S)."""
    mean = active[..., None] * cell[..., None, :]
    sigma = np.sqrt(active[..., None] * spread[..., None, :])
    low = np.maximum(mean - deviations * sigma, 0.05 * mean)
    return low.min(axis=-1), (mean + deviations * sigma).max(axis=-1)


_GRID = np.geomspace(1e-8, 1e-1, 701)


@lru_cache(maxsize=256)
def _sensing_table(config: NeuroSimConfig) -> Array:
    """Clipped sensing time on the conductance grid."""
    references = flash_references_ohm(config.r_on_ohm, config.r_off_ohm, config.xbar_rows_cols, config.adc_bits)
    if len(references) < 2:
        return np.full(len(_GRID), SENSING_RANGE_S[0])
    time = sensing_time_s(config.tech_node_nm, 1 / _GRID, references)
    return np.clip(time, *SENSING_RANGE_S)


def _slowest_between(config: NeuroSimConfig, low_s: Array, high_s: Array) -> Array:
    """Largest sensing time for conductances between two bounds."""
    table = _sensing_table(config)
    first = np.clip(np.searchsorted(_GRID, low_s, side="right") - 1, 0, len(_GRID) - 1)
    last = np.clip(np.searchsorted(_GRID, high_s, side="right"), first + 1, len(_GRID))
    flat = np.stack([first.ravel(), last.ravel()], axis=1).ravel()
    padded = np.append(table, table[-1])
    worst: Array = np.maximum.reduceat(padded, flat)[::2].reshape(low_s.shape)
    return worst
