"""Noise models of memory devices as data: programming error, drift, read noise.

:mod:`nax_bo.crossbar.physics.programming`, :mod:`~.physics.drift` and :mod:`~.physics.read_noise` turn these
descriptions into samples. In the formulas ``u = g / g_on`` is the conductance as a fraction of the device's largest,
``N`` a standard normal draw per cell, and microsiemens coefficients scale with ``g_on`` when a device is used with
another range than the one it was characterised at (as AIHWKit does; github.com/IBM/aihwkit, MIT).

Not modelled: non-linear I-V curves, cycle-to-cycle effects of training on chip, random telegraph noise as a process in
time, temperature dependence of conductance (no shipped source gives coefficients).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoNoise:
    """No such effect, or none that the source of the row quantifies."""


NONE = NoNoise()


@dataclass(frozen=True, slots=True)
class PolynomialNoise:
    """Programming error ``sigma = (g_on / g_max) * sum_k c_k u^k``, result clamped at zero conductance.

    Attributes:
        coefficients_us: One tuple ``(c_0, c_1, ...)`` per entry of ``times_s``, microsiemens at ``g_max_us``.
        times_s: Seconds after programming at which the polynomials were measured, ascending. Between them sigma is
            interpolated linearly in log time; before the first and after the last it is held.
        g_max_us: Range of the characterised device.
        least_us: Coefficients of another published fit of the same cells, ``()``: none; the larger of the two holds at
            every time.
    """

    coefficients_us: tuple[tuple[float, ...], ...]
    g_max_us: float
    times_s: tuple[float, ...] = (1.0,)
    least_us: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RelativeNoise:
    """``sigma = fraction * g``: multiplicative, weight-proportional; the form of DNN+NeuroSim, g (1 + fraction N)."""

    fraction: float


@dataclass(frozen=True, slots=True)
class RangeNoise:
    """``sigma = fraction * (g_on - g_off)``: additive; per-cell form of NACIM and SWIM, and of AddNormal training."""

    fraction: float


@dataclass(frozen=True, slots=True)
class StateNoise:
    """``sigma = (g_on - g_off) * s(x)``, x in [0, 1] the position in the range, s piecewise linear.

    Attributes:
        positions, fractions: Knots of s; positions ascend from 0 to 1.
    """

    positions: tuple[float, ...]
    fractions: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ResistanceNoise:
    """Log-normal resistance with median 1/g: ``g exp(log_sigma N)``; for small values sigma(R)/R = log_sigma."""

    log_sigma: float


@dataclass(frozen=True, slots=True)
class PowerLawDrift:
    """``g(t) = g (1 + t / t0)^-nu`` with ``nu = |m(u) + s(u) N|`` drawn per cell.

    ``m(u) = clamp(m0 + m1 ln u, low, high)`` and likewise s. Nandakumar et al. 2019 as implemented in AIHWKit.

    Attributes:
        t0_s: Time from programming to the first read, where t = 0.
        nu_mean, nu_std: ``(m1, m0, low, high)``.
    """

    t0_s: float
    nu_mean: tuple[float, float, float, float] = (-0.0155, 0.0244, 0.049, 0.1)
    nu_std: tuple[float, float, float, float] = (-0.0125, -0.0059, 0.008, 0.045)


@dataclass(frozen=True, slots=True)
class LogTimeDrift:
    """``g(t) = g + a ln t + (b ln t + c) N`` for t >= 1 s (held at its 1 s value below; none at t = 0).

    Attributes:
        mean_us: a.
        std_us: ``(b, c)``; all microsiemens at ``g_max_us``.
    """

    mean_us: float
    std_us: tuple[float, float]
    g_max_us: float


@dataclass(frozen=True, slots=True)
class FlickerReadNoise:
    """1/f noise: ``sigma = g Q sqrt(ln((t + t0 + t_read) / (2 t_read)))``, ``Q = min(q_max, q / u^exponent)``.

    t counts from the first read at ``t0_s`` after programming. Nandakumar et al. 2019; AIHWKit.

    The variance of 1/f noise is spread evenly over the logarithm of frequency. What is slower than ``window_s`` is the
    same in every read of a chip; the rest is taken as new in each.
    """

    t_read_s: float
    t0_s: float
    q: float = 0.0088
    exponent: float = 0.65
    q_max: float = 0.2
    window_s: float = 1e-3


@dataclass(frozen=True, slots=True)
class LogConductanceReadNoise:
    """1/f noise: ``sigma = k log10(g / 1 uS) sqrt(ln((t + t_read) / (2 t_read)))`` uS, t at least 1 s, not below 0.

    ``window_s`` as in :class:`FlickerReadNoise`.
    """

    k_us: float
    t_read_s: float
    window_s: float = 1e-3


ProgrammingNoise = NoNoise | PolynomialNoise | RelativeNoise | RangeNoise | StateNoise | ResistanceNoise
Drift = NoNoise | PowerLawDrift | LogTimeDrift
ReadNoise = NoNoise | RelativeNoise | RangeNoise | FlickerReadNoise | LogConductanceReadNoise
