"""Matrix products: on crossbars where a layer of the model computes them, else on the digital unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from nax_bo.crossbar.attention import CrossbarAttention
from nax_bo.crossbar.finding import Place
from nax_bo.interop.torch_import.drafts import Draft, Drafts
from nax_bo.interop.torch_import.reading import Reading, Result, channels_last, images, pair
from nax_bo.interop.torch_import.recording import Call, Constant, Map, Value
from nax_bo.network.spec import Shape

FACTORS = {"addmm": ("mat1", "mat2"), "baddbmm": ("batch1", "batch2"), "addmv": ("mat", "vec")}


class Products(Reading):
    """Layers with products.

    Args:
        drafts: Where layers go.
        places: The model's layers with weights, as :func:`nax_bo.crossbar.finding.find` finds them.
    """

    def __init__(self, drafts: Drafts, places: Sequence[Place]) -> None:
        super().__init__(drafts)
        self._layers: dict[int, str] = {}  # of parameters
        self._modules: dict[str, nn.Module] = {}
        for place in places:
            module: Any = place.module
            if isinstance(module, nn.MultiheadAttention):
                for part, name in zip(CrossbarAttention.parts(module), place.layers, strict=True):
                    weight = (
                        module.out_proj.weight if part == "out_proj" else getattr(module, f"{part}_weight")
                    )
                    self._layers[id(weight)] = name
                    self._modules[name] = module
            else:
                self._layers |= {id(p): place.name for p in module.parameters()}
                self._modules[place.name] = module

    def _layer_of(self, call: Call, weight: Value, numel: int) -> str | None:
        """The layer of a model whose weights these are; ``None``: no layer's, as far as crossbars are concerned."""
        if not isinstance(weight, Constant):
            return None
        names = {self._layers.get(p) for p in weight.parameters}
        name = names.pop() if len(names) == 1 else None
        if name is None or self._modules[name] not in self.recorder.stack:
            return None
        module = self._modules[name]
        whole = isinstance(module, nn.MultiheadAttention) and name.endswith(
            ".in_proj" if "." in name else "in_proj"
        )
        projection: Any = module
        if whole and numel != projection.in_proj_weight.numel():
            raise call.refused(
                "queries, keys and values of different inputs are projected by parts of one matrix",
                "Use an attention with projections of its own for each (q, k and v as nn.Linear).",
            )
        return name

    def _linear(self, call: Call, run: Callable[[], Any]) -> Result:
        x, weight, bias = (call.given[k] for k in ("input", "weight", "bias"))
        return self._affine(call, run(), x, weight, bias)

    def _affine(self, call: Call, out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None) -> Result:
        held = self._held(call, weight)
        name = self._layer_of(call, held, weight.numel())
        if name is None:
            return self._digital(call, x, weight.transpose(-1, -2), out)
        before, after = channels_last(x.shape), channels_last(out.shape)
        source = self._source(call, x, before)
        draft = Draft(
            name, "linear", [source], before, after, self._parameters(call), {"bias": bias is not None}
        )
        return Map(self._drafts.add(draft))

    def _conv(self, call: Call, run: Callable[[], Any]) -> Result:
        given = call.given
        x, weight = given["input"], given["weight"]
        held = self._held(call, weight)
        if not isinstance(held, Constant):
            raise call.refused("its weights depend on the image")
        transposed = "transpose" in call.name
        dims, groups = weight.ndim - 2, given["groups"]
        if dims > 2:
            raise call.refused("convolutions in three dimensions are not simulated")
        out = run()
        name = self._layer_of(call, held, weight.numel())
        kernel, stride, dilation = (
            pair(v, dims, 1) for v in (tuple(weight.shape[2:]), given["stride"], given["dilation"])
        )
        before, after = images(x.shape, dims), images(out.shape, dims)
        source = self._source(call, x, before)
        if name is None:
            if transposed:
                raise call.refused("a transposed convolution with a parameter outside any layer")
            rows = weight[0].numel()
            return self._matmul_layer(
                call,
                [source],
                (rows, math.prod(after[1:]), groups),
                weight.shape[0] // groups,
                self._shape_of(out, []),
            )
        if isinstance(given["padding"], str):
            same = given["padding"] == "same"
            padding: Any = tuple(
                d * (k - 1) // 2 if same else 0 for d, k in zip(dilation, kernel, strict=True)
            )
        else:
            padding = pair(given["padding"], dims, 0)
        settings = {"kernel": kernel, "stride": stride, "padding": padding, "groups": groups, "dilation": dilation,
                    "bias": given["bias"] is not None}  # fmt: skip
        op = "conv_transpose" if transposed else "conv"
        draft = Draft(name, op, [source], before, after, self._parameters(call), settings)
        return Map(self._drafts.add(draft))

    def _product(self, call: Call, run: Callable[[], Any]) -> Result:
        a = call.given["self"]
        b: Any = call.given.get(
            "other", call.given.get("mat2", call.given.get("vec", call.given.get("tensor")))
        )
        out = run()
        held = self._held(call, b)
        if self._layer_of(call, held, b.numel()) is not None and b.ndim == 2:
            return self._affine(call, out, a, b.transpose(0, 1), None)
        return self._digital(call, a, b, out)

    def _added_product(self, call: Call, run: Callable[[], Any]) -> Result:
        added, a, b = call.given["self"], *(call.given[k] for k in FACTORS[call.name])
        out = run()
        if self._layer_of(call, self._held(call, b), b.numel()) is not None and not isinstance(
            self._held(call, added), Map
        ):
            return self._affine(call, out, a, b.transpose(0, 1), added)
        return self._digital(call, a, b, out, extra=out.numel())

    def _digital(self, call: Call, a: Tensor, b: Tensor, out: Tensor, extra: int = 0) -> Result:
        """A matrix product off the crossbars."""
        rows = a.shape[-2] if a.ndim > 1 else 1
        cols = b.shape[-1] if b.ndim > 1 else 1
        if b.ndim <= 2:  # one matrix for all
            rows, products = max(1, out.numel() // cols), 1
        else:
            products = max(1, out.numel() // (rows * cols))
        shape = self._shape_of(out, ())
        return self._matmul_layer(
            call, self._sources(call), (a.shape[-1], rows, products), cols, shape, extra
        )

    def _matmul_layer(
        self, call: Call, sources: list[int], given: Shape, cols: int, shape: Shape, extra: int = 0,
        label: str | None = None, parameters: frozenset[int] | None = None,
    ) -> Result:  # fmt: skip
        parameters = self._parameters(call) if parameters is None else parameters
        out = (cols, *given[1:])
        settings = {"elementwise_ops": extra} if extra else {}
        name = self._label(call, label or "matmul")
        draft = Draft(name, "matmul", sources, given, out, parameters, settings)
        return Map(self._drafts.add(draft))

    def _attention(self, call: Call, run: Callable[[], Any]) -> Result:
        q, k, v, mask = (call.given[x] for x in ("query", "key", "value", "attn_mask"))
        out = run()
        keys, products = k.shape[-2], max(1, out.numel() // (out.shape[-1] * out.shape[-2]))
        scores = products * q.shape[-2] * keys
        of = [self._held(call, x) for x in (q, k, v)]
        source = [x.source if isinstance(x, Map) else None for x in of]
        softmax = 3 * scores + (scores if mask is not None or call.given.get("is_causal") else 0)
        given: Shape = (q.shape[-1], q.shape[-2], products)
        reads = [s for s in source[:2] if s is not None] + [
            x.source for x in (self._held(call, mask),) if isinstance(x, Map)
        ]
        if not reads or (source[2] is None and not reads):
            raise call.refused("queries and keys that no image changes")
        made = self._matmul_layer(call, reads, given, keys, given, softmax, "scores")
        assert isinstance(made, Map)
        values = [made.source, *([] if source[2] is None else [source[2]])]
        mixed: Shape = (keys, q.shape[-2], products)
        return self._matmul_layer(call, values, mixed, v.shape[-1], mixed, 0, "values", frozenset())
