"""Lower networks and chips to rows of numbers: what :class:`~nax_bo.hardware.workload.Workload` is built from.

A slot is a matrix product: a static layer (``conv``, ``linear``) or one of the two products of an attention layer.
Element-wise layers (pooling, addition, activation, normalisation) belong to the slot listed before them: their
operations are added to it, and of such a stretch of layers only those outputs are written to the buffer that are read
outside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.tables import read_table
from nax_bo.network.spec import INPUT, NetworkSpec

ABSENT, CROSSBAR, DIGITAL, DYNAMIC = 0, 1, 2, 3
"""Kinds of slot: padding; weights in crossbars; static weights on the digital unit; product of two activations."""

NETWORK_FIELDS = (
    "kind",
    "matrix_rows",
    "matrix_cols",
    "groups",
    "vectors",
    "in_elements",
    "out_elements",
    "residual_elements",
    "kernel_area",
    "digital_ops",
)
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
CHIP_FIELDS = (*CHIP_NUMBERS, "tiles", "kernel_position", "pipelined", "shared_tiles", "dram", "device")


def dram_code(name: str) -> int:
    """Row of the off-chip memory called ``name``.

    Raises:
        InputError: No such memory; the hint lists the known ones.
    """
    known = read_table("off_chip_memory")["name"]
    if name not in known:
        raise InputError(f"unknown off-chip memory {name!r}", f"Known: {', '.join(known)}.")
    return known.index(name)


@dataclass(frozen=True, slots=True)
class NetworkRows:
    """Slots of a network.

    Attributes:
        names: Of the slots.
        static: Whether a slot has weights.
        values: Geometry, ``NETWORK_FIELDS`` x slots.
    """

    names: tuple[str, ...]
    static: tuple[bool, ...]
    values: NDArray[np.float64]


def slot_names(network: NetworkSpec) -> tuple[str, ...]:
    """Names of a network's slots: static layers by name, attention as ``<name>.scores`` and ``<name>.values``."""
    return network_rows(network).names


@lru_cache(maxsize=256)
def network_rows(network: NetworkSpec) -> NetworkRows:
    """Geometry of a network: one column per slot, rows as in ``NETWORK_FIELDS``."""
    names: list[str] = []
    rows: list[list[float]] = []
    slot_of = {INPUT: -1}  # the slot whose stretch of layers computes a feature map
    pending = 0.0  # element operations before the first product
    for layer in network.layers:
        if layer.is_static:
            area = layer.kernel[0] * layer.kernel[1]
            rows.append([CROSSBAR, layer.matrix_rows, layer.matrix_cols, layer.groups, layer.vectors,
                         layer.in_elements, layer.out_elements, 0, area, layer.digital_ops + pending])  # fmt: skip
            names.append(layer.name)
            pending = 0.0
        elif layer.op == "attention":
            tokens, width = layer.out_shape[1], layer.out_shape[0]
            head, scores = width // layer.heads, layer.heads * tokens * tokens
            product = [tokens, layer.heads, tokens]
            rows.append(
                [DYNAMIC, head, *product, 2 * tokens * width, scores, 0, 1, layer.digital_ops + pending]
            )
            rows.append(
                [DYNAMIC, tokens, head, layer.heads, tokens, scores, tokens * width, tokens * width, 1, 0]
            )
            names += [f"{layer.name}.scores", f"{layer.name}.values"]
            pending = 0.0
        elif rows:
            rows[-1][9] += layer.digital_ops
        else:
            pending += layer.digital_ops
        slot_of[layer.name] = len(rows) - 1
    if not rows:
        raise InputError(
            f"network {network.name!r} has no matrix product", "Give a network with conv or linear layers."
        )
    _count_feature_maps(network, slot_of, rows)
    static = tuple(row[0] == CROSSBAR for row in rows)
    return NetworkRows(tuple(names), static, np.array(rows, dtype=float).T)


def _count_feature_maps(network: NetworkSpec, slot_of: dict[str, int], rows: list[list[float]]) -> None:
    """Set what every slot writes, and add what its element-wise layers read, in place.

    A feature map is written where it is read outside the stretch of layers that computes it (or is the result), once;
    a stretch reads every map from outside once: a gate reads the map that it scales, which was written before.
    """
    written = {network.layers[-1].name}
    for layer in network.layers:
        own = slot_of[layer.name]
        outside = {name for name in layer.inputs if slot_of[name] != own}
        written |= outside
        if not layer.is_static and layer.op != "attention" and own >= 0:
            rows[own][7] += sum(_elements(network, name) for name in outside)
    counted = [0.0] * len(rows)
    for layer in network.layers:
        if layer.name in written and slot_of[layer.name] >= 0:
            counted[slot_of[layer.name]] += layer.out_elements
    for row, elements in zip(rows, counted, strict=True):
        row[6] = elements or row[6]  # scores of an attention layer are read by its second product


def _elements(network: NetworkSpec, name: str) -> int:
    return int(np.prod(network.input_shape)) if name == INPUT else network.layer(name).out_elements


def array_rows(table: NetworkRows, chip: ChipSpec) -> NDArray[np.float64]:
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
