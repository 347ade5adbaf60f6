"""Objects by reference: ``package.module:Name`` or ``path/to/file.py:Name``.

Loading a reference runs its module, so it is left to those who were given it: a study's file alone is no reason to
(:mod:`nax_bo.study.sources`). And what it names is called only if it is what its place asks for: a class with the
methods that will be used, or a function that declares to return one. ``subprocess:call`` is neither.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nax_bo.errors import InputError


def load_object(reference: str) -> Any:
    """The object that ``package.module:Name`` or ``file.py:Name`` names.

    Loading runs the module's code, so only references that the user gave are loaded.

    Raises:
        InputError: The module or file cannot be found or imported, or has no such name.
    """
    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise InputError(
            f"{reference!r} is not a reference", "Write package.module:Name or path/to/file.py:Name."
        )
    module = _load_file(Path(place).expanduser()) if place.endswith(".py") else _load_module(place)
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            public = [n for n in vars(module) if not n.startswith("_")]
            raise InputError(f"{place} has no {name!r}", f"It defines: {', '.join(public[:12])}.") from None
    return found


def load_factory(reference: str, what: str, methods: Sequence[str]) -> Any:
    """The class, or the function that makes one, that a reference names; it is not called.

    Args:
        reference: ``package.module:Name`` or ``file.py:Name``.
        what: What the place asks for, in words: ``"cost model"``.
        methods: Names of the methods that it must have.

    Raises:
        InputError: It cannot be loaded, or it is no such thing.
    """
    return check_factory(load_object(reference), reference, what, methods)


def check_factory(found: Any, reference: str, what: str, methods: Sequence[str]) -> Any:
    """``found`` if it is a class with ``methods``, or a function that declares to return one; else InputError."""
    made = found if inspect.isclass(found) else _declared(found)
    missing = [m for m in methods if not callable(getattr(made, m, None))]
    if not inspect.isclass(made) or missing:
        raise InputError(
            f"{reference} is no {what}",
            f"Name a class with {' and '.join(f'{m}(...)' for m in methods)}, or a function that declares to return "
            "one (def make(...) -> ThatClass).",
        )
    return found


def check_function(found: Any, reference: str, what: str, takes: type, gives: type) -> Any:
    """``found`` if it is a function that declares to take ``takes`` or to return ``gives``; else InputError."""
    hints = _hints(found) if inspect.isroutine(found) else {}
    declared = {name: getattr(hint, "__name__", hint) for name, hint in hints.items()}
    if takes.__name__ not in declared.values() and declared.get("return") != gives.__name__:
        raise InputError(
            f"{reference} is no {what}",
            f"Name a function that says so: def load(options: {takes.__name__}) -> {gives.__name__}.",
        )
    return found


def _declared(function: Any) -> Any:
    """The class that a function declares to return, if it does."""
    if not inspect.isroutine(function):
        return None
    returned = _hints(function).get("return")
    return returned if inspect.isclass(returned) else None


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that only type checkers import: as written
        return dict(getattr(function, "__annotations__", {}))


def is_reference(text: str) -> bool:
    """Whether a setting names code, rather than something that naxbo knows by name."""
    place, colon, name = text.partition(",")[0].rpartition(":")
    return bool(colon and place and name)


def absolute(reference: str) -> str:
    """A reference whose file is named from the root, so that it means the same in every folder."""
    head, comma, arguments = reference.partition(",")
    place, colon, name = head.rpartition(":")
    if not colon or not place.endswith(".py"):
        return reference
    return f"{Path(place).expanduser().absolute()}:{name}{comma}{arguments}"


def source_of(thing: Any) -> str:
    """SHA-256 of the file that defines a class or function; empty if it has none (typed at a prompt)."""
    try:
        path = inspect.getsourcefile(thing)
    except TypeError:
        path = None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path and Path(path).is_file() else ""


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no file {path}", "Check the path; it is relative to the current folder.")
    name = f"naxbo_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as ex:
        raise InputError(f"cannot read {path}: {ex.strerror}", "Check its permissions.") from ex
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__content__", None) == content:
        return known  # surrogates are built anew for every proposal, from the same file
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported", "Give a Python source file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling within the file need to find it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as ex:
        del sys.modules[name]
        raise InputError(
            f"{path} fails when it is imported: {type(ex).__name__}: {ex}", "Run it with python to see where."
        ) from ex
    module.__content__ = content  # type: ignore[attr-defined]
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as ex:
        raise InputError(
            f"cannot import {name!r}: {ex}", "Install the package, or give path/to/file.py:Name."
        ) from ex
    except (Exception, SystemExit) as ex:
        raise InputError(
            f"{name} fails when it is imported: {type(ex).__name__}: {ex}",
            "Import it in python to see where.",
        ) from ex
