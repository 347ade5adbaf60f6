"""Profiles: named sets of constants for the cost model, each with unit, source and validity.

``published``, ``isaac`` and ``puma`` are shipped. A user's own profile is a TOML file that names a base and changes
constants of it; a changed constant must bring its unit and its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError
from nax_bo.hardware.chip import technology

SHIPPED = ("published", "isaac", "puma")
REFERENCE_NM = 32.0
"""Node to which constants are moved when a profile is read; the model scales from here to the chip's node."""

ADC_MODELS = ("structural", "silicon", "survey", "zigzag")
"""Laws of :mod:`nax_bo.hardware.pricing.components.adc`."""
_FIELDS = {"value", "unit", "source", "at_nm", "valid"}


@dataclass(frozen=True, slots=True)
class Constant:
    """One number of the component library.

    Attributes:
        value, unit: The number at ``at_nm``, as the source gives it.
        source: Publication or openly licensed file.
        at_nm: CMOS node it belongs to; None where it does not depend on one.
        valid: Range in which the source holds, in words.
    """

    value: float
    unit: str
    source: str
    at_nm: float | None = None
    valid: str = ""

    @property
    def at_reference(self) -> float:
        """The value at :data:`REFERENCE_NM`: pJ and fJ, um2 and ns follow the laws of :mod:`.technology`."""
        if self.at_nm is None or self.at_nm == REFERENCE_NM:
            return self.value
        if self.unit in ("pJ", "fJ"):
            return self.value * float(technology.energy_scale(self.at_nm, REFERENCE_NM))
        if self.unit == "um2":
            return self.value * float(technology.area_scale(self.at_nm, REFERENCE_NM))
        return self.value * float(technology.delay_scale(self.at_nm, REFERENCE_NM))


@dataclass(frozen=True, eq=False)
class Profile:
    """A complete set of constants.

    Attributes:
        name, summary: What it is called and what it stands for.
        adc_model: Law of the successive-approximation converter: one of :data:`ADC_MODELS`.
        constants: ``"section.name" -> Constant``.
    """

    name: str
    summary: str
    adc_model: str
    constants: Mapping[str, Constant]

    @cached_property
    def _values(self) -> dict[str, float]:
        return {key: constant.at_reference for key, constant in self.constants.items()}

    def __getitem__(self, key: str) -> float:
        """Value at the reference node."""
        return self._values[key]


def load_profile(reference: str | Path) -> Profile:
    """A shipped profile by name, or a user's TOML file.

    Raises:
        InputError: Unknown name, unreadable file, unknown or incomplete constant, or a unit that differs from the base.
    """
    if str(reference) in SHIPPED:
        return _shipped(str(reference))
    path = Path(reference)
    if not path.is_file():
        raise InputError(
            f"there is no cost profile {str(reference)!r}",
            f"Use {', '.join(SHIPPED)}, or the path of a TOML file.",
        )
    return _read(path)


@cache
def _shipped(name: str) -> Profile:
    return _read(Path(__file__).parent / f"{name}.toml")


def _read(path: Path) -> Profile:
    data = _parse(path)
    base = load_profile(data.pop("base")) if "base" in data else None
    if base is None and path.stem != "published":
        raise InputError(
            f"{path}: no base profile", f'Write base = "{SHIPPED[0]}" and the constants to change.'
        )
    models = data.pop("models", {})
    adc_model = models.get("adc", base.adc_model if base else "structural")
    if adc_model not in ADC_MODELS:
        raise InputError(f"{path}: adc model {adc_model!r}", f"Use one of {', '.join(ADC_MODELS)}.")
    name, summary = str(data.pop("name", path.stem)), str(data.pop("summary", ""))
    constants = dict(base.constants) if base else {}
    for section, entries in data.items():
        for key, entry in (entries if isinstance(entries, dict) else {"": entries}).items():
            full = f"{section}.{key}"
            constants[full] = _constant(path, full, entry, base)
    return Profile(name, summary, adc_model, constants)


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as ex:
        raise InputError(f"{path} cannot be read: {ex}", "Give a TOML file of constants.") from ex


def _constant(path: Path, key: str, entry: Any, base: Profile | None) -> Constant:
    if base is not None and key not in base.constants:
        raise InputError(
            f"{path}: unknown constant {key}", f"Profile {base.name!r} has: {', '.join(base.constants)}."
        )
    if not isinstance(entry, dict) or not {"value", "unit", "source"} <= set(entry) or set(entry) - _FIELDS:
        raise InputError(
            f"{path}: constant {key} is incomplete",
            "Write { value = ..., unit = ..., source = ... }, and optionally at_nm and valid.",
        )
    if (
        isinstance(entry["value"], bool)
        or not isinstance(entry["value"], (int, float))
        or not entry["value"] >= 0
    ):
        raise InputError(f"{path}: {key} = {entry['value']!r}", "Give a number >= 0.")
    if base is not None and base.constants[key].unit != entry["unit"]:
        raise InputError(
            f"{path}: {key} is in {entry['unit']!r}",
            f"Give it in {base.constants[key].unit!r}, as in its base.",
        )
    if entry.get("at_nm") is not None:
        technology.check_node(entry["at_nm"])
    return Constant(
        float(entry["value"]), entry["unit"], entry["source"], entry.get("at_nm"), entry.get("valid", "")
    )
