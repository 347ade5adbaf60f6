"""Analog-to-digital converters at the columns: successive approximation and flash (multi-level sense amplifiers).

Power is a per-node fit of circuit simulations at a read voltage of 0.5 V: a converter term plus a column-current term
``k * R**-(q / ln 10)``, which is nearly V*I. Coefficients are those of DNN+NeuroSim V1.3 (Peng et al., IEDM 2019,
doi:10.1109/IEDM19573.2019.8993491), nodes 130 to 7 nm, with 5 and 3 nm (LSTP, successive approximation only) from V1.4.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.simulators.neurosim.technology import Technology

Array = NDArray[np.float64]

SAR = "SAR"
FLASH_CURRENT = "FLASH_MLSA_CSA"
FLASH_VOLTAGE = "FLASH_MLSA_VSA"
ADC_TYPES = (SAR, FLASH_CURRENT, FLASH_VOLTAGE)
ZERO_COLUMN_W = 1e-6
"""Power charged to a column without any current."""

_NODES = (130, 90, 65, 45, 32, 22, 14, 10, 7, 5, 3)
_EXPONENT = {
    "LSTP": (2.303, 2.303, 2.303, 2.303, 2.297, 2.303, 2.303, 2.303, 2.303, 2.303, 2.303),
    "HP": (2.367, 2.345, 2.321, 2.296, 2.313, 2.311, 2.311, 2.311, 2.311),
}
_SAR_UW_PER_BIT = {
    "LSTP": (8.4483, 5.9869, 3.7506, 2.1691, 1.1294, 0.538, 0.3132, 0.1823, 0.1061, 0.0645, 0.0333),
    "HP": (6.4806, 4.3474, 2.9503, 2.1843, 1.0157, 0.7213, 0.4710, 0.3076, 0.2008),
}
_SAR_UW = {
    "LSTP": (65.243, 37.462, 25.844, 16.693, 8.8998, 4.3753, 2.5681, 1.5073, 0.8847, 0.5511, 0.2849),
    "HP": (49.047, 31.782, 22.047, 11.931, 7.6286, 3.3041, 1.9529, 1.1543, 0.6823),
}
_SAR_COLUMN = {
    "LSTP": (
        0.169380,
        0.144323,
        0.121272,
        0.100225,
        0.079449,
        0.072341,
        0.061085,
        0.051580,
        0.043555,
        0.0388,
        0.0388,
    ),
    "HP": (0.207452, 0.164900, 0.128483, 0.097754, 0.083709, 0.084273, 0.060584, 0.049418, 0.040310),
}
_CURRENT_UW_PER_LEVEL = {
    "LSTP": (18.09, 12.612, 8.4147, 6.3162, 3.0875, 1.7, 1.0, 0.55, 0.35),
    "HP": (19.898, 13.09, 9.9579, 7.7017, 3.9648, 1.8939, 1.2, 0.8, 0.5),
}
_CURRENT_COLUMN = {
    "LSTP": (0.1380, 0.1023, 0.0972, 0.075, 0.0649, 0.0631, 0.0508, 0.0315, 0.0235),
    "HP": (0.17452, 0.14900, 0.1083, 0.0754, 0.079, 0.073, 0.0584, 0.0318, 0.0210),
}
_VOLTAGE_UW_PER_LEVEL = {
    "LSTP": (23.4, 14.42, 10.18, 7.062, 3.692, 1.866, 1.126, 0.6917, 0.4211),
    "HP": (27.84, 22.2, 13.058, 8.162, 4.76, 2.373, 1.467, 0.9077, 0.5614),
}
# sensing time of a current-mode amplifier, LSTP: (slope, offset) of ln(R / kOhm) in ns, then the polynomials in
# x = R_ref / R_column below and above 0.9, highest power first
_SENSING = {
    130: ((0.2679, 0.0478), (3.915, -5.3996, 2.4653, 0.3856), (0.0004, -0.0087, 0.0742, -0.2725, 1.2211)),
    90: ((0.0586, 1.41), (3.726, -5.651, 2.8249, 0.3574), (8e-7, -0.00007, 0.0017, -0.0188, 0.9835)),
    65: ((0.1239, 0.6642), (1.3899, -2.6913, 2.0483, 0.3202), (0.0036, -0.0363, 0.1043, -0.0346, 1.0512)),
    45: ((0.0714, 0.7651), (3.7949, -5.6685, 2.6492, 0.4807), (1e-6, -0.00006, 0.0001, -0.0171, 1.0057)),
    32: ((0.0714, 0.7651), (3.7949, -5.6685, 2.6492, 0.4807), (1e-6, -0.00006, 0.0001, -0.0171, 1.0057)),
}


def column_power_coefficients(
    adc_type: str, node_nm: int, roadmap: str, adc_bits: int
) -> tuple[float, float, float]:
    """Converter power in W, and ``k``, ``p`` of the column term ``k * G**p`` in W with G in S at 0.5 V read voltage."""
    at = _NODES.index(node_nm)
    power = _EXPONENT[roadmap][at] / math.log(10)
    if adc_type == SAR:
        fixed = (_SAR_UW_PER_BIT[roadmap][at] * adc_bits + _SAR_UW[roadmap][at]) * 1e-6
        return fixed, _SAR_COLUMN[roadmap][at], power
    comparators = 2**adc_bits - 1
    if adc_type == FLASH_CURRENT:
        return _CURRENT_UW_PER_LEVEL[roadmap][at] * comparators * 1e-6, _CURRENT_COLUMN[roadmap][at], power
    return _VOLTAGE_UW_PER_LEVEL[roadmap][at] * comparators * 1e-6, _SAR_COLUMN[roadmap][at], power


def converter_area_m2(tech: Technology, adc_type: str, adc_bits: int, full_amplifiers: bool = True) -> float:
    """Area of one converter without its encoder; ``full_amplifiers`` is a switch of `Quirks`."""
    n = tech.gate_area("inv", 1, tech.min_n_m, 0)
    p = tech.gate_area("inv", 1, 0, tech.min_p_m)
    if adc_type == SAR:
        return n * (269 + (adc_bits - 1) * 109) + p * (209 + (adc_bits - 1) * 73)
    amplifier = n * 48 + p * 40 if full_amplifiers else p * 40
    per_level = amplifier + 9 * (n + p) if adc_type == FLASH_CURRENT else n * 52 + p * 60
    return per_level * int(2**adc_bits - 1)


def sensing_depends_on_data(adc_type: str, node_nm: int, roadmap: str) -> bool:
    """Whether the sensing time of this converter follows the column resistance."""
    return adc_type == FLASH_CURRENT and roadmap == "LSTP" and node_nm in _SENSING


def sensing_time_s(node_nm: int, resistance_ohm: Array, references_ohm: Array) -> Array:
    """Unclipped time of a current-mode flash converter for columns of ``resistance_ohm`` (any shape).

    The slowest comparator decides; the first reference is not compared, as in the reference simulator.
    """
    (slope, offset), low, high = _SENSING[node_nm]
    slowest = slope * np.log(resistance_ohm / 1000) + offset
    ratio = references_ohm[1:] / resistance_ohm[..., None]
    factor = np.where(ratio <= 0.9, np.polyval(low, ratio), np.polyval(high, ratio))
    per_reference = np.where((ratio >= 20) | (ratio <= 0.05), 1.0, slowest[..., None] * factor)
    time: Array = np.maximum(per_reference.max(axis=-1, initial=0.0), 0.0) * 1e-9
    return time


def flash_references_ohm(r_on_ohm: float, r_off_ohm: float, rows: int, adc_bits: int) -> Array:
    """Reference resistances of a flash converter, evenly spaced in resistance."""
    levels = 2**adc_bits
    return np.asarray(r_on_ohm / rows + np.arange(1, levels) * (r_off_ohm / rows) / levels, dtype=np.float64)
