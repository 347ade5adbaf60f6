"""NAX, NACIM, CiMNet and Saha et al. as spaces: what is known of them holds, and their networks run."""

import pytest
import torch

from nax_bo.network.torch_build import build
from nax_bo.systems import System, load_system

NAMES = ["nax", "nax-resnet18", "nacim", "saha", "saha-vgg16", "cimnet", "cimnet-vit"]


@pytest.mark.parametrize("shape", [(1, 10, 10), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_networks_of_random_designs_run(name, shape) -> None:
    system = load_system(name, shape, 7)
    for design in system.space.designs(system.space.sample(3, 1)):
        network, chip = system.decode(design)
        assert chip.arrays[0].mux <= chip.arrays[0].cols
        model = build(network).eval()
        assert model(torch.zeros(1, *shape)).shape == (1, 7)
        assert sum(p.numel() for p in model.parameters()) == network.parameters


def test_nax_is_resnet_20_and_resnet_18() -> None:
    small, large = load_system("nax", (3, 32, 32), 10), load_system("nax-resnet18", (3, 64, 64), 200)
    assert macs(small, small.description.homogeneous(128)) == pytest.approx(41e6, rel=0.01)  # He et al. 2016
    network, chip = small.decode(small.space.design(small.description.homogeneous(16)))
    assert network.parameters == pytest.approx(0.27e6, rel=0.02)
    assert {a.adc_bits for a in chip.arrays} == {6}
    names = [x.name for x in large.decode(large.space.design(large.description.homogeneous(64)))[0].layers]
    assert sum(".conv" in name for name in names) == 16


def test_zero_op_of_nax_removes_layers() -> None:
    system = load_system("nax", (3, 32, 32), 10)
    full = system.description.homogeneous(64)
    counts = {}
    for convs in (0, 1, 2):
        network, _ = system.decode(system.space.design({**full, "convs_4": convs, "convs_1": convs}))
        counts[convs] = [x.name for x in network.static_layers if x.name.startswith(("s2.b1", "s1.b1"))]
    assert counts[0] == ["s2.b1.shortcut"]
    assert counts[1] == ["s1.b1.conv1", "s2.b1.shortcut", "s2.b1.conv1"]
    assert len(counts[2]) == 5


def test_converters_of_nax_follow_the_crossbar() -> None:
    system = load_system("nax", (3, 32, 32), 10)
    for side, bits in {16: 6, 32: 7, 64: 8, 128: 9}.items():  # ceil(log2(3 N))
        _, chip = system.decode(system.space.design(system.description.homogeneous(side)))
        assert {(a.rows, a.cols, a.adc_bits) for a in chip.arrays} == {(side, side, bits)}


def test_saha_has_the_dimensions_and_designs_of_the_abstract() -> None:
    small, large = (
        load_system("saha", (3, 32, 32), 10).space,
        load_system("saha-vgg16", (3, 64, 64), 200).space,
    )
    assert (len(small), len(large)) == (26, 50)
    assert small.size == pytest.approx(1e12, rel=0.5)
    assert large.size == pytest.approx(1e27, rel=0.5)


def test_cimnet_has_the_super_networks_of_dynas_t() -> None:
    vit = load_system("cimnet-vit", (3, 224, 224), 1000)
    largest = {v.name: v.values[-1] for v in vit.space.variables}
    network, _ = vit.decode(vit.space.design(largest))
    assert network.parameters == pytest.approx(86.6e6, rel=0.005)  # ViT-B/16
    assert macs(vit, largest) == pytest.approx(17.6e9, rel=0.01)
    network_part = [v for v in vit.space.variables if v.scope != "chip"]
    assert len(network_part) == 1 + 12 + 12
    cnn = load_system("cimnet", (3, 224, 224), 1000)
    assert sum(v.name.startswith("kernel") for v in cnn.space.variables) == 20


def macs(system: System, values) -> int:
    return system.decode(system.space.design(values))[0].macs
