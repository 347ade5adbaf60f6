"""Vision transformers whose depth, heads and MLP widths a design may choose per layer.

Dosovitskiy et al. 2021, arXiv:2010.11929.
"""

from __future__ import annotations

from collections.abc import Sequence

from nax_bo.errors import InputError
from nax_bo.network.graph import Graph, Size
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
    vit_layers(graph, num_classes, width, head_counts, hidden, head_width=head_width, patch=patch)
    return graph.build()


def vit_layers(
    graph: Graph,
    num_classes: int,
    width: Size,
    heads: Sequence[Size],
    mlp_widths: Sequence[Size],
    *,
    depth: Size | None = None,
    head_width: Size = 64,
    patch: int = 16,
) -> None:
    """Add the layers of :func:`vit`; encoder layers from ``depth`` on are absent."""
    x = graph.conv(INPUT, width, kernel=patch, stride=patch, padding=0, name="patch")
    x = graph.tokens(x, name="tokens")
    for i, (count, mlp_width) in enumerate(zip(heads, mlp_widths, strict=True)):
        layer = f"l{i + 1}"
        with graph.present(True if depth is None else depth > i):
            qkv = graph.linear(
                graph.layernorm(x, name=f"{layer}.norm1"), 3 * count * head_width, name=f"{layer}.qkv"
            )
            mixed = graph.attention(qkv, heads=count, name=f"{layer}.attention")
            x = graph.add(x, graph.linear(mixed, width, name=f"{layer}.out"), name=f"{layer}.add1")
            normed = graph.layernorm(x, name=f"{layer}.norm2")
            mlp = graph.linear(normed, mlp_width, activation="gelu", name=f"{layer}.mlp1")
            x = graph.add(x, graph.linear(mlp, width, name=f"{layer}.mlp2"), name=f"{layer}.add2")
    graph.linear(graph.first_token(graph.layernorm(x, name="norm")), num_classes, name="classifier")


def _per_layer(what: str, value: Sequence[int] | int, depth: int) -> list[int]:
    values = [value] * depth if isinstance(value, int) else list(value)
    if depth < 1 or len(values) != depth:
        raise InputError(
            f"{len(values)} {what} for {depth} encoder layers", "Give one per layer, or one for all."
        )
    return values
