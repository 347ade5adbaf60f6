import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from nax_bo.accuracy.data import DataSet, parse_data
from nax_bo.accuracy.fidelity import SHORT, Recipe
from nax_bo.accuracy.hardware_aware import (
    HardwareAwareLayer,
    _LearnedStep,
    hardware_aware,
    measure_ir_drop,
)
from nax_bo.accuracy.training import LARGEST_BATCH, SMALLEST_BATCH, batch_size, train
from nax_bo.crossbar import CrossbarConv2d, CrossbarNetwork, accuracy, convert, noise_aware
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import mlp, vgg
from nax_bo.network.torch_build import build

QUIET = NOMINAL
SRAM = ChipSpec(
    "sram", arrays=(ArraySpec(rows=64, cols=64, bits_per_cell=1, weight_bits=6, input_bits=4, adc_bits=7),)
)


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits").load().subset(512, 256)


def small(shape=(1, 8, 8), classes=10):
    return vgg(shape, classes, widths=[16, 16], pool_after=[1])


def trained(
    data,
    network=None,
    chip=SRAM,
    *,
    epochs=6.0,
    learning_rate=0.03,
    recipe=None,
    seed=0,
    conditions=QUIET,
    **more,
):
    network = network or small(data.input_shape, data.num_classes)
    return train(
        network,
        chip,
        data,
        recipe=recipe or Recipe(epochs, learning_rate),
        seed=seed,
        conditions=conditions,
        **more,
    )


def made_up(images, classes=2, shape=(1, 8, 8), test=4):
    """Class ``c`` is brighter than class ``c - 1``: anything that trains tells them apart."""
    labels = torch.arange(images + test) % classes
    pixels = 0.1 * torch.randn(images + test, *shape, generator=torch.Generator().manual_seed(0))
    pixels += labels.reshape(-1, 1, 1, 1) - 0.5 * (classes - 1)
    names = tuple(f"class {c}" for c in range(classes))
    return DataSet("made up", pixels[:images], labels[:images], pixels[images:], labels[images:], names)


def exact_accuracy(model, data, conditions=QUIET):
    model.mode = "exact"
    model.program(99, conditions)
    return accuracy(model, data.test_images, data.test_labels)


def test_digits_are_learned_in_seconds(digits):
    assert exact_accuracy(trained(digits, epochs=8), digits) > 0.88


def test_few_steps_learn_more_by_the_short_recipe():
    """In as many steps as the recipe of long trainings with its learning rate raised, on all of the digits."""
    data = parse_data("digits").load()
    plain = Recipe(SHORT.recipe.epochs, 0.03)
    wrong = [
        sum(1 - exact_accuracy(trained(data, recipe=recipe, seed=seed), data) for seed in range(2))
        for recipe in (SHORT.recipe, plain)
    ]
    assert wrong[0] < 0.8 * wrong[1]


def test_cheap_modes_are_fitted_on_the_way(digits, monkeypatch):
    """The network is the same whatever mode it will be read in, and fitted to that mode."""
    noisy = ChipSpec("rram", arrays=SRAM.arrays)
    models = {
        mode: trained(digits, chip=noisy, epochs=1, conditions=Conditions(), mode=mode)
        for mode in ("exact", "fast", "adaptive")
    }
    monkeypatch.setattr(CrossbarNetwork, "fit", None)
    for mode, model in models.items():
        state = model.model.state_dict()
        assert all(torch.equal(v, state[k]) for k, v in models["exact"].model.state_dict().items())
        model.mode = mode
        model.program(7, Conditions())
        assert 0.2 < accuracy(model, digits.test_images, digits.test_labels) <= 1.0


def test_one_bit_activations_are_learned(digits):
    """Ranges that reach the largest activation leave one-bit inputs nearly empty; learned ones do not."""
    array = replace(SRAM.arrays[0], input_bits=1)
    network = vgg((1, 8, 8), 10, widths=[16, 16], pool_after=[1])
    model = trained(digits, network, ChipSpec("sram", arrays=(array,)), epochs=8)
    assert exact_accuracy(model, digits) > 0.6


def test_read_ranges_are_the_ones_trained_with(digits):
    model = trained(digits, epochs=2)
    for layer in model.layers.values():
        assert layer.input_range is not None
        assert layer.converter is not None
    fitted = convert(build(small(), 0), SRAM)
    fitted.model.load_state_dict(model.model.state_dict())
    fitted.calibrate(digits.train_images[:128])
    scales = [
        (a.input_range.scale, b.input_range.scale)
        for a, b in zip(model.layers.values(), fitted.layers.values(), strict=True)
    ]
    assert any(abs(math.log(a / b)) > 0.01 for a, b in scales)


def test_normalisation_is_measured_on_a_chip(digits):
    """Statistics of the first normalisation are those of the first layer's outputs as that chip gives them."""
    chip = ChipSpec("stt-mram", arrays=(replace(SRAM.arrays[0], rows=128, cols=128),))
    model = trained(
        digits, chip=chip, epochs=1, conditions=replace(QUIET, ir_drop=True, programming_noise=True)
    )
    seen = []
    first = next(iter(model.layers.values()))
    first.register_forward_hook(lambda _m, _x, y: seen.append(y))
    model.mode = "exact"
    with torch.no_grad():
        model(digits.train_images[:128])
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, seen[0].var((0, 2, 3)), rtol=1e-3, atol=1e-4)


def test_wires_in_the_loop_help_where_they_matter(digits):
    """Three-kilo-ohm cells in 128 x 128 arrays; trained without and with IR drop, read with it."""
    chip = ChipSpec("stt-mram", arrays=(replace(SRAM.arrays[0], rows=128, cols=128),))
    wires = replace(QUIET, ir_drop=True)
    blind, aware = (trained(digits, chip=chip, epochs=8, conditions=c) for c in (QUIET, wires))
    assert exact_accuracy(aware, digits, wires) > exact_accuracy(blind, digits, wires) + 0.05


def test_ir_drop_is_measured_per_weight(digits):
    def drop(device, side):
        chip = ChipSpec(device, arrays=(replace(SRAM.arrays[0], rows=side, cols=side),))
        model = noise_aware(build(small(), 0), chip, QUIET)
        with hardware_aware(model, digits.train_images[:16]) as layers:
            return measure_ir_drop(layers.values())

    assert drop("sram", 128) == 0.0
    assert 0.0 < drop("stt-mram", 32) < drop("stt-mram", 256)


def test_learned_step_gradient_follows_its_paper():
    """Inside the range the step's gradient is the rounding error, outside the end of the range (arXiv:1902.08153)."""
    layer = noise_aware(nn.Sequential(nn.Conv2d(1, 1, 1, bias=False)), SRAM, QUIET).model[0]
    assert isinstance(layer, CrossbarConv2d)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    x = torch.tensor([0.3, 1.4, 99.0, 0.0]).reshape(1, 1, 2, 2).requires_grad_()
    trained_layer = HardwareAwareLayer(
        layer,
        torch.rand(1, 1, 4, 4),
    )
    with torch.no_grad():
        trained_layer.log_step.zero_()  # step 1, codes 0 .. 15
    y = trained_layer(x)
    assert y.flatten().tolist() == [0.0, 1.0, 15.0, 0.0]
    y.sum().backward()
    assert x.grad.flatten().tolist() == [1.0, 1.0, 0.0, 0.0]  # strictly inside
    by_step = (0 - 0.3) + (1 - 1.4) + 15 + 0
    assert trained_layer.log_step.grad.item() == pytest.approx(by_step / math.sqrt(4 * 15))


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4, 4), (2, 3, 1, 1), (2, 1, 4, 4)])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_learned_step_gradient_in_any_order_of_memory(shape, memory):
    """The step's gradient by the formula of its paper, value by value."""
    random = torch.Generator().manual_seed(0)
    x, grad = (3 * torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(2))
    if len(shape) == 4:
        x = x.contiguous(memory_format=memory)
    log_step = torch.tensor(math.log(0.7), dtype=torch.float64, requires_grad=True)
    x.requires_grad_()
    _LearnedStep.apply(x, log_step, -3, 3).backward(grad)
    expected, inside = 0.0, []
    for value, g in zip((x.detach() / 0.7).flatten().tolist(), grad.flatten().tolist(), strict=True):
        inside.append(g if -3 < value < 3 else 0.0)
        expected += g * (round(value) - value if -3 < value < 3 else math.copysign(3, value))
    assert x.grad.flatten().tolist() == pytest.approx(inside)
    assert log_step.grad.item() == pytest.approx(expected * 0.7 / math.sqrt(x.numel() * 3))


def test_layers_are_put_back_even_when_training_fails(digits):
    model = noise_aware(build(small(), 0), SRAM, QUIET)
    before = dict(model.model.named_modules())

    def fail():
        with hardware_aware(model, digits.train_images[:8]) as layers:
            assert any(isinstance(m, HardwareAwareLayer) for m in model.modules())
            assert len(layers) == 3
            raise EvaluationError("stop")

    with pytest.raises(EvaluationError, match="stop"):
        fail()
    assert dict(model.model.named_modules()) == before


def test_same_seed_same_network(digits):
    noisy = ChipSpec("rram", arrays=SRAM.arrays)
    one, two, other = (
        trained(digits, chip=noisy, epochs=1, seed=s, conditions=Conditions()) for s in (3, 3, 4)
    )
    first, second, third = (m.model.state_dict() for m in (one, two, other))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], third[k]) for k in first)


def test_global_random_state_is_left_alone(digits):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    trained(digits, epochs=0.2)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("images", [1, 2, 33, 65])
def test_tiny_sets_and_a_last_batch_of_one_image(images):
    data = made_up(images)
    model = trained(data, vgg((1, 8, 8), 2, widths=[4, 4, 4, 4], pool_after=[0, 1, 2]), epochs=1)
    assert 0.0 <= exact_accuracy(model, data) <= 1.0


def test_two_classes():
    data = made_up(64)
    assert exact_accuracy(trained(data, epochs=10), data) == 1.0


def test_colour_images_of_32_pixels():
    data = made_up(64, classes=4, shape=(3, 32, 32), test=8)
    model = trained(data, vgg((3, 32, 32), 4, widths=[8, 8], pool_after=[0, 1]), epochs=8)
    assert exact_accuracy(model, data) > 0.7


def test_networks_without_normalisation(digits):
    assert exact_accuracy(trained(digits, mlp((1, 8, 8), 10, [32]), learning_rate=0.01), digits) > 0.7


def test_training_gives_up_in_time(digits):
    with pytest.raises(EvaluationError, match=r"longer than 0\.05 s"):
        trained(digits, epochs=1000, timeout_s=0.05)


def test_divergence_is_reported(digits):
    with pytest.raises((EvaluationError, InputError), match=r"diverged|NaN"):
        trained(digits, epochs=1, learning_rate=1e38)


def test_small_sets_are_passed_over_more_often(digits):
    """Two passes over 64 images in batches of 32 are four steps; forty learn more."""
    few = digits.subset(64, 128)

    def wrong(least_steps):
        recipe = Recipe(2, 0.03, least_steps=least_steps)
        return 1 - exact_accuracy(trained(few, recipe=recipe), few)

    assert wrong(4) == wrong(0) > wrong(40)


@pytest.mark.parametrize(("images", "expected"), [(1, 32), (1438, 32), (2816, 64), (50_000, 128)])
def test_batches_grow_with_the_set(images, expected):
    assert batch_size(images) == expected
    assert SMALLEST_BATCH <= expected <= LARGEST_BATCH
