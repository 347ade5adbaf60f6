"""Vision transformers whose depth, heads and MLP widths a design may choose per layer.

Dosovitskiy et al. 2021, arXiv:2010.11929.
"""

from __future__ import annotations

from collections.abc import Sequence

from nax_bo.errors import InputError
from nax_bo.network.graph import Graph
from nax_bo.network.spec import INPUT, NetworkSpec, Shape


def vit(
    input_shape: Shape,
    num_classes: int,
    *,
    width: int,
    depth: int = 12,
    heads: Sequence[int] | int,
    mlp_widths: Sequence[int] | int | None = None,
    head_width: int = 64,
    patch: int = 16,
    name: str = "vit",
) -> NetworkSpec:
    """Pre-norm encoder over patches, with a class token and learned positions.

    The three projections of an attention layer are one matrix of ``3 * heads * head_width`` columns. Products of
    queries, keys and values have no constant operand, so they stay outside the crossbars.

    Args:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        width: Channels of a token.
        depth: Encoder layers.
        heads: Attention heads of each layer, or one number for all; need not fill ``width``.
        mlp_widths: Hidden width of each layer's MLP, or one for all; ``4 * width`` if not given.
        head_width: Channels of one head.
        patch: Side of a patch, in pixels.
        name: Name of the network.

    Raises:
        InputError: Lengths differ from ``depth``, or patches do not divide the image.
    """
    if input_shape[1] % patch or input_shape[2] % patch:
        raise InputError(
            f"patches of {patch} x {patch} pixels do not divide images of shape {input_shape}",
            "Choose a divisor of height and width.",
        )
    head_counts = _per_layer("heads", heads, depth)
    hidden = _per_layer("mlp_widths", 4 * width if mlp_widths is None else mlp_widths, depth)
    graph = Graph(name, input_shape)
    x = graph.tokens(graph.conv(INPUT, width, kernel=patch, stride=patch, padding=0))
    for count, mlp_width in zip(head_counts, hidden, strict=True):
        qkv = graph.linear(graph.layernorm(x), 3 * count * head_width)
        x = graph.add(x, graph.linear(graph.attention(qkv, heads=count), width))
        mlp = graph.linear(graph.layernorm(x), mlp_width, activation="gelu")
        x = graph.add(x, graph.linear(mlp, width))
    graph.linear(graph.first_token(graph.layernorm(x)), num_classes, name="classifier")
    return graph.build()


def _per_layer(what: str, value: Sequence[int] | int, depth: int) -> list[int]:
    values = [value] * depth if isinstance(value, int) else list(value)
    if depth < 1 or len(values) != depth:
        raise InputError(
            f"{len(values)} {what} for {depth} encoder layers", "Give one per layer, or one for all."
        )
    return values
