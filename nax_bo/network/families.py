"""Network families whose members are chosen by a design: VGG-style, residual, multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from nax_bo.errors import InputError
from nax_bo.network.graph import Graph
from nax_bo.network.spec import INPUT, NetworkSpec, Shape


def vgg(
    input_shape: Shape,
    num_classes: int,
    widths: Sequence[int],
    kernels: Sequence[int] | int = 3,
    pool_after: Sequence[int] = (),
    hidden: Sequence[int] = (),
    name: str = "vgg",
) -> NetworkSpec:
    """A chain of convolutions with batch norm and ReLU, then global average pooling and a classifier.

    Args:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        widths: Output channels of each convolution; its length is the depth.
        kernels: Kernel side of each convolution, or one for all.
        pool_after: Indices of convolutions that a 2 x 2 max-pooling follows.
        hidden: Widths of fully connected layers before the classifier.
        name: Name of the network.

    Raises:
        InputError: Lengths differ, or the image is too small for the poolings.
    """
    sides = [kernels] * len(widths) if isinstance(kernels, int) else list(kernels)
    if not widths or len(sides) != len(widths):
        raise InputError(f"{len(widths)} widths and {len(sides)} kernels", "Give one kernel side per width.")
    graph = Graph(name, input_shape)
    x = INPUT
    for i, (width, side) in enumerate(zip(widths, sides, strict=True)):
        x = graph.conv(x, width, kernel=side, norm="batch", activation="relu")
        if i in pool_after:
            x = graph.maxpool(x)
    x = graph.flatten(graph.global_avgpool(x))
    for width in hidden:
        x = graph.linear(x, width, activation="relu")
    graph.linear(x, num_classes, name="classifier")
    return graph.build()


def resnet(
    input_shape: Shape,
    num_classes: int,
    widths: Sequence[int],
    blocks: Sequence[int] | int,
    kernels: Sequence[int] | int = 3,
    stem_width: int | None = None,
    name: str = "resnet",
) -> NetworkSpec:
    """A residual network of basic blocks (He et al. 2016, doi:10.1109/CVPR.2016.90, CIFAR form).

    A stem convolution, then stages of blocks of two convolutions; every stage but the first halves the size with
    stride 2, and a 1 x 1 convolution carries the shortcut wherever shapes change.

    Args:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        widths: Channels of each stage.
        blocks: Blocks of each stage, or one number for all.
        kernels: Kernel side of each stage, or one for all.
        stem_width: Channels of the stem; the first stage's if not given.
        name: Name of the network.

    Raises:
        InputError: Lengths differ.
    """
    counts = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
    sides = [kernels] * len(widths) if isinstance(kernels, int) else list(kernels)
    if not widths or not len(widths) == len(counts) == len(sides):
        raise InputError(
            f"{len(widths)} widths, {len(counts)} block counts, {len(sides)} kernels",
            "Give one of each per stage.",
        )
    graph = Graph(name, input_shape)
    x = graph.conv(INPUT, stem_width or widths[0], kernel=3, norm="batch", activation="relu")
    for stage, (width, count, side) in enumerate(zip(widths, counts, sides, strict=True)):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            y = graph.conv(x, width, kernel=side, stride=stride, norm="batch", activation="relu")
            y = graph.conv(y, width, kernel=side, norm="batch")
            if stride != 1 or graph.shape(x)[0] != width:
                x = graph.conv(x, width, kernel=1, stride=stride, padding=0, norm="batch")
            x = graph.add(y, x, activation="relu")
    graph.linear(graph.flatten(graph.global_avgpool(x)), num_classes, name="classifier")
    return graph.build()


def mlp(input_shape: Shape, num_classes: int, hidden: Sequence[int], name: str = "mlp") -> NetworkSpec:
    """Fully connected layers with ReLU over the flattened image."""
    graph = Graph(name, input_shape)
    x = graph.flatten(INPUT)
    for width in hidden:
        x = graph.linear(x, width, activation="relu")
    graph.linear(x, num_classes, name="classifier")
    return graph.build()
