"""Network families whose members are chosen by a design: VGG-style, residual, multilayer perceptron."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nax_bo.errors import InputError
from nax_bo.network.graph import Graph, Size
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
    vgg_layers(graph, num_classes, widths, sides, pool_after, hidden)
    return graph.build()


def vgg_layers(
    graph: Graph,
    num_classes: int,
    widths: Sequence[Size],
    kernels: Sequence[Size],
    pool_after: Collection[int] = (),
    hidden: Sequence[Size] = (),
    *,
    depth: Size | None = None,
) -> None:
    """Add the layers of :func:`vgg`; convolutions from ``depth`` on are absent."""
    x = INPUT
    for i, (width, side) in enumerate(zip(widths, kernels, strict=True)):
        with graph.present(True if depth is None else depth > i):
            x = graph.conv(x, width, kernel=side, norm="batch", activation="relu", name=f"conv{i + 1}")
            if i in pool_after:
                x = graph.maxpool(x, name=f"pool{i + 1}")
    x = graph.flatten(graph.global_avgpool(x))
    for width in hidden:
        x = graph.linear(x, width, activation="relu")
    graph.linear(x, num_classes, name="classifier")


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
    stages = [[side] * (2 * count) for side, count in zip(sides, counts, strict=True)]
    resnet_layers(graph, num_classes, widths, counts, stages, stem_width or widths[0])
    return graph.build()


def resnet_layers(
    graph: Graph,
    num_classes: int,
    widths: Sequence[Size],
    blocks: Sequence[Size],
    kernels: Sequence[Sequence[Size]],
    stem_width: Size,
    *,
    stages: Size | None = None,
) -> None:
    """Add the layers of :func:`resnet`, named ``stem``, ``s2.b1.conv1``, ``s2.b1.shortcut``.

    Args:
        graph: What they are added to.
        num_classes: Outputs of the classifier.
        widths: Channels of each stage.
        blocks: Blocks of each stage; those beyond are absent.
        kernels: Kernel side of each convolution of each stage: two for each possible block.
        stem_width: Channels of the stem.
        stages: Number of stages, if designs differ in it.
    """
    x = graph.conv(INPUT, stem_width, kernel=3, norm="batch", activation="relu", name="stem")
    for stage, (width, count, sides) in enumerate(zip(widths, blocks, kernels, strict=True)):
        for block in range(len(sides) // 2):
            name, stride = f"s{stage + 1}.b{block + 1}", 2 if stage > 0 and block == 0 else 1
            has = count > block if stages is None else (count > block) & (stages > stage)
            with graph.present(has):
                first, second = sides[2 * block : 2 * block + 2]
                y = graph.conv(
                    x,
                    width,
                    kernel=first,
                    stride=stride,
                    norm="batch",
                    activation="relu",
                    name=f"{name}.conv1",
                )
                y = graph.conv(y, width, kernel=second, norm="batch", name=f"{name}.conv2")
                with graph.present((graph.shape(x)[0] != width) | (stride != 1)):
                    x = graph.conv(
                        x, width, kernel=1, stride=stride, padding=0, norm="batch", name=f"{name}.shortcut"
                    )
                x = graph.add(y, x, activation="relu", name=f"{name}.add")
    graph.linear(graph.flatten(graph.global_avgpool(x)), num_classes, name="classifier")


def mlp(input_shape: Shape, num_classes: int, hidden: Sequence[int], name: str = "mlp") -> NetworkSpec:
    """Fully connected layers with ReLU over the flattened image."""
    graph = Graph(name, input_shape)
    x = graph.flatten(INPUT)
    for width in hidden:
        x = graph.linear(x, width, activation="relu")
    graph.linear(x, num_classes, name="classifier")
    return graph.build()
