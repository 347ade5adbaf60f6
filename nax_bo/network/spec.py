"""A neural network as a symbolic graph: what the torch builder and the cost model both read.

Nothing here imports torch. Shapes are ``(channels, height, width)``; a sequence of N tokens of width D is
``(D, N, 1)``. One MAC is one multiply-accumulate at an *output* position, padding not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal

from nax_bo.errors import InputError

Shape = tuple[int, int, int]
Op = Literal[
    "conv",
    "linear",
    "attention",
    "maxpool",
    "avgpool",
    "global_avgpool",
    "add",
    "scale",
    "flatten",
    "layernorm",
    "activation",
    "tokens",
    "first_token",
    "conv_transpose",
    "matmul",
    "elementwise",
    "reshape",
]
Norm = Literal["none", "batch"]
Activation = Literal["none", "relu", "relu6", "hardswish", "hardsigmoid", "gelu", "silu", "tanh", "sigmoid"]

STATIC_OPS = ("conv", "linear", "conv_transpose")
"""Layers whose weights stand in crossbars: vector-matrix products with a constant matrix."""

_ANY_ARRANGEMENT = ("matmul", "elementwise", "reshape")

INPUT = "input"
"""Name of the network's input in :attr:`LayerSpec.inputs`."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One node of the graph, with the normalisation and activation that follow it folded in.

    Attributes:
        name: Unique in its network.
        op: What it computes. ``linear`` maps the channel axis at every position (a 1 x 1 convolution);
            ``attention`` is multi-head scaled dot-product attention over an input of 3 D channels (queries, keys,
            values); ``scale`` multiplies its first input by its second, broadcast over positions; ``tokens`` turns
            patches into a sequence, prepends a class token and adds learned positions. Networks that were imported
            also have ``conv_transpose``, one product per input position, added up where outputs overlap; ``matmul``,
            ``w`` products of two activations (or an activation and a parameter outside any layer) with ``in_shape``
            (inner size, rows, w) and ``out_shape`` (columns, rows, w); ``elementwise``, any other digital work on
            single elements; ``reshape``, elements in another arrangement, selected, padded or joined, which is free.
            The last three may read maps of any shape.
        inputs: Names of the layers it reads, :data:`INPUT` for the image.
        in_shape: Shape of the first input.
        out_shape: Shape of the output.
        kernel, stride, padding: (height, width); padding is on both sides.
        groups: Convolution groups; ``groups == in channels`` is depthwise.
        heads: Attention heads.
        bias: Whether a bias is added (a folded batch norm adds its own shift).
        norm: Normalisation folded into this layer.
        activation: Non-linearity applied last.
        dilation: (height, width) between the positions of a kernel.
        weights_of: The layer whose weights it uses once more, in the same crossbars; empty: its own.
        elementwise_ops: Element operations beside those of ``op`` and ``activation``.
        trainable: Parameters, where they do not follow from the other fields.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    heads: int = 1
    bias: bool = True
    norm: Norm = "none"
    activation: Activation = "none"
    dilation: tuple[int, int] = (1, 1)
    weights_of: str = ""
    elementwise_ops: int = 0
    trainable: int | None = None

    @property
    def is_static(self) -> bool:
        """Whether the layer's weights can stand in crossbars."""
        return self.op in STATIC_OPS

    @property
    def is_product(self) -> bool:
        """Whether the layer is a matrix product, or two."""
        return self.is_static or self.op in ("attention", "matmul")

    @property
    def _kernel_rows(self) -> int:
        return 1 if self.op == "conv_transpose" else self.kernel[0] * self.kernel[1]

    @property
    def matrix_rows(self) -> int:
        """Rows of one group's weight matrix: inputs of one dot product (static layers)."""
        return self.in_shape[0] // self.groups * self._kernel_rows

    @property
    def matrix_cols(self) -> int:
        """Columns of one group's weight matrix: outputs per position and group (static layers)."""
        cols = self.out_shape[0] // self.groups
        return cols * self.kernel[0] * self.kernel[1] if self.op == "conv_transpose" else cols

    @property
    def vectors(self) -> int:
        """Input vectors applied to the matrix per inference: output positions, of transposed ones input positions."""
        shape = self.in_shape if self.op == "conv_transpose" else self.out_shape
        return shape[1] * shape[2]

    @property
    def in_elements(self) -> int:
        """Elements of the first input."""
        return math.prod(self.in_shape)

    @property
    def out_elements(self) -> int:
        """Elements of the output."""
        return math.prod(self.out_shape)

    @property
    def weights(self) -> int:
        """Elements of the weight matrices; what crossbars must hold."""
        return self._matrix if self.is_static and not self.weights_of else 0

    @property
    def _matrix(self) -> int:
        return self.matrix_rows * self.matrix_cols * self.groups

    @property
    def parameters(self) -> int:
        """Trainable parameters as torch counts them (weights, bias, normalisation, tokens)."""
        if self.trainable is not None:
            return self.trainable
        channels = self.out_shape[0]
        count = self.weights + (channels if self.is_static and self.bias else 0)
        if self.norm == "batch" or self.op == "layernorm":
            count += 2 * channels
        if self.op == "tokens":
            count += channels + self.out_elements  # class token, positions
        return count

    @property
    def macs(self) -> int:
        """Multiply-accumulates of matrix products per inference."""
        if self.is_static:
            return self._matrix * self.vectors
        if self.op == "matmul":
            return self.in_shape[0] * self.out_elements
        if self.op == "attention":
            tokens, width = self.out_shape[1], self.out_shape[0]
            return 2 * tokens * tokens * width  # Q K^T and A V
        return 0

    @property
    def digital_ops(self) -> int:
        """Element operations outside matrix products: pooling, additions, activations, normalisation."""
        out = self.out_elements
        own = {
            "maxpool": out * self.kernel[0] * self.kernel[1],
            "avgpool": out * self.kernel[0] * self.kernel[1],
            "global_avgpool": self.in_elements,
            "add": out,
            "scale": out,
            "layernorm": 4 * out,
            "attention": 3 * self.heads * self.out_shape[1] ** 2,  # softmax: exponential, sum, divide
            "tokens": out,
            "conv_transpose": self.matrix_cols * self.groups * self.vectors
            if self.op == "conv_transpose"
            else 0,
        }.get(self.op, 0)
        return own + self.elementwise_ops + (out if self.activation != "none" else 0)


@dataclass(frozen=True)
class NetworkSpec:
    """A network: layers in an order in which each reads only earlier ones.

    Raises:
        InputError: A layer reads an unknown or later layer, or a name repeats.
    """

    name: str
    input_shape: Shape
    layers: tuple[LayerSpec, ...]

    def __post_init__(self) -> None:
        known = {INPUT: self.input_shape}
        for layer in self.layers:
            if layer.name in known:
                raise InputError(
                    f"network {self.name!r} has two layers named {layer.name!r}", "Names must be unique."
                )
            for source in layer.inputs:
                if source not in known:
                    raise InputError(
                        f"layer {layer.name!r} reads {source!r}, which does not come before it",
                        "List layers in the order in which they are computed.",
                    )
            if layer.weights_of and layer.weights_of not in known:
                raise InputError(
                    f"layer {layer.name!r} uses the weights of {layer.weights_of!r}, which does not come before it",
                    "List layers in the order in which they are computed.",
                )
            if layer.op not in _ANY_ARRANGEMENT and known[layer.inputs[0]] != layer.in_shape:
                raise InputError(
                    f"layer {layer.name!r} expects {layer.in_shape}, "
                    f"but {layer.inputs[0]!r} gives {known[layer.inputs[0]]}",
                    "Shapes are (channels, height, width).",
                )
            known[layer.name] = layer.out_shape

    @cached_property
    def static_layers(self) -> tuple[LayerSpec, ...]:
        """Layers whose weights can stand in crossbars, in order; per-layer chip settings follow this order."""
        return tuple(layer for layer in self.layers if layer.is_static and not layer.weights_of)

    @cached_property
    def pooled_layers(self) -> frozenset[str]:
        """Names of static layers whose output reaches a max-pooling before any other static layer."""
        source = {INPUT: ""}
        pooled = set()
        for layer in self.layers:
            source[layer.name] = layer.name if layer.is_static else source[layer.inputs[0]]
            if layer.op == "maxpool":
                pooled.add(source[layer.name])
        return frozenset(pooled - {""})

    @property
    def output_shape(self) -> Shape:
        """Shape of the last layer's output."""
        return self.layers[-1].out_shape

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference, at output positions."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Trainable parameters as torch counts them."""
        return sum(layer.parameters for layer in self.layers)

    def layer(self, name: str) -> LayerSpec:
        """The layer called ``name``; raises InputError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(
            f"network {self.name!r} has no layer {name!r}",
            f"It has: {', '.join(x.name for x in self.layers)}.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """Inverse of :meth:`to_dict`; raises InputError on missing or unknown fields."""
        tuples = {"inputs", "in_shape", "out_shape", "kernel", "stride", "padding", "dilation"}
        allowed = {f.name for f in fields(LayerSpec)}

        def read(layer: Mapping[str, Any]) -> LayerSpec:
            values: dict[str, Any] = {
                k: tuple(v) if k in tuples else v for k, v in layer.items() if k in allowed
            }
            return LayerSpec(**values)

        try:
            return cls(data["name"], tuple(data["input_shape"]), tuple(map(read, data["layers"])))
        except (KeyError, TypeError) as ex:
            raise InputError(
                f"this is not the plain form of a network: {ex}", "Write it with to_dict()."
            ) from ex
