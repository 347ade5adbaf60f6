"""The workload of many designs of one family: its networks (:class:`NetworkBatch`) on its chips (:class:`ChipPlan`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.hardware.workload.arrays import Workload
from nax_bo.hardware.workload.geometry import CROSSBAR, DIGITAL, NETWORK_FIELDS, SlotTable, slot_table
from nax_bo.hardware.workload.slots import ARRAY_FIELDS, CHIP_FIELDS, CODES, default_of, dram_code
from nax_bo.network.batch import NetworkBatch

Floats = NDArray[np.float64]

_EMPTY = ("kind", "vectors", "in_elements", "out_elements", "residual_elements", "digital_ops")
_IDLE = {"cols": 4096.0, "weight_bits": 2.0}
"""What absent slots show where 1 is out of range or may not fit the column sharing."""
_WORD_OF = {field: (name, word) for name, (field, word) in CODES.items()}


def workload_of(networks: NetworkBatch, chips: ChipPlan, n: int) -> Workload:
    """``n`` designs, equal to building every network and every chip by itself.

    Raises:
        InputError: The plan names a layer that no network has, or a value is out of range.
    """
    return on_chips(slot_table(networks, n), networks.static_names, chips, n)


def on_chips(table: SlotTable, static_names: Sequence[str], chips: ChipPlan, n: int) -> Workload:
    """The same from the slots of the networks, for several plans of chips."""
    chips.check_layers(static_names)
    present = _mask(table, n)
    order = None if _absent_last(present) else np.argsort(~present, axis=1, kind="stable")
    values: dict[str, Any] = {}
    for i, field in enumerate(NETWORK_FIELDS):
        rows = table.values[i]
        if field == "kind":
            rows = _with_digital(rows, table, chips)
        values[field] = _arranged(rows.T, present, order, 0.0 if field in _EMPTY else 1.0)
    for field in (*ARRAY_FIELDS, "offset", "flash"):
        values[field] = _array_setting(field, table, chips, present, order)
    devices, codes = _device_index(chips.settings.get("device", default_of("device")))
    values["device"] = codes
    values |= {field: _chip_setting(field, chips) for field in CHIP_FIELDS if field != "device"}
    return Workload.from_arrays(devices, **{k: v for k, v in values.items() if v is not None})


def _mask(table: SlotTable, n: int) -> NDArray[np.bool_]:
    return np.stack([np.broadcast_to(np.asarray(p), (n,)) for p in table.present], axis=1)


def _absent_last(present: NDArray[np.bool_]) -> bool:
    return not (present[:, 1:] & ~present[:, :-1]).any()


def _arranged(
    values: Floats, present: NDArray[np.bool_], order: NDArray[np.intp] | None, absent: float
) -> Floats:
    """Values n x slots with the absent ones at the end."""
    if not present.all():
        values = np.where(present, values, absent)
    return np.ascontiguousarray(values if order is None else np.take_along_axis(values, order, axis=1))


def _with_digital(kinds: Floats, table: SlotTable, chips: ChipPlan) -> Floats:
    digital = chips.settings.get("digital_layers", ())
    on_unit = np.array([name in digital for name in table.names])
    return np.where(on_unit[:, None] & (kinds == CROSSBAR), float(DIGITAL), kinds)


def _array_setting(
    field: str, table: SlotTable, chips: ChipPlan, present: NDArray[np.bool_], order: NDArray[np.intp] | None
) -> Any:
    """An array setting of every slot, 1 x 1, n x 1 or n x slots; None where the default holds."""
    name, word = _WORD_OF.get(field, (field, None))
    dynamic = np.array([not static for static in table.static])
    needs_inputs = field == "weight_bits" and dynamic.any()
    if name not in chips.varied and not needs_inputs:
        return _coded(chips.settings.get(name), word)
    values = _per_slot(name, word, table, chips, len(present))
    if needs_inputs:  # a product of two activations has the precision of inputs on both sides
        inputs = _per_slot("input_bits", None, table, chips, len(present))
        values = np.where(dynamic[:, None], np.maximum(2.0, inputs), values)
    return _arranged(values.T, present, order, _IDLE.get(field, 1.0))


def _per_slot(field: str, word: str | None, table: SlotTable, chips: ChipPlan, n: int) -> Floats:
    """Values slots x n; those of a product of two activations are the ones of the static layer before it."""
    out = np.empty((len(table.names), n))
    for i, name in enumerate(table.names):
        if table.static[i]:
            value = chips.of(field, name)
            out[i] = _coded(default_of(field) if value is None else value, word)
    designs = np.arange(n)
    for i, static in enumerate(table.static):
        if not static:
            out[i] = out[np.maximum(table.before[i], table.static.index(True)), designs]
    return out


def _coded(value: Any, word: str | None) -> Any:
    if value is None or word is None:
        return value
    return (np.asarray(value) == word).astype(float)


def _chip_setting(field: str, chips: ChipPlan) -> Any:
    name, word = _WORD_OF.get(field, (field, None))
    value = chips.settings.get(name)
    if field == "dram" and value is not None:
        names, index = _device_index(value)
        return np.array([dram_code(x) for x in names], dtype=float)[index]
    return _coded(value, word)


def _device_index(value: Any) -> tuple[Sequence[str], NDArray[np.intp]]:
    """Words as (the different ones, index of each design's)."""
    words = np.atleast_1d(np.asarray(value))
    if words.dtype.kind not in "UO":
        raise InputError(f"a chip setting {value!r} that should be a name", "Give text.")
    names = list(dict.fromkeys(words.tolist()))
    index = np.zeros(len(words), dtype=np.intp)
    for i, name in enumerate(names):
        index[words == name] = i
    return tuple(names), index
