"""Weights that all networks of a space share: each network is a slice of them.

Layers of one name share their parameters. A network takes the leading channels of each layer, the middle of each
kernel, the layers that it has (once-for-all networks: Cai et al. 2020, arXiv:1908.09791), and of an attention layer its
leading heads, in queries, keys and values alike. Slices are views wherever memory allows; gradients of several add up
in what they share. A layer that reads different layers in different networks of a chain (the classifier after three
convolutions or five) has weights for each of them; the sums of a residual stream count as one. Learned positions of
other patch sizes are cut, not interpolated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from nax_bo.errors import InputError
from nax_bo.network.spec import INPUT, LayerSpec, NetworkSpec
from nax_bo.network.torch_build import Blocks, Network

Axis = tuple[int, ...]
"""Sizes whose product is the length of a dimension: ``(3, heads, head width)`` for queries, keys and values."""


class SharedNetwork(nn.Module):
    """The shared parameters of some networks.

    Args:
        networks: All that are slices, or enough of them that every size is seen at its largest.
        seed: Of the initial weights: torch's default ones of the largest layers.

    Raises:
        InputError: Layers of one name are of different kinds.
    """

    def __init__(self, networks: Iterable[NetworkSpec], seed: int = 0) -> None:
        super().__init__()
        self._parts: dict[str, _Part] = {}
        for network in networks:
            for part in _parts(network):
                known = self._parts.get(part.place)
                self._parts[part.place] = known.holding(part) if known else part
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.blocks = Blocks(replace(part.layer, name=place) for place, part in self._parts.items())

    def slices(self, network: NetworkSpec) -> dict[str, Tensor]:
        """The parameters of ``network`` by name, cut from the shared ones; gradients flow into these.

        Raises:
            InputError: The network has a layer that is not shared, or is larger than the shared one.
        """
        found = {}
        for part in _parts(network):
            name, shared = part.layer.name, self._parts.get(part.place)
            if shared is None or not shared.holds(part):
                raise InputError(
                    f"layer {name!r} of the network is no slice of the super-network",
                    "It was made for another space: take it away, and it is trained anew.",
                )
            for parameter, whole in self.blocks[part.place].named_parameters():
                kernel = (2, 3) if part.layer.is_static and parameter == "op.weight" else ()
                found[f"blocks.{name}.{parameter}"] = _cut(
                    whole, shared.dimensions(parameter), part.dimensions(parameter), kernel
                )
        return found

    def inherited(self, network: NetworkSpec) -> Network:
        """``network`` as a module of its own, with a copy of its slice.

        Raises:
            InputError: As :meth:`slices`.
        """
        model = Network(network)
        with torch.no_grad():
            own = dict(model.named_parameters())
            for name, value in self.slices(network).items():
                own[name].copy_(value)
        return model


@dataclass(frozen=True)
class _Part:
    """A layer with how its channels are made up, or the least of which several such layers are slices.

    Attributes:
        place: Name under which its parameters are shared: the layer's own, and what it reads.
        layer: The layer; groups are not kept, its input channels are those of one group.
        out: What its output channels are made up of.
        into: The same of its input channels.
    """

    layer: LayerSpec
    place: str
    out: Axis
    into: Axis

    def dimensions(self, parameter: str) -> tuple[Axis, ...]:
        """What each dimension of a parameter of the layer's block is made up of."""
        layer = self.layer
        if parameter == "op.weight" and layer.is_static:
            return self.out, self.into, (layer.kernel[0],), (layer.kernel[1],)
        if parameter == "op.class_token":
            return (1,), self.out, (1,), (1,)
        if parameter == "op.positions":
            return (1,), self.out, (layer.out_shape[1],), (layer.out_shape[2],)
        return (self.out,)  # biases and normalisations

    def holding(self, other: _Part) -> _Part:
        """The least part of which both are slices."""
        a, b = self.layer, other.layer
        if (a.op, a.norm, a.bias, len(self.out)) != (b.op, b.norm, b.bias, len(other.out)):
            raise InputError(
                f"layer {a.name!r} is not of one kind in all networks of the space, so weights cannot be shared",
                "Give layers of different kinds different names, or leave the rung inherit out.",
            )
        out, into = _largest(self.out, other.out), _largest(self.into, other.into)
        layer = replace(
            a,
            in_shape=(prod(into), *a.in_shape[1:]),
            out_shape=(prod(out), max(a.out_shape[1], b.out_shape[1]), max(a.out_shape[2], b.out_shape[2])),
            kernel=(max(a.kernel[0], b.kernel[0]), max(a.kernel[1], b.kernel[1])),
        )
        return _Part(layer, self.place, out, into)

    def holds(self, other: _Part) -> bool:
        """Whether ``other`` is a slice of this."""
        try:
            return self.holding(other) == self
        except InputError:
            return False


def _parts(network: NetworkSpec) -> list[_Part]:
    """Parts of the layers with parameters."""
    axes: dict[str, Axis] = {INPUT: (network.input_shape[0],)}
    attended = {layer.inputs[0]: layer.heads for layer in network.layers if layer.op == "attention"}
    found, read = [], {INPUT: INPUT}
    for layer in network.layers:
        read[layer.name] = _seen_as(layer, read)
        into = axes[layer.inputs[0]]
        axes[layer.name] = out = _made_of(layer, into, attended.get(layer.name))
        if layer.parameters:
            own = (layer.in_shape[0] // layer.groups,) if layer.groups > 1 else into
            plain = replace(layer, inputs=(INPUT,), in_shape=(prod(own), *layer.in_shape[1:]), groups=1)
            place = f"{layer.name}.after_{read[layer.inputs[0]].replace('.', '_')}"
            found.append(_Part(plain, place, out, own))
    return found


def _seen_as(layer: LayerSpec, read: dict[str, str]) -> str:
    """What a layer that reads this one sees: a layer with a matrix, or any of the sums of a residual stream."""
    if layer.is_static:
        return layer.name
    return "sum" if layer.op == "add" else read[layer.inputs[0]]


def _made_of(layer: LayerSpec, into: Axis, heads: int | None) -> Axis:
    """What a layer's output channels are made up of; ``heads`` of the attention that reads it, if one does."""
    channels = layer.out_shape[0]
    if layer.is_static:
        return (channels,) if heads is None else (3, heads, channels // (3 * heads))
    if layer.op == "attention":
        return layer.heads, channels // layer.heads
    if layer.op == "flatten":
        return *into, *layer.in_shape[1:]
    return into


def _largest(a: Axis, b: Axis) -> Axis:
    return tuple(map(max, zip(a, b, strict=True)))


def _cut(whole: Tensor, axes: tuple[Axis, ...], wanted: tuple[Axis, ...], centred: tuple[int, ...]) -> Tensor:
    """The slice of ``whole`` whose dimensions are made up of ``wanted``, those of ``whole`` being made up of ``axes``.

    Of each size the first are taken, of the dimensions in ``centred`` those in the middle.
    """
    cut = whole.reshape([size for axis in axes for size in axis])
    at = 0
    for place, (axis, own) in enumerate(zip(axes, wanted, strict=True)):
        for size, kept in zip(axis, own, strict=True):
            cut = cut.narrow(at, (size - kept) // 2 if place in centred else 0, kept)
            at += 1
    return cut.reshape([prod(axis) for axis in wanted])
