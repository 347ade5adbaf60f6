"""Named networks against the numbers that their reference implementations publish."""

import subprocess
import sys

import pytest
import torch

from nax_bo.errors import InputError
from nax_bo.network import named_network, network_names, vit
from nax_bo.network.torch_build import build

IMAGENET = (3, 224, 224)
CIFAR = (3, 32, 32)

# torchvision weight metadata ("num_params", "GFLOPS"; https://pytorch.org/vision/stable/models.html), where one
# "FLOP" is one multiply-accumulate; resnet20: doi:10.1109/CVPR.2016.90 Table 6 counts 0.27 M, the digits are those
# of its projection-shortcut form in github.com/chenyaofo/pytorch-cifar-models (0.27 M, 40.81 M).
PUBLISHED = [
    ("vgg11", IMAGENET, 1000, 132_863_336, "7.609"),
    ("vgg16", IMAGENET, 1000, 138_357_544, "15.470"),
    ("resnet18", IMAGENET, 1000, 11_689_512, "1.814"),
    ("resnet50", IMAGENET, 1000, 25_557_032, "4.089"),
    ("mobilenet-v2", IMAGENET, 1000, 3_504_872, "0.301"),
    ("mobilenet-v3-large", IMAGENET, 1000, 5_483_032, "0.217"),
    ("mobilenet-v3-small", IMAGENET, 1000, 2_542_856, "0.057"),
    ("vit-base", IMAGENET, 1000, 86_567_656, "17.564"),
    ("resnet20", CIFAR, 10, 272_474, "0.041"),
]

# timm model cards (vit_tiny_patch16_224, vit_small_patch16_224: 5.7 M, 22.1 M) and github.com/kuangliu/pytorch-cifar.
PUBLISHED_PARAMETERS = [
    ("vit-tiny", IMAGENET, 1000, 5_717_416),
    ("vit-small", IMAGENET, 1000, 22_050_664),
    ("resnet18", CIFAR, 10, 11_173_962),
    ("resnet50", CIFAR, 10, 23_520_842),
]


@pytest.mark.parametrize(("name", "shape", "classes", "parameters", "gmacs"), PUBLISHED)
def test_counts_equal_the_published_ones(name, shape, classes, parameters, gmacs):
    network = named_network(name, shape, classes)
    assert network.parameters == parameters
    assert f"{network.macs / 1e9:.3f}" == gmacs


@pytest.mark.parametrize(("name", "shape", "classes", "parameters"), PUBLISHED_PARAMETERS)
def test_parameters_equal_the_published_ones(name, shape, classes, parameters):
    assert named_network(name, shape, classes).parameters == parameters


@pytest.mark.parametrize("name", network_names())
def test_torch_form_agrees_on_small_images(name):
    network = named_network(name, CIFAR, 10)
    module = build(network).eval()
    assert sum(p.numel() for p in module.parameters()) == network.parameters
    with torch.no_grad():
        logits = module(torch.randn(2, *CIFAR, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()
    assert logits[0].ne(logits[1]).any()


@pytest.mark.parametrize("name", ["resnet50", "mobilenet-v3-large", "vit-tiny"])
def test_torch_form_agrees_on_large_images(name):
    shape = (3, 96, 96)
    network = named_network(name, shape, 7)
    module = build(network).eval()
    with torch.no_grad():
        assert module(torch.zeros(1, *shape)).shape == (1, 7)
    assert sum(p.numel() for p in module.parameters()) == network.parameters


def test_cifar_vgg16_is_the_xpert_baseline():
    widths = [layer.out_shape[0] for layer in named_network("vgg16", CIFAR, 10).static_layers]
    assert widths == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6 + [10]


def test_underscores_and_case_do_not_matter():
    assert named_network("ViT_Tiny", CIFAR, 10) == named_network("vit-tiny", CIFAR, 10)


def test_unknown_name_suggests_the_closest():
    with pytest.raises(InputError, match="resnet18"):
        named_network("resnet-18", CIFAR, 10)


def test_too_small_images_are_refused():
    with pytest.raises(InputError, match="larger images"):
        named_network("vgg16", (3, 8, 8), 10)


def test_vit_layers_may_differ():
    network = vit(CIFAR, 10, width=64, depth=2, heads=[1, 3], mlp_widths=[32, 128], head_width=16, patch=4)
    widths = [layer.out_shape[0] for layer in network.static_layers]
    assert widths == [64, 48, 64, 32, 64, 144, 64, 128, 64, 10]
    assert sum(p.numel() for p in build(network).parameters()) == network.parameters


def test_vit_settings_must_fit():
    with pytest.raises(InputError, match="2 heads for 3 encoder layers"):
        vit(CIFAR, 10, width=64, depth=3, heads=[1, 2], patch=4)
    with pytest.raises(InputError, match="do not divide"):
        vit(CIFAR, 10, width=64, heads=1, patch=5)


def test_naming_a_network_does_not_import_torch():
    code = "import sys, nax_bo.network; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
