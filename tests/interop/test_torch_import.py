"""Torch models written the usual ways, against the specs of the same networks and torch's own count of operations."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from nax_bo.crossbar import convert
from nax_bo.errors import InputError
from nax_bo.hardware import cost_model
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.interop.neurosim_csv import network_csv
from nax_bo.interop.torch_import import from_torch
from nax_bo.network import NetworkSpec, named_network, vit
from nax_bo.network.torch_build import build

CIFAR = (3, 32, 32)


class Basic(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride != 1 or channels != width:
            self.down = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class ResNet18(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        self.blocks = nn.Sequential(*(Basic(a, b, 1 if a == b else 2) for a, b in itertools.pairwise(widths)))
        self.head = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = self.pool(functional.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.head(self.blocks(x)), 1))


class Gated(nn.Module):
    """Inverted residual with a squeeze-and-excitation gate."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(16, 64, 1, bias=False), nn.BatchNorm2d(64), nn.Hardswish())
        self.depthwise = nn.Sequential(
            nn.Conv2d(64, 64, 5, padding=2, groups=64, bias=False), nn.BatchNorm2d(64), nn.Hardswish()
        )
        self.squeeze, self.excite = nn.Conv2d(64, 16, 1), nn.Conv2d(16, 64, 1)
        self.project = nn.Sequential(nn.Conv2d(64, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        y = self.depthwise(self.expand(x))
        gate = functional.hardsigmoid(
            self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
        )
        x = x + self.project(y * gate)
        return self.fc(x.mean([2, 3]))


class Attention(nn.Module):
    def __init__(self, width, heads, how):
        super().__init__()
        self.heads, self.how = heads, how
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0) if self.how == "fused" else (qkv[0], qkv[1], qkv[2])
        if self.how == "fused":
            x = functional.scaled_dot_product_attention(q, k, v)
        else:
            x = (q * 0.25 @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, width))


class Encoder(nn.Module):
    def __init__(self, width, heads, how):
        super().__init__()
        self.how = how
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixer = (
            nn.MultiheadAttention(width, heads, batch_first=True)
            if how == "module"
            else Attention(width, heads, how)
        )
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        y = self.norm1(x)
        x = x + (self.mixer(y, y, y, need_weights=False)[0] if self.how == "module" else self.mixer(y))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self, how, width=32, heads=4):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 17, width))
        self.layers = nn.Sequential(*(Encoder(width, heads, how) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.layers(x))[:, 0])


def counted(model, shape):
    """Multiply-accumulates of an image as torch counts them, and parameters."""
    model = model.eval()
    required = [p.requires_grad for p in model.parameters()]
    model.requires_grad_(False)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused kernels are not counted
    device = next(model.parameters()).device
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, *shape, device=device))
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for p, was in zip(model.parameters(), required, strict=True):
            p.requires_grad_(was)
    return counter.get_total_flops() // 2, sum(p.numel() for p in model.parameters())


def products(network):
    fields = ("op", "in_shape", "out_shape", "kernel", "stride", "groups", "norm", "activation")
    return [tuple(getattr(layer, f) for f in fields) for layer in network.static_layers]


def test_resnet18_equals_the_named_one():
    with torch.device("meta"):
        imported = from_torch(ResNet18(1000), (3, 224, 224))
    named = named_network("resnet18", (3, 224, 224), 1000)
    # torchvision documents 1.814 GMACs and 11,689,512 parameters
    assert imported.parameters == named.parameters == 11_689_512
    assert imported.macs == named.macs == 1_814_073_344
    assert sorted(products(imported)) == sorted(products(named))
    price = cost_model("published").evaluate
    found, expected = price(imported, ChipSpec()), price(named, ChipSpec())
    assert found.area_um2 == pytest.approx(expected.area_um2)
    assert found.energy_pj == pytest.approx(expected.energy_pj, rel=0.01)  # the order of shortcuts differs


@pytest.mark.parametrize("how", ["module", "fused", "written out"])
def test_transformers_cost_what_the_family_costs(how):
    imported = from_torch(Transformer(how), CIFAR)
    family = vit(CIFAR, 10, width=32, depth=2, heads=4, head_width=8, mlp_widths=64, patch=8)
    assert products(imported) == products(family)
    assert imported.macs == family.macs == counted(Transformer(how), CIFAR)[0]
    assert imported.parameters == family.parameters
    found, expected = (cost_model("published").evaluate(n, ChipSpec()) for n in (imported, family))
    assert found.energy_pj == pytest.approx(expected.energy_pj)
    assert found.latency_ns == pytest.approx(expected.latency_ns)
    assert found.area_um2 == pytest.approx(expected.area_um2)


class VisionTransformer(nn.Module):
    """ViT-B/16 (Dosovitskiy et al. 2021), of torch's own encoder."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, 16)
        self.token, self.positions = (nn.Parameter(torch.zeros(1, n, 768)) for n in (1, 197))
        layer = nn.TransformerEncoderLayer(
            768, 12, 3072, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 12, nn.LayerNorm(768), enable_nested_tensor=False)
        self.head = nn.Linear(768, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


def test_published_numbers_of_vit_b_16():
    with torch.device("meta"):
        network = from_torch(VisionTransformer(), (3, 224, 224))
    # torchvision documents 17.564 GMACs and 86,567,656 parameters of vit_b_16
    assert network.macs == 17_563_828_224
    assert network.parameters == 86_567_656
    assert network.layer("encoder.layers.3.self_attn.scores").macs == 12 * 197 * 197 * 64


def test_gates_and_depthwise_convolutions():
    network = from_torch(Gated(), (16, 8, 8))
    assert [layer.op for layer in network.layers] == [
        "conv", "conv", "global_avgpool", "conv", "conv", "scale", "conv", "add", "global_avgpool", "linear",
    ]  # fmt: skip
    assert network.layers[1].groups == 64
    activations = [layer.activation for layer in network.layers[:5]]
    assert activations == ["hardswish", "hardswish", "none", "relu", "hardsigmoid"]
    assert network.parameters == sum(p.numel() for p in Gated().parameters())


@pytest.mark.parametrize("name", ["vgg8", "resnet20", "mobilenet-v2", "mobilenet-v3-small"])
def test_built_networks_survive_tracing(name):
    spec = named_network(name, CIFAR, 10)
    module = build(spec)
    assert from_torch(module, CIFAR) is spec
    imported = from_torch(nn.Sequential(*[_Forward(module)]), CIFAR)
    assert (imported.parameters, imported.macs) == (spec.parameters, spec.macs)
    # linear layers are built as convolutions of 1 x 1
    assert [x[1:] for x in products(imported)] == [x[1:] for x in products(spec)]


class _Forward(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


def test_simple_imported_networks_can_be_built_again():
    spec = from_torch(ResNet18(7), (3, 64, 64))
    with torch.no_grad():
        assert build(spec).eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    with pytest.raises(InputError, match=r"layer 'join' \(reshape\) .* cannot be built"):
        build(from_torch(Transformer("fused"), CIFAR))


def test_the_model_is_left_as_it_was():
    model = ResNet18(10).train()
    model.blocks[0].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    from_torch(model, (3, 64, 64))
    assert [m.training for m in (model, model.fc, model.blocks[0].bn1)] == [True, True, False]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


class Mnist(nn.Module):
    """As in pytorch/examples/mnist."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = torch.flatten(self.dropout1(functional.max_pool2d(x, 2)), 1)
        x = self.fc2(self.dropout2(functional.relu(self.fc1(x))))
        return functional.log_softmax(x, dim=1)


def test_the_network_of_the_mnist_tutorial():
    network = from_torch(Mnist(), (1, 28, 28))
    assert network.parameters == 1_199_882
    assert network.macs == 26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 64 + 9216 * 128 + 128 * 10
    assert [layer.name for layer in network.layers] == [
        "conv1", "conv2", "max_pool2d", "fc1.flatten", "fc1", "fc2", "log_softmax",
    ]  # fmt: skip
    assert network.layer("max_pool2d").digital_ops == 4 * 64 * 12 * 12
    assert network.layer("log_softmax").digital_ops == 3 * 10


class Own(nn.Module):
    """Modules, and what is computed of them."""

    def __init__(self, forward, **modules):
        super().__init__()
        self._own = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self._own(self, x)


class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        x = functional.pad(x, (0, 1, 0, 1))
        return functional.conv2d(x, w, self.bias, self.stride, 0, self.dilation, self.groups)


class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        return functional.silu(super().forward(x))


def windowed(self, x):
    """Attention within windows of 4 x 4 of 8 x 8 positions."""
    x = x.movedim(1, -1).reshape(1, 2, 4, 2, 4, 12).transpose(2, 3).reshape(4, 16, 12)
    q, k, v = self.qkv(x).reshape(4, 16, 3, 3, 4).permute(2, 0, 3, 1, 4)
    x = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(4, 16, 12)
    return self.out(x)


def separate(self, x):
    x = x.flatten(2).transpose(1, 2)
    scores = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(12)
    return self.out(scores.softmax(-1) @ self.v(x))


def linear_attention(self, x):
    q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).relu().chunk(3, -1)
    return self.out(q @ (k.transpose(1, 2) @ v))


EVERYDAY = {
    "norm subclass": lambda: nn.Sequential(nn.Conv2d(12, 8, 3), NormAct(8)),
    "batch norm ahead": lambda: nn.Sequential(nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 8, 3)),
    "batch norm without scale": lambda: nn.Sequential(nn.Conv2d(12, 8, 3), nn.BatchNorm2d(8, affine=False)),
    "batch norm of vectors": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.BatchNorm1d(8), nn.Tanh()),
    "group norm": lambda: nn.Sequential(nn.Conv2d(12, 8, 3), nn.GroupNorm(2, 8), nn.Mish()),
    "activations": lambda: nn.Sequential(
        nn.Conv2d(12, 8, 3), nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(), nn.ELU(), nn.PReLU(8), nn.Softplus()
    ),
    "same": lambda: nn.Conv2d(12, 8, (4, 3), padding="same", dilation=2),
    "valid": lambda: nn.Conv2d(12, 8, 3, padding="valid", dilation=(1, 2)),
    "standardised": lambda: Standardised(12, 8, 3),
    "weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(12, 8, 3)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(12, 8, 3, stride=2, groups=2), nn.BatchNorm2d(8)),
    "concatenation": lambda: Own(
        lambda m, x: torch.cat([m.a(x), m.b(x), x], 1), a=nn.Conv2d(12, 4, 1), b=nn.Conv2d(12, 4, 1)
    ),
    "pools": lambda: Own(
        lambda m, x: functional.adaptive_max_pool2d(functional.avg_pool2d(m.a(x), 2, ceil_mode=True), 3),
        a=nn.Conv2d(12, 4, 2),
    ),
    "windowed attention": lambda: Own(windowed, qkv=nn.Linear(12, 36), out=nn.Linear(12, 5)),
    "separate q, k, v": lambda: Own(separate, **{n: nn.Linear(12, 12) for n in ("q", "k", "v", "out")}),
    "linear attention": lambda: Own(linear_attention, qkv=nn.Linear(12, 36), out=nn.Linear(12, 5)),
    "called twice": lambda: Own(lambda m, x: m.a(m.a(x)), a=nn.Conv2d(12, 12, 1)),
    "own product": lambda: Own(
        lambda m, x: m.a(x).flatten(2) @ m.w.weight, a=nn.Conv2d(12, 4, 1), w=nn.Linear(3, 64, bias=False)
    ),
    "upsampling": lambda: Own(
        lambda m, x: functional.interpolate(m.a(x), scale_factor=2, mode="bilinear"), a=nn.Conv2d(12, 4, 1)
    ),
    "in place": lambda: Own(lambda m, x: m.a(x).relu_().add_(1).mul_(2), a=nn.Conv2d(12, 4, 1)),
}  # fmt: skip


@pytest.mark.parametrize("which", EVERYDAY)
def test_everyday_models_are_counted_as_torch_counts_them(which):
    model = EVERYDAY[which]()
    network = from_torch(model, (12, 8, 8))
    assert (network.macs, network.parameters) == counted(model, (12, 8, 8))
    assert cost_model("published").evaluate(network, ChipSpec()).energy_pj > 0


@pytest.mark.parametrize("which", sorted(EVERYDAY.keys() - {"own product"}))
def test_layers_are_called_as_conversion_calls_them(which):
    model = EVERYDAY[which]()
    network = from_torch(model, (12, 8, 8))
    converted = convert(model, ChipSpec(), network=network)
    assert list(converted.layers) == [layer.name for layer in network.static_layers]


def test_inputs_without_height():
    flat = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    assert from_torch(flat, (20,)).macs == 20 * 8 + 8 * 3
    sound = nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2, padding=2), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(32, 3)
    )
    network = from_torch(sound, (2, 32))
    assert network.macs == counted(sound, (2, 32))[0] == 16 * 4 * 10 + 32 * 3
    assert network.layers[0].kernel == (1, 5)
    assert network.output_shape == (3, 1, 1)


def test_softmax_is_priced_wherever_it_stands():
    def make(*between):
        return nn.Sequential(nn.Conv2d(3, 8, 3), *between, nn.Flatten(), nn.Linear(7200, 10))

    plain = from_torch(make(), CIFAR)
    for softmax in (
        nn.Softmax(1),
        nn.LogSoftmax(2),
        Own(lambda m, x: x.softmax(3)),
        Own(lambda m, x: x.exp() + x),
    ):
        with_it = from_torch(make(softmax), CIFAR)
        more = sum(x.digital_ops for x in with_it.layers) - sum(x.digital_ops for x in plain.layers)
        assert (
            more == (2 if isinstance(softmax, Own) and softmax is not None and more < 3 * 7200 else 3) * 7200
        )
        price = cost_model("published").evaluate
        assert price(with_it, ChipSpec()).energy_pj > price(plain, ChipSpec()).energy_pj


class Branching(nn.Module):
    """Layers are computed in another order than they are defined in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 10)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.second = nn.Linear(32, 32)
        self.first = nn.Conv2d(3, 32, 8, 8)

    def forward(self, x):
        x = self.first(x).flatten(2).transpose(1, 2)
        x = self.attention(x, x, x)[0]
        return self.head(functional.silu(self.second(x)).mean(1))


def test_settings_of_layers_land_on_the_right_ones():
    model = Branching()
    network = from_torch(model, CIFAR)
    names = [layer.name for layer in network.static_layers]
    assert names == ["first", "attention.in_proj", "attention.out_proj", "second", "head"]
    rows = (32, 64, 128, 256, 512)
    chip = ChipSpec(arrays=tuple(ArraySpec(rows=r) for r in rows))
    converted = convert(model, chip, network=network)
    assert [converted.layers[n].hardware.array.rows for n in names] == list(rows)
    priced = cost_model("published").evaluate(network, chip)
    assert [x.name for x in priced.layers if x.name in names] == names


def test_a_layer_that_is_called_twice_has_one_set_of_crossbars():
    wide = nn.Linear(512, 512)
    once = from_torch(Own(lambda m, x: m.a(x), a=wide), (512,))
    twice = from_torch(Own(lambda m, x: m.a(m.a(x)), a=wide), (512,))
    assert [layer.name for layer in twice.layers] == ["a", "a#2"]
    assert twice.layers[1].weights_of == "a"
    assert (twice.parameters, twice.macs) == (once.parameters, 2 * once.macs)
    a, b = (cost_model("published").evaluate(n, ChipSpec()) for n in (once, twice))
    assert [(x.name, x.tiles) for x in b.layers] == [(x.name, x.tiles) for x in a.layers]
    assert b.latency_ns > 1.5 * a.latency_ns
    with pytest.raises(InputError, match="'a#2' uses the weights of 'a'"):
        network_csv(twice)


def test_layers_left_in_floating_point_are_digital():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, 10))
    network = from_torch(model, CIFAR, leave_float=["2"])
    assert [layer.name for layer in network.static_layers] == ["0"]
    assert network.macs == from_torch(model, CIFAR).macs
    assert list(convert(model, ChipSpec(), network=network, leave_float=["2"]).layers) == ["0"]


def test_networks_survive_their_plain_form():
    network = from_torch(EVERYDAY["valid"](), (12, 8, 8))
    assert NetworkSpec.from_dict(network.to_dict()) == network


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.used(x.flatten(1))


def written_in_parts(m, x):
    y = m.a(x)
    y[:, :2] = 0 * y[:, 2:4]
    return y.relu()


def cross_attention(m, x):
    x = x.flatten(2).transpose(1, 2)
    return m.a(x[:, :4], x, x)[0]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Unused(), r"20 parameters of unused do not reach its result: unused.weight"),
        (Own(lambda m, x: m.a(x) if x.sum() > 0 else x, a=nn.Conv2d(1, 4, 1)), "depends on values"),
        (Own(lambda m, x: torch.fft.fft(m.a(x)).real, a=nn.Conv2d(1, 4, 1)), "Own computes _?fft.*know how to price"),
        (Own(lambda m, x: m.a(x).sort(1)[0], a=nn.Conv2d(1, 4, 1)), "Own computes sort"),
        (Own(lambda m, x: functional.conv2d(x, m.a(x).transpose(0, 1)[:, :1]), a=nn.Conv2d(1, 4, 1)), "weights depend"),
        (nn.Sequential(nn.Linear(2, 4), nn.GRU(4, 4)), r"layer '1': GRU is not simulated"),
        (Own(written_in_parts, a=nn.Conv2d(1, 4, 1)), "overwritten, wholly or in parts"),
        (Own(cross_attention, a=nn.MultiheadAttention(1, 1, batch_first=True)), "parts of one matrix"),
        (Own(lambda m, x: {"out": m.a(x)}, a=nn.Conv2d(1, 4, 1)), "returns a dict"),
        (Own(lambda m, x: x.relu(), a=nn.Identity()), "no layer that runs on crossbars"),
        (nn.Linear(5, 2), "does not run on images"),
        (Own(lambda m, x: m.e(x.long()), e=nn.Embedding(4, 4)), "Embedding.* computes embedding"),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_named(model, reason):
    with pytest.raises(InputError, match=reason):
        from_torch(model, (1, 2, 2))
