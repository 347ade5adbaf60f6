"""Memory devices by name.

Published numbers of one technology differ by 100x in resistance and on/off ratio: every row is one publication or one
openly licensed file, never an average. Rows of NeuroSim (non-commercial) and MNSIM (no licence) are not shipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware.chip.device import Device, DeviceKind, Range, Retention
from nax_bo.hardware.chip.device_noise import NONE, RangeNoise, RelativeNoise
from nax_bo.hardware.chip.device_rows import others, pcm, rram

__all__ = ["DEVICES", "Device", "DeviceKind", "Range", "Retention", "device", "with_variation"]


def with_variation(base: Device, sigma: float, form: Literal["range", "relative"] = "range") -> Device:
    """``base`` with Gaussian variation instead of its own programming noise.

    Args:
        base: Any device.
        sigma: Standard deviation as a fraction of the conductance range (``form="range"``: the additive form of NACIM
            and SWIM) or of each conductance (``form="relative"``: the form of DNN+NeuroSim).
        form: Which of the two.

    Raises:
        InputError: Negative or non-finite sigma, or unknown form.
    """
    if not (math.isfinite(sigma) and sigma >= 0):
        raise InputError(f"variation sigma = {sigma}", "Give a fraction >= 0, such as 0.1.")
    models: dict[str, type[RangeNoise] | type[RelativeNoise]] = {
        "range": RangeNoise,
        "relative": RelativeNoise,
    }
    if form not in models:
        raise InputError(f"variation form {form!r}", "Use 'range' or 'relative'.")
    noise = models[form](sigma) if sigma else NONE
    return replace(base, programming=noise, assumed=tuple(sorted({*base.assumed, "programming"})))


_ALIASES = {
    "rram": "rram-neurram",
    "pcm": "pcm-joshi",
    "fefet": "fefet-28nm-array",
    "stt-mram": "stt-mram-nvsim",
    "sram": "sram-charge-domain",
}
_BY_NAME = {row.name: row for row in (*rram.ROWS, *pcm.ROWS, *others.ROWS)}

DEVICES: Mapping[str, Device] = MappingProxyType(_BY_NAME | {a: _BY_NAME[row] for a, row in _ALIASES.items()})
"""Every shipped device by name; the names in :data:`_ALIASES` stand for one well-cited row of each technology."""


def device(name: str) -> Device:
    """The shipped device called ``name``.

    Raises:
        InputError: No such device; the hint lists the known names.
    """
    try:
        return DEVICES[name]
    except KeyError:
        raise InputError(f"unknown device {name!r}", f"Known devices: {', '.join(DEVICES)}.") from None
