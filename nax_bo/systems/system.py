"""A co-design system: a joint space of network and chip choices, and how a design becomes both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.workload import Workload
from nax_bo.network import NetworkSpec
from nax_bo.network.spec import Shape
from nax_bo.references import load_factory
from nax_bo.space import Space, Value


class System(Protocol):
    """What a study searches. One description feeds both judges: decode gives the network and the chip.

    Attributes:
        name: Short name.
        summary: One line for lists.
        space: The joint space; variables with ``affects="cost"`` cannot change accuracy.
    """

    name: str
    summary: str

    @property
    def space(self) -> Space:
        """The joint design space."""
        ...

    def decode(self, design: Mapping[str, Value]) -> tuple[NetworkSpec, ChipSpec]:
        """Network and chip of a design (active variables only are read)."""
        ...

    def workload(self, columns: Mapping[str, NDArray[Any]]) -> Workload:
        """The cost model's input for many designs at once, equal to decoding each."""
        ...


Factory = Callable[[Shape, int], System]
"""Builds a system for an image shape (channels, height, width) and a number of classes."""

_FACTORIES: dict[str, tuple[str, str]] = {
    "vgg": ("nax_bo.systems.vgg:VggSystem", "chain of convolutions, per-layer width, kernel and crossbar"),
    "resnet": ("nax_bo.systems.resnet:ResnetSystem", "residual stages, per-stage width, kernel and crossbar"),
}


def system_names() -> dict[str, str]:
    """Built-in systems and one line about each."""
    return {name: summary for name, (_, summary) in _FACTORIES.items()}


def load_system(reference: str, input_shape: Shape, num_classes: int) -> System:
    """A system by name, ``package.module:Factory`` or ``file.py:Factory``.

    Raises:
        InputError: Unknown name, or the reference cannot be loaded or called.
    """
    target = _FACTORIES[reference][0] if reference in _FACTORIES else reference
    if ":" not in target:
        raise InputError(
            f"there is no design space {reference!r}",
            f"Use one of {', '.join(_FACTORIES)}, or package.module:Factory, or file.py:Factory.",
        )
    factory = load_factory(target, "design space", ("decode", "workload"))
    try:
        system: System = factory(input_shape, num_classes)
    except TypeError as ex:
        raise InputError(f"{reference} cannot be called with (input_shape, num_classes): {ex}") from ex
    return system
