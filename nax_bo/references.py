"""Objects by reference: ``package.module:Name`` or ``path/to/file.py:Name``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
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
