"""Models as people write them: what is converted is what runs, and what is not is said."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from nax_bo.crossbar import convert, monte_carlo
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec

FINE = ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=14, weight_bits=12, input_bits=12),))
COARSE = ChipSpec(arrays=(ArraySpec(rows=64, weight_bits=2, input_bits=2, bits_per_cell=1),))


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def error_of(model: nn.Module, x: Tensor, chip: ChipSpec = FINE, mode: str = "ideal") -> float:
    """Relative error in a mode; in "float" mode the model's own bits are asked for."""
    model.eval()
    network = convert(model, chip).eval()
    network.calibrate(x)
    network.program(0, NOMINAL)
    with torch.no_grad():
        network.mode = "float"
        expected = model(x)
        assert torch.equal(network(x), expected)
        network.mode = mode
        found = network(x)
    return float((found - expected).norm() / expected.norm())


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-6)
        return functional.conv2d(x, w, self.bias, self.stride, self.padding, self.dilation, self.groups)


class SamePadded(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, 1, 0, 1))
        return functional.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Scaled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(2 * x)


def hooked() -> nn.Module:
    layer = nn.Linear(12, 5)
    layer.register_forward_hook(lambda _, inputs, out: out + inputs[0][:, :5])
    return layer


def pruned() -> nn.Module:
    layer = nn.Linear(12, 5)
    prune.random_unstructured(layer, "weight", 0.5)
    return layer


IMAGE, ROWS, SEQUENCE = (4, 6, 8, 8), (16, 12), (4, 6, 20)
LAYERS = {
    "standardised": (lambda: Standardised(6, 8, 3, padding=1), IMAGE),
    "same-padded": (lambda: SamePadded(6, 8, 3, stride=2), IMAGE),
    "own forward": (lambda: Scaled(12, 5), ROWS),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Conv2d(6, 8, 3)), IMAGE),
    "spectral norm": (lambda: parametrizations.spectral_norm(nn.Linear(12, 5)), ROWS),
    "hook": (hooked, ROWS),
    "pruned": (pruned, ROWS),
    "conv1d": (lambda: nn.Conv1d(6, 8, 3, stride=2, padding=1, dilation=2, groups=2), SEQUENCE),
    "conv1d, reflected": (lambda: nn.Conv1d(6, 8, 3, padding=2, padding_mode="reflect"), SEQUENCE),
    "conv2d, same": (lambda: nn.Conv2d(6, 8, 4, padding="same", dilation=2), IMAGE),
    "transposed": (
        lambda: nn.ConvTranspose2d(6, 8, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
        IMAGE,
    ),
    "transposed 1d": (lambda: nn.ConvTranspose1d(6, 8, 4, stride=3, bias=False), SEQUENCE),
}


@pytest.mark.parametrize("mode", ["ideal", "exact"])
@pytest.mark.parametrize("which", LAYERS)
def test_layers_compute_what_they_did(which, mode):
    make, shape = LAYERS[which]
    model = nn.Sequential(nn.Identity(), make())
    assert error_of(model, torch.randn(shape), mode=mode) < 2e-3
    assert error_of(model, torch.randn(shape), COARSE, mode) > 0.02


@pytest.mark.parametrize("which", LAYERS)
def test_layers_train_under_their_names(which):
    make, shape = LAYERS[which]
    model = nn.Sequential(nn.Identity(), make())
    network = convert(model, FINE).train()
    assert network.model.state_dict().keys() == model.state_dict().keys()
    assert {n for n, _ in network.model.named_parameters()} == {n for n, _ in model.named_parameters()}
    network(torch.randn(shape)).sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_one_image_without_the_axis_of_images():
    model = nn.Conv2d(6, 8, 3).eval()
    assert error_of(model, torch.randn(6, 9, 9), mode="exact") < 2e-3


class Attending(nn.Module):
    def __init__(self, **settings) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, **settings)

    def forward(self, x: Tensor) -> Tensor:
        other = x.flip(0) if self.attention.kdim == 8 else x[..., :6]
        value = x if self.attention.vdim == 8 else x[..., :4]
        out, weights = self.attention(x, other, value, need_weights=True)
        again, _ = self.attention(x, other, value, need_weights=False)
        return out + again + weights.std()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_first": True},
        {"bias": False},
        {"kdim": 6, "vdim": 4},
        {"add_bias_kv": True, "add_zero_attn": True},
    ],
)
def test_attention_of_every_kind(settings):
    model = Attending(**settings)
    assert error_of(model, torch.randn(5, 5, 8)) < 3e-3
    assert error_of(model, torch.randn(5, 5, 8), COARSE) > 0.02


def test_masks_reach_attention():
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    network = convert(attention, FINE).eval()
    x, mask = torch.randn(3, 5, 8), torch.ones(5, 5).triu(1).bool()
    padding = torch.zeros(3, 5).bool()
    padding[1, 3:] = True
    for arguments in (
        {"attn_mask": mask},
        {"key_padding_mask": padding},
        {"attn_mask": mask, "key_padding_mask": padding, "need_weights": False},
    ):
        with torch.no_grad():
            network._state.work = "calibrate"
            network.model(x, x, x, **arguments)
            network._state.work = "read"
            found, others = network.model(x, x, x, **arguments)
            expected, weights = attention(x, x, x, **arguments)
        torch.testing.assert_close(found, expected, rtol=0, atol=5e-3)
        assert (others is None) == (weights is None)
        if weights is not None:
            torch.testing.assert_close(others, weights, rtol=0, atol=5e-3)


@pytest.mark.parametrize("norm_first", [False, True])
def test_fused_transformer_layers_are_simulated(norm_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    network = convert(model, FINE)
    assert [n for n in network.layers if n.startswith("layers.0")] == [
        "layers.0.self_attn.in_proj", "layers.0.self_attn.out_proj", "layers.0.linear1", "layers.0.linear2",
    ]  # fmt: skip
    assert error_of(model, torch.randn(3, 5, 8)) < 3e-3
    assert error_of(model, torch.randn(3, 5, 8), COARSE) > 0.02
    assert torch.backends.mha.get_fastpath_enabled()


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.b = self.a
        self.list = nn.ModuleList([self.a])

    def forward(self, x: Tensor) -> Tensor:
        return self.list[0](1000 * torch.tanh(self.b(self.a(x))))


def test_a_layer_in_two_places_has_a_range_for_each_call():
    x = torch.randn(32, 6)
    assert error_of(Shared(), x) < 1e-3
    assert error_of(Shared(), x, mode="exact") < 2e-3
    assert error_of(Shared(), x, mode="fast") < 2e-3
    network = convert(Shared(), FINE).eval()
    network.calibrate(x)
    assert list(network.layers) == ["a"]
    assert network.report().calls == {"a": 3}
    scales = [site.input_range.scale for site in network.layers["a"].sites]
    assert scales[2] > 100 * scales[1]


def test_ranges_of_calls_stay_apart_in_training():
    network = convert(Shared(), FINE).train()
    for _ in range(20):
        network(torch.randn(32, 6))
    scales = [state.inputs.scale for state in network.layers["a"]._training]
    assert len(scales) == 3
    assert scales[2] > 100 * scales[1]


class Bypassing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(self.a(x), self.b.weight)


def test_a_layer_that_does_not_run_is_an_error():
    network = convert(Bypassing(), FINE)
    with pytest.raises(InputError, match="layer 'b' of the model did not run"):
        network.calibrate(torch.randn(4, 6))
    network = convert(Bypassing(), FINE, leave_float=["b"])
    network.calibrate(torch.randn(4, 6))
    assert network.report().left_float == {"b": "asked for"}


class Sometimes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 2), nn.Linear(2, 2)
        self.times = 1

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        for _ in range(self.times):
            x = self.b(x)
        return x


@pytest.mark.parametrize(
    ("times", "reason"), [(0, "'b' of the model did not run"), (2, "'b' is called more often")]
)
def test_reading_and_monte_carlo_ask_for_the_calls_of_calibration(times, reason):
    network = convert(Sometimes(), FINE)
    x = torch.randn(4, 6)
    network.calibrate(x)
    network.model.times = times
    with pytest.raises(InputError, match=reason):
        monte_carlo(network, x, torch.zeros(4, dtype=torch.long), draws=1)


class OwnProduct(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.w = nn.Parameter(torch.randn(6, 6))
        self.gru = nn.GRU(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.a(x) @ self.w)[0]


def test_products_outside_layers_are_reported():
    network = convert(OwnProduct(), FINE)
    network.calibrate(torch.randn(4, 6))
    report = network.report()
    assert report.converted == ("a",)
    assert set(report.left_float) == {"w", "gru"}
    assert "GRU is not simulated" in report.table()


class TwoProducts(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight) + functional.linear(x, self.weight, self.bias)


class Dynamic(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * x.mean(), self.bias)


class OwnTransposed(nn.ConvTranspose2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


class OwnAttention(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x, x, x)[0]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (TwoProducts(6, 6), r"layer '0' \(TwoProducts\) .* computes 2 products"),
        (Dynamic(6, 6), r"layer '0' \(Dynamic\) .* weights depend on its input"),
        (OwnTransposed(6, 6, 2), r"layer '0' \(OwnTransposed\)"),
        (OwnAttention(6, 2), r"attention '0' \(OwnAttention\)"),
        (nn.LazyLinear(6), r"layer '0' \(LazyLinear\) does not know its inputs yet"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(layer, reason):
    with pytest.raises(InputError, match=reason):
        convert(nn.Sequential(layer, nn.Linear(6, 6)), FINE)
    if not isinstance(layer, nn.LazyLinear):
        assert convert(
            nn.Sequential(layer, nn.Linear(6, 6)), FINE, leave_float=["0"]
        ).report().left_float == {"0": "asked for"}


def test_unknown_names_to_leave_are_refused():
    with pytest.raises(InputError, match="leave_float names 'fc'"):
        convert(nn.Sequential(nn.Linear(6, 6)), FINE, leave_float=["fc"])


class Reversed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.Linear(4, 2), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))


class Untraceable(Reversed):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


def test_settings_of_layers_follow_execution():
    arrays = (ArraySpec(rows=32), ArraySpec(rows=64))
    network = convert(Reversed(), ChipSpec(arrays=arrays))
    assert {n: layer.hardware.array.rows for n, layer in network.layers.items()} == {"first": 32, "last": 64}
    with pytest.raises(InputError, match="order in which Untraceable"):
        convert(Untraceable(), ChipSpec(arrays=arrays))


def test_converted_networks_can_be_copied():
    network = convert(nn.Sequential(Standardised(6, 8, 3), nn.Flatten(), nn.Linear(288, 4)), FINE).eval()
    x = torch.randn(IMAGE)
    network.calibrate(x)
    network.program(0, NOMINAL)
    other = copy.deepcopy(network)
    network.mode = other.mode = "exact"
    with torch.no_grad():
        expected = network(x)
        for p in network.parameters():
            p.zero_()
        assert torch.equal(other(x), expected)
