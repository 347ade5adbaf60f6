"""Which non-idealities have any effect on a device under given conditions: only those are listed as simulated."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nax_bo.hardware.chip.device_noise import NoNoise
from nax_bo.hardware.chip.devices import Device
from nax_bo.hardware.chip.spec import ArraySpec, Conditions

EFFECTS: Mapping[str, str] = MappingProxyType(
    {
        "programming_noise": "programming noise",
        "drift": "drift",
        "read_noise": "read noise",
        "faults": "stuck cells",
        "ir_drop": "IR drop",
        "converter_noise": "ADC noise",
        "converter_offset": "ADC offset",
        "converter_gain": "ADC gain error",
        "converter_inl": "ADC nonlinearity",
    }
)
"""All of them by name, as people call them."""


def acting(device: Device, conditions: Conditions, array: ArraySpec) -> tuple[str, ...]:
    """Those of :data:`EFFECTS` that change what arrays of ``device`` return, in their order."""
    on = conditions.converter_errors
    acts = {
        "programming_noise": conditions.programming_noise
        and conditions.variation_scale > 0
        and not isinstance(device.programming, NoNoise),
        "drift": conditions.time_s > 0 and not isinstance(device.drift, NoNoise),
        "read_noise": conditions.read_noise and not isinstance(device.read_noise, NoNoise),
        "faults": conditions.faults and device.stuck_on_probability + device.stuck_off_probability > 0,
        "ir_drop": conditions.ir_drop and device.resistive,
        "converter_noise": conditions.noise_lsb(array) > 0,
        "converter_offset": on and conditions.offset_sigma_lsb > 0,
        "converter_gain": on and conditions.converter_gain_error > 0,
        "converter_inl": on and conditions.converter_inl_lsb > 0,
    }
    return tuple(name for name in EFFECTS if acts[name])
