"""Chip choices that the built-in systems share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nax_bo.network.spec import Shape
from nax_bo.space import Condition, Variable, categorical, ordinal

DEVICES = ("rram", "pcm", "fefet", "stt-mram", "sram")
"""STT-MRAM and SRAM cells store one bit, the FeFET's source two, the others up to four."""


def chip_variables() -> list[Variable]:
    """Device, cell, converter and precision choices of the whole chip.

    The converter's type and its sharing cannot change what is computed (equal bits, equal levels), so they affect
    cost only and are solved exactly.
    """
    return [
        categorical("device", DEVICES),
        ordinal("bits_per_cell", (1, 2, 4), when=Condition("device", ("rram", "pcm"))),
        ordinal("fefet_bits_per_cell", (1, 2), when=Condition("device", ("fefet",))),
        ordinal("weight_bits", (2, 3, 4, 5, 6, 8)),
        ordinal("input_bits", (1, 2, 3, 4, 6, 8)),
        ordinal("adc_bits", (3, 4, 5, 6, 7, 8)),
        categorical("adc_type", ("sar", "flash"), affects="cost"),
        ordinal("mux", (1, 2, 4, 8, 16, 32), affects="cost"),
    ]


def shared_settings(input_shape: Shape) -> dict[str, Any]:
    """Hierarchy, buffers and off-chip bandwidth for the image size.

    Networks for small images fill few arrays and move little, so tiles and buffers are small, and the interface to the
    off-chip memory is narrow (16 pins of 0.8 Gb/s).
    """
    if min(input_shape[1:]) < 16:
        return {
            "pes_per_tile": 4,
            "arrays_per_pe": 2,
            "global_buffer_kb": 32.0,
            "tile_buffer_kb": 8.0,
            "dram_bandwidth_gb_s": 1.6,
        }
    return {"pes_per_tile": 8, "arrays_per_pe": 8, "global_buffer_kb": 512.0, "tile_buffer_kb": 64.0}


def chip_settings(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a :class:`~nax_bo.hardware.chip.ChipPlan` that :func:`chip_variables` decides."""
    bits = np.maximum(
        choices["bits_per_cell"], choices["fefet_bits_per_cell"]
    )  # one at most is active, or both 1
    names = ("device", "weight_bits", "input_bits", "adc_bits", "adc_type", "mux")
    return {"bits_per_cell": bits, **{name: choices[name] for name in names if name in choices}}
