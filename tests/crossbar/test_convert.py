"""Conversion, programming and the modes of whole networks, and what happens to bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn

from nax_bo.crossbar import CrossbarConv2d, CrossbarLinear, CrossbarNetwork, convert, monte_carlo
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.chip.devices import device
from nax_bo.network.named import named_network
from nax_bo.network.torch_build import build

LOSSLESS = ArraySpec(rows=64, adc_bits=14)


def images(count: int = 8, channels: int = 3, size: int = 8, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, size, size, generator=Generator().manual_seed(seed))


def convolutions() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding="same", dilation=2, groups=8, bias=False),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular", groups=2),
            nn.Flatten(),
            nn.Linear(128, 10),
        ).eval()


def ready(
    chip: ChipSpec, conditions: Conditions = NOMINAL, model: nn.Module | None = None
) -> CrossbarNetwork:
    network = convert(model or convolutions(), chip).eval()
    network.calibrate(images())
    network.program(0, conditions)
    return network


def outputs(network: CrossbarNetwork, mode: str, x: Tensor | None = None) -> Tensor:
    network.mode = mode  # type: ignore[assignment]
    with torch.no_grad():
        return network(images(seed=1) if x is None else x)


def test_layers_are_replaced_and_the_model_is_left_alone():
    model = convolutions()
    network = convert(model, ChipSpec())
    kinds = [type(layer) for layer in network.layers.values()]
    assert kinds == [CrossbarConv2d, CrossbarConv2d, CrossbarConv2d, CrossbarLinear]
    assert isinstance(model[0], nn.Conv2d)
    assert network.model.state_dict().keys() == model.state_dict().keys()
    network.model.load_state_dict(model.state_dict())


def test_a_single_layer_is_a_model():
    network = convert(nn.Linear(3, 2), ChipSpec())
    assert isinstance(network.model, CrossbarLinear)
    assert list(network.layers) == ["layer"]


def test_float_mode_is_the_model():
    network = ready(ChipSpec())
    assert torch.equal(outputs(network, "float"), convolutions()(images(seed=1)))


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_lossless_converters_and_nominal_cells_give_the_ideal_output(encoding):
    network = ready(ChipSpec(arrays=(replace(LOSSLESS, encoding=encoding),)))
    assert torch.equal(outputs(network, "exact"), outputs(network, "ideal"))


def test_sixteen_bits_are_as_good_as_float():
    array = replace(LOSSLESS, weight_bits=16, input_bits=16)
    network = ready(ChipSpec(arrays=(array,)))
    torch.testing.assert_close(outputs(network, "ideal"), outputs(network, "float"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mapping", ["conventional", "kernel_position"])
def test_mapping_only_changes_what_converters_see(mapping):
    lossless = ready(ChipSpec(arrays=(LOSSLESS,), mapping=mapping))
    assert torch.equal(outputs(lossless, "exact"), outputs(lossless, "ideal"))
    lossy = ready(ChipSpec(arrays=(ArraySpec(rows=4, adc_bits=3, adc_range=1.0),), mapping=mapping))
    assert not torch.equal(outputs(lossy, "exact"), outputs(lossy, "ideal"))


def test_no_variation_equals_no_noise():
    chip = ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=6),))
    still = replace(NOMINAL, programming_noise=True, variation_scale=0.0)
    assert torch.equal(outputs(ready(chip, still), "exact"), outputs(ready(chip), "exact"))


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_ir_drop_vanishes_with_the_wires(encoding):
    chip = ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=12, encoding=encoding),))
    dropped = replace(NOMINAL, ir_drop=True)
    error = []
    for technology_nm in (22.0, 130.0):
        network = ready(replace(chip, technology_nm=technology_nm), dropped)
        ideal = outputs(network, "ideal")
        error.append(float((outputs(network, "exact") - ideal).std() / ideal.std()))
    assert error[0] > 2 * error[1] > 0


def test_higher_on_off_ratio_does_not_matter_without_wires():
    results = []
    for ratio in (2.0, 1e3, math.inf):
        cells = replace(device("nacim-gaussian"), on_off_ratio=ratio)
        network = convert(
            convolutions(), ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=12),)), device=cells
        ).eval()
        network.calibrate(images())
        network.program(0, NOMINAL)
        results.append(outputs(network, "exact"))
    # cells are built as g_off + level * step in single precision: equal but for rounding, and exactly so once detected
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-4, atol=1e-4)


def test_same_seed_same_chip_and_draws_differ():
    chip = ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=8),))
    first, second = ready(chip, Conditions()), ready(chip, Conditions())
    assert torch.equal(outputs(first, "exact"), outputs(second, "exact"))
    first.program(0, Conditions(), draws=2)
    one = outputs(first, "exact")
    first.draw = 1
    assert not torch.equal(one, outputs(first, "exact"))
    with pytest.raises(InputError, match="draw 2 of 2"):
        first.draw = 2


def test_chips_programmed_together_are_those_programmed_alone():
    chip = ChipSpec(arrays=(ArraySpec(rows=16, adc_bits=8, encoding="offset"),))
    network = ready(chip)
    network.program([3, 8, 5], Conditions())
    together = []
    for draw in range(3):
        network.draw = draw
        together.append(outputs(network, "exact"))
    for seed, result in zip((3, 8, 5), together, strict=True):
        network.program(seed, Conditions())
        torch.testing.assert_close(outputs(network, "exact"), result, rtol=1e-3, atol=1e-3)


def test_drift_compensation_restores_the_mean():
    array = ArraySpec(rows=64, adc_bits=12)
    cells = device("pcm-joshi")
    later = replace(NOMINAL, time_s=1e6)
    found = {}
    for compensated in (True, False):
        network = convert(convolutions(), ChipSpec(arrays=(array,)), device=cells).eval()
        network.calibrate(images())
        network.program(0, replace(later, drift_compensation=compensated))
        ideal = outputs(network, "ideal")
        found[compensated] = float((outputs(network, "exact") - ideal).square().mean() / ideal.var())
    assert found[True] < 0.5 * found[False]


def test_per_layer_arrays_follow_the_networks_static_layers():
    spec = named_network("resnet20", (3, 8, 8), 10)
    network = build(spec)
    count = len(spec.static_layers)
    arrays = tuple(ArraySpec(rows=16 + i) for i in range(count))
    converted = convert(network, ChipSpec(arrays=arrays))
    assert list(converted.layers) == [layer.name for layer in spec.static_layers]
    assert [layer.hardware.array.rows for layer in converted.layers.values()] == [a.rows for a in arrays]
    with pytest.raises(InputError, match="array settings for"):
        convert(network, ChipSpec(arrays=arrays[:-1]))


def test_digital_layers_are_quantised_and_exact():
    chip = ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=2),), digital_layers=("0", "3", "5", "7"))
    network = ready(chip, Conditions())
    assert torch.equal(outputs(network, "exact"), outputs(network, "ideal"))
    ends = convert(convolutions(), ChipSpec(), first_last="digital")
    assert [layer.hardware.digital for layer in ends.layers.values()] == [True, False, False, True]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attention(x, x, x, need_weights=False)[0])


def test_products_of_activations_stay_digital_and_their_signed_outputs_are_read():
    x = torch.randn(4, 6, 8, generator=Generator().manual_seed(0))
    network = convert(Attention(), ChipSpec(arrays=(LOSSLESS,))).eval()
    assert list(network.layers) == ["attention.in_proj", "attention.out_proj", "head"]
    network.calibrate(x)
    network.program(0, NOMINAL)
    assert network.layers["head"].calibrated_range().signed
    assert torch.equal(outputs(network, "exact", x), outputs(network, "ideal", x))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Linear(1, 1), (3, 1)),
        (nn.Conv2d(1, 1, 1), (2, 1, 3, 3)),
        (nn.Conv2d(2, 3, 3), (1, 2, 3, 3)),
    ],
    ids=["linear 1x1", "conv 1x1", "one output position"],
)
@pytest.mark.parametrize(
    "array", [ArraySpec(), ArraySpec(rows=1, cols=1, mux=1, adc_bits=14)], ids=["128", "1x1"]
)
def test_tiny_layers_and_tiny_arrays(model, shape, array):
    x = torch.rand(shape, generator=Generator().manual_seed(0))
    network = convert(model, ChipSpec(arrays=(replace(array, adc_bits=14),))).eval()
    network.calibrate(x)
    network.program(0, NOMINAL)
    assert torch.equal(outputs(network, "exact", x), outputs(network, "ideal", x))
    network.program(0, Conditions())
    for mode in ("fast", "adaptive", "exact"):
        assert torch.isfinite(outputs(network, mode, x)).all()


def test_zero_weights_and_zero_inputs_stay_zero():
    model = nn.Linear(5, 3)
    nn.init.zeros_(model.weight)
    network = convert(model, ChipSpec()).eval()
    x = torch.zeros(4, 5)
    network.calibrate(x)
    network.program(0, NOMINAL)
    for mode in ("ideal", "exact", "fast", "adaptive"):
        torch.testing.assert_close(outputs(network, mode, x), model.bias.detach().expand(4, 3))


def test_huge_inputs_and_weights_stay_finite():
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.mul_(1e12)
    network = convert(model, ChipSpec(arrays=(ArraySpec(adc_bits=14),))).eval()
    x = 1e12 * torch.rand(4, 5, generator=Generator().manual_seed(0))
    network.calibrate(x)
    network.program(0, NOMINAL)
    torch.testing.assert_close(outputs(network, "exact", x), model(x).detach(), rtol=0.05, atol=1e22)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_weights_and_images_are_named(value):
    network = convert(convolutions(), ChipSpec()).eval()
    with pytest.raises(InputError, match="layer '0' receives NaN or infinite"):
        network.calibrate(torch.full((2, 3, 8, 8), value))
    network.calibrate(images())
    with torch.no_grad():
        network.layers["5"].weight[0, 0] = value
    with pytest.raises(InputError, match="layer '5' has NaN or infinite weights"):
        network.program(0)


def test_nan_images_are_refused_in_every_mode():
    network = ready(ChipSpec())
    for mode in ("ideal", "fast", "adaptive", "exact"):
        with pytest.raises(InputError, match="images hold NaN"):
            outputs(network, mode, torch.full((2, 3, 8, 8), math.nan))


def test_no_images_give_no_outputs():
    network = ready(ChipSpec())
    for mode in ("ideal", "fast", "adaptive", "exact"):
        assert outputs(network, mode, images()[:0]).shape == (0, 10)


def test_double_precision_models_are_read_in_their_own_type():
    network = convert(convolutions().double(), ChipSpec(arrays=(LOSSLESS,))).eval()
    network.calibrate(images().double())
    network.program(0, NOMINAL)
    x = images(seed=1).double()
    for mode in ("ideal", "fast", "adaptive", "exact"):
        found = outputs(network, mode, x)
        assert found.dtype is torch.float64
        torch.testing.assert_close(found, outputs(network, "ideal", x), rtol=1e-3, atol=1e-3)


def test_tensors_on_other_devices_are_refused():
    network = ready(ChipSpec())
    with pytest.raises(InputError, match="on meta"):
        network.layers["0"](torch.empty(1, 3, 8, 8, device="meta"))


def test_new_weights_are_fitted_anew():
    network = ready(ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=5),)), Conditions())
    outputs(network, "fast")
    before = network.layers["7"].fit
    network.program(1, Conditions())
    outputs(network, "fast")
    assert network.layers["7"].fit is before
    with torch.no_grad():
        network.layers["7"].weight[0].mul_(-1)
    network.program(1, Conditions())
    outputs(network, "fast")
    assert network.layers["7"].fit is not before


def test_reading_before_calibrating_or_programming_says_so():
    network = convert(convolutions(), ChipSpec()).eval()
    with pytest.raises(InputError, match="not been calibrated"):
        outputs(network, "ideal")
    network.calibrate(images())
    for mode in ("exact", "fast", "adaptive"):
        with pytest.raises(InputError, match="not been programmed"):
            outputs(network, mode)


def test_other_bad_input():
    network = convert(convolutions(), ChipSpec())
    with pytest.raises(InputError, match="without images"):
        network.calibrate(images()[:0])
    with pytest.raises(InputError, match="unknown mode"):
        network.mode = "quick"  # type: ignore[assignment]
    with pytest.raises(InputError, match="draws = 0"):
        network.program(0, draws=0)
    with pytest.raises(InputError, match="no Conv2d, Linear"):
        convert(nn.ReLU(), ChipSpec())
    with pytest.raises(InputError, match="digital layer 'conv9'"):
        convert(convolutions(), ChipSpec(digital_layers=("conv9",)))
    with pytest.raises(InputError, match="unknown device"):
        convert(convolutions(), ChipSpec(device="unobtainium"))


def test_monte_carlo_stops_at_the_standard_error_and_repeats():
    network = ready(ChipSpec(arrays=(ArraySpec(rows=64, adc_bits=6),)))
    network.mode = "fast"
    x, labels = images(32, seed=3), torch.randint(10, (32,), generator=Generator().manual_seed(0))
    every = monte_carlo(network, x, labels, draws=6, seed=5)
    assert len(every) == 6
    assert monte_carlo(network, x, labels, draws=3, seed=5) == every[:3]
    assert len(monte_carlo(network, x, labels, draws=6, seed=5, target_standard_error=1.0)) == 2
    with pytest.raises(InputError, match="labels"):
        monte_carlo(network, x, labels[:-1])
