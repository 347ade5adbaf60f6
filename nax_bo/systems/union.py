"""The union of the published systems: any of their networks, on a chip with all of their choices at once.

``family`` says whose network a design has; its variables carry that name before theirs (``nax.kernel_3``). Crossbar,
bits, converter type and sharing are chosen layer by layer, for the first :data:`POSITIONS` layers in order; layers of
longer networks share the choices of their place. Device, cell, node and hierarchy are the chip's. Every variable can be
switched off with ``--fix``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.hardware.chip.devices import device
from nax_bo.network import Graph
from nax_bo.network.spec import STATIC_OPS, Shape
from nax_bo.space import Condition, Space, Value, Variable, categorical, ordinal
from nax_bo.systems.cimnet import CimnetSystem
from nax_bo.systems.cimnet_vit import CimnetVitSystem
from nax_bo.systems.groups import NETWORK, group_of
from nax_bo.systems.nacim import NacimSystem
from nax_bo.systems.nax import NaxSystem
from nax_bo.systems.system import Choices, Description, System
from nax_bo.systems.xpert import XpertSystem

POSITIONS = 24
"""Layers with array settings of their own."""

DEVICES = (
    "rram",
    "pcm",
    "fefet",
    "stt-mram",
    "sram",
    "sram-6t",
    "nacim-gaussian",
    "nax-geniex",
    "xpert-rram",
)
_HIERARCHY: Mapping[str, tuple[Value, ...]] = {
    "pes_per_tile": (1, 2, 4, 8),
    "arrays_per_pe": (1, 2, 4, 8, 32),
    "tile_buffer_kb": (2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "global_buffer_kb": tuple(float(2**k) for k in range(13)),
    "dram_bandwidth_gb_s": (0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4),
    "noc_bits": (16, 32, 64, 128),
    "buffer_port_bits": (64, 128, 256, 512, 1024),
    "tiles": (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
}
_WORDS: Mapping[str, tuple[str, ...]] = {"dram": ("lpddr4", "none"), "tile_use": ("whole", "shared")}
_LAYER: Mapping[str, tuple[Value, ...]] = {
    "crossbar": (16, 32, 64, 128, 256),
    "weight_bits": (2, 3, 4, 5, 6, 7, 8),
    "input_bits": (1, 2, 3, 4, 5, 6, 7, 8),
    "adc_bits": (3, 4, 5, 6, 7, 8, 9),
    "adc_type": ("sar", "flash"),
    "mux": (1, 2, 4, 8, 16, 32, 64, 128),
}
HOLDS: Mapping[str, tuple[str, ...]] = {
    "union": ("xpert", "nax", "nacim", "cimnet"),
    "union-vit": ("cimnet-vit",),
}
"""Unions by name, and the systems whose designs they hold."""
_FULL_RANGE = ("nax", "cimnet", "cimnet-vit")
"""Families whose converters span every possible sum, as their systems have it; others' are calibrated."""


@dataclass(frozen=True)
class UnionSystem:
    """Networks of several systems on one kind of chip.

    Attributes:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        parts: Systems by name.
        name, summary: For lists.
    """

    input_shape: Shape
    num_classes: int
    parts: Mapping[str, Description]
    name: str = "union"
    summary: str = "networks of XPert, NAX, NACIM and CiMNet, every choice of their chips at once"

    @cached_property
    def space(self) -> Space:
        """Family, the variables of its network, the layers' arrays, the chip."""
        family = categorical("family", tuple(self.parts), scope="network")
        return Space([family, *self._network_variables(), *self._chip_variables(), *self._array_variables()])

    def _network_variables(self) -> Iterable[Variable]:
        for part, description in self.parts.items():
            for v in description.space.variables:
                if group_of(v) != NETWORK:
                    continue
                when = [Condition(f"{part}.{c.variable}", c.values) for c in v.active_when]
                make = ordinal if v.kind == "ordinal" else categorical
                yield make(
                    f"{part}.{v.name}",
                    v.values,
                    scope=v.scope if v.scope != "chip" else "network",
                    when=[Condition("family", (part,)), *when],
                    affects=v.affects,
                )

    def _chip_variables(self) -> Iterable[Variable]:
        yield categorical("device", DEVICES)
        stores = {name: device(name).bits_per_cell for name in DEVICES}
        several = tuple(name for name in DEVICES if stores[name] >= 4)
        two = tuple(name for name in DEVICES if stores[name] in (2, 3))
        yield ordinal("bits_per_cell", (1, 2, 4), when=Condition("device", several))
        yield ordinal("fefet_bits_per_cell", (1, 2), when=Condition("device", two))
        yield categorical("encoding", ("differential", "offset"))
        yield ordinal("technology_nm", (22.0, 32.0))
        for name, values in _HIERARCHY.items():
            yield ordinal(name, values, affects="cost")
        for name, words in _WORDS.items():
            yield categorical(name, words, affects="cost")

    def _array_variables(self) -> Iterable[Variable]:
        for j in range(1, max(map(len, self._positions.values())) + 1):
            with_it = tuple(part for part, layers in self._positions.items() if len(layers) >= j)
            when, scope = Condition("family", with_it), f"layer:{j}"
            yield ordinal(f"crossbar_{j}", _LAYER["crossbar"], scope=scope, when=when)
            for name in ("weight_bits", "input_bits", "adc_bits"):
                yield ordinal(f"{name}_{j}", _LAYER[name], scope=scope, when=when)
            yield categorical(f"adc_type_{j}", _LAYER["adc_type"], scope=scope, when=when, affects="cost")
            yield ordinal(f"mux_{j}", _LAYER["mux"], scope=scope, when=when, affects="cost")

    @cached_property
    def _positions(self) -> Mapping[str, list[list[str]]]:
        """For each family, the layers at each position."""
        found = {}
        for part, description in self.parts.items():
            graph = Graph(part, self.input_shape)
            names: list[str] = []
            first = {v.name: v.values[0] for v in description.space.variables}
            description.build(_named(graph, part, names), first)
            count = min(len(names), POSITIONS)
            places: list[list[str]] = [[] for _ in range(count)]
            for i, name in enumerate(names):
                places[i * count // len(names)].append(name)
            found[part] = places
        return found

    def build(self, graph: Graph, choices: Choices) -> None:
        """The networks of all families, each present where it is chosen."""
        for part, description in self.parts.items():
            own = {v.name: v.values[0] for v in description.space.variables}
            own |= {name: choices[f"{part}.{name}"] for name in own if f"{part}.{name}" in choices}
            with graph.present(choices["family"] == part):
                description.build(_named(graph, part, []), own)

    def chip(self, choices: Choices) -> ChipPlan:
        """Arrays of each position, in every family, and the chip's own settings."""
        layers: dict[str, dict[str, Any]] = {}
        for part, places in self._positions.items():
            if part in _FULL_RANGE:
                layers[part] = {"adc_range": 1.0}
            for j, names in enumerate(places, 1):
                side = choices[f"crossbar_{j}"]
                array = {name: choices[f"{name}_{j}"] for name in _LAYER if name not in ("crossbar", "mux")}
                array |= {"rows": side, "cols": side, "mux": np.minimum(choices[f"mux_{j}"], side)}
                layers |= dict.fromkeys(names, array)
        shared = {
            name: choices[name] for name in (*_HIERARCHY, *_WORDS, "device", "encoding", "technology_nm")
        }
        bits = np.maximum(choices["bits_per_cell"], choices["fefet_bits_per_cell"])
        return ChipPlan(layers, bits_per_cell=bits, **shared)

    def express(self, part: str, design: Mapping[str, Value]) -> dict[str, Value]:
        """A design of one of the systems as one of the union: the same network, the same chip.

        Raises:
            InputError: The union has no such system, or not one of the chip's settings.
        """
        if part not in self.parts:
            raise InputError(f"{self.name} holds no {part!r}", f"It holds {', '.join(self.parts)}.")
        network, chip = System(self.parts[part], self.input_shape).decode(design)
        out: dict[str, Value] = {"family": part}
        known = {v.name for v in self.space.variables}
        out |= {f"{part}.{k}": v for k, v in design.items() if f"{part}.{k}" in known}
        out |= {name: getattr(chip, name) for name in (*_HIERARCHY, *_WORDS, "device", "technology_nm")}
        cell = chip.arrays[0]
        out |= {"encoding": cell.encoding, "bits_per_cell": cell.bits_per_cell}
        if device(chip.device).bits_per_cell in (2, 3):
            out |= {"fefet_bits_per_cell": cell.bits_per_cell, "bits_per_cell": 1}
        elif device(chip.device).bits_per_cell == 1:
            out["bits_per_cell"] = 1
        static = {f"{part}.{x.name}": i for i, x in enumerate(network.static_layers)}
        for j, names in enumerate(self._positions[part], 1):
            present = [static[name] for name in names if name in static]
            array = chip.array(present[0] if present else 0, len(static))
            out |= {f"{name}_{j}": getattr(array, "rows" if name == "crossbar" else name) for name in _LAYER}
        return dict(self.space.design(out))


class _Named:
    """A graph that puts a prefix before the names of layers, and notes those of layers with weights."""

    def __init__(self, graph: Graph, prefix: str, names: list[str]) -> None:
        self._graph, self._prefix, self._names = graph, prefix, names
        self._calls: dict[str, int] = {}

    def __getattr__(self, method: str) -> Any:
        found: Callable[..., Any] = getattr(self._graph, method)
        if method in ("shape", "present"):
            return found

        def add(*sources: Any, name: str | None = None, **settings: Any) -> Any:
            self._calls[method] = self._calls.get(method, 0) + 1
            label = f"{self._prefix}.{name or f'{method}{self._calls[method]}'}"
            if method in STATIC_OPS:
                self._names.append(label)
            return found(*sources, name=label, **settings)

        return add


def _named(graph: Graph, prefix: str, names: list[str]) -> Graph:
    named: Any = _Named(graph, prefix, names)
    return named  # type: ignore[no-any-return]


def union(input_shape: Shape, num_classes: int) -> UnionSystem:
    """Convolutional networks."""
    parts: Any = (  # frozen, which the protocol does not ask for
        XpertSystem(input_shape, num_classes),
        NaxSystem(input_shape, num_classes),
        NacimSystem(input_shape, num_classes),
        CimnetSystem(input_shape, num_classes),
    )
    return UnionSystem(input_shape, num_classes, {p.name: p for p in parts})


def union_vit(input_shape: Shape, num_classes: int) -> UnionSystem:
    """Vision transformers."""
    part: Any = CimnetVitSystem(input_shape, num_classes)
    summary = "CiMNet's vision transformers, every choice of the four systems' chips at once"
    return UnionSystem(input_shape, num_classes, {part.name: part}, "union-vit", summary)
