"""References: what studies and workers keep of a surrogate instead of the object itself."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from nax_bo import references
from nax_bo.errors import InputError, SurrogateError
from nax_bo.references import source_of
from nax_bo.surrogate.registry import named_factory

Literal = str | int | float | bool | None
_WORDS: dict[str, Literal] = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True)
class SurrogateReference:
    """A surrogate by reference; equal references to unchanged source give equal surrogates.

    Attributes:
        reference: A registered name, ``package.module:Class`` or ``path/to/file.py:Class``.
        arguments: Constructor arguments: text, numbers, booleans, None.
        source_hash: SHA-256 of the file that defines the class, at the time of :func:`resolve`.
    """

    reference: str
    arguments: Mapping[str, Literal] = field(default_factory=dict)
    source_hash: str = ""

    @override
    def __str__(self) -> str:
        return ",".join([self.reference, *(f"{k}={v}" for k, v in self.arguments.items())])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "reference": self.reference,
            "arguments": dict(self.arguments),
            "source_hash": self.source_hash,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SurrogateReference:
        """Inverse of :meth:`to_dict`.

        Raises:
            InputError: Not such a form.
        """
        try:
            return cls(str(data["reference"]), dict(data["arguments"]), str(data["source_hash"]))
        except (KeyError, TypeError, ValueError) as ex:
            raise InputError(
                f"this is not a surrogate reference: {data!r}", "Write it with to_dict()."
            ) from ex

    def changed(self) -> bool:
        """Whether the source file differs from the one this reference was made from."""
        return bool(self.source_hash) and source_of(load_factory(self.reference)) != self.source_hash


def parse_reference(text: str) -> tuple[str, dict[str, Literal]]:
    """Split ``reference,key=value,...``; values become int, float, bool or None where they read as such.

    Quotes keep a value text: ``name='1'``.

    Raises:
        InputError: An argument without ``=`` or a name that Python would not take.
    """
    reference, *pairs = text.split(",")
    arguments: dict[str, Literal] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip().isidentifier():
            raise InputError(
                f"{pair!r} in {text!r} is not an argument", "Write reference,key=value,key=value."
            )
        arguments[key.strip()] = _literal(value.strip())
    if not reference.strip():
        raise InputError(
            f"{text!r} names no surrogate", "Write a name, package.module:Class or file.py:Class."
        )
    return reference.strip(), arguments


def resolve(surrogate: Any, **arguments: Literal) -> SurrogateReference:
    """The reference of a surrogate given as text, class or instance, with its source hash.

    Args:
        surrogate: ``name | package.module:Class | file.py:Class``, with ``,key=value`` if wanted; or a class;
            or an instance with ``get_params``, whose parameters become the arguments.
        **arguments: Further constructor arguments; they win over those in the text.

    Raises:
        SurrogateError: It cannot be found, imported, or named from another process.
        InputError: The text or the arguments cannot be read.
    """
    if isinstance(surrogate, SurrogateReference):
        reference, given = surrogate.reference, dict(surrogate.arguments)
    elif isinstance(surrogate, str):
        reference, given = parse_reference(surrogate)
    else:
        reference, given = _name_of(surrogate)
    factory = load_factory(reference)
    merged = {**given, **arguments}
    _check_arguments(reference, factory, merged)
    return SurrogateReference(reference, merged, source_of(factory))


def load_factory(reference: str) -> Any:
    """The class or function that a reference names (its code is imported)."""
    if ":" not in reference:
        return named_factory(reference)
    try:
        return references.load_factory(reference, "surrogate", ("fit", "predict"))
    except InputError as ex:
        raise SurrogateError(ex.message, ex.hint) from ex


def accepts(factory: Any, name: str) -> bool:
    """Whether the constructor takes an argument of that name."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _check_arguments(reference: str, factory: Any, arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if not accepts(factory, name):
            raise SurrogateError(
                f"{reference} takes no argument {name!r}", f"It takes {inspect.signature(factory)}."
            )
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise SurrogateError(
                f"argument {name} = {value!r} of {reference} cannot be stored",
                "Use text, numbers, booleans or None.",
            )


def _name_of(surrogate: Any) -> tuple[str, dict[str, Literal]]:
    factory = surrogate if inspect.isclass(surrogate) or inspect.isfunction(surrogate) else type(surrogate)
    given: dict[str, Literal] = {}
    if factory is not surrogate and hasattr(surrogate, "get_params"):
        defaults = inspect.signature(factory).parameters
        given = {
            name: value
            for name, value in surrogate.get_params(deep=False).items()
            if name not in ("columns", "seed")
            and (name not in defaults or value is not defaults[name].default)
        }
    module, name = factory.__module__, factory.__qualname__
    if "<locals>" in name:
        raise SurrogateError(
            f"{name} lives inside a function", "Move it to the top of a file: workers import it."
        )
    if module == "__main__" or module.startswith("naxbo_file_"):
        path = getattr(sys.modules.get(module), "__file__", None)
        if path is None:
            raise SurrogateError(
                f"{name} was typed at a prompt", "Put it into a file, and give file.py:Class."
            )
        return f"{path}:{name}", given
    return f"{module}:{name}", given


def _literal(text: str) -> Literal:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
