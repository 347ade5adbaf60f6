"""Whether two chips programmed with the same design differ at all in the model."""

from __future__ import annotations

from nax_bo.hardware.chip.device_noise import NONE
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.spec import ChipSpec, Conditions


def chips_differ(chip: ChipSpec, conditions: Conditions) -> bool:
    """Whether anything random happens to the cells under ``conditions``: programming, reading, drifting or breaking.

    Where not, every chip of the design is the same chip: its accuracy has no spread between chips. That says what the
    *model* of the device holds, not that the device is perfect: a source that quantifies no noise gives none.

    Raises:
        InputError: Unknown device.
    """
    cell = device(chip.device)
    programmed = conditions.programming_noise and conditions.variation_scale > 0 and cell.programming != NONE
    read = conditions.read_noise and cell.read_noise != NONE
    broken = conditions.faults and cell.stuck_on_probability + cell.stuck_off_probability > 0
    drifted = conditions.time_s > 0 and cell.drift != NONE
    return programmed or read or broken or drifted
