"""Data sets by name: the built-in ones, registered ones, installed plug-ins and references to a user's function.

A specification is ``NAME`` or ``NAME:PATH``, where NAME is a known data set or a reference
``package.module:function`` or ``path/to/file.py:function``::

    digits      cifar10:/data/cifar-10-batches-bin      ./mine.py:load      ./mine.py:load:/data/mine
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from typing_extensions import override

from nax_bo.accuracy.data.dataset import DataSet
from nax_bo.errors import InputError
from nax_bo.references import load_object

ENTRY_POINT_GROUP = "naxbo.data"


@dataclass(frozen=True)
class LoadOptions:
    """What a loader is told; one that cannot honour an option says so with an InputError."""

    path: Path | None = None
    """Where the user's copy lies, ``~`` expanded; None when no path was given."""
    image_size: int | None = None
    """Side in pixels to which images are resized; None keeps the data set's own size."""
    limit: int | None = None
    """At most so many training and so many test images. A loader may use it to read less; `load` enforces it."""
    seed: int = 0
    """Seeds the split of a set that has none of its own, and the choice of images under ``limit``."""


Loader = Callable[[LoadOptions], DataSet]

_BUILT_IN = {
    "digits": "nax_bo.accuracy.data.digits:load_digits",
    "cifar10": "nax_bo.accuracy.data.cifar:load_cifar10",
    "tiny-imagenet": "nax_bo.accuracy.data.tiny_imagenet:load_tiny_imagenet",
    "folder": "nax_bo.accuracy.data.folder:load_folder",
}
_registered: dict[str, Loader] = {}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REFERENCE = re.compile(
    r"(?P<where>.+?\.py|[A-Za-z_]\w*(?:\.\w+)*):(?P<function>[A-Za-z_]\w*)(?::(?P<path>.+))?"
)


@dataclass(frozen=True)
class DataSpec:
    """A parsed specification: ``name`` (or reference) of a data set, and the path of the user's copy."""

    name: str
    path: str | None = None

    @override
    def __str__(self) -> str:
        return self.name if self.path is None else f"{self.name}:{self.path}"

    def load(self, *, image_size: int | None = None, limit: int | None = None, seed: int = 0) -> DataSet:
        """Load it; see `load`."""
        return load(self.name, self.path, image_size=image_size, limit=limit, seed=seed)


def register_data_set(name: str, loader: Loader) -> None:
    """Make ``loader`` known as ``name`` in this process. Raises InputError for a bad or a taken name.

    Registering the same function again is harmless. Other processes do not see it: give workers a reference
    (``file.py:function``) or an entry point of the group ``naxbo.data``.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot name a data set", "use letters, digits, '-', '_' and '.'")
    if name in _BUILT_IN or _registered.get(name, loader) is not loader:
        owner = _BUILT_IN.get(name) or _described(_registered[name])
        raise InputError(
            f"data set name '{name}' is taken by {owner}; {_described(loader)} cannot have it",
            "register it under another name",
        )
    _registered[name] = loader


def data_set_names() -> tuple[str, ...]:
    """All names known to this process, sorted: built in, registered, and installed as plug-ins."""
    return tuple(sorted({*_BUILT_IN, *_registered, *_plug_ins()}))


def parse_data(spec: str) -> DataSpec:
    """Parse ``NAME``, ``NAME:PATH``, ``REFERENCE`` or ``REFERENCE:PATH`` (see the module).

    Checks the form, and a plain name against the known ones; touches neither paths nor referenced code.
    Raises InputError naming the known data sets.
    """
    text = spec.strip()
    name, colon, path = text.partition(":")
    if name in data_set_names():
        if colon and not path:
            raise InputError(
                f"'{spec}' ends where a path belongs", f"write '{name}' or '{name}:/path/to/data'"
            )
        return DataSpec(name, path or None)
    reference = _REFERENCE.fullmatch(text)
    if reference is None:
        raise InputError(f"unknown data set '{name}'", _known_names_hint(name))
    return DataSpec(f"{reference['where']}:{reference['function']}", reference["path"])


def load(
    name: str,
    path: str | Path | None = None,
    *,
    image_size: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> DataSet:
    """Load the data set ``name`` (a known name, a reference or a whole specification such as ``folder:/data``).

    ``image_size``: resize to this side in pixels. ``limit``: keep at most so many training and so many test
    images, stratified. ``seed``: for that choice and for the split of sets that come without one; keep it
    the same throughout a study, else its accuracies are measured on different images.
    Raises InputError for wrong arguments, DataError when the data are missing or damaged.
    """
    _check_count("image_size", image_size)
    _check_count("limit", limit)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"{seed=} is not a seed", "give an integer of 0 or more")
    spec = parse_data(name)
    if path is not None and spec.path is not None:
        raise InputError(f"two paths: '{spec.path}' in '{name}', and '{path}'", "give one of them")
    place = path if path is not None else spec.path
    options = LoadOptions(None if place is None else Path(place).expanduser(), image_size, limit, seed)
    data = _loader(spec.name)(options)
    if not isinstance(data, DataSet):
        raise InputError(
            f"data set '{spec.name}' gave a {type(data).__name__}",
            "its loader must return a nax_bo.accuracy.data.DataSet; see data_set_from_pixels",
        )
    return _limited(data, limit, seed)


def _limited(data: DataSet, limit: int | None, seed: int) -> DataSet:
    n_train, n_test = len(data.train_labels), len(data.test_labels)
    if limit is None or (n_train <= limit and n_test <= limit):
        return data
    return data.subset(min(limit, n_train), min(limit, n_test), seed)


def _check_count(what: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InputError(f"{what}={value!r} is not a count", "give an integer of 1 or more, or leave it out")


def _loader(name: str) -> Loader:
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        return _from_reference(_BUILT_IN[name])
    plug_in = _plug_ins().get(name)
    if plug_in is None:
        return _from_reference(name)
    try:
        return _callable(plug_in.load(), plug_in.value)
    except Exception as error:
        raise InputError(
            f"data set plug-in '{name}' ({plug_in.value}) cannot be loaded: {error}",
            "repair or uninstall the package that provides it",
        ) from error


def _from_reference(reference: str) -> Loader:
    return _callable(load_object(reference), reference)


def _callable(found: object, reference: str) -> Loader:
    if not callable(found):
        raise InputError(f"'{reference}' is a {type(found).__name__}", "name a function of one LoadOptions")
    return found


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _known_names_hint(name: str) -> str:
    names = data_set_names()
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}known: {', '.join(names)}; or module:function, or file.py:function"


def _described(loader: Loader) -> str:
    return f"{getattr(loader, '__module__', '?')}:{getattr(loader, '__qualname__', repr(loader))}"
