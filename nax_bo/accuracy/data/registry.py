"""Data sets by name: the built-in ones, registered ones, installed plug-ins and references to a user's function.

A specification is ``NAME`` or ``NAME:PATH``, where NAME is a known data set or a reference
``package.module:function`` or ``path/to/file.py:function``::

    digits      cifar10:/data/cifar-10-batches-bin      ./mine.py:load      ./mine.py:load:/data/mine

How much of it is used may follow, in any order: ``cifar10:/data/c10,train=5000,test=2000,size=16,seed=1``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar

from typing_extensions import override

from nax_bo.accuracy.data.dataset import DataSet
from nax_bo.errors import InputError
from nax_bo.references import check_function, load_object

ENTRY_POINT_GROUP = "naxbo.data"


@dataclass(frozen=True)
class LoadOptions:
    """What a loader is told; one that cannot honour an option says so with an InputError."""

    path: Path | None = None
    """Where the user's copy lies, ``~`` expanded; None when no path was given."""
    image_size: int | None = None
    """Side in pixels to which images are resized; None keeps the data set's own size."""
    train: int | None = None
    """At most so many training images. A loader may use it to read less; `load` enforces it."""
    test: int | None = None
    """The same of test images."""
    seed: int = 0
    """Seeds the split of a set that has none of its own, and the choice of images under ``train`` and ``test``."""


Loader = Callable[[LoadOptions], DataSet]
_T = TypeVar("_T")

_BUILT_IN = {
    "digits": "nax_bo.accuracy.data.digits:load_digits",
    "cluttered-digits": "nax_bo.accuracy.data.cluttered:load_cluttered",
    "cifar10": "nax_bo.accuracy.data.cifar:load_cifar10",
    "tiny-imagenet": "nax_bo.accuracy.data.tiny_imagenet:load_tiny_imagenet",
    "folder": "nax_bo.accuracy.data.folder:load_folder",
}
_registered: dict[str, Loader] = {}

_OPTIONS = ("train", "test", "size", "seed")
_OPTION = re.compile(r"(?P<before>.*),(?P<name>[A-Za-z_]+)=(?P<value>[^,=/\\]*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REFERENCE = re.compile(
    r"(?P<where>.+?\.py|[A-Za-z_]\w*(?:\.\w+)*):(?P<function>[A-Za-z_]\w*)(?::(?P<path>.+))?"
)


@dataclass(frozen=True)
class DataSpec:
    """A parsed specification.

    Attributes:
        name: A known data set, or a reference.
        path: Of the user's copy.
        train, test: At most so many training and test images, stratified.
        size: Side in pixels to which images are resized.
        seed: Of the split and the choice of images.
    """

    name: str
    path: str | None = None
    train: int | None = None
    test: int | None = None
    size: int | None = None
    seed: int | None = None

    @override
    def __str__(self) -> str:
        place = self.name if self.path is None else f"{self.name}:{self.path}"
        options = ((name, getattr(self, name)) for name in _OPTIONS)
        return place + "".join(f",{name}={value}" for name, value in options if value is not None)

    def load(self) -> DataSet:
        """Load it; see `load`."""
        return load(str(self))


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


def own_data_set(spec: str) -> bool:
    """Whether a specification names a data set of naxbo's, or one that this process has registered; imports nothing."""
    return _options(spec.strip())[0].partition(":")[0] in {*_BUILT_IN, *_registered}


def parse_data(spec: str) -> DataSpec:
    """Parse ``NAME``, ``NAME:PATH``, ``REFERENCE`` or ``REFERENCE:PATH`` and options behind it (see the module).

    Checks the form, and a plain name against the known ones; touches neither paths nor referenced code.
    Raises InputError naming the known data sets or options.
    """
    text, options = _options(spec.strip())
    name, colon, path = text.partition(":")
    if name in data_set_names():
        if colon and not path:
            raise InputError(
                f"'{spec}' ends where a path belongs", f"write '{name}' or '{name}:/path/to/data'"
            )
        return DataSpec(name, path or None, **options)
    reference = _REFERENCE.fullmatch(text)
    if reference is None:
        raise InputError(f"unknown data set '{name}'", _known_names_hint(name))
    return DataSpec(f"{reference['where']}:{reference['function']}", reference["path"], **options)


def _options(spec: str) -> tuple[str, dict[str, int]]:
    """What stands before the options, and their values. Only a last run of ``,word=`` counts: paths may hold commas."""
    found: dict[str, int] = {}
    while match := _OPTION.fullmatch(spec):
        spec, name, value = match["before"], match["name"], match["value"]
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name, _OPTIONS, n=1)
            guess = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(f"data has no option '{name}'", f"{guess}options: {', '.join(_OPTIONS)}")
        if name in found:
            raise InputError(f"'{name}' is given twice for data", "give it once")
        if not value.isdecimal() or (int(value) < 1 and name != "seed"):
            raise InputError(f"data option {name}={value!r} is not a count", f"write for example {name}=1000")
        found[name] = int(value)
    return spec, found


def load(
    name: str,
    path: str | Path | None = None,
    *,
    image_size: int | None = None,
    train: int | None = None,
    test: int | None = None,
    seed: int | None = None,
) -> DataSet:
    """Load the data set ``name`` (a known name, a reference or a whole specification such as ``folder:/data``).

    ``image_size``: resize to this side in pixels. ``train``, ``test``: keep at most so many images of either,
    stratified. ``seed`` (default 0): for that choice and for the split of sets that come without one; keep it
    the same throughout a study, else its accuracies are measured on different images.
    Raises InputError for wrong arguments, DataError when the data are missing or damaged.
    """
    for what, value in (("image_size", image_size), ("train", train), ("test", test)):
        _check_count(what, value)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise InputError(f"{seed=} is not a seed", "give an integer of 0 or more")
    spec = parse_data(name)
    place = _one("path", spec.path, None if path is None else str(path), name)
    options = LoadOptions(
        None if place is None else Path(place).expanduser(),
        _one("size", spec.size, image_size, name),
        _one("train", spec.train, train, name),
        _one("test", spec.test, test, name),
        _one("seed", spec.seed, seed, name) or 0,
    )
    data = _loader(spec.name)(options)
    if not isinstance(data, DataSet):
        raise InputError(
            f"data set '{spec.name}' gave a {type(data).__name__}",
            "its loader must return a nax_bo.accuracy.data.DataSet; see data_set_from_pixels",
        )
    return _limited(data, options)


def _one(what: str, of_spec: _T | None, given: _T | None, name: str) -> _T | None:
    """The one that is given."""
    if of_spec is not None and given is not None:
        raise InputError(f"two of {what}: '{of_spec}' in '{name}', and '{given}'", "give one of them")
    return of_spec if given is None else given


def _limited(data: DataSet, options: LoadOptions) -> DataSet:
    n_train, n_test = len(data.train_labels), len(data.test_labels)
    train, test = min(options.train or n_train, n_train), min(options.test or n_test, n_test)
    return data if (train, test) == (n_train, n_test) else data.subset(train, test, options.seed)


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
    found: Loader = check_function(load_object(reference), reference, "data set", LoadOptions, DataSet)
    return found


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
