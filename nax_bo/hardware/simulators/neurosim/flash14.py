"""Flash converters of DNN+NeuroSim V1.4: tabulated sensing time and power, with shared reference columns.

Fits of circuit simulations, LSTP only, by node; resistances in ohm, natural logarithms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig
from nax_bo.hardware.simulators.neurosim.converters import FLASH_CURRENT, column_power_coefficients
from nax_bo.hardware.simulators.neurosim.technology import Technology

Array = NDArray[np.float64]
Piece = tuple[float, bool, float, float]
"""Upper end, whether the argument is a logarithm, slope, offset."""

_INF = math.inf
_CURRENT_DELAY: dict[int, tuple[Piece, ...]] = {
    130: ((1832, True, -1.18573e-10, 2.54175e-9), (_INF, False, 3.78659e-14, 2.60629e-9)),
    90: ((4832, True, -1.08914e-10, 2.43204e-9), (_INF, False, 2.8688e-14, 2.31147e-9)),
    65: ((4832, True, -8.11436e-11, 2.2554e-9), (_INF, False, 2.12366e-14, 2.14339e-9)),
    45: ((4832, True, -1.12976e-10, 2.16762e-9), (_INF, False, 1.54619e-14, 1.60263e-9)),
    32: ((4832, True, -1.31777e-10, 2.03151e-9), (_INF, False, 1.15509e-14, 1.19475e-9)),
    22: ((4832, True, -1.32118e-10, 1.7552e-9), (_INF, False, 8.02517e-15, 8.51803e-10)),
    14: (
        (812, True, -7.01209e-11, 1.21771e-9),
        (2962, True, -2.11644e-11, 8.96216e-10),
        (_INF, False, 6.18337e-15, 8.17633e-10),
    ),
    10: (
        (1128, True, -7.20238e-11, 1.18578e-9),
        (4832, True, -1.81368e-11, 8.16065e-10),
        (_INF, False, 4.72185e-15, 7.28474e-10),
    ),
    7: ((4832, True, -4.67061e-11, 1.03708e-9), (_INF, False, 3.72084e-15, 7.02172e-10)),
    5: (
        (4832, True, -4.33009e-11, 9.79525e-10),
        (7847, True, -3.15954e-12, 6.53005e-10),
        (_INF, False, 2.77641e-15, 6.46706e-10),
    ),
    3: (
        (4832, True, -3.62939e-11, 9.04595e-10),
        (7847, True, -8.05167e-12, 6.69134e-10),
        (_INF, False, 2.02367e-15, 6.04792e-10),
    ),
}
_VOLTAGE_DELAY: dict[int, tuple[Piece, ...]] = {
    130: ((1832, True, -1.6656e-10, 2.86608e-9), (_INF, False, 3.36654e-14, 2.33047e-9)),
    90: ((1956, True, -8.13238e-11, 1.9981e-9), (_INF, False, 2.76205e-14, 1.87593e-9)),
    65: (
        (1210, True, -1.15612e-10, 2.08218e-9),
        (3161, True, -1.00285e-11, 1.35472e-9),
        (_INF, False, 2.03232e-14, 1.61564e-9),
    ),
    45: (
        (695, True, -2.66629e-10, 3.07867e-9),
        (4832, True, -6.27624e-11, 1.78932e-9),
        (_INF, False, 1.43578e-14, 1.46251e-9),
    ),
    32: ((4832, True, -1.8746e-10, 2.44191e-9), (_INF, False, 1.07272e-14, 1.05695e-9)),
    22: ((4832, True, -2.01894e-10, 2.2559e-9), (_INF, False, 7.45392e-15, 6.72844e-10)),
    14: (
        (695, True, -1.17191e-10, 1.51724e-9),
        (1832, True, -3.56669e-11, 1.00049e-9),
        (_INF, False, 5.484e-15, 7.4812e-10),
    ),
    10: (
        (2976, True, -5.88954e-11, 1.12213e-9),
        (7847, True, -1.03546e-11, 7.46313e-10),
        (_INF, False, 4.02595e-15, 6.64175e-10),
    ),
    7: (
        (1956, True, -9.29209e-11, 1.36675e-9),
        (8251, True, -2.32202e-11, 8.55312e-10),
        (_INF, False, 2.96941e-15, 6.3388e-10),
    ),
    5: (
        (20691.38, True, -3.58902e-11, 9.45003e-10),
        (33598.18, True, 4.1847e-11, 2.03225e-10),
        (_INF, False, 2.17318e-15, 5.90032e-10),
    ),
    3: (
        (20691.38, True, -4.80094e-11, 1.02891e-9),
        (33598.18, True, 1.46916e-11, 4.37023e-10),
        (_INF, False, 1.39879e-15, 5.42026e-10),
    ),
}
# column capacitance and resistance beyond which the delay grows with the capacitance, and how much, by node
_REFERENCE_F = {
    130: 26.62e-15,
    90: 18.4e-15,
    65: 13.3e-15,
    45: 9.21e-15,
    32: 6.55e-15,
    22: 4.5e-15,
    14: 2.86e-15,
    10: 2.04e-15,
    7: 1.43e-15,
    5: 1.02e-15,
    3: 0.61e-15,
}
_GROWTH_S: dict[bool, dict[int, float]] = {
    True: {
        130: 2.0e-9,
        90: 1.5e-9,
        65: 1.2e-9,
        45: 0.81e-9,
        32: 0.55e-9,
        22: 0.31e-9,
        14: 0.29e-9,
        10: 0.27e-9,
        7: 0.13e-9,
        5: 0.09e-9,
        3: 0.05e-9,
    },
    False: {
        130: 2.12e-9,
        90: 1.8e-9,
        65: 1.3e-9,
        45: 0.9e-9,
        32: 0.7e-9,
        22: 0.47e-9,
        14: 0.34e-9,
        10: 0.24e-9,
        7: 0.17e-9,
        5: 0.12e-9,
        3: 0.34e-9,
    },
}
_THRESHOLD_OHM: dict[bool, dict[int, float]] = {
    True: {130: 1950.0, 90: 4830.0, 65: 4830.0, 45: 4830.0, 32: 4830.0},
    False: {130: 1950.0, 90: 4830.0, 65: 4830.0, 45: 4830.0, 3: 49600.0},
}
_SPAN_OHM: dict[bool, dict[int, float]] = {True: {}, False: {3: 0.5e6}}
_POWER: dict[int, tuple[Piece, ...]] = {
    130: (
        (4832, False, -4.12599e-11, 1.48536e-6),
        (379269, True, -2.6617e-7, 3.56576e-6),
        (_INF, True, -1.25872e-7, 1.81453e-6),
    ),
    90: (
        (4832, False, -1.67004e-11, 8.54958e-7),
        (379269, True, -1.50719e-7, 2.0858e-6),
        (_INF, True, -8.89685e-8, 1.3007e-6),
    ),
    65: (
        (4832, False, -6.08647e-12, 4.82814e-7),
        (379269, True, -8.03449e-8, 1.16437e-6),
        (_INF, True, -6.01171e-8, 8.9355e-7),
    ),
    45: (
        (4832, False, -3.96471e-12, 3.44344e-7),
        (379269, True, -5.66235e-8, 8.27849e-7),
        (_INF, True, -4.32673e-8, 6.46111e-7),
    ),
    32: (
        (4832, False, -6.72783e-12, 4.19847e-7),
        (379269, True, -7.28881e-8, 1.02677e-6),
        (_INF, True, -4.35333e-8, 6.4697e-7),
    ),
    22: (
        (4832, False, -2.85373e-11, 9.16744e-7),
        (379269, True, -1.63133e-7, 2.1687e-6),
        (_INF, True, -5.8712e-8, 8.64648e-7),
    ),
    14: ((7847, False, -3.11213e-13, 5.34821e-8), (_INF, True, -9.64978e-9, 1.44527e-7)),
    10: ((20691, False, -3.27225e-13, 5.54082e-8), (_INF, True, -9.99199e-9, 1.49539e-7)),
    7: ((20691, False, -2.62089e-13, 4.7357e-8), (_INF, True, -8.49198e-9, 1.27848e-7)),
    5: ((20691, False, -1.4179e-13, 3.31434e-8), (_INF, True, -5.76552e-9, 8.89536e-8)),
    3: ((20691, False, -1.17664e-13, 2.96368e-8), (_INF, True, -5.09202e-9, 7.91852e-8)),
}


def _piecewise(pieces: tuple[Piece, ...], ohm: Array) -> Array:
    conditions = [ohm < end for end, *_ in pieces]
    values = [slope * (np.log(ohm) if logarithm else ohm) + offset for _, logarithm, slope, offset in pieces]
    chosen: Array = np.select(conditions, values)
    return chosen


def references_ohm(config: NeuroSimConfig, access_ohm: float) -> Array:
    """Reference resistances, evenly spaced in conductance from all rows on down to none."""
    cell_ohm = access_ohm if config.device == "SRAM" else config.r_on_ohm
    levels = 1 << config.adc_bits
    most_s = config.rows_on / cell_ohm
    return 1 / (most_s * (1 - np.arange(levels - 1) / levels))


def flash_area_m2(tech: Technology, config: NeuroSimConfig, cell_f: tuple[float, float]) -> float:
    """Area of one converter without encoder, with its share of reference columns of cells of ``cell_f``.

    Reference cells are drawn in wire pitches, as in the reference.
    """
    levels = 1 << config.adc_bits
    column = config.xbar_rows_cols * cell_f[0] * cell_f[1] * (config.wire_width_nm * 1e-9) ** 2
    return (tech.gate_area("inv", 1, tech.min_n_m, 0) * 9 + column / levels) * (levels - 1)


def flash_delay_s(tech: Technology, config: NeuroSimConfig, column_f: float, access_ohm: float) -> float:
    """Sensing time: the slower one of the extreme references decides; a one-bit converter has a single one."""
    references = references_ohm(config, access_ohm)
    current, node = config.adc_type == FLASH_CURRENT, config.tech_node_nm
    ends = references[[min(1, len(references) - 1), -1]]
    delay = _piecewise((_CURRENT_DELAY if current else _VOLTAGE_DELAY)[node], ends)
    default = 12700.0
    threshold = _THRESHOLD_OHM[current].get(node, default)
    span = _SPAN_OHM[current].get(node, 0.1e6)
    total_f = column_f + tech.input_cap_f(tech.min_n_m) * max(len(references) - 2, 0)
    growth = _GROWTH_S[current][node] / (span - threshold) * (ends - threshold)
    growth = growth * (total_f / _REFERENCE_F[node] - 1)
    return float(np.where(ends > threshold, delay + growth, delay).max())


def column_power_w(config: NeuroSimConfig, ohm: Array) -> Array:
    """Static power of the comparators of a column of given resistance at its read voltage."""
    if config.adc_type != FLASH_CURRENT:
        return np.zeros_like(ohm)
    if config.roadmap == "HP":
        fixed_w, scale, power = column_power_coefficients(
            FLASH_CURRENT, config.tech_node_nm, "HP", config.adc_bits
        )
        return fixed_w + scale * (config.read_voltage_v / 0.5 / ohm) ** power
    levels = (1 << config.adc_bits) - 1
    return _piecewise(_POWER[config.tech_node_nm], ohm * 0.5 / config.read_voltage_v) * levels


def switching_energy_j(
    tech: Technology, config: NeuroSimConfig, column_f: float, reference_f: float
) -> float:
    """Energy of switching all comparators of a column once, its share of reference columns included.

    Args:
        tech: The node.
        config: The chip.
        column_f: Capacitance of a column.
        reference_f: Row capacitance that activating a reference column switches (SRAM; else 0).
    """
    comparators, shared = (1 << config.adc_bits) - 1, (1 << config.adc_bits)
    gate_n, gate_p = tech.input_cap_f(tech.min_n_m), tech.input_cap_f(tech.min_p_m)
    drain_n = tech.output_cap_f("inv", 1, tech.min_n_m, 0, tech.cell_height_m)
    drain_p = tech.output_cap_f("inv", 1, 0, tech.min_p_m, tech.cell_height_m)
    mirror_n = drain_n + gate_n if config.adc_type == FLASH_CURRENT else drain_n
    at_read = gate_n * 2 + mirror_n * (1 / shared + 1 / comparators) + column_f / shared
    latch = (
        (gate_p * 2 + gate_n) + (gate_p + gate_n) * 3 + (drain_p + drain_n) * 3 + drain_p + gate_p + gate_n
    )
    if config.adc_type != FLASH_CURRENT:
        at_read += column_f
    energy = at_read * config.read_voltage_v**2 + (latch + reference_f / shared) * tech.vdd_v**2
    return energy * comparators
