"""What the layers of networks ask of crossbars and buffers: one table of slots, for one network or for thousands.

A slot is a matrix product: a static layer (``conv``, ``linear``, ``conv_transpose``), one of the two products of an
attention layer, or a ``matmul``. A layer that uses the weights of another adds its vectors to that one's slot.
Element-wise layers (pooling, addition, activation, normalisation) belong to the slot listed before them: their
operations are added to it, and of such a stretch of layers only those outputs are written to the buffer that are read
outside it (or are the network's result). A stretch reads every feature map from outside once per layer that needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.network.batch import NetworkBatch
from nax_bo.network.spec import LayerSpec, NetworkSpec

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
OUT, RESIDUAL, OPS = (NETWORK_FIELDS.index(f) for f in ("out_elements", "residual_elements", "digital_ops"))
_PER_CALL = [NETWORK_FIELDS.index(f) for f in ("vectors", "in_elements", "out_elements")]

Column = Any
"""A number, or an array with one value per design."""


@dataclass(frozen=True, slots=True)
class SlotTable:
    """Slots of n networks.

    Attributes:
        names: Of the slots.
        static: Whether a slot has weights.
        present: For each slot True, or which of the networks have it (length n).
        before: For each slot, the slot of the static layer before it (itself if static), -1 for none; an array of
            length n where networks differ.
        values: Geometry, ``NETWORK_FIELDS`` x slots x n; of no meaning where a slot is absent.
    """

    names: tuple[str, ...]
    static: tuple[bool, ...]
    present: tuple[Column, ...]
    before: tuple[Column, ...]
    values: NDArray[np.float64]


@lru_cache(maxsize=256)
def network_slots(network: NetworkSpec) -> SlotTable:
    """Slots of one network (n = 1)."""
    return slot_table(NetworkBatch.of(network), 1)


def slot_names(network: NetworkSpec) -> tuple[str, ...]:
    """Names of a network's slots: static layers by name, attention as ``<name>.scores`` and ``<name>.values``."""
    return network_slots(network).names


def slot_table(batch: NetworkBatch, n: int) -> SlotTable:
    """Slots of ``n`` networks.

    Raises:
        InputError: A network has no matrix product.
    """
    count = sum(_slots_of(layer) for layer in batch.layers)
    table = _Slots(count, n)
    slot_of: list[Column] = []  # the slot whose stretch of layers computes a feature map
    for layer, present in zip(batch.layers, batch.present, strict=True):
        if layer.weights_of:
            table.call_again(layer.weights_of, _static_row(layer), layer.digital_ops, present)
        elif layer.is_static:
            table.add(layer.name, _static_row(layer), layer.digital_ops, present)
        elif layer.op == "matmul":
            table.add(layer.name, _matmul_row(layer), layer.digital_ops, present)
        elif layer.op == "attention":
            for suffix, row, ops in _attention_rows(layer):
                table.add(f"{layer.name}.{suffix}", row, ops, present)
        else:
            _add_at(table.values[OPS], table.current, _only(present, layer.digital_ops))
        slot_of.append(table.current)
    if np.any(table.current == table.pending):
        raise InputError(
            f"network {batch.name!r} has no matrix product", "Give a network with conv or linear layers."
        )
    _count_feature_maps(batch, slot_of, table)
    return table.finished()


class _Slots:
    """The table while it grows; the row after the last slot collects what comes before the first product."""

    def __init__(self, count: int, n: int) -> None:
        self.values = np.zeros((len(NETWORK_FIELDS), count + 1, n))
        self.designs = np.arange(n)
        self.pending = count
        self.current: Column = self.pending
        self.names: list[str] = []
        self.static: list[bool] = []
        self.present: list[Column] = []
        self.before: list[Column] = []
        self._last_static: Column = -1

    def add(self, name: str, row: Sequence[Column], ops: Column, present: Column) -> None:
        at = len(self.names)
        for field, value in enumerate(row):
            self.values[field, at] = value
        waiting = self.values[OPS, self.pending]
        self.values[OPS, at] = ops + np.where(present, waiting, 0)
        self.values[OPS, self.pending] = np.where(present, 0, waiting)
        self.current = at if present is True else np.where(present, at, self.current)
        if row[0] == CROSSBAR:
            self._last_static = at if present is True else np.where(present, at, self._last_static)
        self.names.append(name)
        self.static.append(bool(row[0] == CROSSBAR))
        self.present.append(present)
        self.before.append(self._last_static)

    def call_again(self, name: str, row: Sequence[Column], ops: Column, present: Column) -> None:
        at = self.names.index(name)
        for field in _PER_CALL:
            self.values[field, at] += np.where(present, row[field], 0)
        self.values[OPS, at] += np.where(present, ops, 0)
        self.current = at if present is True else np.where(present, at, self.current)

    def finished(self) -> SlotTable:
        values = self.values[:, :-1]
        return SlotTable(
            tuple(self.names), tuple(self.static), tuple(self.present), tuple(self.before), values
        )


def _slots_of(layer: LayerSpec) -> int:
    return 0 if layer.weights_of or not layer.is_product else 2 if layer.op == "attention" else 1


def _matmul_row(layer: LayerSpec) -> list[Column]:
    inner, rows, products = layer.in_shape
    cols = layer.out_shape[0]
    operands = layer.in_elements + inner * cols * products
    return [DYNAMIC, inner, cols, products, rows, operands, layer.out_elements, 0, 1]


def _static_row(layer: LayerSpec) -> list[Column]:
    area = 1 if layer.op == "conv_transpose" else layer.kernel[0] * layer.kernel[1]
    return [CROSSBAR, layer.matrix_rows, layer.matrix_cols, layer.groups, layer.vectors, layer.in_elements,
            layer.out_elements, 0, area]  # fmt: skip


def _attention_rows(layer: LayerSpec) -> list[tuple[str, list[Column], Column]]:
    tokens, width = layer.out_shape[1], layer.out_shape[0]
    head, scores = width // layer.heads, layer.heads * tokens * tokens
    mixed = tokens * width
    by_keys = [DYNAMIC, head, tokens, layer.heads, tokens, 2 * mixed, scores, 0, 1]
    by_values = [DYNAMIC, tokens, head, layer.heads, tokens, scores + mixed, mixed, 0, 1]
    return [("scores", by_keys, layer.digital_ops), ("values", by_values, 0)]


def _count_feature_maps(batch: NetworkBatch, slot_of: Sequence[Column], table: _Slots) -> None:
    """Set what every slot writes, and add what its element-wise layers read, in place."""
    n, layers = len(table.designs), len(batch.layers)
    slots, elements = np.empty((layers + 1, n), dtype=np.intp), np.empty((layers + 1, n))
    written = np.zeros((layers + 1, n), dtype=bool)
    slots[-1], elements[-1] = table.pending, np.prod(batch.input_shape)  # the image, where sources are -1
    result: Column = -1
    for i, (layer, present) in enumerate(zip(batch.layers, batch.present, strict=True)):
        slots[i], elements[i] = slot_of[i], layer.out_elements
        own, sources = slot_of[i], batch.sources[i]
        fused = not layer.is_product
        for k, source in enumerate(sources):
            outside = present & ((_at(slots, source) != own) | (not fused))
            for earlier in sources[:k]:
                outside = outside & (source != earlier)
            if isinstance(source, int):
                written[source] |= outside
            else:
                written[source, table.designs] |= outside
            if fused and outside.any():
                _add_at(table.values[RESIDUAL], own, outside * _at(elements, source))
        result = i if present is True else np.where(present, i, result)
    written[result, table.designs] = True
    counted = np.zeros((table.pending + 1, n))
    for i, present in enumerate(batch.present):
        kept = present & written[i]
        if kept.any():
            _add_at(counted, slot_of[i], kept * elements[i])
    out = table.values[OUT]
    out[:] = np.where(counted > 0, counted, out)  # the scores of attention are read by its second product


def _at(table: NDArray[Any], row: Column) -> NDArray[Any]:
    """A row of the table, or each design's own."""
    return table[row] if isinstance(row, int) else np.asarray(table[row, np.arange(table.shape[1])])


def _add_at(table: NDArray[np.float64], row: Column, values: Column) -> None:
    if isinstance(row, int):
        table[row] += values
    else:
        table[row, np.arange(table.shape[1])] += values


def _only(present: Column, values: Column) -> Column:
    return values if present is True else np.where(present, values, 0)
