"""Hardware settings by name: ``adc_bits=5``, ``crossbar=64``, ``layer3.adc_bits=6``, ``device=pcm``.

Names are the fields of :class:`~nax_bo.hardware.chip.ChipSpec` and :class:`~nax_bo.hardware.chip.ArraySpec`. A field
of an array applies to all layers, or to one with a prefix: ``layer<i>.`` counts the network's static layers from 1,
``<layer name>.`` takes the layer's own name. ``crossbar`` sets rows and columns at once, ``column_sharing`` is
``mux``, ``node`` is ``technology_nm``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.chip.devices import device
from nax_bo.network.spec import NetworkSpec

Value = int | float | str | tuple[str, ...]

_ARRAY = {f.name: getattr(ArraySpec(), f.name) for f in fields(ArraySpec)}
_CHIP = {f.name: getattr(ChipSpec(), f.name) for f in fields(ChipSpec) if f.name != "arrays"}
_ALIASES: dict[str, tuple[str, ...]] = {
    "crossbar": ("rows", "cols"),
    "column_sharing": ("mux",),
    "node": ("technology_nm",),
}
_LAYER_NUMBER = re.compile(r"layer(\d+)$")
_MOST_VALUES = 10_000


def setting_names() -> tuple[str, ...]:
    """All names, without layer prefixes."""
    return (*_ALIASES, *_ARRAY, *_CHIP)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and its value.

    Attributes:
        name: As in :func:`setting_names`.
        value: Of the field's type.
        layer: ``"layer3"`` or a layer's name; empty for all layers.

    Raises:
        InputError: Unknown name (the closest are suggested), a layer prefix on a chip setting, or a value of the
            wrong type.
    """

    name: str
    value: Value
    layer: str = ""

    def __post_init__(self) -> None:
        _known(self.name)
        if self.layer and not set(_fields_of(self.name)) <= set(_ARRAY):
            raise InputError(
                f"{self.layer}.{self.name} = {self.value}: {self.name!r} belongs to the whole chip",
                f"Write {self.name}={self.value}. Layers have: {', '.join(_ARRAY)}.",
            )

    @classmethod
    def parse(cls, text: str) -> Setting:
        """``name=value`` or ``layer.name=value``; ``digital_layers`` takes names joined by ``+``, or ``none``."""
        layer, name, value = _split(text)
        return cls(name, _value(name, value), layer)

    @property
    def label(self) -> str:
        """The text form."""
        value = self.value
        shown = ("+".join(value) or "none") if isinstance(value, tuple) else _number(value)
        return f"{self.address}={shown}"

    @property
    def address(self) -> str:
        """The text form without the value."""
        return f"{self.layer}.{self.name}" if self.layer else self.name


@dataclass(frozen=True, slots=True)
class Sweep:
    """Several values of one setting."""

    settings: tuple[Setting, ...]

    @property
    def address(self) -> str:
        """What is varied."""
        return self.settings[0].address


def parse_sweep(text: str) -> Sweep:
    """Values of one setting: ``mux=2,4,8``, ``adc_bits=3:8`` (both ends), ``node=10:40:10``, ``mux=1:32:*2``.

    Raises:
        InputError: Unknown name, no or too many values, or a range of something that is not a number.
    """
    layer, name, values = _split(text)
    made = [
        Setting(name, _value(name, item), layer) for part in values.split(",") for item in _expand(name, part)
    ]
    if not made or len(made) > _MOST_VALUES:
        raise InputError(f"{text!r} gives {len(made)} values", f"Give 1 to {_MOST_VALUES}.")
    return Sweep(tuple(dict.fromkeys(made)))


def apply_settings(network: NetworkSpec, chip: ChipSpec, settings: Iterable[Setting]) -> ChipSpec:
    """The chip with all settings applied together, later ones last, and with those that they imply (:func:`implied`).

    Raises:
        InputError: An unknown layer, or values that do not fit each other (``mux`` above ``cols``).
    """
    shared: dict[str, Any] = {}
    everywhere: dict[str, Any] = {}
    single: dict[int, dict[str, Any]] = {}
    given = list(settings)
    for setting in (*implied(chip, given), *given):
        names = _fields_of(setting.name)
        if names[0] in _CHIP:
            target = shared
        else:
            target = single.setdefault(_layer(network, setting.layer), {}) if setting.layer else everywhere
        target.update(dict.fromkeys(names, setting.value))
    arrays = chip.arrays
    if single:
        count = len(network.static_layers)
        arrays = tuple(chip.array(i, count) for i in range(count))
    if everywhere or single:
        arrays = tuple(replace(a, **everywhere | single.get(i, {})) for i, a in enumerate(arrays))
    return replace(chip, arrays=arrays, **shared)


def implied(chip: ChipSpec, settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """What settings bring with them unless they say otherwise: a device's most bits per cell, if the chip has more.

    Raises:
        InputError: An unknown device.
    """
    named = {setting.name: setting.value for setting in settings}
    if "device" not in named or "bits_per_cell" in named:
        return ()
    stored = device(str(named["device"])).bits_per_cell
    return (Setting("bits_per_cell", stored),) if any(a.bits_per_cell > stored for a in chip.arrays) else ()


def _layer(network: NetworkSpec, layer: str) -> int:
    names = [spec.name for spec in network.static_layers]
    if layer in names:
        return names.index(layer)
    number = _LAYER_NUMBER.match(layer)
    if number and 1 <= int(number[1]) <= len(names):
        return int(number[1]) - 1
    near = difflib.get_close_matches(layer, names, n=3)
    raise InputError(
        f"network {network.name!r} has no static layer {layer!r}",
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"Use layer1 to layer{len(names)}, or a layer's name.",
    )


def _split(text: str) -> tuple[str, str, str]:
    address, equals, value = text.partition("=")
    layer, _, name = address.strip().rpartition(".")
    if not equals or not value.strip() or not name:
        raise InputError(
            f"{text!r} is no setting", "Write name=value, for example adc_bits=5 or layer3.adc_bits=6."
        )
    _known(name)
    return layer, name, value.strip()


def _known(name: str) -> None:
    if name in setting_names():
        return
    near = difflib.get_close_matches(name, setting_names(), n=3)
    raise InputError(
        f"there is no hardware setting {name!r}",
        f"Did you mean {' or '.join(near)}?" if near else f"Choose one of: {', '.join(setting_names())}.",
    )


def _fields_of(name: str) -> tuple[str, ...]:
    return _ALIASES.get(name, (name,))


def _default(name: str) -> Any:
    field = _fields_of(name)[0]
    return _CHIP[field] if field in _CHIP else _ARRAY[field]


def _value(name: str, text: str) -> Value:
    default, text = _default(name), text.strip()
    if isinstance(default, tuple):
        return () if text == "none" else tuple(re.split(r"\s*[+,]\s*", text))
    try:
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"{name} = {text!r}", f"Give {kind}.") from None
    if name == "adc_range" and text != "calibrated":
        return _fraction(text)
    return text


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"adc_range = {text!r}", "Give 'calibrated' or a fraction in (0, 1].") from None


def _expand(name: str, part: str) -> Sequence[str]:
    if ":" not in part:
        return [part]
    pieces = part.split(":")
    default = _default(name)
    if isinstance(default, (tuple, str)) or len(pieces) > 3:
        raise InputError(
            f"{name} = {part!r} is no range", "Write first:last, first:last:step or first:last:*factor."
        )
    try:
        first, last = float(pieces[0]), float(pieces[1])
        step_text = pieces[2] if len(pieces) == 3 else "1"
        factor = step_text.startswith("*")
        step = float(step_text.lstrip("*"))
    except ValueError:
        raise InputError(f"{name} = {part!r} is no range", "Give numbers.") from None
    if step <= (1 if factor else 0) or last < first or (factor and first <= 0):
        raise InputError(
            f"{name} = {part!r} is an endless or empty range", "Go upwards: 3:8, 10:40:10, 1:32:*2."
        )
    values: list[str] = []
    x = first
    while x <= last * (1 + 1e-12) and len(values) <= _MOST_VALUES:
        values.append(_number(x))
        x = x * step if factor else first + len(values) * step
    return values


def _number(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
