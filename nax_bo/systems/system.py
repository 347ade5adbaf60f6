"""A co-design system: a joint space, one description of its networks, one of its chips; the rest is derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan, ChipSpec
from nax_bo.hardware.workload import Workload, on_chips, workload_of
from nax_bo.hardware.workload.geometry import slot_table
from nax_bo.network import Graph, NetworkSpec
from nax_bo.network.batch import NetworkBatch
from nax_bo.network.spec import Shape
from nax_bo.references import load_factory
from nax_bo.space import Design, Space, Value
from nax_bo.systems.claims import Assumed, Baselines, Claim

Choices = Mapping[str, Any]
"""The values of a design by variable, or arrays with one value per design; inactive variables show their first."""

_TRIED = 8


class Description(Protocol):
    """What a system's file writes. ``build`` and ``chip`` see one design or thousands; they branch on no choice.

    A published system also has ``claims``, ``assumptions`` and ``baselines`` (:mod:`nax_bo.systems.claims`), and in
    ``settings`` the settings of a study that judges it as its authors do, ``strategy`` being its own search.

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

    def build(self, graph: Graph, choices: Choices) -> None:
        """Add the network's layers; those that only some designs have, in ``with graph.present(...)`` blocks."""
        ...

    def chip(self, choices: Choices) -> ChipPlan:
        """The chip, with settings of layers by name."""
        ...


@dataclass(frozen=True)
class System:
    """What a study searches. One description feeds both judges, for one design (:meth:`decode`) or for many.

    Attributes:
        description: Space, network and chip.
        input_shape: (channels, height, width) of the images.
    """

    description: Description
    input_shape: Shape

    @property
    def name(self) -> str:
        """Short name."""
        return self.description.name

    @property
    def summary(self) -> str:
        """One line for lists."""
        return self.description.summary

    @cached_property
    def space(self) -> Space:
        """The joint design space."""
        return self.description.space

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the publication claims; nothing for spaces of one's own."""
        return tuple(getattr(self.description, "claims", ()))

    @property
    def assumptions(self) -> tuple[Assumed, ...]:
        """What the sources leave open and is set here."""
        return tuple(getattr(self.description, "assumptions", ()))

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of a study that judges designs as the authors do."""
        return dict(getattr(self.description, "settings", {}))

    @cached_property
    def baselines(self) -> Mapping[str, Design]:
        """Designs that the system is measured against, by name.

        Raises:
            InputError: A baseline is no design of the space.
        """
        given: Baselines = getattr(self.description, "baselines", {})
        found = {}
        for name, choices in given.items():
            try:
                found[name] = self.space.design(choices)
            except InputError as ex:
                raise InputError(
                    f"the baseline {name!r} is no design of {self.name!r}: {ex.message}", ex.hint
                ) from ex
        return found

    def decode(self, design: Mapping[str, Value]) -> tuple[NetworkSpec, ChipSpec]:
        """Network and chip of a design (inactive variables need no value).

        Raises:
            InputError: The description fits no network or chip to this design.
        """
        choices = {v.name: design.get(v.name, v.values[0]) for v in self.space.variables}
        network = self._graph(choices).build()
        names = [layer.name for layer in network.static_layers]
        return network, self.description.chip(choices).spec(names)

    def workload(self, columns: Mapping[str, NDArray[Any]]) -> Workload:
        """The cost model's input for many designs at once, equal to decoding each.

        Args:
            columns: Values by variable, each of length n (:meth:`Space.columns`).

        Raises:
            InputError: The description branches on a choice, or a value is out of range.
        """
        networks, n = self.networks(columns), len(next(iter(columns.values())))
        return workload_of(networks, self._without_branches(self.description.chip, columns), n)

    def describer(self) -> Callable[[Mapping[str, NDArray[Any]]], Workload]:
        """:meth:`workload` for calls that follow each other with the same networks, which are described once.

        Networks are the same while all variables that may change accuracy are.
        """
        visible = [v.name for v in self.space.variables if v.affects != "cost"]
        last: list[Any] = []

        def describe(columns: Mapping[str, NDArray[Any]]) -> Workload:
            n = len(next(iter(columns.values())))
            now = [columns[name] for name in visible]
            if not last or len(last[0][0]) != n or not all(map(np.array_equal, now, last[0])):
                networks = self.networks(columns)
                last[:] = [now, slot_table(networks, n), networks.static_names]
            _, table, names = last
            return on_chips(table, names, self._without_branches(self.description.chip, columns), n)

        return describe

    def networks(self, columns: Mapping[str, NDArray[Any]]) -> NetworkBatch:
        """The networks of many designs, layer by layer."""
        graph: Graph = self._without_branches(self._graph, columns)
        return graph.batch()

    def _graph(self, choices: Choices) -> Graph:
        graph = Graph(self.name, self.input_shape)
        self.description.build(graph, choices)
        return graph

    def _without_branches(self, describe: Callable[[Choices], Any], columns: Choices) -> Any:
        try:
            return describe(columns)
        except (ValueError, TypeError) as ex:
            if not isinstance(ex, TypeError) and "truth value of an array" not in str(ex):
                raise
            raise InputError(
                f"the space {self.name!r} cannot be described for many designs at once: {ex}",
                "Do not branch on a choice or convert it: use with graph.present(condition), numpy.where, "
                "numpy.maximum.",
            ) from ex


Factory = Callable[[Shape, int], Description]
"""Builds a description for an image shape (channels, height, width) and a number of classes."""

_FACTORIES: dict[str, tuple[str, str]] = {
    "vgg": ("nax_bo.systems.vgg:VggSystem", "chain of convolutions, per-layer width, kernel and crossbar"),
    "resnet": ("nax_bo.systems.resnet:ResnetSystem", "residual stages, per-stage width, kernel and crossbar"),
    "xpert": ("nax_bo.systems.xpert:XpertSystem", "XPert: VGG16, width, converter and bits of each layer"),
    "nax": (
        "nax_bo.systems.nax:NaxSystem",
        "NAX: ResNet-20, kernel and crossbar of each convolution, zero op",
    ),
    "nax-resnet18": ("nax_bo.systems.nax:nax_resnet18", "NAX: ResNet-18, the same choices"),
    "nacim": ("nax_bo.systems.nacim:NacimSystem", "NACIM: device, circuit, network and bits of each layer"),
    "saha": ("nax_bo.systems.saha:SahaSystem", "Saha et al.: VGG8, 26 dimensions"),
    "saha-vgg16": ("nax_bo.systems.saha:saha_vgg16", "Saha et al.: VGG16, 50 dimensions"),
    "cimnet": ("nax_bo.systems.cimnet:CimnetSystem", "CiMNet: MobileNetV3 sub-networks and memory hierarchy"),
    "cimnet-vit": (
        "nax_bo.systems.cimnet_vit:CimnetVitSystem",
        "CiMNet: ViT sub-networks and memory hierarchy",
    ),
    "union": (
        "nax_bo.systems.union:union",
        "networks of XPert, NAX, NACIM, CiMNet; all choices of their chips",
    ),
    "union-vit": (
        "nax_bo.systems.union:union_vit",
        "CiMNet's vision transformers; all choices of the four's chips",
    ),
}


def system_names() -> dict[str, str]:
    """Built-in systems and one line about each."""
    return {name: summary for name, (_, summary) in _FACTORIES.items()}


def load_system(reference: str, input_shape: Shape, num_classes: int) -> System:
    """A system by name, ``package.module:Factory`` or ``file.py:Factory``.

    A few designs are described at once, so that a description that cannot be used is refused before any work.

    Raises:
        InputError: Unknown name, the reference cannot be loaded or called, or what it makes is no description.
    """
    target = _FACTORIES[reference][0] if reference in _FACTORIES else reference
    if ":" not in target:
        raise InputError(
            f"there is no design space {reference!r}",
            f"Use one of {', '.join(_FACTORIES)}, or package.module:Factory, or file.py:Factory.",
        )
    factory = load_factory(target, "design space", ("build", "chip"))
    try:
        description: Description = factory(input_shape, num_classes)
    except TypeError as ex:
        raise InputError(f"{reference} cannot be called with (input_shape, num_classes): {ex}") from ex
    missing = [x for x in ("name", "summary", "space", "build", "chip") if not hasattr(description, x)]
    if missing:
        raise InputError(
            f"{reference} makes no design space: it has no {', '.join(missing)}",
            "A space has name, summary, space, build(graph, choices) and chip(choices): see docs of nax_bo.systems.",
        )
    system = System(description, input_shape)
    if reference not in _FACTORIES:
        few = min(_TRIED, system.space.size)
        system.workload(system.space.columns(system.space.sample(few, 0)))
    return system


def last_of(count: Any, values: list[Any]) -> Any:
    """The value at position ``count`` (from 1), for one design or for each of many."""
    return np.choose(np.asarray(count) - 1, values)
