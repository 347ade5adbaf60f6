"""Cost models as the sources might have it: every component and device drawn from the range between its sources.

What sources differ by is shared by all designs that use it: in one draw, RRAM is as dear as it is in every design.
A front whose designs are priced with the same draws therefore says which of them stay on it whoever is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from nax_bo.hardware.chip.devices import DEVICES, Device
from nax_bo.hardware.pricing.cost import AnalyticalCostModel
from nax_bo.hardware.pricing.uncertainty import SPREAD
from nax_bo.hardware.profiles import ADC_MODELS, Profile

DRAWN = {
    "driver": ("driver.energy_per_bit_pj", "driver.wire_ff_per_cell"),
    "global_buffer": ("buffer.energy_scale",),
    "interconnect": ("interconnect.hop_energy_per_bit_pj", "interconnect.bus_energy_per_bit_pj"),
    "off_chip": ("memory.energy_scale",),
}
"""Constants that a component's factor multiplies; both kinds of buffer are of one technology."""

FIELDS = ("r_on_ohm", "read_pulse_ns", "cell_area_f2")
"""Fields of a device that its price depends on."""


def drawn_models(profile: Profile, draws: int, seed: int = 0) -> Iterator[AnalyticalCostModel]:
    """Cost models of one profile, its assumptions redrawn each time.

    Factors of :data:`~.uncertainty.SPREAD`, and of each device the resistance, access time and cell area, are uniform
    in the logarithm over their range; a device whose row states none for its resistance has that of ``"array"``. The
    law of the converters is one of :data:`~nax_bo.hardware.profiles.ADC_MODELS`. All are independent. Not drawn: laws
    between technology nodes, digital units, times of converters, and what a device does to accuracy.

    Args:
        profile: The constants to start from.
        draws: How many.
        seed: The same seed gives the same draws.
    """
    rng = np.random.default_rng(seed)
    rows = {row.name: row for row in DEVICES.values()}.values()  # once, whatever its aliases
    for _ in range(draws):
        constants = dict(profile.constants)
        for component, keys in DRAWN.items():
            factor = _between(rng, *SPREAD[component])
            for key in keys:
                constants[key] = replace(constants[key], value=constants[key].value * factor)
        law = ADC_MODELS[rng.integers(len(ADC_MODELS))]
        devices = {row.name: _redrawn(row, rng) for row in rows}
        yield AnalyticalCostModel(Profile(profile.name, profile.summary, law, constants), devices)


def _redrawn(row: Device, rng: np.random.Generator) -> Device:
    """A device with its priced fields drawn; always the same number of random numbers."""
    ranges = {r.field: (r.low, r.high) for r in row.ranges}
    low, high = SPREAD["array"]
    ranges.setdefault("r_on_ohm", (row.r_on_ohm / high, row.r_on_ohm / low))
    values: dict[str, Any] = {}
    for name in FIELDS:
        own = getattr(row, name)
        drawn = _between(rng, *ranges.get(name, (own or 1.0, own or 1.0)))
        values[name] = own if own is None else drawn
    return replace(row, **values)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))
