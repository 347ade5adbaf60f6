"""A graph of ONNX as a torch module: what :func:`~nax_bo.interop.torch_import.from_torch` and ``convert`` take.

Needs ``pip install naxbo[onnx]``. Reading a file runs no code of it. Convolutions and matrix products with constant
weights become ``nn.Conv1d``, ``nn.Conv2d``, ``nn.ConvTranspose2d`` and ``nn.Linear``, called as their nodes are (dots
and slashes as underscores) or, without a name, by what they compute and a number. All else is computed as the operator
set says (https://onnx.ai/onnx/operators). Graphs with branches, loops or sizes that depend on values are refused by the
name of their operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.errors import InputError

try:
    import onnx
    from onnx import numpy_helper
except ImportError as ex:
    raise InputError("ONNX is not installed", 'Install it with: pip install "naxbo[onnx]"') from ex

Attributes = Mapping[str, Any]


def from_onnx(path: Path) -> nn.Module:
    """The network of an ``.onnx`` file in floating point, its weights as parameters.

    Raises:
        InputError: The file cannot be read or is no ONNX model, has several inputs or outputs, or an operator that is
            not known here.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except OSError as ex:
        raise InputError(f"cannot read {path}: {ex.strerror or ex}", "Check the path.") from ex
    except Exception as ex:  # protobuf's and the checker's own kinds
        raise InputError(f"{path} is no ONNX model: {ex}", "Export it again.") from ex
    return OnnxNetwork(model.graph, path.name)


class OnnxNetwork(nn.Module):
    """A graph that is computed node after node.

    Args:
        graph: ONNX's.
        title: For messages.
    """

    def __init__(self, graph: Any, title: str) -> None:
        super().__init__()
        constants = {x.name: numpy_helper.to_array(x) for x in graph.initializer}
        inputs = [x.name for x in graph.input if x.name not in constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise InputError(
                f"{title} has {len(inputs)} inputs and {len(graph.output)} outputs",
                "Give a network with one of each.",
            )
        self._input, self._output = inputs[0], graph.output[0].name
        self._steps: list[tuple[str, str, tuple[str, ...], tuple[str, ...], dict[str, Any]]] = []
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
                continue
            name = self._layer(node, attributes, constants)
            if name is None and node.op_type not in _OPERATORS:
                raise InputError(
                    f"{title}: node {node.name or node.output[0]!r} is {node.op_type}, which is not known here",
                    f"Known: {', '.join(sorted({*_OPERATORS, *_LAYERS}))}.",
                )
            self._steps.append((name or "", node.op_type, tuple(node.input), tuple(node.output), attributes))
        used = {x for _, _, read, _, _ in self._steps for x in read}
        self._constants: dict[str, str] = {}
        for i, (name, value) in enumerate(constants.items()):
            if name in used:
                self._constants[name] = f"constant_{i}"
                self.register_buffer(f"constant_{i}", torch.from_numpy(np.array(value)))

    def _layer(self, node: Any, attributes: Attributes, constants: dict[str, Any]) -> str | None:
        """Make the module of a node that has one; its name."""
        make = _LAYERS.get(node.op_type)
        weights = [constants.get(x) for x in node.input[1:]]
        if make is None or not weights or any(w is None for w in weights):
            return None
        module = make([torch.from_numpy(np.array(w)) for w in weights], attributes)
        if module is None:
            return None
        taken = dict(self.named_children())
        kind = f"{node.op_type.lower()}{sum(k.startswith(node.op_type.lower()) for k in taken) + 1}"
        name = re.sub(r"\W+", "_", node.name).strip("_") or kind
        name = name if name not in taken and not hasattr(self, name) else f"{name}_{len(taken)}"
        self.add_module(name, module)
        del node.input[1:]
        return name

    @override
    def forward(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, held) for name, held in self._constants.items()}
        values |= {self._input: x, "": None}
        for name, kind, read, written, attributes in self._steps:
            inputs = [values[i] for i in read]
            out = self.get_submodule(name)(*inputs) if name else _OPERATORS[kind](inputs, attributes)
            values |= dict(zip(written, out if isinstance(out, (tuple, list)) else (out,), strict=False))
        result: Tensor = values[self._output]
        return result


def _sides(attributes: Attributes, dims: int) -> tuple[tuple[int, ...], list[int]]:
    """Padding that is the same on both sides, and what is left for ``functional.pad``."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise InputError(f"auto_pad = {attributes['auto_pad'].decode()}", "Export the padding as numbers.")
    pads = list(attributes.get("pads", [0] * (2 * dims)))
    begin, end = pads[:dims], pads[dims:]
    if begin == end:
        return tuple(begin), []
    return (0,) * dims, [p for pair in zip(begin[::-1], end[::-1], strict=True) for p in pair]


def _conv(weights: list[Tensor], attributes: Attributes) -> nn.Module | None:
    weight, dims = weights[0], weights[0].ndim - 2
    if dims > 2:
        return None
    padding, uneven = _sides(attributes, dims)
    groups = attributes.get("group", 1)
    kind: Any = nn.Conv1d if dims == 1 else nn.Conv2d
    module = kind(
        weight.shape[1] * groups, weight.shape[0], tuple(weight.shape[2:]),
        tuple(attributes.get("strides", (1,) * dims)), padding, tuple(attributes.get("dilations", (1,) * dims)),
        groups, bias=len(weights) > 1,
    )  # fmt: skip
    module = _filled(module, weights)
    return nn.Sequential(_Pad(uneven), module) if uneven else module


def _conv_transpose(weights: list[Tensor], attributes: Attributes) -> nn.Module | None:
    weight, dims = weights[0], weights[0].ndim - 2
    padding, uneven = _sides(attributes, dims)
    if dims > 2 or uneven or "output_shape" in attributes:
        return None
    groups, ones = attributes.get("group", 1), (1,) * dims
    kind: Any = nn.ConvTranspose1d if dims == 1 else nn.ConvTranspose2d
    module = kind(
        weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), tuple(attributes.get("strides", ones)),
        padding, tuple(attributes.get("output_padding", (0,) * dims)), groups, len(weights) > 1,
        tuple(attributes.get("dilations", ones)),
    )  # fmt: skip
    return _filled(module, weights)


def _gemm(weights: list[Tensor], attributes: Attributes) -> nn.Module | None:
    scale, shift = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    matrix = weights[0] if attributes.get("transB", 0) else weights[0].T
    if attributes.get("transA", 0):
        return None
    return _linear(matrix * scale, weights[1] * shift if len(weights) > 1 else None)


def _matmul(weights: list[Tensor], _: Attributes) -> nn.Module | None:
    return _linear(weights[0].T, None) if weights[0].ndim == 2 else None


def _linear(matrix: Tensor, bias: Tensor | None) -> nn.Module:
    module = nn.Linear(matrix.shape[1], matrix.shape[0], bias=bias is not None)
    flat = [] if bias is None else [bias.reshape(-1).expand(matrix.shape[0])]
    return _filled(module, [matrix, *flat])


def _batchnorm(weights: list[Tensor], attributes: Attributes) -> nn.Module | None:
    if attributes.get("training_mode", 0):
        return None
    norm = _Norm(weights[0].numel(), eps=attributes.get("epsilon", 1e-5))
    _filled(norm, weights[:2])
    norm.running_mean, norm.running_var = weights[2].float(), weights[3].float()
    return norm


class _Norm(nn.BatchNorm2d):
    """Batch normalisation of maps of any number of dimensions."""

    @override
    def _check_input_dim(self, input: Tensor) -> None:
        """Any will do."""


class _Pad(nn.Module):
    def __init__(self, sides: list[int]) -> None:
        super().__init__()
        self.sides = sides

    @override
    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.sides)


def _filled(module: nn.Module, weights: list[Tensor]) -> nn.Module:
    with torch.no_grad():
        for parameter, value in zip((module.weight, module.bias), weights, strict=False):
            parameter.copy_(value)  # type: ignore[operator]
    return module


_LAYERS: dict[str, Callable[[list[Tensor], Attributes], nn.Module | None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batchnorm,
}


def _pool(x: list[Any], a: Attributes, kind: str) -> Tensor:
    dims = len(a["kernel_shape"])
    padding, uneven = _sides(a, dims)
    if uneven or a.get("dilations", [1] * dims) != [1] * dims:
        raise InputError(f"{kind} pooling with uneven padding or dilation", "Export it otherwise.")
    settings: dict[str, Any] = {
        "kernel_size": tuple(a["kernel_shape"]), "stride": tuple(a.get("strides", (1,) * dims)), "padding": padding,
        "ceil_mode": bool(a.get("ceil_mode", 0)),
    }  # fmt: skip
    if kind == "avg":
        settings["count_include_pad"] = bool(a.get("count_include_pad", 0))
    found: Tensor = getattr(functional, f"{kind}_pool{dims}d")(x[0], **settings)
    return found


def _axes(x: list[Any], a: Attributes) -> list[int]:
    given = a.get("axes") if len(x) < 2 or x[1] is None else x[1].tolist()
    return list(given if given is not None else range(x[0].ndim))


def _reshape(x: list[Any], a: Attributes) -> Tensor:
    sizes = [
        x[0].shape[i] if n == 0 and not a.get("allowzero", 0) else n for i, n in enumerate(x[1].tolist())
    ]
    found: Tensor = x[0].reshape(sizes)
    return found


def _clip(x: list[Any], a: Attributes) -> Tensor:
    low = a.get("min") if len(x) < 2 or x[1] is None else float(x[1])
    high = a.get("max") if len(x) < 3 or x[2] is None else float(x[2])
    if (low, high) == (0.0, 6.0):
        return functional.relu6(x[0])
    found: Tensor = x[0].clamp(low, high)
    return found


def _slice(x: list[Any], _: Attributes) -> Tensor:
    starts, ends = (v.tolist() for v in x[1:3])
    axes = x[3].tolist() if len(x) > 3 and x[3] is not None else range(len(starts))
    steps = x[4].tolist() if len(x) > 4 else [1] * len(starts)
    if min(steps) < 1:
        raise InputError("Slice with a negative step", "Export it otherwise.")
    index: list[Any] = [slice(None)] * x[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    found: Tensor = x[0][tuple(index)]
    return found


def _split(x: list[Any], a: Attributes) -> Any:
    axis = a.get("axis", 0)
    sizes = x[1].tolist() if len(x) > 1 else a.get("split")
    return x[0].split(sizes, axis) if sizes else x[0].chunk(a["num_outputs"], axis)


def _layernorm(x: list[Any], a: Attributes) -> Tensor:
    shape = x[0].shape[a.get("axis", -1) :]
    return functional.layer_norm(x[0], shape, x[1], x[2] if len(x) > 2 else None, a.get("epsilon", 1e-5))


def _gather(x: list[Any], a: Attributes) -> Tensor:
    axis, index = a.get("axis", 0), x[1]
    found: Tensor = (
        x[0].select(axis, int(index)) if index.ndim == 0 else x[0].index_select(axis, index.reshape(-1))
    )
    return found


def _gelu(x: list[Any], a: Attributes) -> Tensor:
    return functional.gelu(x[0], approximate=a.get("approximate", b"none").decode())


_OPERATORS: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "Relu": lambda x, a: functional.relu(x[0]),
    "LeakyRelu": lambda x, a: functional.leaky_relu(x[0], a.get("alpha", 0.01)),
    "Elu": lambda x, a: functional.elu(x[0], a.get("alpha", 1.0)),
    "Sigmoid": lambda x, a: x[0].sigmoid(),
    "HardSigmoid": lambda x, a: (x[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": lambda x, a: functional.hardswish(x[0]),
    "Tanh": lambda x, a: x[0].tanh(),
    "Gelu": _gelu,
    "Erf": lambda x, a: x[0].erf(),
    "Exp": lambda x, a: x[0].exp(),
    "Sqrt": lambda x, a: x[0].sqrt(),
    "Softplus": lambda x, a: functional.softplus(x[0]),
    "Softmax": lambda x, a: x[0].softmax(a.get("axis", -1)),
    "LogSoftmax": lambda x, a: x[0].log_softmax(a.get("axis", -1)),
    "Add": lambda x, a: x[0] + x[1],
    "Sub": lambda x, a: x[0] - x[1],
    "Mul": lambda x, a: x[0] * x[1],
    "Div": lambda x, a: x[0] / x[1],
    "Pow": lambda x, a: x[0] ** x[1],
    "MatMul": lambda x, a: x[0] @ x[1],
    "Concat": lambda x, a: torch.cat(x, a["axis"]),
    "Flatten": lambda x, a: x[0].flatten(a.get("axis", 1)),
    "Reshape": _reshape,
    "Transpose": lambda x, a: x[0].permute(*a["perm"]),
    "Squeeze": lambda x, a: x[0].squeeze(tuple(_axes(x, a))),
    "Unsqueeze": lambda x, a: x[0].reshape(_unsqueezed(x[0].shape, _axes(x, a))),
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Expand": lambda x, a: x[0].expand(torch.broadcast_shapes(x[0].shape, tuple(x[1].tolist()))),  # type: ignore[no-untyped-call]
    "Clip": _clip,
    "Identity": lambda x, a: x[0],
    "Dropout": lambda x, a: x[0],
    "MaxPool": lambda x, a: _pool(x, a, "max"),
    "AveragePool": lambda x, a: _pool(x, a, "avg"),
    "GlobalAveragePool": lambda x, a: x[0].mean(tuple(range(2, x[0].ndim)), keepdim=True),
    "ReduceMean": lambda x, a: x[0].mean(_axes(x, a), keepdim=bool(a.get("keepdims", 1))),
    "LayerNormalization": _layernorm,
}


def _unsqueezed(shape: Any, axes: list[int]) -> list[int]:
    sizes = list(shape)
    for axis in sorted(a % (len(shape) + len(axes)) for a in axes):
        sizes.insert(axis, 1)
    return sizes
