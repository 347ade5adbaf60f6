"""Which settings of a chip a cost model reads, so that none is ignored without a word.

A simulator re-implemented from its own rules fixes much of a chip by itself. Such a model says which settings it reads
and which chip it starts from; a chip that differs from this base chip in a setting that is not read is refused by name.
A space that fixes such settings at other values, once for all designs, is priced with the model's own values instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.workload import CROSSBAR, Workload
from nax_bo.hardware.workload.slots import ARRAY_FIELDS, CHIP_FIELDS, CODES, array_column, chip_row

COST_FREE = ("adc_range", "adc_enob")
"""Settings of an array that decide what it computes and not what that costs."""

_ARRAY = tuple(f.name for f in fields(ArraySpec) if f.name not in COST_FREE)
_CHIP = tuple(f.name for f in fields(ChipSpec) if f.name not in ("arrays", "digital_layers"))
_COLUMNS = {setting: column for setting, (column, _) in CODES.items()}
"""Columns of a workload that have another name than the setting."""


@dataclass(frozen=True)
class Reads:
    """What a cost model reads.

    Attributes:
        model: Its name.
        base: The chip that it starts from.
        settings: Fields of ChipSpec and ArraySpec that it reads.
        per_layer: Whether layers may differ in array settings.
        fixed: Settings that a space fixes and the model replaces by its own, with the space's values.
    """

    model: str
    base: ChipSpec
    settings: frozenset[str]
    per_layer: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def check(self, chip: ChipSpec) -> None:
        """Raise InputError naming all settings that the model does not read and that differ from its base chip."""
        own = self.base.arrays[0]
        off = [n for n in self._unread(_CHIP) if getattr(chip, n) != getattr(self.base, n)]
        arrays = [
            n for n in self._unread(_ARRAY) if any(getattr(a, n) != getattr(own, n) for a in chip.arrays)
        ]
        self._refuse(off + arrays)

    def check_workload(self, w: Workload) -> None:
        """The same for many designs as arrays."""
        expected, off = self._columns(), []
        for name in (*self._unread(_CHIP), *self._unread(_ARRAY)):
            values = getattr(w, _COLUMNS.get(name, name))
            if name == "device":
                differs = np.array(w.devices)[values.astype(np.intp)] != self.base.device
            else:
                differs = values != expected[_COLUMNS.get(name, name)]
                if name in _ARRAY:
                    differs = differs & (w.kind == CROSSBAR)
            if differs.any():
                off.append(name)
        self._refuse(off)

    def for_designs(self, chips: Sequence[ChipSpec]) -> Reads:
        """What is read of designs like these: settings that are not read and the same in all are the model's own.

        Raises:
            InputError: Settings that differ between the designs are not read.
        """
        own, first = self.base.arrays[0], chips[0]
        varied = [n for n in self._unread(_CHIP) if any(getattr(c, n) != getattr(first, n) for c in chips)]
        fixed = {
            n: getattr(first, n) for n in self._unread(_CHIP) if getattr(first, n) != getattr(self.base, n)
        }
        for name in self._unread(_ARRAY):
            values = {getattr(a, name) for c in chips for a in c.arrays}
            if len(values) > 1:
                varied.append(name)
            elif values != {getattr(own, name)}:
                fixed[name] = values.pop()
        if not self.per_layer and any(len(set(c.arrays)) > 1 for c in chips):
            raise InputError(
                f"the space gives layers arrays of their own, which cost model {self.model} cannot express",
                "Use --cost-model xpertsim, which prices layers one by one, or published.",
            )
        if varied:
            raise InputError(
                f"the space varies {', '.join(varied)}, which cost model {self.model} does not read",
                f"It reads {', '.join(sorted(self.settings))}. Use another space (--system) or cost model.",
            )
        return replace(self, fixed=fixed)

    def own_chip(self, chip: ChipSpec) -> ChipSpec:
        """The chip with the model's own values for :attr:`fixed`."""
        if not self.fixed:
            return chip
        own = self.base.arrays[0]
        array = {n: getattr(own, n) for n in self.fixed if n in _ARRAY}
        shared = {n: getattr(self.base, n) for n in self.fixed if n in _CHIP}
        return replace(chip, arrays=tuple(replace(a, **array) for a in chip.arrays), **shared)

    def own_workload(self, w: Workload) -> Workload:
        """The same for many designs as arrays."""
        changed: dict[str, Any] = {}
        expected = self._columns()
        for name in self.fixed:
            column = _COLUMNS.get(name, name)
            changed[column] = np.full((1, 1), expected[column], dtype=getattr(w, column).dtype)
        if "device" in self.fixed:
            changed["devices"] = (self.base.device,)
        return replace(w, **changed) if changed else w

    def _columns(self) -> dict[str, float]:
        """Columns of a workload that are the base chip."""
        array = zip((*ARRAY_FIELDS, "offset", "flash"), array_column(self.base.arrays[0], False), strict=True)
        return dict(array) | dict(zip(CHIP_FIELDS, chip_row(self.base, (self.base.device,)), strict=True))

    def _unread(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in self.settings]

    def _refuse(self, names: Sequence[str]) -> None:
        if names:
            array = self.base.arrays[0]
            wanted = ", ".join(
                f"{n}={getattr(self.base, n) if n in _CHIP else getattr(array, n)}" for n in names
            )
            raise InputError(
                f"cost model {self.model} does not read {', '.join(names)}",
                f"It prices chips with {wanted}; leave these alone, or use another cost model.",
            )
