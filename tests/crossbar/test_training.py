"""Noise-aware training: quantisation, noise statistics, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Generator, nn
from torch.nn import functional

from nax_bo.crossbar import accuracy, convert, monte_carlo, noise_aware
from nax_bo.crossbar.arithmetic.quantise import InputRange, exact_dtype, weight_codes, weight_scale
from nax_bo.crossbar.physics.cells import program_cells
from nax_bo.crossbar.physics.slicing import slice_weights
from nax_bo.crossbar.physics.wires import PRESETS
from nax_bo.crossbar.training import weight_noise
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.chip.devices import device, with_variation

NOISY = Conditions(read_noise=False, ir_drop=False, faults=False)


def layer(array: ArraySpec, conditions: Conditions | None, name: str = "nacim-gaussian"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Linear(20, 30)
    network = noise_aware(model, ChipSpec(device=name, arrays=(array,)), conditions, seed=0)
    return network, next(iter(network.layers.values()))


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("name", ["nacim-gaussian", "rram-neurram", "pcm-joshi"])
def test_training_noise_has_the_moments_of_programmed_cells(encoding, name):
    array = ArraySpec(encoding=encoding)
    noise = weight_noise(array, device(name), NOISY)
    assert noise is not None
    codes = torch.tensor([-120.0, -64.0, -3.0, 0.0, 5.0, 77.0, 127.0])
    # one row, so that offset weights at the same code share no reference cell
    cells = program_cells(
        codes.expand(1, 1, -1),
        array,
        device(name),
        PRESETS["ideal"],
        blocks=(1,),
        conditions=NOISY,
        generators=[Generator().manual_seed(seed) for seed in range(2000)],
    )
    places = torch.tensor(slice_weights(array), dtype=torch.float32)
    held = torch.einsum("dskn,s->dn", cells.levels[:, :, 0], places) * cells.gain[:, None] - codes
    index = (codes + 127).long()
    torch.testing.assert_close(noise.std[index], held.std(0), rtol=0.15, atol=0.3)
    standard_error = held.std(0) * (1 / 512 + 1 / 2000) ** 0.5  # samples behind the table, chips here
    assert bool(((noise.mean[index] - held.mean(0)).abs() < 5 * standard_error + 0.05).all())


def test_sampled_noise_has_those_moments():
    noise = weight_noise(ArraySpec(), device("nacim-gaussian"), NOISY)
    assert noise is not None
    codes = torch.full((20_000,), 50.0)
    sample = noise.sample(codes, Generator().manual_seed(0))
    assert float(sample.std()) == pytest.approx(float(noise.std[177]), rel=0.03)
    assert float(sample.mean()) == pytest.approx(
        float(noise.mean[177]), abs=0.03 * float(noise.std[177]) + 0.05
    )


def test_cells_as_intended_train_without_noise():
    quiet = Conditions(programming_noise=False, faults=False, read_noise=False, ir_drop=False)
    assert weight_noise(ArraySpec(), device("rram"), quiet) is None
    network, crossbar = layer(ArraySpec(), quiet)
    w = crossbar.training_state.noisy(crossbar.weight, 8)
    scale = weight_scale(crossbar.weight, 8)
    torch.testing.assert_close(w, weight_codes(crossbar.weight, scale, 8) * scale[:, None])
    assert network.training


def test_noise_is_fresh_at_each_step_and_repeats_with_the_seed():
    first, a = layer(ArraySpec(), NOISY)
    second, b = layer(ArraySpec(), NOISY)
    x = torch.rand(4, 20, generator=Generator().manual_seed(0))
    one, two = first(x), first(x)
    assert not torch.equal(one, two)
    assert torch.equal(one, second(x))
    assert torch.equal(two, second(x))
    assert a is not b


def test_gradients_are_those_of_the_noisy_linear_layer():
    network, crossbar = layer(ArraySpec(), NOISY)
    x = torch.rand(6, 20, generator=Generator().manual_seed(0), requires_grad=True)
    out = network(x)
    upstream = torch.randn(out.shape, generator=Generator().manual_seed(1))
    out.backward(upstream)
    # the same draw again, to know which weights were used forward
    _, again = layer(ArraySpec(), NOISY)
    used = again.training_state.noisy(again.weight, 8).detach()
    quantised = InputRange.fitted(x.detach(), 8).quantised(x.detach())
    inside = quantised != InputRange.fitted(x.detach(), 8).scale * 255
    torch.testing.assert_close(crossbar.weight.grad, upstream.t() @ quantised)
    torch.testing.assert_close(x.grad[inside], (upstream @ used)[inside])
    torch.testing.assert_close(crossbar.bias.grad, upstream.sum(0))


def test_inputs_beyond_the_range_get_no_gradient():
    limits = InputRange(0.1, 0, 15)
    x = torch.tensor([-0.5, 0.0, 0.7, 1.5, 1.7], requires_grad=True)
    y = limits.quantised(x)
    y.sum().backward()
    torch.testing.assert_close(y.detach(), torch.tensor([0.0, 0.0, 0.7, 1.5, 1.5]))
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


@given(bits=st.integers(2, 16), seed=st.integers(0, 999), signed=st.booleans())
@settings(max_examples=50, deadline=None)
def test_quantisation_error_is_at_most_half_a_step_inside_the_range(bits, seed, signed):
    x = torch.rand(200, generator=Generator().manual_seed(seed), dtype=torch.float64) - (
        0.5 if signed else 0.0
    )
    limits = InputRange.of(float(x.min()), float(x.max()), bits)
    codes = limits.codes(x)
    assert float(codes.min()) >= limits.low
    assert float(codes.max()) <= limits.high
    assert float((codes * limits.scale - x).abs().max()) <= 0.5001 * limits.scale


def test_fitted_range_clips_outliers_at_few_bits():
    x = torch.cat([torch.rand(4000, generator=Generator().manual_seed(0)), torch.tensor([8.0])])
    wide, fitted = InputRange.of(0.0, 8.0, 3), InputRange.fitted(x, 3)
    assert fitted.scale < wide.scale
    assert (fitted.quantised(x) - x).square().mean() < (wide.quantised(x) - x).square().mean()


def test_clipped_weights_use_the_range_better():
    weight = torch.randn(4, 500, generator=Generator().manual_seed(0))
    weight[:, 0] = 30.0
    plain, clipped = weight_scale(weight, 8), weight_scale(weight, 8, clip=2.5)
    assert bool((clipped < plain / 5).all())
    codes = weight_codes(weight, clipped, 8)
    assert bool((codes[:, 0] == 127).all())
    model = nn.Linear(20, 30)
    network = noise_aware(model, ChipSpec(), NOISY, weight_clip=1.0)
    crossbar = network.layers["layer"]
    _, scale = crossbar.codes()
    torch.testing.assert_close(scale, weight_scale(crossbar.weight, 8, clip=1.0))
    for settings_ in ({"weight_clip": 0.0}, {"coverage": 1.5}):
        with pytest.raises(InputError, match=next(iter(settings_))):
            convert(model, ChipSpec(), **settings_)


def test_nan_in_training_is_named():
    network, _ = layer(ArraySpec(), NOISY)
    with pytest.raises(InputError, match="NaN or overflow"):
        network(torch.full((2, 20), float("nan")))


def test_exact_dtype_holds_the_sums():
    assert exact_dtype(2.0**24 - 1) is torch.float32
    assert exact_dtype(2.0**24) is torch.float64


def test_training_with_variation_survives_variation_and_training_without_does_not():
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(digits.target)
    chip = ChipSpec(arrays=(ArraySpec(rows=64, weight_bits=4, adc_bits=8),))
    cells = with_variation(device("nacim-gaussian"), 0.3)
    conditions = Conditions(read_noise=False, ir_drop=False)
    found = {}
    for aware in (True, False):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = nn.Sequential(
                nn.Conv2d(1, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
            )
        network = convert(model, chip, device=cells)
        network.set_training_noise(conditions if aware else None, seed=0)
        network.train()
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        order = Generator().manual_seed(0)
        for _ in range(10):
            for index in torch.randperm(1300, generator=order).split(64):
                optimiser.zero_grad()
                functional.cross_entropy(network(x[index]), y[index]).backward()
                optimiser.step()
        network.calibrate(x[:64])
        network.eval()
        network.mode = "exact"
        found[aware] = sum(monte_carlo(network, x[1300:], y[1300:], draws=4, conditions=conditions)) / 4
        network.mode = "ideal"
        assert accuracy(network, x[1300:], y[1300:]) > 0.85
    assert found[True] > found[False] + 0.05
