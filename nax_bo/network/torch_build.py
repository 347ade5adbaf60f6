"""Build the torch module that a NetworkSpec describes (the only module of this package that imports torch)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.errors import InputError
from nax_bo.network.spec import INPUT, LayerSpec, NetworkSpec

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_IMPORTED = ("conv_transpose", "matmul", "elementwise", "reshape")


class Network(nn.Module):
    """The torch form of a spec: ``N x C x H x W`` images in, ``N x classes`` logits out.

    ``blocks[name]`` holds each layer's operator as ``op`` (``nn.Conv2d`` for ``conv`` and ``linear`` layers alike, so
    that one crossbar layer type serves both), its ``norm`` and its ``activation``.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.blocks = Blocks(spec.layers)
        reads = [source for layer in spec.layers for source in layer.inputs]
        self._last_read = {source: i for i, source in enumerate(reads)}

    @override
    def forward(self, images: Tensor) -> Tensor:
        values = {INPUT: images}
        read = 0
        for layer in self.spec.layers:
            arguments = [values[source] for source in layer.inputs]
            for source in layer.inputs:
                if self._last_read[source] == read:
                    values.pop(source, None)  # free what no later layer needs
                read += 1
            values[layer.name] = self.blocks[layer.name](*arguments)
        return values[self.spec.layers[-1].name].flatten(1)


class Blocks(nn.Module):
    """Blocks by layer name; ``s2.b1.conv1`` lies in a tree, so parameters are named after their layers."""

    def __init__(self, layers: Iterable[LayerSpec]) -> None:
        super().__init__()
        for layer in layers:
            *groups, last = layer.name.split(".")
            at: nn.Module = self
            for group in groups:
                if group not in dict(at.named_children()):
                    at.add_module(group, nn.Module())
                at = at.get_submodule(group)
            at.add_module(last, Block(layer))

    def __getitem__(self, name: str) -> nn.Module:
        return self.get_submodule(name)


class Block(nn.Module):
    """One layer: operator, folded normalisation, activation."""

    def __init__(self, layer: LayerSpec) -> None:
        super().__init__()
        self.layer = layer
        self.op = _operator(layer)
        self.norm = nn.BatchNorm2d(layer.out_shape[0]) if layer.norm == "batch" else nn.Identity()
        self.activation = _ACTIVATIONS[layer.activation]()

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(self.op(*inputs)))
        return out


def build(spec: NetworkSpec, seed: int = 0) -> Network:
    """The spec's torch module with torch's default initialisation drawn from ``seed``; global state is left alone.

    Raises:
        InputError: A layer of which the spec says what it costs and not all that it computes (networks that were
            imported have such).
    """
    for layer in spec.layers:
        if layer.op in _IMPORTED or layer.weights_of or layer.trainable is not None:
            raise InputError(
                f"layer {layer.name!r} ({layer.op}) of {spec.name!r} cannot be built from its description",
                "Use the torch model that it was imported from.",
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(spec)


def _operator(layer: LayerSpec) -> nn.Module:
    if layer.is_static:
        return nn.Conv2d(
            layer.in_shape[0],
            layer.out_shape[0],
            layer.kernel,
            layer.stride,
            layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
            bias=layer.bias,
        )
    simple: dict[str, nn.Module] = {
        "add": _Add(),
        "scale": _Scale(),
        "activation": nn.Identity(),
        "first_token": _FirstToken(),
        "flatten": _FlattenToChannels(),
        "global_avgpool": nn.AdaptiveAvgPool2d(1),
    }
    if layer.op in simple:
        return simple[layer.op]
    if layer.op == "maxpool":
        return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
    if layer.op == "avgpool":
        return nn.AvgPool2d(layer.kernel, layer.stride, layer.padding)
    if layer.op == "layernorm":
        return _ChannelNorm(layer.out_shape[0])
    if layer.op == "tokens":
        return _Tokens(layer.out_shape)
    return _Attention(layer.heads)


class _Add(nn.Module):
    @override
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class _Scale(nn.Module):
    @override
    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return x * gate


class _FlattenToChannels(nn.Module):
    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :, None, None]


class _FirstToken(nn.Module):
    @override
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :1]


class _ChannelNorm(nn.LayerNorm):
    @override
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class _Tokens(nn.Module):
    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, shape[0], 1, 1))
        self.positions = nn.Parameter(torch.randn(1, *shape) * 0.02)

    @override
    def forward(self, x: Tensor) -> Tensor:
        sequence = x.flatten(2).unsqueeze(-1)
        first = self.class_token.expand(len(x), -1, -1, -1)
        return torch.cat([first, sequence], dim=2) + self.positions


class _Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762), computed digitally."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    @override
    def forward(self, qkv: Tensor) -> Tensor:
        batch, channels, tokens, _ = qkv.shape
        q, k, v = (
            qkv.reshape(batch, 3, self.heads, channels // (3 * self.heads), tokens)
            .transpose(-1, -2)
            .unbind(1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(-1, -2).reshape(batch, channels // 3, tokens, 1)
