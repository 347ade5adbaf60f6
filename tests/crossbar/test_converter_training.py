"""Training with converters in the loop, and devices: no tensor is made elsewhere than where the network is."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, nn

from nax_bo.crossbar import convert, noise_aware
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.crossbar.training import _measured_noise
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions

LOSSLESS = ArraySpec(rows=16, weight_bits=4, input_bits=4, adc_bits=14, adc_range=1.0)
LAYERS = {
    "linear": (lambda: nn.Linear(40, 6), (3, 5, 40)),
    "conv": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), (3, 4, 9, 9)),
    "same": (lambda: nn.Conv2d(4, 6, 3, padding="same", padding_mode="reflect"), (3, 4, 9, 9)),
    "grouped": (lambda: nn.Conv2d(8, 6, 3, groups=2, bias=False), (3, 8, 7, 7)),
    "depthwise": (lambda: nn.Conv2d(8, 8, 5, groups=8, padding=2), (3, 8, 7, 7)),
}


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def trained_pass(name: str, array: ArraySpec, in_loop: bool, mapping: str = "conventional"):
    make, shape = LAYERS[name]
    chip = ChipSpec(arrays=(array,), mapping=mapping)
    network = noise_aware(seeded(make), chip, NOMINAL, converter_in_loop=in_loop)
    x = torch.randn(shape, generator=Generator().manual_seed(0)).requires_grad_()
    out = network(x)
    out.backward(torch.randn(out.shape, generator=Generator().manual_seed(1)))
    return [out.detach(), x.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("mapping", ["conventional", "kernel_position"])
@pytest.mark.parametrize("name", list(LAYERS))
def test_lossless_converters_change_neither_output_nor_gradients(name, mapping):
    plain = trained_pass(name, LOSSLESS, False)
    for a, b in zip(trained_pass(name, LOSSLESS, True, mapping), plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(LAYERS))
def test_coarse_converters_change_the_output_and_full_range_keeps_gradients(name):
    coarse = ArraySpec(rows=16, weight_bits=4, input_bits=4, adc_bits=4, adc_range=1.0)
    plain, found = trained_pass(name, coarse, False), trained_pass(name, coarse, True)
    assert not torch.allclose(found[0], plain[0], rtol=0.01, atol=0.01)
    for a, b in zip(found[1:], plain[1:], strict=True):  # nothing is clipped
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_clipped_sums_pass_no_gradient():
    narrow = ArraySpec(rows=64, weight_bits=4, input_bits=4, adc_bits=2, adc_range=0.001)
    network = noise_aware(
        seeded(lambda: nn.Linear(40, 6)), ChipSpec(arrays=(narrow,)), NOMINAL, converter_in_loop=True
    )
    layer = network.layers["layer"]
    with torch.no_grad():
        layer.weight.abs_()  # every sum is far above the range
    network(torch.rand(5, 40, generator=Generator().manual_seed(0))).sum().backward()
    assert not bool(layer.weight.grad.any())
    assert layer.bias.grad.tolist() == [5.0] * 6


def test_calibrated_sums_use_the_levels_of_the_converter():
    array = ArraySpec(rows=64, adc_bits=3)
    network = noise_aware(
        seeded(lambda: nn.Linear(40, 6, bias=False)),
        ChipSpec(arrays=(array,)),
        NOMINAL,
        converter_in_loop=True,
    )
    out = network(torch.randn(200, 40, generator=Generator().manual_seed(0)))
    assert all(3 <= len(column.unique()) <= 8 for column in out.detach().t())


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("mapping", ["conventional", "kernel_position"])
def test_no_tensor_is_made_on_the_default_device(encoding, mapping, monkeypatch):
    monkeypatch.setenv("NAXBO_COMPILED", "0")  # what other devices run
    array = ArraySpec(rows=16, weight_bits=4, input_bits=4, adc_bits=4, encoding=encoding)
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)))
    images = torch.rand(4, 2, 6, 6, generator=Generator().manual_seed(0))
    conditions = Conditions(time_s=10.0)

    def everything():
        network = noise_aware(model, ChipSpec(device="pcm-joshi", arrays=(array,), mapping=mapping), seed=0)
        network.converter_in_loop = True
        network(images).sum().backward()
        network.calibrate(images)
        network.program(0, conditions, draws=2)
        network.eval()
        outputs = []
        for mode in ("float", "ideal", "fast", "adaptive", "exact"):
            network.mode = mode
            outputs.append(network(images))
        network.explain("3")
        return outputs

    expected = everything()
    _measured_noise.cache_clear()
    with torch.device("meta"):  # a tensor made on the default device would now hold nothing
        found = everything()
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def test_images_elsewhere_than_the_network_are_refused():
    network = convert(nn.Linear(4, 2), ChipSpec())
    with pytest.raises(InputError, match="is on cpu and is given a tensor on meta"):
        network.train()(torch.rand(3, 4, device="meta"))
