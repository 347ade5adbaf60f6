"""Recipes: named ways to learn, their options, and what they do to images."""

from dataclasses import replace

import pytest
import torch

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.accuracy.recipes import preset_for, recipe
from nax_bo.accuracy.training import augment
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.network import vgg, vit

GREY = vgg((1, 8, 8), 10, widths=[8])
COLOUR = vgg((3, 32, 32), 10, widths=[8])
TRANSFORMER = vit((1, 8, 8), 10, width=16, depth=1, heads=2, head_width=8, patch=2)
CHIP = ChipSpec("sram", arrays=(ArraySpec(64, 64, bits_per_cell=1, weight_bits=8, input_bits=8, adc_bits=8),))


def test_networks_choose_their_recipe():
    assert [preset_for(n) for n in (GREY, COLOUR, TRANSFORMER)] == ["digits", "cifar-cnn", "vit"]
    assert recipe("auto", SHORT.recipe, GREY) == SHORT.recipe
    assert recipe("auto", FULL.recipe, TRANSFORMER).learning_rate < 0.01
    assert recipe("auto", FULL.recipe, COLOUR).flip


def test_options_change_a_recipe_and_cheap_rungs_keep_their_share_of_its_length():
    spec = "digits,epochs=24,least_steps=560,learning_rate=0.1,crop=2,optimiser=sgd"
    full, short = (recipe(spec, level.recipe, GREY) for level in (FULL, SHORT))
    assert full == replace(
        FULL.recipe, epochs=24.0, least_steps=560, learning_rate=0.1, crop=2, optimiser="sgd"
    )
    assert short.epochs == pytest.approx(24 / FULL.recipe.epochs * SHORT.recipe.epochs)
    assert short.least_steps == pytest.approx(560 / FULL.recipe.least_steps * SHORT.recipe.least_steps, abs=1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cifar", "no recipe 'cifar'"),
        ("digits,epoch=3", "has no 'epoch=3'\n.*Did you mean epochs"),
        ("digits,flip", "has no 'flip'\n.*key=value"),
        ("digits,epochs=0", "epochs = '0'"),
        ("digits,epochs=nan", "epochs = 'nan'"),
        ("digits,flip=yes", "flip = 'yes'\n.*true or false"),
        ("digits,crop=-1", "crop = '-1'"),
        ("digits,least_steps=1.5", "least_steps = '1.5'"),
        ("digits,optimiser=lion", "optimiser = 'lion'"),
        ("digits,epochs=3,epochs=4", "'epochs' is given twice"),
    ],
)
def test_wrong_recipes_are_refused_by_name(spec, message):
    with pytest.raises(InputError, match=message):
        recipe(spec, FULL.recipe, GREY)


def test_augmented_images_are_mirrored_and_shifted_ones():
    image = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    images = image.expand(200, 1, 4, 4).clone()
    seen = augment(images, True, 1, torch.Generator().manual_seed(0))
    possible = set()
    for mirrored in (image, image.flip(-1)):
        padded = torch.nn.functional.pad(mirrored, (1, 1, 1, 1))
        possible |= {
            tuple(padded[0, 0, r : r + 4, c : c + 4].flatten().tolist()) for r in range(3) for c in range(3)
        }
    assert {tuple(x.flatten().tolist()) for x in seen} == possible
    assert augment(images, False, 0, torch.Generator()) is images


def test_a_transformer_learns_by_its_recipe_and_not_by_that_of_convolutions():
    data = parse_data("digits,test=256").load()
    network = vit((1, 8, 8), 10, width=24, depth=4, heads=2, head_width=12, patch=4)
    means = [evaluate(network, CHIP, data, fidelity="short", recipe=name).mean for name in ("vit", "digits")]
    assert means[0] > means[1] + 0.15
