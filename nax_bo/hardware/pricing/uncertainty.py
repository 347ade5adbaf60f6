"""How far sources disagree: a band on EDAP from the spread of component data."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.components.adc import adc_table
from nax_bo.hardware.pricing.priced import Priced
from nax_bo.hardware.profiles import ADC_MODELS
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload.mapping import total

SPREAD: dict[str, tuple[float, float]] = {
    "array": (
        0.1,
        10.0,
    ),  # resistances of one technology differ by 100x between publications (RRAM 2 to 200 kohm)
    "driver": (0.3, 10.0),  # 0.04 pJ (zigzag-imc) to 0.39 pJ (ISAAC) per row and pulse
    "tile_buffer": (0.68, 2.6),  # 64 KB at 32 nm: PUMA 0.067, CACTI 7 0.099, ISAAC 0.253 pJ per bit
    "global_buffer": (0.68, 2.6),
    "interconnect": (0.6, 1.1),  # per bit and hop: hwcomponents 0.081, PUMA 0.126, ISAAC 0.137 pJ
    "off_chip": (0.9, 5.0),  # LPDDR 8 to 40 pJ/bit
}
"""Low and high factors on a component's energy between the sources named beside them."""


def edap_band(x: Priced, energies: Mapping[str, Floats]) -> tuple[float, float]:
    """Low and high factor on the EDAP of a single design.

    One component at a time is replaced by its cheapest and its dearest source; the logarithms of the changes are
    added in quadrature, as if sources erred independently. For converters the sources are the laws of
    :mod:`.components.adc`, for energy and area; latency is taken as known.

    Args:
        x: A single priced design.
        energies: Its energy by component, each of shape (1,).
    """
    energy = float(total(x.energy_slot)[0] + x.leakage_mw[0] * x.timing.latency_ns[0])
    area = float(total(x.area.slot)[0] + stages.added(x.area.chip)[0, 0])
    changes = [_converter_changes(x, energy, area)]
    for name, (low, high) in SPREAD.items():
        part = float(energies[name][0]) / energy
        changes.append((1.0 + (low - 1.0) * part, 1.0 + (high - 1.0) * part))
    down = math.sqrt(sum(math.log(min(low, 1.0)) ** 2 for low, _ in changes))
    up = math.sqrt(sum(math.log(max(high, 1.0)) ** 2 for _, high in changes))
    return math.exp(-down), math.exp(up)


def _converter_changes(x: Priced, energy: float, area: float) -> tuple[float, float]:
    c = x.context
    count = x.area.arrays * np.ceil(c.workload.cols / c.workload.mux)
    factors = [1.0]  # the profile's own law
    for law in ADC_MODELS:
        if law == c.profile.adc_model:
            continue
        pj, um2 = stages.adc_prices(c, x.timing.period_ns, adc_table(c.profile, law))
        more_pj = float(total(x.energy["adc"] * (pj / x.adc_pj - 1.0))[0])
        more_um2 = float(total(count * (um2 - x.adc_um2))[0])
        factors.append((1.0 + more_pj / energy) * (1.0 + more_um2 / area))
    return min(factors), max(factors)
