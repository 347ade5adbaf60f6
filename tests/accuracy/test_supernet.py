"""Weights that all networks of a space share, and their training."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.fidelity import SHORT
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.accuracy.supernet.training import train_shared
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import Graph, NetworkSpec, families
from nax_bo.network.spec import INPUT
from nax_bo.network.torch_build import build
from nax_bo.network.vit import vit
from nax_bo.space import Space, ordinal
from nax_bo.systems import load_system

SHAPE = (1, 8, 8)


def separable(width: int, kernel: int) -> NetworkSpec:
    """Depthwise convolutions, a gate, and a flattened map before the classifier."""
    g = Graph("separable", SHAPE)
    x = g.conv(INPUT, width, kernel=3, stride=2, norm="batch", activation="relu", name="stem")
    x = g.conv(x, width, kernel=kernel, groups=width, norm="batch", name="depth")
    x = g.scale(x, g.linear(g.global_avgpool(x), width, activation="hardsigmoid", name="gate"))
    g.linear(g.flatten(x), 10, name="classifier")
    return g.build()


FAMILIES = {
    "vgg": (
        families.vgg(SHAPE, 10, [16, 24, 12], [5, 3, 5], pool_after=[1]),
        families.vgg(SHAPE, 10, [4, 24], [3, 1], pool_after=[1]),
    ),
    "resnet": (families.resnet(SHAPE, 10, [8, 16], 2, 5), families.resnet(SHAPE, 10, [4, 16], [1, 2], 3)),
    "separable": (separable(16, 5), separable(4, 3)),
    "vit": (
        vit(SHAPE, 10, width=32, depth=3, heads=[4, 2, 4], mlp_widths=48, head_width=8, patch=2),
        vit(SHAPE, 10, width=16, depth=2, heads=[1, 2], mlp_widths=[8, 48], head_width=4, patch=2),
    ),
}


@pytest.fixture(params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> tuple[NetworkSpec, NetworkSpec]:
    """A network and a smaller one of its family."""
    return FAMILIES[request.param]


def parameters(shared: SharedNetwork) -> dict[str, torch.Tensor]:
    """Shared parameters by the names that a network gives them, where only one layer is shared under a name."""
    return {re.sub(r"\.after_\w+", "", name): value for name, value in shared.named_parameters()}


def test_the_slice_of_the_largest_network_is_all_of_it(pair):
    largest, _ = pair
    shared, own = SharedNetwork([largest], seed=3), build(largest, seed=4)
    slices = shared.slices(largest)
    assert set(slices) == {name for name, _ in own.named_parameters()}
    whole = parameters(shared)
    assert set(whole) == set(slices)
    for name, value in slices.items():
        assert torch.equal(value, whole[name])


def test_a_slice_computes_what_a_network_with_the_cut_weights_computes(pair):
    large, small = pair
    shared = SharedNetwork(pair, seed=1)
    images = torch.randn(6, *SHAPE)
    for spec in (large, small):
        inherited = shared.inherited(spec)
        assert inherited.spec == spec
        assert torch.equal(functional_call(build(spec), shared.slices(spec), (images,)), inherited(images))


def test_a_slice_takes_each_of_its_weights_once_and_nothing_else(pair):
    _, small = pair
    shared, images = SharedNetwork(pair, seed=1), torch.randn(6, *SHAPE)
    before = shared.inherited(small)(images)
    slices = shared.slices(small)
    sum(value.sum() for value in slices.values()).backward()
    taken = {p: torch.zeros_like(p) if p.grad is None else p.grad for p in shared.parameters()}
    assert all(bool(((g == 0) | (g == 1)).all()) for g in taken.values())
    assert sum(int(g.sum()) for g in taken.values()) == sum(p.numel() for p in build(small).parameters())
    with torch.no_grad():
        for parameter, grad in taken.items():
            parameter[grad == 0] = torch.nan
    assert torch.equal(shared.inherited(small)(images), before)


def test_channels_lead_kernels_are_centred():
    large, small = FAMILIES["vgg"]
    shared = SharedNetwork([large, small])
    whole, cut = parameters(shared), shared.slices(small)
    assert torch.equal(cut["blocks.conv1.op.weight"], whole["blocks.conv1.op.weight"][:4, :, 1:4, 1:4])
    assert torch.equal(cut["blocks.conv2.op.weight"], whole["blocks.conv2.op.weight"][:, :4, 1:2, 1:2])
    assert torch.equal(cut["blocks.conv1.norm.bias"], whole["blocks.conv1.norm.bias"][:4])
    assert not any("conv3" in name for name in cut)


def test_heads_are_whole_in_queries_keys_and_values():
    large, small = FAMILIES["vit"]
    shared = SharedNetwork([large, small])
    whole, cut = parameters(shared), shared.slices(small)
    qkv = whole["blocks.l1.qkv.op.weight"].reshape(3, 4, 8, 32)
    assert torch.equal(cut["blocks.l1.qkv.op.weight"].reshape(3, 1, 4, 16), qkv[:, :1, :4, :16])
    out = whole["blocks.l2.out.op.weight"].reshape(32, 2, 8)
    assert torch.equal(cut["blocks.l2.out.op.weight"].reshape(16, 2, 4), out[:16, :2, :4])
    assert cut["blocks.tokens.op.positions"].shape == (1, 16, 17, 1)


def test_sizes_are_the_largest_of_any_network_not_of_one():
    a = families.vgg(SHAPE, 10, [16, 4], 3)
    b = families.vgg(SHAPE, 10, [4, 16], 3)
    shared = SharedNetwork([a, b])
    assert parameters(shared)["blocks.conv2.op.weight"].shape == (16, 16, 3, 3)
    assert shared.slices(families.vgg(SHAPE, 10, [16, 16], 3))


def test_the_layers_of_a_chain_are_shared_where_they_read_the_same_and_those_of_a_residual_stream_always():
    chain = SharedNetwork([families.vgg(SHAPE, 10, [8] * depth) for depth in (1, 2, 3)])
    residual = SharedNetwork([families.resnet(SHAPE, 10, [8], blocks) for blocks in (1, 2, 3)])
    counts = [
        sum(n.startswith("blocks.classifier") and n.endswith("weight") for n, _ in shared.named_parameters())
        for shared in (chain, residual)
    ]
    assert counts == [3, 1]


@pytest.mark.parametrize(
    "foreign",
    [
        families.vgg(SHAPE, 10, [17, 24]),
        families.vgg(SHAPE, 10, [16, 24], 7),
        families.vgg(SHAPE, 10, [16, 24, 12, 12]),
        families.vgg(SHAPE, 11, [16, 24]),
        families.resnet(SHAPE, 10, [4], 1),
    ],
    ids=["wider", "larger kernel", "deeper", "more classes", "another family"],
)
def test_a_network_of_another_space_is_refused(foreign):
    shared = SharedNetwork(FAMILIES["vgg"])
    with pytest.raises(InputError, match="is no slice of the super-network"):
        shared.slices(foreign)


def test_layers_of_one_name_and_two_kinds_cannot_be_shared():
    def network(norm: str) -> NetworkSpec:
        g = Graph("two", SHAPE)
        x = g.conv(INPUT, 8, norm=norm, name="first")
        g.linear(g.flatten(g.global_avgpool(x)), 10, name="classifier")
        return g.build()

    with pytest.raises(InputError, match="layer 'first' is not of one kind"):
        SharedNetwork([network("batch"), network("none")])


@pytest.mark.parametrize(("name", "shape"), [("vgg", SHAPE), ("resnet", SHAPE)])
def test_a_family_shows_every_network_of_its_space(name, shape):
    system = load_system(name, shape, 10)
    family = Family(system.space, system.decode)
    shared = SharedNetwork(family.networks())
    for design in system.space.designs(system.space.sample(60, 5)):
        assert shared.slices(system.decode(design)[0])
    largest, smallest, *between = (network for network, _ in family.sandwich(np.random.default_rng(0), 20))
    assert max(n.macs for n in between) < largest.macs
    assert min(n.macs for n in between) > smallest.macs
    again, chips = zip(*(family.sandwich(np.random.default_rng(i), 0)[0] for i in range(8)), strict=True)
    assert all(network == largest for network in again)
    assert len({(c.device, c.arrays[0].adc_bits, c.arrays[0].input_bits) for c in chips}) > 4


class Tiny:
    """Two widths, two depths, two precisions."""

    space = Space(
        [ordinal("depth", (1, 2), scope="network"), ordinal("width", (8, 16)), ordinal("input_bits", (2, 4))]
    )

    @staticmethod
    def decode(choices):
        widths = [choices["width"]] * choices["depth"]
        return families.vgg(SHAPE, 10, widths), ChipSpec(
            device="rram", arrays=(ArraySpec(input_bits=choices["input_bits"]),)
        )


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits,train=200,test=100").load()


def trained(digits, seed: int = 0, learning_rate: float = 0.05, steps: int = 6, **kw) -> SharedNetwork:
    recipe = replace(SHORT.recipe, learning_rate=learning_rate, epochs=0.01, least_steps=steps)
    family = Family(Tiny.space, Tiny.decode)
    return train_shared(family, digits, recipe=recipe, seed=seed, conditions=Conditions(), **kw)


def test_training_repeats_with_its_seed_and_leaves_global_state_alone(digits):
    before = torch.get_rng_state()
    first, again, other = trained(digits), trained(digits), trained(digits, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_training_gives_up_in_time_and_when_it_diverges(digits):
    with pytest.raises(EvaluationError, match="longer than"):
        trained(digits, timeout_s=0.0)
    with pytest.raises((EvaluationError, InputError), match=r"nan|not a number"):
        trained(digits, learning_rate=1e30)


def test_all_networks_of_the_space_learn(digits):
    shared = trained(digits, steps=60)
    for width, least in ((8, 0.35), (16, 0.5)):
        model = shared.inherited(Tiny.decode({"width": width, "depth": 2, "input_bits": 4})[0])
        with torch.no_grad():  # with batch statistics
            found = (model(digits.test_images).argmax(-1) == digits.test_labels).float().mean()
        assert found > least
