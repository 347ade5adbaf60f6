"""Operations of torch as layers of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nax_bo.interop.torch_import import operations as ops
from nax_bo.interop.torch_import.drafts import Draft
from nax_bo.interop.torch_import.products import FACTORS, Products
from nax_bo.interop.torch_import.reading import Result, images, pair
from nax_bo.interop.torch_import.recording import Call, Constant, Map


class Translator(Products):
    """Adds the layers of a recorded model to its drafts."""

    def __call__(self, call: Call, run: Callable[[], Any]) -> Result:
        """What the result of a call holds; ``None``: the call is to be taken apart."""
        name = call.name
        if name in ops.ASKING:
            raise call.refused(
                "its course depends on values of a feature map", "Only fixed networks can be put on a chip."
            )
        if name in ops.BLANK:
            return Constant()
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, call, run)
        if name in ops.FREE or call.func.is_view:
            return self._rearranged(call)
        if name in ops.JOINING:
            return self._layer(call, "reshape", run(), {})
        if name in ops.ACTIVATIONS:
            return self._layer(call, "activation", run(), {"activation": ops.ACTIVATIONS[name]})
        if name in ops.POOLS:
            return self._pool(call, run)
        if name in ops.PER_OUTPUT:
            return self._elementwise(call, run(), ops.PER_OUTPUT[name])
        if name in ops.PER_INPUT:
            taken = max(x.numel() for x in self._maps(call))
            return self._elementwise(call, run(), 0, ops.PER_INPUT[name] * taken)
        if torch.Tag.pointwise in call.func.tags:
            return self._elementwise(call, run(), 1)
        return None

    def claims(self, call: Call) -> bool:
        """Whether a call is a layer's product although its input is a constant, as for relative positions."""
        weight = call.given.get("weight") if call.name in _PRODUCTS else None
        return (
            isinstance(weight, Tensor)
            and self._layer_of(call, self._held(call, weight), weight.numel()) is not None
        )

    def _rearranged(self, call: Call) -> Result:
        tensors = (
            [call.given["self"]] if call.name.endswith("_as") else self._maps(call)
        )  # shapes of the other
        if len(tensors) != 1 or not any(
            tensors[0] is x for x in (call.given.get("self"), call.given.get("input"))
        ):
            raise call.refused("what is selected depends on values of a feature map")
        return self._held(call, tensors[0])

    def _clamped(self, call: Call, run: Callable[[], Any]) -> Result:
        """``nn.ReLU6`` is a hard tanh from 0 to 6."""
        if (call.given["min_val"], call.given["max_val"]) == (0, 6):
            return self._layer(call, "activation", run(), {"activation": "relu6"})
        return self._elementwise(call, run(), 1)

    def _copy(self, call: Call, run: Callable[[], Any]) -> Result:
        target, source = call.given["self"], call.given["src"]
        out = run()
        if target.shape != source.shape:
            return self._layer(call, "reshape", out, {})
        return self._held(call, source)

    def _sum(self, call: Call, run: Callable[[], Any]) -> Result:
        sources = self._sources(call)
        out = run()
        shapes = {self._drafts.shape(s) for s in sources}
        if len(set(sources)) == 2 and len(shapes) == 1 and math.prod(next(iter(shapes))) == out.numel():
            return self._layer(call, "add", out, {})
        return self._elementwise(call, out, 1)

    def _scaled(self, call: Call, run: Callable[[], Any]) -> Result:
        other = call.given["other"]
        number = not isinstance(other, Tensor) or (other.ndim == 0 and self._held(call, other) == Constant())
        if number:
            return self._held(call, call.given["self"])
        out, sources = run(), self._sources(call)
        if call.name == "mul" and len(sources) == 2:
            sources.sort(key=lambda s: -math.prod(self._drafts.shape(s)))
            full, gate = (self._drafts.shape(s) for s in sources)
            if gate == (full[0], 1, 1) and out.numel() == math.prod(full):
                draft = Draft(self._label(call), "scale", sources, full, full)
                return Map(self._drafts.add(draft))
        return self._elementwise(call, out, 1)

    def _reduced(self, call: Call, run: Callable[[], Any]) -> Result:
        x, out = self._maps(call)[0], run()
        shape = self._drafts.shape(self._sources(call)[0])
        means_all = x.numel() == math.prod(shape) and out.numel() == shape[0] and x.numel() > out.numel()
        if means_all:
            draft = Draft(self._label(call), "global_avgpool", self._sources(call), shape, (shape[0], 1, 1))
            return Map(self._drafts.add(draft))
        if x.numel() == out.numel():
            return self._held(call, x)
        return self._elementwise(call, out, 0, x.numel())

    def _pool(self, call: Call, run: Callable[[], Any]) -> Result:
        x, out = self._maps(call)[0], run()
        first = out[0] if isinstance(out, tuple) else out
        dims = 1 if "1d" in call.name else 2
        kernel = pair(call.given["kernel_size"], dims, 1)
        stride = pair(call.given["stride"] or call.given["kernel_size"], dims, 1)
        padding = pair(call.given["padding"], dims, 0)
        settings = {"kernel": kernel, "stride": stride, "padding": padding}
        before, after = images(x.shape, dims), images(first.shape, dims)
        draft = Draft(
            self._label(call), ops.POOLS[call.name], self._sources(call), before, after, settings=settings
        )
        return Map(self._drafts.add(draft))

    def _layernorm(self, call: Call, run: Callable[[], Any]) -> Result:
        return self._layer(call, "layernorm", run(), {})

    def _batchnorm(self, call: Call, run: Callable[[], Any]) -> Result:
        out = run()
        if call.given.get("training") or call.given.get(
            "use_input_stats"
        ):  # of this image: no constant scale
            return self._elementwise(call, out, 4)
        first = out[0] if isinstance(out, tuple) else out
        sources, channels = self._sources(call), first.shape[1]
        shape = self._shape_of(first, sources)
        seen = (channels, first.numel() // channels, 1)
        settings = {"elementwise_ops": 2 * first.numel()}
        draft = Draft(self._label(call), "batchnorm", sources, seen, shape, self._parameters(call), settings)
        return Map(self._drafts.add(draft))


_PRODUCTS = ("linear", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
_SPECIAL: dict[str, Callable[[Translator, Call, Callable[[], Any]], Result]] = {
    "copy": Translator._copy,
    "hardtanh": Translator._clamped,
    "add": Translator._sum,
    "mul": Translator._scaled,
    "div": Translator._scaled,
    "mean": Translator._reduced,
    "adaptive_avg_pool2d": Translator._reduced,
    "adaptive_avg_pool1d": Translator._reduced,
    "layer_norm": Translator._layernorm,
    "batch_norm": Translator._batchnorm,
    "instance_norm": Translator._batchnorm,
    "linear": Translator._linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
                    Translator._conv),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), Translator._product),
    **dict.fromkeys(FACTORS, Translator._added_product),
    "scaled_dot_product_attention": Translator._attention,
}  # fmt: skip
