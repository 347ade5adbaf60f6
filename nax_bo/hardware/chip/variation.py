"""Whether two programmed chips of one design differ at all in the model."""

from __future__ import annotations

from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.effects import acting
from nax_bo.hardware.chip.spec import ChipSpec, Conditions

_ALIKE = {"ir_drop"}
"""Effects that are the same on every chip."""


def chips_differ(chip: ChipSpec, conditions: Conditions) -> bool:
    """Whether anything random happens to cells or converters under ``conditions``.

    Where not, every chip of the design is the same chip: its accuracy has no spread between chips. That says what the
    *model* of the device holds, not that the device is perfect: a source that quantifies no noise gives none.

    Raises:
        InputError: Unknown device.
    """
    cell = device(chip.device)
    return any(set(acting(cell, conditions, array)) - _ALIKE for array in chip.arrays)
