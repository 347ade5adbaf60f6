"""A torch model as a :class:`~nax_bo.network.NetworkSpec`, by tracing it with ``torch.fx`` on two blank images.

Understood: convolutions, linear layers, batch norm behind them, layer norm, the spec's activations, pooling,
residual sums, squeeze-and-excitation gates, flattening, a class token with learned positions, and self-attention:
``nn.MultiheadAttention``, ``scaled_dot_product_attention`` or the two products written out, on one fused projection
of queries, keys and values. Dropout and identities vanish. Anything else is refused by name, and so is a result whose
parameters do not add up to the model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from typing_extensions import override

from nax_bo.errors import InputError
from nax_bo.network.graph import Graph
from nax_bo.network.spec import INPUT, Activation, NetworkSpec, Norm, Shape

_BATCH = 2

_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Hardswish: "hardswish",
    nn.Hardsigmoid: "hardsigmoid",
    nn.GELU: "gelu",
}
_ACTIVATION_NAMES = ("relu", "relu6", "hardswish", "hardsigmoid", "gelu")
_VANISHING = (nn.Dropout, nn.Dropout2d, nn.Identity)
_VANISHING_NAMES = ("dropout", "contiguous", "clone", "softmax", "to", "float", "detach")
_RESHAPING = (
    "flatten",
    "reshape",
    "view",
    "permute",
    "transpose",
    "movedim",
    "unsqueeze",
    "squeeze",
    "getitem",
    "unflatten",
)
_SPLITTING = ("unbind", "chunk", "split", "tensor_split")


@dataclass(frozen=True, slots=True)
class _Value:
    """What a traced tensor is: a layer's output, a third of a fused projection, attention scores, or a constant."""

    name: str
    kind: Literal["layer", "part", "scores", "constant"] = "layer"
    heads: int = 1


_CONSTANT = _Value("", "constant")
_Traced = _Value | tuple["_Traced", ...] | None


def from_torch(model: nn.Module, input_shape: Shape, name: str | None = None) -> NetworkSpec:
    """The network that a torch model computes.

    Args:
        model: Takes ``N x C x H x W`` images and returns logits. It is run once in evaluation mode on zeros and left
            as it was.
        input_shape: (channels, height, width) of the images.
        name: Name of the network; that of the model's class if not given.

    Raises:
        InputError: The model cannot be traced or run, holds something that a NetworkSpec cannot express (the message
            names it), or has parameters that the result does not account for.
    """
    from nax_bo.network.torch_build import Network

    if isinstance(model, Network):
        return model.spec
    training = model.training
    model.eval()
    try:
        importer = _Importer(_traced(model), Graph(name or type(model).__name__.lower(), input_shape))
        with torch.no_grad():
            reference = next(model.parameters(), torch.zeros(()))
            importer.run(torch.zeros(_BATCH, *input_shape, dtype=reference.dtype, device=reference.device))
    except (RuntimeError, TypeError, ValueError) as ex:
        raise InputError(
            f"{type(model).__name__} does not run on images of shape {input_shape}: {ex}",
            "Check the input shape.",
        ) from ex
    finally:
        model.train(training)
    network = importer.network.build()
    _check_parameters(model, network)
    return network


def _traced(model: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(model)
    except (TypeError, ValueError, AttributeError, RuntimeError, fx.proxy.TraceError) as ex:
        raise InputError(
            f"{type(model).__name__} cannot be traced: {ex}",
            "torch.fx cannot follow control flow that depends on tensors; import its traceable part.",
        ) from ex


def _check_parameters(model: nn.Module, network: NetworkSpec) -> None:
    own = sum(p.numel() for p in model.parameters())
    if own != network.parameters:
        raise InputError(
            f"the model has {own} parameters, what was understood of it {network.parameters}",
            "Unused layers, shared layers and norms without scale cannot be expressed.",
        )


class _Importer(fx.Interpreter):
    """Runs a traced model and notes for every tensor which layer it comes from."""

    def __init__(self, module: fx.GraphModule, graph: Graph) -> None:
        super().__init__(module)
        self.network = graph
        self.values: dict[fx.Node, _Traced] = {}
        self.folded: dict[fx.Node, _Value] = {}

    @override
    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self.folded:
            self.values[n] = self.folded[n]
        elif n.op == "placeholder":
            self.values[n] = _Value(INPUT)
        elif n.op == "get_attr":
            self.values[n] = _CONSTANT
        elif n.op == "output":
            self._finish(n)
        else:
            self.values[n] = self._convert(n, result)
        return result

    def _convert(self, n: fx.Node, result: Any) -> _Traced:
        sources = [v for v in map(self.values.get, n.all_input_nodes) if v is not None]
        if not _tensors(result):
            return None  # sizes and the like
        if all(source == _CONSTANT for source in sources):
            return _CONSTANT
        if n.op == "call_module":
            return self._module(n, self.fetch_attr(str(n.target)), result)
        return self._function(n, str(getattr(n.target, "__name__", n.target)).strip("_"), result)

    # modules

    def _module(self, n: fx.Node, module: nn.Module, result: Any) -> _Traced:
        if isinstance(module, nn.Conv2d):
            return self._conv(n, module)
        if isinstance(module, nn.Linear):
            source, (_, activation) = self._source(n), self._fold(n, norms=False)
            return self._note(
                n,
                self.network.linear(
                    source, module.out_features, bias=module.bias is not None, activation=activation
                ),
            )
        if isinstance(module, nn.LayerNorm) and module.elementwise_affine and module.bias is not None:
            return _Value(self.network.layernorm(self._source(n)))
        if isinstance(module, nn.MultiheadAttention):
            return self._multihead(n, module)
        if type(module) in _ACTIVATIONS:
            return _Value(self.network.activation(self._source(n), _ACTIVATIONS[type(module)]))
        if isinstance(module, (*_VANISHING, nn.Flatten)):
            return self._reshaped(n, result)
        if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
            return self._window(n, module)
        if isinstance(module, nn.AdaptiveAvgPool2d):
            return self._adaptive(n, result)
        raise self._unsupported(n, type(module).__name__)

    def _conv(self, n: fx.Node, module: nn.Conv2d) -> _Value:
        if module.dilation != (1, 1) or module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise self._unsupported(
                n,
                f"a convolution with dilation {module.dilation}, padding {module.padding!r} ({module.padding_mode})",
            )
        source = self._source(n)
        norm, activation = self._fold(n, norms=True)
        name = self.network.conv(
            source, module.out_channels, kernel=_pair(module.kernel_size), stride=_pair(module.stride),
            padding=_pair(module.padding), groups=module.groups, bias=module.bias is not None, norm=norm,
            activation=activation,
        )  # fmt: skip
        return self._note(n, name)

    def _multihead(self, n: fx.Node, module: nn.MultiheadAttention) -> _Traced:
        query, key, value = (self.values.get(a) for a in self._inputs(n)[:3])
        fused = module.in_proj_weight is not None and module.bias_k is None
        if not (query == key == value and isinstance(query, _Value)) or not fused:
            raise self._unsupported(n, "attention between different inputs")
        qkv = self.network.linear(query.name, 3 * module.embed_dim, bias=module.in_proj_bias is not None)
        mixed = self.network.attention(qkv, heads=module.num_heads)
        out = self.network.linear(mixed, module.embed_dim, bias=module.out_proj.bias is not None)
        return (_Value(out), None)

    def _window(self, n: fx.Node, module: nn.MaxPool2d | nn.AvgPool2d) -> _Value:
        if module.ceil_mode or getattr(module, "dilation", 1) not in (1, (1, 1)):
            raise self._unsupported(n, "pooling with ceil_mode or dilation")
        pool = self.network.maxpool if isinstance(module, nn.MaxPool2d) else self.network.avgpool
        sizes = (module.kernel_size, module.stride, module.padding)
        kernel, stride, padding = (_pair(size) for size in sizes)
        return _Value(pool(self._source(n), kernel, stride=stride, padding=padding))

    def _adaptive(self, n: fx.Node, result: Tensor) -> _Value:
        source = self._source(n)
        _, height, width = self.network.shape(source)
        out_h, out_w = result.shape[-2:]
        if (out_h, out_w) == (1, 1):
            return _Value(self.network.global_avgpool(source))
        if height % out_h or width % out_w:
            raise self._unsupported(n, f"adaptive pooling from {height} x {width} to {out_h} x {out_w}")
        if (out_h, out_w) == (height, width):
            return _Value(source)
        return _Value(self.network.avgpool(source, (height // out_h, width // out_w)))

    # functions and methods

    def _function(self, n: fx.Node, name: str, result: Any) -> _Traced:
        if name in _ACTIVATION_NAMES:
            return _Value(self.network.activation(self._source(n), name))  # type: ignore[arg-type]
        if name in ("add", "iadd"):
            return self._add(n)
        if name in ("mul", "imul", "truediv", "div"):
            return self._scale(n)
        if name in ("matmul", "bmm", "scaled_dot_product_attention"):
            return self._product(n, name)
        if name in _SPLITTING:
            return self._split(n, result)
        if name in ("cat", "concat"):
            return self._tokens(n, result)
        if name == "mean":
            return self._mean(n, result)
        if name == "adaptive_avg_pool2d":
            return self._adaptive(n, result)
        if name in _RESHAPING or name in _VANISHING_NAMES:
            return self._reshaped(n, result)
        raise self._unsupported(n, name)

    def _add(self, n: fx.Node) -> _Traced:
        operands = [self.values.get(a) for a in self._inputs(n)]
        layers = [v for v in operands if isinstance(v, _Value) and v.kind == "layer"]
        if len(layers) == 2:
            _, activation = self._fold(n, norms=False)
            return self._note(n, self.network.add(layers[0].name, layers[1].name, activation=activation))
        if len(layers) == 1 and _CONSTANT in operands and layers[0].name.startswith("tokens"):
            return layers[0]  # the learned positions, which a tokens layer includes
        raise self._unsupported(n, "a sum with a constant")

    def _scale(self, n: fx.Node) -> _Traced:
        operands = [self.values.get(a) for a in self._inputs(n)]
        if len(operands) == 1:
            return operands[0]  # by a number
        a, b = operands
        if isinstance(a, _Value) and isinstance(b, _Value) and a.kind == b.kind == "layer":
            shapes = self.network.shape(a.name), self.network.shape(b.name)
            if shapes[0][0] == shapes[1][0] and (1, 1) in (shapes[0][1:], shapes[1][1:]):
                source, gate = (b, a) if shapes[0][1:] == (1, 1) else (a, b)
                return _Value(self.network.scale(source.name, gate.name))
        raise self._unsupported(n, "a product of two tensors")

    def _product(self, n: fx.Node, name: str) -> _Traced:
        operands = [v for v in map(self.values.get, self._inputs(n)) if isinstance(v, _Value)]
        kinds, first = [v.kind for v in operands], operands[0]
        if len({v.name for v in operands}) == 1:
            if kinds == ["part", "part"]:
                return _Value(first.name, "scores", self._heads(n))
            if kinds in (["scores", "part"], ["part"] * 3):
                heads = first.heads if first.kind == "scores" else self._heads(n)
                return _Value(self.network.attention(first.name, heads=heads))
        raise self._unsupported(
            n, f"{name}: a product of two activations that is no attention on a fused projection"
        )

    def _heads(self, n: fx.Node) -> int:
        query = self.env[self._inputs(n)[0]]
        return int(query.shape[1]) if query.ndim == 4 else 1

    def _split(self, n: fx.Node, result: Sequence[Tensor]) -> _Traced:
        source = self.values.get(self._inputs(n)[0])
        if len(result) == 3 and isinstance(source, _Value) and source.kind == "layer":
            return tuple(_Value(source.name, "part") for _ in result)
        raise self._unsupported(n, f"a split into {len(result)}")

    def _tokens(self, n: fx.Node, result: Tensor) -> _Value:
        operands = [self.values.get(a) for a in self._inputs(n)]
        if len(operands) == 2 and operands[0] == _CONSTANT and isinstance(operands[1], _Value):
            channels, height, width = self.network.shape(operands[1].name)
            if tuple(result.shape[1:]) == (height * width + 1, channels):
                return _Value(self.network.tokens(operands[1].name))
        raise self._unsupported(n, "a concatenation")

    def _mean(self, n: fx.Node, result: Tensor) -> _Value:
        source = self._source(n)
        if result.numel() != _BATCH * self.network.shape(source)[0]:
            raise self._unsupported(n, "a mean over channels")
        return _Value(self.network.global_avgpool(source))

    def _reshaped(self, n: fx.Node, result: Any) -> _Traced:
        """The same elements in another arrangement, one element of a tuple, or a part picked by an index."""
        before = self.values.get(self._inputs(n)[0])
        if isinstance(before, tuple):
            return before[n.args[1]]  # type: ignore[index]
        if not isinstance(before, _Value) or before.kind != "layer":
            return before
        channels, height, width = self.network.shape(before.name)
        count = _BATCH * channels * height * width
        if result.numel() == count:
            flat = result.ndim == 2 and height * width > 1
            return _Value(self.network.flatten(before.name)) if flat else before
        if tuple(result.shape) == (_BATCH, channels) and n.args[1] == (slice(None), 0):
            return _Value(self.network.first_token(before.name))
        if 3 * result.numel() == count:
            return _Value(before.name, "part")
        raise self._unsupported(n, f"a selection of {result.numel()} of {count} elements")

    # bookkeeping

    def _inputs(self, n: fx.Node) -> list[fx.Node]:
        """Tensor arguments in order, repeated ones as often as they are given."""
        flat: list[Any] = []
        for argument in (*n.args, *n.kwargs.values()):
            flat += argument if isinstance(argument, (list, tuple)) else [argument]
        return [a for a in flat if isinstance(a, fx.Node) and self.values.get(a) is not None]

    def _source(self, n: fx.Node) -> str:
        value = self.values.get(self._inputs(n)[0])
        if not isinstance(value, _Value) or value.kind != "layer":
            raise self._unsupported(n, "an operation on a part of a projection")
        return value.name

    def _fold(self, n: fx.Node, *, norms: bool) -> tuple[Norm, Activation]:
        """Batch norm and activation that alone read this node, and each other."""
        norm: Norm = "none"
        chain = []
        while len(n.users) == 1:
            n = next(iter(n.users))
            module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
            if norms and isinstance(module, nn.BatchNorm2d) and module.affine and norm == "none":
                norm = "batch"
                chain.append(n)
                continue
            kind = _ACTIVATIONS.get(type(module)) if module is not None else _function_activation(n)
            if kind is not None:
                chain.append(n)
                self._pending = chain
                return norm, kind
            break
        self._pending = chain
        return norm, "none"

    def _note(self, n: fx.Node, name: str) -> _Value:
        value = _Value(name)
        self.folded.update(dict.fromkeys(self._pending, value))
        return value

    def _finish(self, n: fx.Node) -> None:
        value = self.values.get(self._inputs(n)[0]) if self._inputs(n) else None
        last = self.network.build().layers[-1].name
        if not isinstance(value, _Value) or value.name != last:
            raise self._unsupported(n, "an output that is not the last layer's")

    def _unsupported(self, n: fx.Node, what: str) -> InputError:
        where = str(n.target) if n.op == "call_module" else n.name
        return InputError(
            f"{where!r} is {what}, which a NetworkSpec cannot express",
            "Supported: convolution, linear, batch norm behind them, layer norm, ReLU-like activations, GELU, pooling, "
            "residual sums, channel gates, flattening, self-attention on one fused projection.",
        )


def _function_activation(n: fx.Node) -> Activation | None:
    name = str(getattr(n.target, "__name__", n.target)).strip("_")
    return name if n.op in ("call_function", "call_method") and name in _ACTIVATION_NAMES else None  # type: ignore[return-value]


def _tensors(result: Any) -> bool:
    return isinstance(result, Tensor) or (
        isinstance(result, (tuple, list)) and any(isinstance(item, Tensor) for item in result)
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
