"""Describe networks layer by layer, one of them or thousands at once; shapes are worked out on the way.

Every size (channels, kernels, strides, heads, groups) is a number, or an array with one value per design. A layer that
only some designs have stands in a ``with graph.present(condition):`` block; where it is absent it hands on its first
input. With numbers alone the result is a :class:`NetworkSpec`, with arrays a :class:`NetworkBatch` of the same layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nax_bo.errors import InputError
from nax_bo.network.batch import NetworkBatch
from nax_bo.network.spec import (
    INPUT,
    STATIC_OPS,
    Activation,
    LayerSpec,
    NetworkSpec,
    Norm,
    Op,
    Shape,
)

Size = Any
"""A whole number, or an array of them with one value per design."""
Pair = Any
"""A size for both directions, or (height, width)."""
Condition = Any
"""A truth value, or an array of them with one value per design."""


class Graph:
    """Collects layers; every method returns the new layer's name, to be passed to the next.

    >>> g = Graph("tiny", (1, 8, 8))
    >>> x = g.conv(INPUT, 16, kernel=3, norm="batch", activation="relu")
    >>> x = g.linear(g.global_avgpool(x), 10)
    >>> g.build().parameters
    362

    Two networks at once, of which only the second has a second layer:

    >>> g = Graph("two", (1, 8, 8))
    >>> x = g.conv(INPUT, np.array([16, 32]), name="conv1")
    >>> with g.present(np.array([False, True])):
    ...     x = g.conv(x, 8, name="conv2")
    >>> g.shape(x)[0].tolist()
    [16, 8]
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise InputError(
                f"input shape {input_shape} of {name!r}", "Give (channels, height, width), each at least 1."
            )
        self.name = name
        self.input_shape = input_shape
        self._layers: list[LayerSpec] = []
        self._present: list[Condition] = []
        self._sources: list[tuple[Any, ...]] = []
        self._shapes: dict[str, tuple[Size, Size, Size]] = {INPUT: input_shape}
        self._producers: dict[str, Any] = {INPUT: -1}
        self._static_names: list[str] = []
        self._calls: dict[str, int] = {}
        self._conditions: list[Condition] = [True]

    def build(self) -> NetworkSpec:
        """The finished network.

        Raises:
            InputError: Sizes or conditions are arrays.
        """
        sizes = [x for layer in self._layers for x in (*layer.out_shape, *layer.kernel, layer.groups)]
        if any(isinstance(x, np.ndarray) for x in (*self._present, *sizes)):
            raise InputError(f"{self.name!r} describes many networks", "Use batch(), or give single numbers.")
        return NetworkSpec(self.name, self.input_shape, tuple(self._layers))

    def batch(self) -> NetworkBatch:
        """The networks of all designs."""
        return NetworkBatch(
            self.name,
            self.input_shape,
            tuple(self._layers),
            tuple(self._present),
            tuple(self._sources),
            tuple(self._static_names),
        )

    def shape(self, name: str) -> tuple[Size, Size, Size]:
        """Output shape of a layer, (channels, height, width)."""
        return self._shapes[name]

    @contextmanager
    def present(self, condition: Condition) -> Iterator[None]:
        """Layers added in this block exist only where ``condition`` (and those of outer blocks) holds."""
        outer = self._conditions[-1]
        both = np.logical_and(outer, condition)
        self._conditions.append(both if isinstance(both, np.ndarray) else bool(both))
        try:
            yield
        finally:
            self._conditions.pop()

    def include(self, network: NetworkSpec) -> str:
        """All layers of a network as they are, under their own names; its last one is returned.

        Raises:
            InputError: The network takes other images.
        """
        if network.input_shape != self.input_shape:
            raise InputError(
                f"{network.name!r} takes images of {network.input_shape}, {self.name!r} has {self.input_shape}",
                "Build the network for these images.",
            )
        here = self._conditions[-1]
        for layer in network.layers:
            if layer.is_static and not layer.weights_of:
                self._static_names.append(layer.name)
            self._layers.append(layer)
            self._present.append(here)
            self._sources.append(tuple(self._producers[source] for source in layer.inputs))
            self._shapes[layer.name] = layer.out_shape
            self._producers[layer.name] = len(self._layers) - 1
        return network.layers[-1].name

    def conv(
        self,
        source: str,
        out_channels: Size,
        *,
        kernel: Pair = 3,
        stride: Pair = 1,
        padding: Pair | None = None,
        groups: Size = 1,
        bias: bool | None = None,
        norm: Norm = "none",
        activation: Activation = "none",
        name: str | None = None,
    ) -> str:
        """Convolution; ``padding=None`` keeps the size at stride 1 (odd kernels)."""
        k, s = _pair(kernel), _pair(stride)
        p = (k[0] // 2, k[1] // 2) if padding is None else _pair(padding)
        channels, height, width = self._shapes[source]
        if self._somewhere((channels % groups != 0) | (out_channels % groups != 0)):
            raise InputError(
                f"{channels} -> {out_channels} channels cannot be split into {groups} groups",
                "Choose a common divisor.",
            )
        out = (out_channels, _positions(height, k[0], s[0], p[0]), _positions(width, k[1], s[1], p[1]))
        has_bias = norm == "none" if bias is None else bias
        return self._add("conv", (source,), out, name, kernel=k, stride=s, padding=p, groups=groups, bias=has_bias,
                         norm=norm, activation=activation)  # fmt: skip

    def linear(
        self,
        source: str,
        out_channels: Size,
        *,
        bias: bool = True,
        activation: Activation = "none",
        name: str | None = None,
    ) -> str:
        """Matrix product over the channel axis, at every position."""
        _, height, width = self._shapes[source]
        return self._add(
            "linear", (source,), (out_channels, height, width), name, bias=bias, activation=activation
        )

    def attention(self, qkv: str, *, heads: Size, name: str | None = None) -> str:
        """Multi-head scaled dot-product attention over ``3 D`` channels of queries, keys and values."""
        channels, tokens, one = self._shapes[qkv]
        if self._somewhere(channels % (3 * heads) != 0):
            raise InputError(
                f"{channels} channels do not hold queries, keys, values of {heads} heads",
                "Use 3 * heads * k.",
            )
        return self._add("attention", (qkv,), (channels // 3, tokens, one), name, heads=heads)

    def maxpool(self, source: str, kernel: Pair = 2, *, stride: Pair | None = None, padding: Pair = 0,
                name: str | None = None) -> str:  # fmt: skip
        """Maximum over windows; the stride defaults to the kernel."""
        return self._pool("maxpool", source, kernel, stride, padding, name)

    def avgpool(self, source: str, kernel: Pair = 2, *, stride: Pair | None = None, padding: Pair = 0,
                name: str | None = None) -> str:  # fmt: skip
        """Mean over windows; the stride defaults to the kernel."""
        return self._pool("avgpool", source, kernel, stride, padding, name)

    def _pool(
        self, op: Op, source: str, kernel: Pair, stride: Pair | None, padding: Pair, name: str | None
    ) -> str:
        k, p = _pair(kernel), _pair(padding)
        s = k if stride is None else _pair(stride)
        channels, height, width = self._shapes[source]
        out = (channels, _positions(height, k[0], s[0], p[0]), _positions(width, k[1], s[1], p[1]))
        return self._add(op, (source,), out, name, kernel=k, stride=s, padding=p)

    def global_avgpool(self, source: str, *, name: str | None = None) -> str:
        """Mean over all positions."""
        return self._add("global_avgpool", (source,), (self._shapes[source][0], 1, 1), name)

    def flatten(self, source: str, *, name: str | None = None) -> str:
        """All elements as channels of one position."""
        channels, height, width = self._shapes[source]
        return self._add("flatten", (source,), (channels * height * width, 1, 1), name)

    def add(self, a: str, b: str, *, activation: Activation = "none", name: str | None = None) -> str:
        """Sum of two layers of equal shape (a residual connection)."""
        if any(self._somewhere(p != q) for p, q in zip(self._shapes[a], self._shapes[b], strict=True)):
            raise InputError(
                f"cannot add {a} {self._shapes[a]} and {b} {self._shapes[b]}", "Shapes must be equal."
            )
        return self._add("add", (a, b), self._shapes[a], name, activation=activation)

    def scale(self, source: str, gate: str, *, name: str | None = None) -> str:
        """``source`` times ``gate`` (one value per channel), as in squeeze-and-excitation."""
        return self._add("scale", (source, gate), self._shapes[source], name)

    def layernorm(self, source: str, *, name: str | None = None) -> str:
        """Layer normalisation over channels."""
        return self._add("layernorm", (source,), self._shapes[source], name)

    def activation(self, source: str, kind: Activation, *, name: str | None = None) -> str:
        """A non-linearity on its own."""
        return self._add("activation", (source,), self._shapes[source], name, activation=kind)

    def tokens(self, source: str, *, name: str | None = None) -> str:
        """Patches to a sequence with a class token and learned positions."""
        channels, height, width = self._shapes[source]
        return self._add("tokens", (source,), (channels, height * width + 1, 1), name)

    def first_token(self, source: str, *, name: str | None = None) -> str:
        """The class token."""
        return self._add("first_token", (source,), (self._shapes[source][0], 1, 1), name)

    def _somewhere(self, wrong: Condition) -> bool:
        """Whether something is wrong in a design that has the layer."""
        return bool(np.any(np.logical_and(wrong, self._conditions[-1])))

    def _add(
        self, op: Op, inputs: tuple[str, ...], out: tuple[Size, Size, Size], name: str | None, **settings: Any
    ) -> str:
        self._calls[op] = self._calls.get(op, 0) + 1  # absent layers count: names do not depend on the design
        label = name or f"{op}{self._calls[op]}"
        if op in STATIC_OPS:
            self._static_names.append(label)
        here = self._conditions[-1]
        if not np.any(here):
            return inputs[0]
        out = tuple(map(_whole, out))
        if self._somewhere(np.logical_or.reduce(np.broadcast_arrays(*(size < 1 for size in out)))):
            raise InputError(
                f"a {op} in {self.name!r} would have output shape {out}",
                "Use fewer poolings or larger images.",
            )
        before = self._shapes[inputs[0]]
        settings = {key: _settled(value) for key, value in settings.items()}
        self._layers.append(LayerSpec(label, op, inputs, before, out, **settings))
        self._present.append(here)
        self._sources.append(tuple(self._producers[source] for source in inputs))
        at = len(self._layers) - 1
        absent = here is not True
        self._shapes[label] = (
            tuple(_where(here, o, i) for o, i in zip(out, before, strict=True)) if absent else out
        )
        self._producers[label] = _where(here, at, self._producers[inputs[0]]) if absent else at
        return label


def _where(here: Condition, present: Size, absent: Size) -> Size:
    """One where the layer is present, the other elsewhere; the number itself where both are equal."""
    same = not isinstance(present, np.ndarray) and not isinstance(absent, np.ndarray) and present == absent
    return present if same else np.where(here, present, absent)


def _whole(value: Size) -> Size:
    """A Python number where there is one, so that specs hold plain numbers."""
    return value if isinstance(value, np.ndarray) else int(value)


def _settled(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_whole, value))
    return int(value) if isinstance(value, np.integer) else value


def _pair(value: Pair) -> tuple[Size, Size]:
    return value if isinstance(value, tuple) else (value, value)


def _positions(size: Size, kernel: Size, stride: Size, padding: Size) -> Size:
    return (size + 2 * padding - kernel) // stride + 1
