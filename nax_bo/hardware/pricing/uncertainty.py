"""How far sources disagree: ranges of energy, latency, area and EDAP from the spread of component and device data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nax_bo.hardware.pricing import stages
from nax_bo.hardware.pricing.components.adc import adc_table
from nax_bo.hardware.pricing.priced import Priced
from nax_bo.hardware.profiles import ADC_MODELS
from nax_bo.hardware.report import Spread
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


def cost_spread(x: Priced, energies: Mapping[str, Floats], elsewhere: Iterable[Iterable[Priced]]) -> Spread:
    """Low and high factors on the costs of a single design.

    One assumption at a time is replaced by its cheapest and its dearest source: the energy of each component, the law
    of the converters (:mod:`.components.adc`, energy and area), and what rows of devices state ranges for. The
    logarithms of the changes are added in quadrature, as if sources erred independently.

    Args:
        x: A single priced design.
        energies: Its energy by component, each of shape (1,).
        elsewhere: For each assumption about its device, the design as other sources price it.
    """
    own = _costs(x)
    sources = [_converters(x, own)]
    for name, factors in SPREAD.items():
        part = float(energies[name][0]) / own[0]
        sources.append(np.array([[1.0 + (f - 1.0) * part, 1.0, 1.0] for f in factors]))
    sources += [np.array([_costs(y) / own for y in others]) for others in elsewhere]
    logs = [np.log(np.column_stack([s, s.prod(axis=1)])) for s in sources]
    down = np.sqrt(sum(np.minimum(log.min(axis=0), 0.0) ** 2 for log in logs))
    up = np.sqrt(sum(np.maximum(log.max(axis=0), 0.0) ** 2 for log in logs))
    return Spread(*zip(np.exp(-down).tolist(), np.exp(up).tolist(), strict=True))


def _costs(x: Priced) -> Floats:
    """Energy (pJ), latency (ns) and area (um2) of a single design."""
    latency = float(x.timing.latency_ns[0])
    energy = float(total(x.energy_slot)[0]) + float(x.leakage_mw[0]) * latency
    return np.array([energy, latency, float(total(x.area.slot)[0] + stages.added(x.area.chip)[0, 0])])


def _converters(x: Priced, own: Floats) -> Floats:
    """Factors on energy, latency and area under every other law of the converters, one row each."""
    c = x.context
    count = x.area.arrays * np.ceil(c.workload.cols / c.workload.mux)
    rows = [[1.0, 1.0, 1.0]]  # the profile's own law
    for law in ADC_MODELS:
        if law == c.profile.adc_model:
            continue
        pj, um2 = stages.adc_prices(c, x.timing.period_ns, adc_table(c.profile, law))
        more_pj = float(total(x.energy["adc"] * (pj / x.adc_pj - 1.0))[0])
        more_um2 = float(total(count * (um2 - x.adc_um2))[0])
        rows.append([1.0 + more_pj / own[0], 1.0, 1.0 + more_um2 / own[2]])
    return np.array(rows)
