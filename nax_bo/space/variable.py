"""One choice of a design: its values, their order, and when it matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isclose, isnan
from typing import Any, Literal

from nax_bo.errors import InputError

Value = int | float | str | bool
_ROUNDING = 1e-9
"""Numbers so close to a value of a variable, relatively, are that value."""

Kind = Literal["ordinal", "categorical"]
Affects = Literal["both", "accuracy", "cost"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A variable matters only while ``variable`` is active and has one of ``values``."""

    variable: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        given: Any = self.values
        several = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
        object.__setattr__(self, "values", tuple(map(_plain, several)))


@dataclass(frozen=True, slots=True)
class Variable:
    """One choice among finitely many values.

    Attributes:
        name: Unique in its space.
        values: At least one, all different. Ordinals are given in their natural order.
        kind: ``"ordinal"`` values have an order that a model may use, ``"categorical"`` values have none.
        scope: ``"chip"``, ``"network"`` or ``"layer:<i>"``: what the choice belongs to.
        active_when: All of these must hold, else the variable is inactive and does not matter.
        affects: ``"cost"`` marks a choice that cannot change a learned objective (column sharing, say): it is
            hidden from surrogates and solved exactly on the known costs. ``"accuracy"`` marks the opposite.
        idle: Value shown while inactive, where that is not the first one.
    """

    name: str
    values: tuple[Value, ...]
    kind: Kind = "ordinal"
    scope: str = "chip"
    active_when: tuple[Condition, ...] = ()
    affects: Affects = "both"
    idle: Value | None = None

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise InputError(
                f"a variable needs a name, got {self.name!r}", "Give every variable a unique name."
            )
        object.__setattr__(self, "values", tuple(map(_plain, self.values)))
        if not self.values:
            raise InputError(f"variable {self.name!r} has no values", "List at least one value.")
        for value in self.values:
            if not isinstance(value, (int, float, str, bool)) or (isinstance(value, float) and isnan(value)):
                raise InputError(
                    f"variable {self.name!r} has the value {value!r}", "Use numbers, text, or True and False."
                )
        if len(set(map(_key, self.values))) != len(self.values):
            raise InputError(
                f"variable {self.name!r} lists a value twice: {list(self.values)}", "Values must differ."
            )
        if self.kind not in ("ordinal", "categorical"):
            raise InputError(
                f"variable {self.name!r} has kind {self.kind!r}", "Use 'ordinal' or 'categorical'."
            )

    @property
    def cardinality(self) -> int:
        """Number of values."""
        return len(self.values)

    @property
    def mixed(self) -> bool:
        """Whether there are values of several types (numbers, text, truth values)."""
        return len({_key(value)[0] for value in self.values}) > 1

    def index(self, value: Value) -> int:
        """Position of ``value``; raises InputError with the allowed values if it is not one of them."""
        for i, candidate in enumerate(self.values):
            if _key(candidate) == _key(value):
                return i
        for i, candidate in enumerate(self.values):  # 0.1 + 0.2 is meant to be 0.3
            if _key(candidate)[0] == _key(value)[0] == "number" and isclose(
                float(candidate), float(value), rel_tol=_ROUNDING
            ):
                return i
        raise InputError(
            f"{self.name} = {value!r} is not a value of this space",
            f"Choose one of: {', '.join(map(str, self.values))}.",
        )

    def parse(self, text: str) -> Value:
        """The value whose text form is ``text`` (``"128"``, ``"0.5"``, ``"sar"``)."""
        for candidate in self.values:
            if str(candidate) == text:
                return candidate
        for candidate in self.values:
            if isinstance(candidate, (int, float)) and not isinstance(candidate, bool):
                try:
                    if isclose(float(text), candidate, rel_tol=_ROUNDING):
                        return candidate
                except ValueError:
                    break
        raise InputError(
            f"{self.name} = {text!r} is not a value of this space",
            f"Choose one of: {', '.join(map(str, self.values))}.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form; the defaults are left out."""
        out: dict[str, Any] = {"name": self.name, "values": list(self.values), "kind": self.kind}
        if self.scope != "chip":
            out["scope"] = self.scope
        if self.affects != "both":
            out["affects"] = self.affects
        if self.idle is not None:
            out["idle"] = self.idle
        if self.active_when:
            out["active_when"] = [
                {"variable": c.variable, "values": list(c.values)} for c in self.active_when
            ]
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Variable:
        """Inverse of :meth:`to_dict`."""
        try:
            return cls(
                name=data["name"],
                values=_listed(data["values"]),
                kind=data.get("kind", "ordinal"),
                scope=data.get("scope", "chip"),
                active_when=tuple(
                    Condition(c["variable"], tuple(c["values"])) for c in data.get("active_when", ())
                ),
                affects=data.get("affects", "both"),
                idle=data.get("idle"),
            )
        except (KeyError, TypeError) as ex:
            raise InputError(
                f"a variable cannot be read from {data!r}", "It needs a name and values."
            ) from ex


def ordinal(
    name: str,
    values: Iterable[Value],
    *,
    scope: str = "chip",
    when: Condition | Iterable[Condition] = (),
    affects: Affects = "both",
) -> Variable:
    """A variable whose values have an order; give them in that order."""
    return Variable(name, _listed(values), "ordinal", scope, _conditions(when), affects)


def categorical(
    name: str,
    values: Iterable[Value],
    *,
    scope: str = "chip",
    when: Condition | Iterable[Condition] = (),
    affects: Affects = "both",
) -> Variable:
    """A variable whose values have no order."""
    return Variable(name, _listed(values), "categorical", scope, _conditions(when), affects)


def _listed(values: Iterable[Value]) -> tuple[Value, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"values {values!r}", "Give the values of a variable as a list.")
    return tuple(values)


def _conditions(when: Condition | Iterable[Condition]) -> tuple[Condition, ...]:
    return (when,) if isinstance(when, Condition) else tuple(when)


def _plain(value: Any) -> Any:
    """A NumPy scalar as the Python number or text that it holds; anything else as it is."""
    return (
        value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
    )


def _key(value: Value) -> tuple[str, Value]:
    value = _plain(value)
    # 1, 1.0 and True are equal in Python; 1 and 1.0 are the same choice, True is not.
    return (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__,
        value,
    )
