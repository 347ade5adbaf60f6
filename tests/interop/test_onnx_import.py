"""Graphs of ONNX become networks that compute the same, are priced, and are put on crossbars."""

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from nax_bo.crossbar import convert  # noqa: E402
from nax_bo.errors import InputError  # noqa: E402
from nax_bo.hardware.chip import ChipSpec  # noqa: E402
from nax_bo.interop.given import load_network  # noqa: E402
from nax_bo.interop.onnx_import import from_onnx  # noqa: E402
from nax_bo.interop.torch_import import from_torch  # noqa: E402


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32) * 0.3


def write(path, nodes, constants, shape=(3, 8, 8), out=("batch", 5)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(out))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, path)
    return path


def convolutional(path):
    nodes = [
        helper.make_node(
            "Conv", ["x", "w1", "b1"], ["a"], name="stem/conv", kernel_shape=[3, 3], pads=[0, 0, 1, 1]
        ),
        helper.make_node("BatchNormalization", ["a", "s", "t", "m", "v"], ["n"]),
        helper.make_node("Clip", ["n", "zero", "six"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", "w2"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
        helper.make_node("HardSwish", ["c"], ["h"]),
        helper.make_node("Concat", ["h", "p"], ["j"], axis=1),
        helper.make_node("GlobalAveragePool", ["j"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], name="head", transB=1),
    ]
    constants = {
        "w1": random(8, 3, 3, 3), "b1": random(8), "s": random(8), "t": random(8), "m": random(8),
        "v": np.abs(random(8)) + 0.5, "zero": np.float32(0), "six": np.float32(6), "w2": random(8, 4, 3, 3),
        "w3": random(5, 16), "b3": random(5),
    }  # fmt: skip
    return write(path, nodes, constants)


def attending(path):
    nodes = [
        helper.make_node("Reshape", ["x", "tokens"], ["t"]),
        helper.make_node("Transpose", ["t"], ["s"], perm=[0, 2, 1]),
        *(helper.make_node("MatMul", ["s", w], [w[1:]], name=w[1:]) for w in ("wq", "wk", "wv")),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"]),
        helper.make_node("ReduceMean", ["mixed", "one"], ["mean"], keepdims=0),
        helper.make_node("LayerNormalization", ["mean", "g", "b"], ["norm"], axis=-1),
        helper.make_node("MatMul", ["norm", "wo"], ["y"], name="out"),
    ]
    constants = {
        "tokens": np.array([0, 3, 64]), "wq": random(3, 6), "wk": random(3, 6), "wv": random(3, 6),
        "scale": np.float32(6**-0.5), "one": np.array([1]), "g": random(6), "b": random(6), "wo": random(6, 5),
    }  # fmt: skip
    return write(path, nodes, constants)


@pytest.mark.parametrize("make", [convolutional, attending])
def test_a_graph_computes_what_onnx_says(make, tmp_path):
    path = make(tmp_path / "m.onnx")
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    (expected,) = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, {"x": images.numpy()}
    )
    with torch.no_grad():
        found = from_onnx(path).eval()(images).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_graphs_are_priced_and_converted(tmp_path):
    model = from_onnx(convolutional(tmp_path / "c.onnx")).eval()
    network = from_torch(model, (3, 8, 8))
    assert [layer.name for layer in network.static_layers] == ["stem_conv.1", "conv1", "head"]
    assert network.macs == 49 * 27 * 8 + 9 * 36 * 8 + 16 * 5
    assert network.static_layers[0].norm == "batch"
    assert network.static_layers[0].activation == "relu6"
    assert list(convert(model, ChipSpec(), network=network).layers) == ["stem_conv.1", "conv1", "head"]
    attention = from_torch(from_onnx(attending(tmp_path / "a.onnx")).eval(), (3, 8, 8))
    assert [layer.name for layer in attention.static_layers] == ["q", "k", "v", "out"]
    assert attention.macs == 3 * 64 * 3 * 6 + 2 * 64 * 64 * 6 + 6 * 5


def test_a_graph_is_a_network_by_reference(tmp_path):
    given = load_network(str(convolutional(tmp_path / "c.onnx")), (3, 8, 8), 5)
    assert given.trained
    assert torch.equal(given.make(0).head.weight, given.make(1).head.weight)
    with pytest.raises(InputError, match="data 7 classes"):
        load_network(str(tmp_path / "c.onnx"), (3, 8, 8), 7)


def test_what_is_no_graph_is_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="is no ONNX model"):
        from_onnx(tmp_path / "bad.onnx")
    with pytest.raises(InputError, match="cannot read"):
        load_network(str(tmp_path / "absent.onnx"), (3, 8, 8), 5)
    odd = write(
        tmp_path / "odd.onnx", [helper.make_node("Det", ["x"], ["y"], name="d")], {}, out=("batch", 3)
    )
    with pytest.raises(InputError, match="node 'd' is Det"):
        from_onnx(odd)
    fixed = write(
        tmp_path / "fixed.onnx",
        [helper.make_node("Reshape", ["x", "n"], ["f"]), helper.make_node("Gemm", ["f", "w"], ["y"])],
        {"n": np.array([1, 192]), "w": random(192, 5)},
    )
    with pytest.raises(InputError, match="does not take two images"):
        load_network(str(fixed), (3, 8, 8), 5)
