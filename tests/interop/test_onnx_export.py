"""ONNX models compute what torch computes, for every operator that networks are made of."""

import json

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from nax_bo.accuracy.kept import DataFacts, KeptDesign, Trained, TrainedNetwork  # noqa: E402
from nax_bo.accuracy.report import AccuracyReport  # noqa: E402
from nax_bo.errors import InputError  # noqa: E402
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions  # noqa: E402
from nax_bo.interop.onnx_export import onnx_model  # noqa: E402
from nax_bo.network import vgg  # noqa: E402
from nax_bo.network.named import named_network  # noqa: E402
from nax_bo.network.torch_build import build  # noqa: E402
from nax_bo.network.vit import vit  # noqa: E402

NETWORKS = {
    "vgg": vgg((3, 16, 16), 7, widths=[8, 12], pool_after=[1]),
    **{n: named_network(n, (3, 16, 16), 7) for n in ("resnet20", "mobilenet-v2", "mobilenet-v3-small")},
    "vit": vit((3, 16, 16), 7, width=16, depth=2, heads=2, head_width=8, patch=4),
}


def kept(spec, mean=(), std=()):
    """A design of random weights and statistics: batch normalisation that does nothing would hide mistakes."""
    network = build(spec, 0)
    random = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=random) * 0.2
            value.copy_(value + (noise.abs() if name.endswith("running_var") else noise))
    weights = {k: v.clone() for k, v in network.state_dict().items() if v.is_floating_point()}
    facts = DataFacts("mine", "f", tuple("abcdefg"), tuple(spec.input_shape), mean, std)
    trained = Trained((TrainedNetwork(0, weights, {}, 0.5, {}),), (1,))
    report = AccuracyReport((0.4,), 0.5, 10, "full", 0.0)
    chip = ChipSpec("sram", arrays=(ArraySpec(bits_per_cell=1),))
    return KeptDesign(spec, chip, Conditions(), facts, "auto", 0, trained, report)


@pytest.mark.parametrize("family", NETWORKS)
def test_scores_are_those_of_torch(family):
    design = kept(NETWORKS[family])
    session = ort.InferenceSession(onnx_model(design), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        images = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(count))
        (found,) = session.run(None, {"pixels": images.numpy()})
        with torch.no_grad():
            expected = design.float_network()(images).numpy()
        assert np.abs(expected).max() > 0.05
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_pixels_are_normalised_inside():
    design = kept(NETWORKS["vgg"], mean=(120.0, 110.0, 100.0), std=(60.0, 50.0, 40.0))
    session = ort.InferenceSession(onnx_model(design), providers=["CPUExecutionProvider"])
    pixels = torch.randint(256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    (found,) = session.run(None, {"pixels": pixels.numpy()})
    shift, scale = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (design.data.mean, design.data.std))
    with torch.no_grad():
        expected = design.float_network()((pixels - shift) / scale).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_model_says_what_it_is():
    content = onnx_model(kept(NETWORKS["vgg"]))
    assert content == onnx_model(kept(NETWORKS["vgg"]))
    (about,) = onnx.load_from_string(content).metadata_props
    assert json.loads(about.value)["class_names"] == list("abcdefg")
    with pytest.raises(InputError, match="no training 1"):
        onnx_model(kept(NETWORKS["vgg"]), 1)
