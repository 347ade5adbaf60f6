"""Build a NetworkSpec layer by layer; shapes are worked out on the way."""

from __future__ import annotations

from nax_bo.errors import InputError
from nax_bo.network.spec import INPUT, Activation, LayerSpec, NetworkSpec, Norm, Op, Shape

Pair = int | tuple[int, int]


class Graph:
    """Collects layers; every method returns the new layer's name, to be passed to the next.

    >>> g = Graph("tiny", (1, 8, 8))
    >>> x = g.conv(INPUT, 16, kernel=3, norm="batch", activation="relu")
    >>> x = g.linear(g.global_avgpool(x), 10)
    >>> g.build().parameters
    362
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise InputError(
                f"input shape {input_shape} of {name!r}", "Give (channels, height, width), each at least 1."
            )
        self.name = name
        self.input_shape = input_shape
        self._layers: list[LayerSpec] = []
        self._shapes: dict[str, Shape] = {INPUT: input_shape}

    def build(self) -> NetworkSpec:
        """The finished network."""
        return NetworkSpec(self.name, self.input_shape, tuple(self._layers))

    def shape(self, name: str) -> Shape:
        """Output shape of a layer."""
        return self._shapes[name]

    def conv(
        self,
        source: str,
        out_channels: int,
        *,
        kernel: Pair = 3,
        stride: Pair = 1,
        padding: Pair | None = None,
        groups: int = 1,
        bias: bool | None = None,
        norm: Norm = "none",
        activation: Activation = "none",
        name: str | None = None,
    ) -> str:
        """Convolution; ``padding=None`` keeps the size at stride 1 (odd kernels)."""
        k, s = _pair(kernel), _pair(stride)
        p = (k[0] // 2, k[1] // 2) if padding is None else _pair(padding)
        channels, height, width = self._shapes[source]
        if channels % groups or out_channels % groups:
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
        out_channels: int,
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

    def attention(self, qkv: str, *, heads: int, name: str | None = None) -> str:
        """Multi-head scaled dot-product attention over ``3 D`` channels of queries, keys and values."""
        channels, tokens, one = self._shapes[qkv]
        if channels % (3 * heads):
            raise InputError(
                f"{channels} channels do not hold queries, keys, values of {heads} heads",
                "Use 3 * heads * k.",
            )
        return self._add("attention", (qkv,), (channels // 3, tokens, one), name, heads=heads)

    def maxpool(self, source: str, kernel: Pair = 2, *, stride: Pair | None = None, padding: Pair = 0) -> str:
        """Maximum over windows; the stride defaults to the kernel."""
        return self._pool("maxpool", source, kernel, stride, padding)

    def avgpool(self, source: str, kernel: Pair = 2, *, stride: Pair | None = None, padding: Pair = 0) -> str:
        """Mean over windows; the stride defaults to the kernel."""
        return self._pool("avgpool", source, kernel, stride, padding)

    def _pool(self, op: Op, source: str, kernel: Pair, stride: Pair | None, padding: Pair) -> str:
        k, p = _pair(kernel), _pair(padding)
        s = k if stride is None else _pair(stride)
        channels, height, width = self._shapes[source]
        out = (channels, _positions(height, k[0], s[0], p[0]), _positions(width, k[1], s[1], p[1]))
        return self._add(op, (source,), out, None, kernel=k, stride=s, padding=p)

    def global_avgpool(self, source: str) -> str:
        """Mean over all positions."""
        return self._add("global_avgpool", (source,), (self._shapes[source][0], 1, 1), None)

    def flatten(self, source: str) -> str:
        """All elements as channels of one position."""
        channels, height, width = self._shapes[source]
        return self._add("flatten", (source,), (channels * height * width, 1, 1), None)

    def add(self, a: str, b: str, *, activation: Activation = "none") -> str:
        """Sum of two layers of equal shape (a residual connection)."""
        if self._shapes[a] != self._shapes[b]:
            raise InputError(
                f"cannot add {a} {self._shapes[a]} and {b} {self._shapes[b]}", "Shapes must be equal."
            )
        return self._add("add", (a, b), self._shapes[a], None, activation=activation)

    def scale(self, source: str, gate: str) -> str:
        """``source`` times ``gate`` (one value per channel), as in squeeze-and-excitation."""
        return self._add("scale", (source, gate), self._shapes[source], None)

    def layernorm(self, source: str) -> str:
        """Layer normalisation over channels."""
        return self._add("layernorm", (source,), self._shapes[source], None)

    def activation(self, source: str, kind: Activation) -> str:
        """A non-linearity on its own."""
        return self._add("activation", (source,), self._shapes[source], None, activation=kind)

    def tokens(self, source: str) -> str:
        """Patches to a sequence with a class token and learned positions."""
        channels, height, width = self._shapes[source]
        return self._add("tokens", (source,), (channels, height * width + 1, 1), None)

    def first_token(self, source: str) -> str:
        """The class token."""
        return self._add("first_token", (source,), (self._shapes[source][0], 1, 1), None)

    def _add(self, op: Op, inputs: tuple[str, ...], out: Shape, name: str | None, **settings: object) -> str:
        if min(out) < 1:
            raise InputError(
                f"a {op} in {self.name!r} would have output shape {out}",
                "Use fewer poolings or larger images.",
            )
        label = name or f"{op}{1 + sum(layer.op == op for layer in self._layers)}"
        self._layers.append(LayerSpec(label, op, inputs, self._shapes[inputs[0]], out, **settings))  # type: ignore[arg-type]
        self._shapes[label] = out
        return label


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _positions(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1
