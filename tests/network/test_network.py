"""Networks: counts against torch's own, builder shapes, plain form."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nax_bo.errors import InputError
from nax_bo.network import Graph, NetworkSpec, mlp, resnet, vgg
from nax_bo.network.spec import INPUT
from nax_bo.network.torch_build import build


def transformer() -> NetworkSpec:
    graph = Graph("tiny-vit", (3, 16, 16))
    x = graph.tokens(graph.conv(INPUT, 24, kernel=4, stride=4, padding=0))
    y = graph.attention(graph.linear(graph.layernorm(x), 72), heads=3)
    x = graph.add(x, graph.linear(y, 24))
    y = graph.linear(graph.layernorm(x), 48, activation="gelu")
    x = graph.add(x, graph.linear(y, 24))
    graph.linear(graph.first_token(graph.layernorm(x)), 10)
    return graph.build()


NETWORKS = {
    "vgg": vgg((1, 8, 8), 10, [8, 16, 16], [3, 1, 5], pool_after=(0, 1), hidden=(20,)),
    "resnet": resnet((3, 32, 32), 10, [16, 32, 64], 3),
    "resnet-kernels": resnet((3, 16, 16), 7, [8, 12], [1, 2], kernels=[5, 3], stem_width=4),
    "mlp": mlp((1, 8, 8), 10, [32, 16]),
    "transformer": transformer(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_macs_equal_torch(name: str) -> None:
    spec = NETWORKS[name]
    network = build(spec).eval()
    assert spec.parameters == sum(p.numel() for p in network.parameters())
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        out = network(torch.zeros(1, *spec.input_shape))
    assert out.shape == (1, spec.output_shape[0])
    assert counter.get_total_flops() == 2 * spec.macs


def test_resnet20_has_its_published_size() -> None:
    # He et al. 2016, doi:10.1109/CVPR.2016.90, Table 6: 0.27 M parameters; about 41 MMAC.
    assert NETWORKS["resnet"].parameters == pytest.approx(0.27e6, rel=0.02)
    assert NETWORKS["resnet"].macs == pytest.approx(41e6, rel=0.02)


@pytest.mark.parametrize("name", NETWORKS)
def test_plain_form_round_trip(name: str) -> None:
    assert NetworkSpec.from_dict(NETWORKS[name].to_dict()) == NETWORKS[name]


def test_same_seed_same_weights_and_global_state_untouched() -> None:
    before = torch.random.get_rng_state()
    a, b, c = (build(NETWORKS["vgg"], seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [n.blocks["conv1"].op.weight for n in (a, b, c)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: vgg((1, 8, 8), 10, [8, 8], [3]), "2 widths and 1 kernels"),
        (lambda: vgg((1, 8, 8), 10, [8] * 5, pool_after=range(5)), "would have output shape"),
        (lambda: resnet((1, 8, 8), 10, [8], [1, 1]), "block counts"),
        (lambda: Graph("x", (0, 8, 8)), "input shape"),
        (lambda: Graph("x", (3, 8, 8)).conv(INPUT, 8, groups=2), "split into 2 groups"),
        (lambda: NetworkSpec.from_dict({"name": "x"}), "not the plain form"),
    ],
)
def test_bad_input_is_named(make, match) -> None:
    with pytest.raises(InputError, match=match):
        make()


def test_layers_must_come_in_order() -> None:
    layers = NETWORKS["mlp"].layers
    with pytest.raises(InputError, match="does not come before"):
        NetworkSpec("x", (1, 8, 8), layers[::-1])
