"""The chips of many designs: settings that are numbers, words, or arrays of them with one value per design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip.spec import ArraySpec, ChipSpec

Setting = Any
"""A value of a field, or an array with one value per design."""

_OF_ARRAY = tuple(f.name for f in fields(ArraySpec))
_OF_CHIP = tuple(f.name for f in fields(ChipSpec) if f.name != "arrays")


class ChipPlan:
    """What a system makes of a design's choices; layers are addressed by name, so it fits every network of a family.

    >>> plan = ChipPlan(device="rram", rows=64, cols=64, layers={"s1": {"rows": 32}, "s1.b2": {"rows": 16}})
    >>> [plan.of("rows", name) for name in ("s1.b1.conv1", "s1.b2.conv1", "s2.b1.conv1")]
    [32, 16, 64]

    Args:
        layers: For a layer's name, or for a group of them (``s1`` holds ``s1.b2.conv1``), fields of
            :class:`ArraySpec`; the longest fitting name counts.
        settings: Fields of :class:`ChipSpec`, and of :class:`ArraySpec` for all layers.

    Raises:
        InputError: A setting is no field of either.
    """

    def __init__(
        self, layers: Mapping[str, Mapping[str, Setting]] | None = None, **settings: Setting
    ) -> None:
        self.layers = dict(layers or {})
        self.settings = settings
        _known("a chip", settings, (*_OF_CHIP, *_OF_ARRAY))
        for name, own in self.layers.items():
            _known(f"the crossbars of {name!r}", own, _OF_ARRAY)

    def of(self, field: str, layer: str) -> Setting:
        """An array setting of a layer; None if the plan leaves it at its default."""
        parts = layer.split(".")
        for end in range(len(parts), 0, -1):
            own = self.layers.get(".".join(parts[:end]), {})
            if field in own:
                return own[field]
        return self.settings.get(field)

    @property
    def varied(self) -> frozenset[str]:
        """Array settings that some layer has for itself."""
        return frozenset(field for own in self.layers.values() for field in own)

    def check_layers(self, names: Sequence[str]) -> None:
        """Refuse settings for layers that are not among ``names``; raises InputError."""
        groups = {name.rsplit(".", k)[0] for name in names for k in range(name.count(".") + 1)}
        unknown = [name for name in self.layers if name not in groups]
        unknown += [name for name in self.settings.get("digital_layers", ()) if name not in names]
        if unknown:
            raise InputError(
                f"the chip has settings for {', '.join(map(repr, unknown))}, which no network of the space has",
                f"Its layers: {', '.join(names)}.",
            )

    def spec(self, names: Sequence[str]) -> ChipSpec:
        """The chip of one design.

        Args:
            names: The network's static layers, in order.

        Raises:
            InputError: A value that a chip cannot have.
        """
        chip = {name: _single(self.settings[name]) for name in _OF_CHIP if name in self.settings}
        if "digital_layers" in chip:
            chip["digital_layers"] = tuple(name for name in chip["digital_layers"] if name in names)
        per_layer = names if self.layers else ("",)
        arrays = []
        for layer in per_layer:
            own = {field: self.of(field, layer) for field in _OF_ARRAY}
            arrays.append(ArraySpec(**{k: _single(v) for k, v in own.items() if v is not None}))
        return ChipSpec(arrays=tuple(arrays), **chip)


def _known(what: str, given: Mapping[str, Setting], allowed: Sequence[str]) -> None:
    if unknown := sorted(set(given) - set(allowed)):
        raise InputError(
            f"{what} has no setting {', '.join(map(repr, unknown))}", f"It has: {', '.join(sorted(allowed))}."
        )


def _single(value: Setting) -> Any:
    if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0:
        return value.item()
    return value
