"""Lower chips to rows of numbers, beside those of :mod:`nax_bo.hardware.workload.geometry`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.tables import read_table
from nax_bo.hardware.workload.geometry import SlotTable

ARRAY_FIELDS = (
    "rows",
    "cols",
    "bits_per_cell",
    "weight_bits",
    "input_bits",
    "dac_bits",
    "adc_bits",
    "mux",
    "duplication",
)
CHIP_NUMBERS = (
    "technology_nm",
    "pes_per_tile",
    "arrays_per_pe",
    "global_buffer_kb",
    "tile_buffer_kb",
    "dram_bandwidth_gb_s",
    "clock_ghz",
    "noc_bits",
    "buffer_port_bits",
    "digital_macs",
)
CODES = {
    "encoding": ("offset", "offset"),
    "adc_type": ("flash", "flash"),
    "mapping": ("kernel_position", "kernel_position"),
    "dataflow": ("pipelined", "pipelined"),
    "tile_use": ("shared_tiles", "shared"),
}
"""Settings that are words: the field of the workload, and the word for which it is 1."""
CHIP_FIELDS = (*CHIP_NUMBERS, "tiles", "kernel_position", "pipelined", "shared_tiles", "dram", "device")


def default_of(field: str) -> Any:
    """The default of a field of ``ArraySpec`` or ``ChipSpec``."""
    chip = ChipSpec()
    return getattr(chip.arrays[0] if hasattr(chip.arrays[0], field) else chip, field)


def dram_code(name: str) -> int:
    """Row of the off-chip memory called ``name``.

    Raises:
        InputError: No such memory; the hint lists the known ones.
    """
    known = read_table("off_chip_memory")["name"]
    if name not in known:
        raise InputError(f"unknown off-chip memory {name!r}", f"Known: {', '.join(known)}.")
    return known.index(name)


def array_rows(table: SlotTable, chip: ChipSpec) -> NDArray[np.float64]:
    """Array settings of every slot: ``ARRAY_FIELDS``, offset, flash x slots.

    A product of two activations has the precision of the inputs of the static layer before it, on both sides.

    Raises:
        InputError: Per-layer settings were given for another number of layers.
    """
    chip.array(0, sum(table.static))  # refuses a wrong number of settings
    shared, columns, at = len(chip.arrays) == 1, [], 0
    for static in table.static:
        array = chip.arrays[0 if shared else at if static else max(at - 1, 0)]
        columns.append(array_column(array, dynamic=not static))
        at += static
    return np.stack(columns, axis=1)


@lru_cache(maxsize=4096)
def array_column(array: ArraySpec, dynamic: bool) -> NDArray[np.float64]:
    """Settings of an array: ``ARRAY_FIELDS``, offset, flash; ``dynamic``: for a product of two activations."""
    coded = (array.encoding == "offset", array.adc_type == "flash")
    values: dict[str, Any] = {name: getattr(array, name) for name in ARRAY_FIELDS}
    if dynamic:
        values["weight_bits"] = max(2, array.input_bits)
    return np.array([*values.values(), *coded], dtype=float)


def chip_row(chip: ChipSpec, devices: tuple[str, ...]) -> list[float]:
    """Settings of a chip in the order of ``CHIP_FIELDS``; ``device`` is the index into ``devices``."""
    return [
        *(float(getattr(chip, name)) for name in CHIP_NUMBERS),
        float(chip.tiles),
        float(chip.mapping == "kernel_position"),
        float(chip.dataflow == "pipelined"),
        float(chip.tile_use == "shared"),
        float(dram_code(chip.dram)),
        float(devices.index(chip.device)),
    ]
