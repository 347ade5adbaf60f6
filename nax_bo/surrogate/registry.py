"""Surrogates by name: installed plug-ins, and those that a script registers.

A plug-in package lists its surrogates in the entry-point group ``naxbo.surrogates``. Names are read from the
installed metadata; a plug-in's code is imported only when its surrogate is asked for.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nax_bo.errors import SurrogateError

GROUP = "naxbo.surrogates"

_registered: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class SurrogateInfo:
    """One name, who provides it, and what is wrong with it (empty if nothing is)."""

    name: str
    provider: str
    problem: str = ""


def register_surrogate(name: str, factory: Any) -> None:
    """Make ``factory`` (a class, or a function that returns a surrogate) known as ``name`` in this process.

    Raises:
        SurrogateError: The name is taken by something else, or is not a plain word.
    """
    if not name or any(c in name for c in ":,= "):
        raise SurrogateError(f"{name!r} cannot be a surrogate's name", "Use letters, digits, '-' and '_'.")
    if not callable(factory):
        raise SurrogateError(
            f"{factory!r} cannot be registered", "Give a class or a function that makes one."
        )
    taken = (
        [_origin(_registered[name])]
        if name in _registered
        else [_provider(p) for p in _plugins().get(name, ())]
    )
    if taken and _registered.get(name) is not factory:
        raise SurrogateError(
            f"the name {name!r} is wanted by {_origin(factory)} and taken by {' and '.join(taken)}",
            "Choose another name.",
        )
    _registered[name] = factory


def surrogate_names() -> tuple[str, ...]:
    """All names that can be asked for; imports no plug-in."""
    return tuple(sorted({*_plugins(), *_registered}))


def own_surrogate(name: str) -> bool:
    """Whether a name is one of naxbo's own surrogates, or was registered in this process; imports nothing."""
    return name in _registered or any(p.value.startswith("nax_surrogates:") for p in _plugins().get(name, ()))


def describe_surrogates() -> tuple[SurrogateInfo, ...]:
    """All names with their providers. Imports every plug-in; what fails is reported, not raised."""
    out = []
    for name in surrogate_names():
        if name in _registered:
            out.append(SurrogateInfo(name, _origin(_registered[name])))
            continue
        provider = " and ".join(_provider(p) for p in _plugins()[name])
        try:
            named_factory(name)
            problem = ""
        except SurrogateError as ex:
            problem = ex.message
        out.append(SurrogateInfo(name, provider, problem))
    return tuple(out)


def named_factory(name: str) -> Any:
    """The class or function behind a name.

    Raises:
        SurrogateError: Unknown name, two plug-ins of that name, or a plug-in that cannot be imported.
    """
    if name in _registered:
        return _registered[name]
    points = _plugins().get(name, ())
    if not points:
        near = difflib.get_close_matches(name, surrogate_names(), n=1)
        known = f"Did you mean {near[0]!r}? " if near else ""
        raise SurrogateError(
            f"there is no surrogate {name!r}",
            f"{known}Known: {', '.join(surrogate_names()) or 'none'}; or give package.module:Class or file.py:Class.",
        )
    if len(points) > 1:
        raise SurrogateError(
            f"the surrogate {name!r} is provided by {' and '.join(_provider(p) for p in points)}",
            "Uninstall one of them, or give package.module:Class.",
        )
    try:
        return points[0].load()
    except Exception as ex:
        raise SurrogateError(
            f"the surrogate {name!r} of {_provider(points[0])} cannot be loaded: {type(ex).__name__}: {ex}",
            "Repair or uninstall that package.",
        ) from ex


@cache
def _plugins() -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, {})[point.value] = point
    return {name: tuple(points.values()) for name, points in found.items()}


def _provider(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unnamed package"
    return f"{package} ({point.value})"


def _origin(factory: Any) -> str:
    return f"{getattr(factory, '__module__', '?')}:{getattr(factory, '__qualname__', repr(factory))}"
