"""Converters: energy per conversion and area as a function of resolution.

Laws for the successive-approximation (SAR) converter:

``structural``: one comparator and logic per bit, a capacitor array that doubles with every bit, and the thermal limit
    ``8 k T SNR``; anchored at ISAAC's 8-bit converter at 32 nm.
``zigzag``: in-array SAR of zigzag-imc@df34a6f (BSD-3), fitted there to SRAM macros at 22 to 28 nm:
    ``E = (100 N + 0.001 4^N) fF V^2``, ``A = 10^(1.206 - 0.0369 N) 2^N um2`` (``0.5 x 2^N`` from 12 bit).
``silicon``: slow converters inside published macros (:mod:`nax_bo.hardware.pricing.macro`): comparator and logic per
    bit, and a noise-limited part that grows fourfold per bit up to 8 bit; finer results are integrated, in proportion
    to their bits; area as ``structural``.
``survey``: regression over the Murmann survey (Andrulis et al., arXiv:2404.06553; hwcomponents-adc@246af7e, MIT). It
    describes stand-alone converters, so its areas are several times those of converters in arrays.

Flash converters: ``2^N - 1`` comparators and an encoder of ``N 2^(N-1)`` unit gates; ladder current is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import technology
from nax_bo.hardware.profiles import REFERENCE_NM, Profile
from nax_bo.hardware.tables import Floats

MAX_BITS = 16
"""Highest resolution of the laws."""


@dataclass(frozen=True, slots=True)
class AdcTable:
    """A law on the grid type x bits, flattened: entry ``flash * 17 + bits``; entries of 0 bit are unused.

    Attributes:
        energy_pj: Part that scales with the node, at the reference node.
        thermal_pj: Part set by noise, the same at every node.
        area_um2: At the reference node; scales with ``node ** area_exponent``.
        cycles: Clock cycles of a conversion.
        area_exponent: See ``area_um2``.
        survey: Whether energy and area of the SAR entries come from :func:`survey_energy_pj` instead.
    """

    energy_pj: Floats
    thermal_pj: Floats
    area_um2: Floats
    cycles: Floats
    area_exponent: float
    survey: bool


@cache
def adc_table(profile: Profile, model: str | None = None) -> AdcTable:
    """Prices of all converters of a profile; ``model`` replaces the profile's own SAR law."""
    law = model or profile.adc_model
    bits = np.arange(MAX_BITS + 1, dtype=float)
    sar_energy, sar_thermal, sar_area = _zigzag(bits) if law == "zigzag" else _structural(profile, bits)
    if law == "silicon":
        femtojoule = _silicon_ff(profile, bits) * float(technology.nominal_supply_v(28)) ** 2
        sar_energy = femtojoule * 1e-3 * float(technology.energy_scale(28, REFERENCE_NM))
        sar_thermal = np.zeros_like(bits)
    flash_energy, flash_area = _flash(profile, bits)
    sar_cycles = profile["adc.sar_cycles_per_bit"] * bits + profile["adc.sar_extra_cycles"]
    flash_cycles = np.full_like(bits, profile["adc.flash_cycles"])
    return AdcTable(
        np.concatenate([sar_energy, flash_energy]),
        np.concatenate([sar_thermal, np.zeros_like(bits)]),
        np.concatenate([sar_area, flash_area]),
        np.concatenate([sar_cycles, flash_cycles]),
        profile["adc.area_tech_exponent"],
        law == "survey",
    )


def _structural(profile: Profile, bits: Floats) -> tuple[Floats, Floats, Floats]:
    energy = (
        profile["adc.sar_energy_per_bit_pj"] * bits
        + profile["adc.sar_energy_per_bit2_pj"] * bits**2
        + profile["adc.sar_energy_per_level_pj"] * 2**bits
    )
    area = (
        profile["adc.sar_area_um2"]
        + profile["adc.sar_area_per_bit_um2"] * bits
        + profile["adc.sar_area_per_level_um2"] * 2**bits
    )
    return energy, profile["adc.thermal_energy_pj"] * 4**bits, area


def _silicon_ff(profile: Profile, bits: Floats) -> Floats:
    """Capacitance switched by one conversion at 28 nm, fF: energy over the squared supply."""
    exact = np.minimum(bits, 8.0)
    noise = 4.0**exact * np.maximum(1.0, bits / 8.0)
    per_bit, per_noise = (profile.constants[f"macro.converter_{k}"].value for k in ("ff_per_bit", "noise_ff"))
    return per_bit * bits + per_noise * noise


def _zigzag(bits: Floats) -> tuple[Floats, Floats, Floats]:
    to_reference = float(technology.energy_scale(28, REFERENCE_NM))
    volt2 = float(technology.nominal_supply_v(28)) ** 2
    energy = 100e-3 * bits * volt2 * to_reference
    thermal = 0.001e-3 * 4**bits * volt2
    area = np.where(bits < 12, 10 ** (1.206 - 0.0369 * bits) * 2**bits, 0.5 * 2**bits)
    # the fit drops at 12 bit, where its formula changes: never let a finer converter be smaller
    return energy, thermal, np.maximum.accumulate(area) * float(technology.area_scale(28, REFERENCE_NM))


def _flash(profile: Profile, bits: Floats) -> tuple[Floats, Floats]:
    comparators, gates = 2**bits - 1, bits * 2 ** (bits - 1)
    strain = np.maximum(0.0, bits - profile["adc.comparator_quiet_bits"])
    energy = comparators * 4**strain * profile["adc.comparator_energy_pj"]
    area = comparators * 2**strain * profile["adc.comparator_area_um2"]
    return (
        energy + gates * profile["adc.encoder_energy_per_gate_pj"],
        area + gates * profile["adc.encoder_area_per_gate_um2"],
    )


_FOM_FREQUENCY_DB, _FOM_PER_LN_HZ = 213.7806687348118, -2.8719030399529957
_FOM_ENOB_DB, _FOM_PER_BIT_DB = 128.3068287398817, 3.2205115220434
_SNDR_PER_BIT_DB, _SNDR_DB = 6.020599913279624, 1.7609125905568124
_LN_E, _LN_E_PER_LN_NM, _LN_E_PER_LN_ENOB, _BEST_FIFTH = (
    26.0496215686518,
    1.8800369206815004,
    -2.8291256050594527,
    -1.4702022133784405,
)
_LN_A, _LN_A_PER_LN_NM, _LN_A_PER_LN_HZ, _LN_A_PER_LN_PJ = (
    1.3461916439910742,
    0.9932794744745022,
    0.18071538424508238,
    0.29912426192653485,
)
SURVEY_MIN_BITS, SURVEY_MAX_HZ = 4, 1e10


def survey_energy_pj(enob: Floats | float, rate_hz: Floats | float, tech_nm: Floats | float) -> Floats:
    """Energy per conversion of the best fifth of surveyed converters.

    Args:
        enob: Effective bits, at least 4.
        rate_hz: Conversions per second of one converter, at most 10 GHz.
        tech_nm: CMOS node.

    Raises:
        InputError: Outside the range of the regression.
    """
    if np.any(np.asarray(enob) < SURVEY_MIN_BITS) or np.any(np.asarray(rate_hz) > SURVEY_MAX_HZ):
        raise InputError(
            "converter outside the survey regression", "It covers 4 bits and more, and rates up to 10 GHz."
        )
    return _survey_energy(np.asarray(enob, dtype=float), np.asarray(rate_hz), np.asarray(tech_nm))


def survey_area_um2(energy_pj: Floats | float, rate_hz: Floats | float, tech_nm: Floats | float) -> Floats:
    """Area of the smallest tenth of surveyed converters with that energy per conversion and rate."""
    log_area = (
        _LN_A
        + _LN_A_PER_LN_NM * np.log(tech_nm)
        + _LN_A_PER_LN_HZ * np.log(rate_hz)
        + _LN_A_PER_LN_PJ * np.log(energy_pj)
    )
    return np.asarray(np.exp(log_area))


def survey_prices(bits: Floats, rate_hz: Floats, tech_nm: Floats) -> tuple[Floats, Floats]:
    """Energy and area for any resolution: below 4 bits those of 4 bits (stated extrapolation)."""
    energy = _survey_energy(np.maximum(bits, SURVEY_MIN_BITS), rate_hz, tech_nm)
    return energy, survey_area_um2(energy, rate_hz, tech_nm)


def _survey_energy(enob: Floats, rate_hz: Floats, tech_nm: Floats) -> Floats:
    by_rate = _FOM_FREQUENCY_DB + _FOM_PER_LN_HZ * np.log(rate_hz)
    fom_db = np.minimum(by_rate, _FOM_ENOB_DB + _FOM_PER_BIT_DB * np.ceil(enob))
    sndr_db = _SNDR_PER_BIT_DB * enob + _SNDR_DB
    correction = _LN_E + _LN_E_PER_LN_NM * np.log(tech_nm) + _LN_E_PER_LN_ENOB * np.log(enob) + _BEST_FIFTH
    return np.asarray(0.5 * np.exp((sndr_db - fom_db) * (np.log(10) / 10) + correction))
