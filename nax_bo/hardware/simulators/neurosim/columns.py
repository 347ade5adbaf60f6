"""Energy of converting a column, and the sensing time of data-dependent flash converters.

The column current follows the number of active rows, which is binomial for each bit plane and kind of window. The
sensing time of a current-mode flash converter (32 nm and above, LSTP) follows the column resistance through fitted
polynomials and is set by the slowest column of a vector. Means and extremes are taken at quantiles, not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.arrays import array_prices
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.converters import (
    FLASH_CURRENT,
    SAR,
    ZERO_COLUMN_W,
    column_power_coefficients,
    flash_references_ohm,
    sensing_depends_on_data,
    sensing_time_s,
)
from nax_bo.hardware.simulators.neurosim.flash14 import column_power_w, references_ohm, switching_energy_j
from nax_bo.hardware.simulators.neurosim.layout import Layout
from nax_bo.hardware.simulators.neurosim.statistics import input_cases, mean_cell_currents
from nax_bo.hardware.simulators.neurosim.technology import technology

Array = NDArray[np.float64]

SENSING_RANGE_S = (1e-9, 10e-9)
_VECTOR_QUANTILES = np.asarray([NormalDist().inv_cdf((2 * k + 1) / 14) for k in range(7)])
"""Standard deviations of seven equally likely vectors from the mean one."""
_EXTREME_LEVELS = (1 / 6, 1 / 2, 5 / 6)
"""Levels at which the distribution of a vector's extreme column is sampled."""
_EXTREME_VECTOR = 3.5
"""Standard deviations between the mean vector of a layer and its extreme one (about 1 in 5,000 vectors)."""
_GRID_S = np.geomspace(1e-8, 1e-1, 1401)


@dataclass(frozen=True)
class ColumnModel:
    """Per layer and block size; the last two axes index rows and columns of the block (full, remainder)."""

    energy_j: Array
    """Conversion energy of one column and one vector: layers x 2 x 2."""
    sensing_s: Array
    """Slowest sensing of a layer: layers."""
    active_share: Array
    """Share of ones over all vectors and rows: layers."""


def column_model(layers: tuple[NeuroSimLayer, ...], config: NeuroSimConfig, pieces: Layout) -> ColumnModel:
    """Expected conversion energy and slowest sensing of the layers of a network.

    Args:
        layers: Layers of the network.
        config: The chip.
        pieces: How the layers are cut into arrays.
    """
    shape = (len(layers), 2, 2)
    rows = np.broadcast_to(pieces.rows.block[:, :, None], shape).astype(np.float64)
    cols = np.broadcast_to(pieces.cols.block[:, None, :], shape).astype(np.float64)
    cell, variance = mean_cell_currents(config, rows, cols, array_prices(config).access_ohm)
    cases = input_cases(layers, config)
    weight, density = cases.weight[:, None, None, :], cases.density[:, None, None, :]
    active = rows[..., None] * density
    empty = (1 - cases.plane_density[:, None, None, :]) ** (rows[..., None] * cases.inside[:, None, None, :])
    share = (cases.weight * cases.density).sum(axis=1)
    if config.quirks.revision == 14:
        energy = _energy14(config, active * cell.mean(axis=-1)[..., None], empty)
        return ColumnModel((energy * weight).sum(axis=-1), np.zeros(len(layers)), share)
    fixed_w, scale, power = column_power_coefficients(
        config.adc_type, config.tech_node_nm, config.roadmap, config.adc_bits
    )
    current_w = scale * (active * cell.mean(axis=-1)[..., None] * (config.read_voltage_v / 0.5)) ** power
    watts = (1 - empty) * fixed_w + empty * ZERO_COLUMN_W + current_w
    if config.adc_type == SAR:
        time_s, slowest_s = np.asarray((config.adc_bits + 1) * 1e-9), np.zeros(len(layers))
    elif sensing_depends_on_data(config.adc_type, config.tech_node_nm, config.roadmap):
        sensing = _Sensing(config, cell, variance, cols)
        spread = np.sqrt(active * (1 - density))
        time_s = sensing.mean_s(active, spread)
        present = pieces.rows.blocks[:, :, None] & pieces.cols.blocks[:, None, :]
        extreme_s = sensing.extreme_s(active, spread)
        occurs = present[..., None] & (weight > 0)
        slowest_s = np.where(occurs, extreme_s, SENSING_RANGE_S[0]).max(axis=(1, 2, 3))
    else:
        time_s, slowest_s = np.asarray(SENSING_RANGE_S[0]), np.full(len(layers), SENSING_RANGE_S[0])
    heat = 1 + 1.3e-3 * (config.temp_k - 300)
    energy_j = (watts * time_s * weight).sum(axis=-1) * heat
    return ColumnModel(energy_j, slowest_s, share)


def _energy14(config: NeuroSimConfig, conductance_s: Array, empty: Array) -> Array:
    """Conversion energy of a column and vector in revision 14, given its mean conductance and chance of none."""
    heat, reads = 1 + 1.3e-3 * (config.temp_k - 300), config.partial_reads
    if config.device != "SRAM":
        conductance_s = conductance_s / reads
    array = array_prices(config)
    if config.adc_type == SAR:
        fixed_w, scale, power = column_power_coefficients(
            SAR, config.tech_node_nm, config.roadmap, config.adc_bits
        )
        current_w = scale * (conductance_s * (config.read_voltage_v / 0.5)) ** power
        watts = (1 - empty) * fixed_w + empty * ZERO_COLUMN_W + current_w
        return watts * heat * (config.adc_bits + 1) * 1e-9 * reads
    tech = technology(config.tech_node_nm, config.roadmap, config.temp_k, 14)
    references = references_ohm(config, array.access_ohm)[1:-1]
    shared_w = column_power_w(config, references).sum() / 2**config.adc_bits
    own_w = column_power_w(config, 1 / np.maximum(conductance_s, 1e-9))
    watts = (1 - empty) * own_w + empty * ZERO_COLUMN_W + shared_w
    time_s = array.sensing_s if config.adc_type == FLASH_CURRENT else SENSING_RANGE_S[0]
    switching_j = switching_energy_j(tech, config, array.column_f, array.reference_f)
    energy: Array = (np.maximum(watts * heat * time_s, 0.0) + switching_j) * reads
    return energy


class _Sensing:
    """Sensing times of the columns of an array, given the number of active rows."""

    def __init__(self, config: NeuroSimConfig, cell: Array, variance: Array, cols: Array) -> None:
        read = config.read_voltage_v / 0.5
        self.table_s = _sensing_table(config)
        self.cell_s = cell[..., None, :] * read
        self.variance_s2 = variance[..., None, :] * read**2
        cells = config.cells_per_weight
        # the leading digit of centred weights varies less than the others and does not give the extremes
        self.columns = np.maximum(cols * ((cells - 1) / cells if cells > 1 else 1.0), 1.0)

    def mean_s(self, active: Array, spread: Array) -> Array:
        """Sensing time averaged over vectors with a mean and a spread of active rows."""
        total = np.zeros(active.shape)
        for level in _EXTREME_LEVELS:
            deviations = self._column_deviations(level)
            for shift in _VECTOR_QUANTILES:
                rows = np.maximum(active + shift * spread, 0.0)
                total += np.where(
                    rows > 0.5, self._slowest_s(np.maximum(rows, 1.0), deviations), SENSING_RANGE_S[0]
                )
        return total / (len(_EXTREME_LEVELS) * len(_VECTOR_QUANTILES))

    def extreme_s(self, active: Array, spread: Array) -> Array:
        """Sensing time of the slowest vector."""
        deviations = self._column_deviations(0.95)
        fewest = np.maximum(active - _EXTREME_VECTOR * spread, 1.0)
        most = np.maximum(active + _EXTREME_VECTOR * spread, 1.0)
        low_s, _ = self._bounds(fewest, deviations)
        _, high_s = self._bounds(most, deviations)
        extreme: Array = np.where(active > 1e-9, self._between(low_s, high_s), SENSING_RANGE_S[0])
        return extreme

    def _column_deviations(self, level: float) -> Array:
        """Deviations of the extreme of all columns from the mean column, at a level of its distribution."""
        sizes, place = np.unique(self.columns, return_inverse=True)
        values = np.asarray([NormalDist().inv_cdf(level ** (1 / size)) for size in sizes])
        deviations: Array = np.maximum(values[place].reshape(self.columns.shape), 0.0)[..., None]
        return deviations

    def _bounds(self, rows: Array, deviations: Array) -> tuple[Array, Array]:
        mean = rows[..., None] * self.cell_s
        reach = deviations[..., None] * np.sqrt(rows[..., None] * self.variance_s2)
        return np.maximum(mean - reach, 0.05 * mean).min(axis=-1), (mean + reach).max(axis=-1)

    def _slowest_s(self, rows: Array, deviations: Array) -> Array:
        return self._between(*self._bounds(rows, deviations))

    def _between(self, low_s: Array, high_s: Array) -> Array:
        """Largest sensing time for conductances between two bounds."""
        first = np.clip(np.searchsorted(_GRID_S, low_s), 0, len(_GRID_S) - 1)
        last = np.clip(np.searchsorted(_GRID_S, high_s), first + 1, len(_GRID_S))
        flat = np.stack([first.ravel(), last.ravel()], axis=1).ravel()
        worst: Array = np.maximum.reduceat(np.append(self.table_s, 0.0), flat)[::2].reshape(low_s.shape)
        return worst


@lru_cache(maxsize=256)
def _sensing_table(config: NeuroSimConfig) -> Array:
    """Clipped sensing time on the conductance grid."""
    references = flash_references_ohm(
        config.r_on_ohm, config.r_off_ohm, config.xbar_rows_cols, config.adc_bits
    )
    if len(references) < 2:
        return np.full(len(_GRID_S), SENSING_RANGE_S[0])
    clipped: Array = np.clip(sensing_time_s(config.tech_node_nm, 1 / _GRID_S, references), *SENSING_RANGE_S)
    return clipped
