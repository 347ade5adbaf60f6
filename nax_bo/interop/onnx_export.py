"""A kept network as an ONNX model: pixels in, scores out, in floating point.

Needs ``pip install naxbo[onnx]``. Written from the network's spec and weights, so names of nodes are names of layers;
normalisation of the pixels is part of the model. Operator set 20 (https://onnx.ai/onnx/operators). Every model is read
back and run beside torch before it is handed out.

Not part of it: the chip. Quantisation, converters and noise belong to naxbo's simulation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.kept import KeptDesign
from nax_bo.errors import EvaluationError, InputError
from nax_bo.network.spec import INPUT, LayerSpec

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as ex:
    raise InputError("ONNX is not installed", 'Install it with: pip install "naxbo[onnx]"') from ex

OPERATOR_SET = 20
TOLERANCE = 1e-3
"""Largest difference from torch, relative to the largest score, that is put down to rounding."""

_EPSILON = 1e-5  # torch's, of both normalisations
_CHECKED_IMAGES = 8


def onnx_model(kept: KeptDesign, training: int = 0) -> bytes:
    """One training of a kept design as the content of an ``.onnx`` file, checked against torch.

    Input ``pixels``: N x C x H x W float32 in the unit of the stored pixels (0 to 255 for 8-bit images), or images as
    the loader normalised them where the data set does not say how. Output ``scores``: N x classes.

    Raises:
        InputError: There is no such training.
        EvaluationError: The model does not compute what torch computes.
    """
    own = kept.only(training)
    network = own.trained.networks[0]
    graph = _Graph({name: value.numpy() for name, value in network.weights.items()})
    graph.normalise(kept.data.mean, kept.data.std)
    for layer in kept.network.layers:
        graph.layer(layer)
    last = kept.network.layers[-1]
    graph.node("Flatten", [graph.value[last.name]], "scores", axis=1)
    channels, height, width = kept.network.input_shape
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", channels, height, width])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", last.out_shape[0]])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPERATOR_SET)],
        ir_version=9,
        producer_name="naxbo",
    )
    about = {
        "class_names": list(kept.data.class_names),
        "float_accuracy": network.float_accuracy,
        "chip_accuracy": own.accuracy.mean,
        "data": kept.data.spec,
        "fingerprint": kept.data.fingerprint,
    }
    helper.set_model_props(model, {"naxbo": json.dumps(about, sort_keys=True)})
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    _check(content, own)
    return content


def _check(content: bytes, own: KeptDesign) -> None:
    """Run the model beside torch on random pixels."""
    import torch

    facts = own.data
    random = np.random.default_rng(0)
    images = random.standard_normal((_CHECKED_IMAGES, *facts.input_shape)).astype(np.float32)
    known = facts.mean and facts.std
    std, mean = (
        np.array(values, np.float32).reshape(1, -1, 1, 1)
        for values in ((facts.std, facts.mean) if known else (1.0, 0.0))
    )
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(["scores"], {"pixels": images * std + mean})
    with torch.no_grad():
        expected = own.float_network()(torch.from_numpy(images)).numpy()
    difference = float(np.abs(found - expected).max() / max(1e-6, np.abs(expected).max()))
    if not difference <= TOLERANCE:
        raise EvaluationError(
            f"the ONNX model differs from torch by {difference:.2g} of its largest score",
            "Report it, with the output of: naxbo doctor",
        )


class _Graph:
    """Nodes and constants under construction.

    Args:
        weights: Of the network, by name.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.value = {INPUT: "pixels"}  # name of the tensor that a layer puts out

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add an operator called as its output; returns that name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any, kind: Any = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def shaped(self, x: str, output: str, *sizes: int) -> str:
        """Reshape; 0 keeps the axis of images, -1 takes what is left."""
        return self.node("Reshape", [x, self.constant(f"{output}.shape", sizes, np.int64)], output)

    def normalise(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Subtract ``mean`` from the pixels and divide by ``std``, per channel; nothing where they are not known."""
        if mean and std:
            shift = self.constant("pixels.mean", np.reshape(mean, (1, -1, 1, 1)))
            scale = self.constant("pixels.std", np.reshape(std, (1, -1, 1, 1)))
            centred = self.node("Sub", ["pixels", shift], "pixels.centred")
            self.value[INPUT] = self.node("Div", [centred, scale], "images")

    def layer(self, layer: LayerSpec) -> None:
        """Operator, normalisation and activation of one layer."""
        x = self._operator(layer, [self.value[source] for source in layer.inputs])
        if layer.norm == "batch":
            parts = [
                self.constant(f"{layer.name}.norm.{part}", self._weight(layer, f"norm.{part}"))
                for part in ("weight", "bias", "running_mean", "running_var")
            ]
            x = self.node("BatchNormalization", [x, *parts], f"{layer.name}.norm", epsilon=_EPSILON)
        self.value[layer.name] = self._activation(layer, x)

    def _weight(self, layer: LayerSpec, part: str) -> NDArray[np.float32]:
        return self.weights[f"blocks.{layer.name}.{part}"]

    def _operator(self, layer: LayerSpec, inputs: list[str]) -> str:
        name, x = f"{layer.name}.op", inputs[0]
        both = [*layer.padding, *layer.padding]
        window = {"kernel_shape": list(layer.kernel), "strides": list(layer.stride), "pads": both}
        if layer.is_static:
            parts = ["weight", "bias"] if layer.bias else ["weight"]
            constants = [self.constant(f"{name}.{p}", self._weight(layer, f"op.{p}")) for p in parts]
            return self.node("Conv", [x, *constants], name, group=layer.groups, **window)
        simple = {
            "add": "Add",
            "scale": "Mul",
            "activation": "Identity",
            "global_avgpool": "GlobalAveragePool",
        }
        if layer.op in simple:
            return self.node(simple[layer.op], inputs, name)
        if layer.op == "maxpool":
            return self.node("MaxPool", [x], name, **window)
        if layer.op == "avgpool":
            return self.node("AveragePool", [x], name, count_include_pad=1, **window)
        if layer.op == "flatten":
            return self.shaped(x, name, 0, layer.out_shape[0], 1, 1)
        if layer.op == "layernorm":
            return self._channel_norm(layer, x, name)
        if layer.op == "tokens":
            return self._tokens(layer, x, name)
        if layer.op == "first_token":
            ends = [
                self.constant(f"{name}.{k}", [v], np.int64)
                for k, v in (("start", 0), ("end", 1), ("axis", 2))
            ]
            return self.node("Slice", [x, *ends], name)
        return self._attention(layer, x, name)

    def _channel_norm(self, layer: LayerSpec, x: str, name: str) -> str:
        last = self.node("Transpose", [x], f"{name}.channels_last", perm=[0, 2, 3, 1])
        parts = [self.constant(f"{name}.{p}", self._weight(layer, f"op.{p}")) for p in ("weight", "bias")]
        normed = self.node("LayerNormalization", [last, *parts], f"{name}.normed", axis=-1, epsilon=_EPSILON)
        return self.node("Transpose", [normed], name, perm=[0, 3, 1, 2])

    def _tokens(self, layer: LayerSpec, x: str, name: str) -> str:
        """Patches in a row behind an empty place, to which the class token is added with the positions."""
        added = self._weight(layer, "op.positions").copy()
        added[:, :, :1] += self._weight(layer, "op.class_token")
        row = self.shaped(x, f"{name}.patches", 0, layer.out_shape[0], -1, 1)
        pads = self.constant(f"{name}.pads", [0, 0, 1, 0, 0, 0, 0, 0], np.int64)
        padded = self.node("Pad", [row, pads], f"{name}.padded")
        return self.node("Add", [padded, self.constant(f"{name}.positions", added)], name)

    def _attention(self, layer: LayerSpec, x: str, name: str) -> str:
        """Scaled dot products (Vaswani et al. 2017, arXiv:1706.03762) of queries, keys and values in the channels."""
        channels, tokens, _ = layer.in_shape
        width = channels // (3 * layer.heads)
        split = self.shaped(x, f"{name}.heads", 0, 3 * layer.heads, width, tokens)
        vectors = self.node("Transpose", [split], f"{name}.vectors", perm=[0, 1, 3, 2])
        parts = [f"{name}.{part}" for part in ("queries", "keys", "values")]
        self.nodes.append(
            helper.make_node("Split", [vectors], parts, name=f"{name}.split", axis=1, num_outputs=3)
        )
        queries, keys, values = parts
        across = self.node("Transpose", [keys], f"{name}.keys_across", perm=[0, 1, 3, 2])
        scores = self.node("MatMul", [queries, across], f"{name}.scores")
        scaled = self.node(
            "Mul", [scores, self.constant(f"{name}.scale", 1.0 / math.sqrt(width))], f"{name}.scaled"
        )
        shares = self.node("Softmax", [scaled], f"{name}.shares", axis=-1)
        mixed = self.node("MatMul", [shares, values], f"{name}.mixed")
        back = self.node("Transpose", [mixed], f"{name}.channels", perm=[0, 1, 3, 2])
        return self.shaped(back, name, 0, channels // 3, tokens, 1)

    def _activation(self, layer: LayerSpec, x: str) -> str:
        name = f"{layer.name}.{layer.activation}"
        if layer.activation == "none":
            return x
        if layer.activation == "relu6":
            limits = [self.constant(f"{name}.{k}", v) for k, v in (("low", 0.0), ("high", 6.0))]
            return self.node("Clip", [x, *limits], name)
        if layer.activation == "hardsigmoid":
            return self.node("HardSigmoid", [x], name, alpha=1 / 6, beta=0.5)
        kinds = {"relu": "Relu", "hardswish": "HardSwish", "gelu": "Gelu"}
        return self.node(kinds[layer.activation], [x], name)
