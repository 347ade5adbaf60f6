"""Published networks by name, in their ImageNet form and in the form used for small images.

Images of more than 64 pixels a side get the form of the cited paper, as torchvision and timm build it. Smaller
images (CIFAR, TinyImageNet) get the customary small-image form: 3 x 3 stem without early downsampling, one
fully connected layer, patches of 4 pixels.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from nax_bo.errors import InputError
from nax_bo.network.families import resnet, vgg
from nax_bo.network.graph import Graph
from nax_bo.network.mobilenet import InvertedBlock, mobilenet
from nax_bo.network.spec import INPUT, Activation, NetworkSpec, Norm, Shape
from nax_bo.network.vit import vit

_LARGEST_SMALL_SIDE = 64

# Simonyan & Zisserman 2015, arXiv:1409.1556, Table 1 (A and D); "M" is a 2 x 2 max-pooling.
# vgg8 is the CIFAR network of DNN+NeuroSim V1.3 (Peng et al. 2019, doi:10.1109/IEDM19573.2019.8993491).
_VGG: dict[str, tuple[tuple[int | str, ...], tuple[int, ...]]] = {
    "vgg8": ((128, 128, "M", 256, 256, "M", 512, 512, "M"), (1024,)),
    "vgg11": ((64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"), (4096, 4096)),
    "vgg16": (
        (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"),
        (4096, 4096),
    ),
}

# (width, depth, heads): Touvron et al. 2021, arXiv:2012.12877, Table 1 (tiny, small); Dosovitskiy 2021 (base).
_VIT = {"vit-tiny": (192, 12, 3), "vit-small": (384, 12, 6), "vit-base": (768, 12, 12)}

# Sandler et al. 2018, Table 2: expansion, channels, repeats, stride of the first.
_MOBILENET_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip

# Howard et al. 2019, Tables 1 and 2: kernel, expanded, channels, squeeze, activation, stride.
_V3Row = tuple[int, int, int, bool, Activation, int]
_MOBILENET_V3_LARGE: tuple[_V3Row, ...] = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
)
_MOBILENET_V3_SMALL: tuple[_V3Row, ...] = (
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2),
    (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1),
    (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1),
    (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1),
    (5, 576, 96, True, "hardswish", 1),
)


def named_network(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
    """The network called ``name`` (one of :func:`network_names`; ``_`` and ``-`` are the same).

    Args:
        name: For example ``"resnet18"`` or ``"vit-tiny"``.
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs of the classifier.

    Raises:
        InputError: Unknown name (the closest are suggested), or images too small for the network.
    """
    key = name.lower().replace("_", "-")
    if key not in _BUILDERS:
        near = difflib.get_close_matches(key, _BUILDERS, n=3)
        raise InputError(
            f"there is no network named {name!r}",
            f"Did you mean {' or '.join(near)}?" if near else f"Choose one of: {', '.join(_BUILDERS)}.",
        )
    return _BUILDERS[key](key, input_shape, num_classes)


def network_names() -> tuple[str, ...]:
    """Names that :func:`named_network` knows."""
    return tuple(_BUILDERS)


def _small(input_shape: Shape) -> bool:
    return max(input_shape[1:]) <= _LARGEST_SMALL_SIDE


def _vgg(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
    plan, hidden = _VGG[name]
    if name != "vgg8" and _small(input_shape):
        widths = [width for width in plan if isinstance(width, int)]
        before = [sum(isinstance(w, int) for w in plan[:i]) for i, w in enumerate(plan) if w == "M"]
        return vgg(input_shape, num_classes, widths, pool_after=[n - 1 for n in before], name=name)
    graph = Graph(name, input_shape)
    x = INPUT
    norm: Norm = "batch" if name == "vgg8" else "none"
    for width in plan:
        x = graph.conv(x, width, norm=norm, activation="relu") if isinstance(width, int) else graph.maxpool(x)
    x = graph.flatten(x)
    for width in hidden:
        x = graph.linear(x, width, activation="relu")
    graph.linear(x, num_classes, name="classifier")
    return graph.build()


def _residual(blocks: Sequence[int], bottleneck: bool) -> Callable[[str, Shape, int], NetworkSpec]:
    """He et al. 2016, doi:10.1109/CVPR.2016.90, Table 1; a bottleneck strides in its 3 x 3 convolution."""

    def build(title: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
        graph = Graph(title, input_shape)
        if _small(input_shape):
            x = graph.conv(INPUT, 64, norm="batch", activation="relu", name="stem")
        else:
            x = graph.conv(INPUT, 64, kernel=7, stride=2, norm="batch", activation="relu", name="stem")
            x = graph.maxpool(x, 3, stride=2, padding=1)
        for stage, count in enumerate(blocks):
            for block in range(count):
                stride = 2 if stage and not block else 1
                name = f"s{stage + 1}.b{block + 1}"
                x = _residual_block(graph, x, 64 << stage, stride, bottleneck, name)
        graph.linear(graph.flatten(graph.global_avgpool(x)), num_classes, name="classifier")
        return graph.build()

    return build


def _residual_block(graph: Graph, x: str, width: int, stride: int, bottleneck: bool, name: str) -> str:
    out = 4 * width if bottleneck else width
    y, at = x, 1
    if bottleneck:
        y, at = graph.conv(y, width, kernel=1, norm="batch", activation="relu", name=f"{name}.conv1"), 2
    y = graph.conv(y, width, stride=stride, norm="batch", activation="relu", name=f"{name}.conv{at}")
    y = graph.conv(y, out, kernel=1 if bottleneck else 3, norm="batch", name=f"{name}.conv{at + 1}")
    if stride != 1 or graph.shape(x)[0] != out:
        x = graph.conv(x, out, kernel=1, stride=stride, norm="batch", name=f"{name}.shortcut")
    return graph.add(y, x, activation="relu", name=f"{name}.add")


def _resnet20(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
    """He et al. 2016, section 4.2, with 1 x 1 convolutions where a shortcut changes shape."""
    return resnet(input_shape, num_classes, widths=(16, 32, 64), blocks=3, name=name)


def _mobilenet_v2(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
    small = _small(input_shape)
    blocks, channels = [], 32
    for stage, (expansion, width, repeats, first_stride) in enumerate(_MOBILENET_V2):
        for repeat in range(repeats):
            stride = 1 if repeat or (small and stage == 1) else first_stride
            blocks.append(InvertedBlock(expansion * channels, width, stride=stride))
            channels = width
    return mobilenet(input_shape, num_classes, blocks, stem_stride=1 if small else 2, name=name)


def _mobilenet_v3(rows: Sequence[_V3Row], hidden: int) -> Callable[[str, Shape, int], NetworkSpec]:
    def build(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
        small = _small(input_shape)
        blocks, reduced = [], not small
        for kernel, expanded, width, squeeze, activation, stride in rows:
            kept = stride if reduced else 1  # small images keep their size through the first reduction
            reduced = reduced or stride > 1
            blocks.append(InvertedBlock(expanded, width, kernel, kept, squeeze, activation))
        return mobilenet(
            input_shape,
            num_classes,
            blocks,
            stem_width=16,
            stem_stride=1 if small else 2,
            last_width=6 * rows[-1][2],
            hidden=(hidden,),
            activation="hardswish",
            name=name,
        )

    return build


def _vit(name: str, input_shape: Shape, num_classes: int) -> NetworkSpec:
    width, depth, heads = _VIT[name]
    patch = 4 if _small(input_shape) else 16
    return vit(input_shape, num_classes, width=width, depth=depth, heads=heads, patch=patch, name=name)


_BUILDERS: dict[str, Callable[[str, Shape, int], NetworkSpec]] = {
    "vgg8": _vgg,
    "vgg11": _vgg,
    "vgg16": _vgg,
    "resnet18": _residual((2, 2, 2, 2), bottleneck=False),
    "resnet20": _resnet20,
    "resnet50": _residual((3, 4, 6, 3), bottleneck=True),
    "mobilenet-v2": _mobilenet_v2,
    "mobilenet-v3-large": _mobilenet_v3(_MOBILENET_V3_LARGE, hidden=1280),
    "mobilenet-v3-small": _mobilenet_v3(_MOBILENET_V3_SMALL, hidden=1024),
    "vit-tiny": _vit,
    "vit-small": _vit,
    "vit-base": _vit,
}
