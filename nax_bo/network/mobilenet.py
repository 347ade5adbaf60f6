"""Inverted-residual networks: MobileNetV2 and V3 are members.

Sandler et al. 2018, doi:10.1109/CVPR.2018.00474; Howard et al. 2019, doi:10.1109/ICCV.2019.00140.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nax_bo.errors import InputError
from nax_bo.network.graph import Condition, Graph, Size
from nax_bo.network.spec import INPUT, Activation, NetworkSpec, Shape


@dataclass(frozen=True, slots=True)
class InvertedBlock:
    """One block: 1 x 1 expansion, depthwise convolution, optional squeeze-and-excitation, 1 x 1 projection.

    Attributes:
        expanded: Channels between expansion and projection; no expansion layer if equal to the block's input.
        width: Output channels.
        kernel: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution; 1 with equal channels adds a shortcut.
        squeeze: Whether channels are gated (squeeze to a quarter, rounded to a multiple of 8).
        activation: After expansion and depthwise convolution; the projection is linear.
    """

    expanded: Size
    width: Size
    kernel: Size = 3
    stride: Size = 1
    squeeze: Condition = False
    activation: Activation = "relu6"


def mobilenet(
    input_shape: Shape,
    num_classes: int,
    blocks: Sequence[InvertedBlock],
    *,
    stem_width: int = 32,
    stem_stride: int = 2,
    last_width: int = 1280,
    hidden: Sequence[int] = (),
    activation: Activation = "relu6",
    name: str = "mobilenet",
) -> NetworkSpec:
    """A 3 x 3 stem, inverted-residual blocks, a 1 x 1 convolution, global pooling, a classifier.

    Args:
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.
        blocks: The blocks in order.
        stem_width: Channels of the first convolution.
        stem_stride: Its stride; 1 suits small images.
        last_width: Channels of the 1 x 1 convolution before pooling.
        hidden: Widths of fully connected layers between pooling and classifier.
        activation: Of the stem, the last convolution and the hidden layers.
        name: Name of the network.

    Raises:
        InputError: No blocks, or a width that is not positive.
    """
    if not blocks:
        raise InputError("a mobilenet without blocks", "Give at least one InvertedBlock.")
    graph = Graph(name, input_shape)
    x = graph.conv(INPUT, stem_width, stride=stem_stride, norm="batch", activation=activation, name="stem")
    for i, block in enumerate(blocks, 1):
        x = inverted_block(graph, x, block, f"b{i}")
    x = graph.conv(x, last_width, kernel=1, norm="batch", activation=activation, name="head")
    x = graph.flatten(graph.global_avgpool(x))
    for width in hidden:
        x = graph.linear(x, width, activation=activation)
    graph.linear(x, num_classes, name="classifier")
    return graph.build()


def round_channels(channels: Size, divisor: int = 8) -> Size:
    """Nearest multiple of ``divisor`` that loses at most 10 % (the rule of both papers' reference code)."""
    rounded = np.maximum(divisor, (channels + divisor / 2) // divisor * divisor)
    rounded = np.where(rounded >= 0.9 * channels, rounded, rounded + divisor).astype(np.int64)
    return rounded if rounded.ndim else int(rounded)


def inverted_block(graph: Graph, x: str, block: InvertedBlock, name: str) -> str:
    """Add one block; the names of its layers begin with ``name``."""
    channels = graph.shape(x)[0]
    y = x
    with graph.present(block.expanded != channels):
        y = graph.conv(
            y, block.expanded, kernel=1, norm="batch", activation=block.activation, name=f"{name}.expand"
        )
    y = graph.conv(y, block.expanded, kernel=block.kernel, stride=block.stride, groups=block.expanded,
                   norm="batch", activation=block.activation, name=f"{name}.depthwise")  # fmt: skip
    with graph.present(block.squeeze):
        narrow = round_channels(block.expanded / 4)
        gate = graph.linear(
            graph.global_avgpool(y, name=f"{name}.pool"), narrow, activation="relu", name=f"{name}.squeeze"
        )
        gate = graph.linear(gate, block.expanded, activation="hardsigmoid", name=f"{name}.gate")
        y = graph.scale(y, gate, name=f"{name}.scale")
    y = graph.conv(y, block.width, kernel=1, norm="batch", name=f"{name}.project")
    with graph.present((block.stride == 1) & (channels == block.width)):
        y = graph.add(y, x, name=f"{name}.add")
    return y  # noqa: RET504 (where the sum is absent, y passes on)
