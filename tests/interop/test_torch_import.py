"""Torch models written the usual ways, against the specs of the same networks."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from nax_bo.errors import InputError
from nax_bo.interop.torch_import import from_torch
from nax_bo.network import named_network, vit
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


def table(network):
    names = ("op", "in_shape", "out_shape", "kernel", "stride", "groups", "norm", "activation")
    flattened = [
        layer for layer in network.layers if layer.op == "flatten" and layer.in_shape == layer.out_shape
    ]
    return [
        tuple(getattr(layer, name) for name in names) for layer in network.layers if layer not in flattened
    ]


def test_resnet18_equals_the_named_one():
    imported = from_torch(ResNet18(1000), (3, 224, 224))
    named = named_network("resnet18", (3, 224, 224), 1000)
    assert imported.parameters == named.parameters == 11_689_512
    assert imported.macs == named.macs
    assert sorted(table(imported)) == sorted(table(named))


@pytest.mark.parametrize("how", ["module", "fused", "written out"])
def test_transformers_equal_the_family(how):
    imported = from_torch(Transformer(how), CIFAR)
    family = vit(CIFAR, 10, width=32, depth=2, heads=4, head_width=8, mlp_widths=64, patch=8)
    assert table(imported) == table(family)
    assert [layer.heads for layer in imported.layers] == [layer.heads for layer in family.layers]
    assert imported.macs == family.macs


def test_gates_and_depthwise_convolutions():
    network = from_torch(Gated(), (16, 8, 8))
    ops = [layer.op for layer in network.layers]
    assert ops == [
        "conv",
        "conv",
        "global_avgpool",
        "conv",
        "conv",
        "scale",
        "conv",
        "add",
        "global_avgpool",
        "linear",
    ]
    assert network.layers[1].groups == 64
    assert [layer.activation for layer in network.layers[:5]] == ["hardswish"] * 2 + [
        "none",
        "relu",
        "hardsigmoid",
    ]
    assert network.parameters == sum(p.numel() for p in Gated().parameters())


@pytest.mark.parametrize("name", ["vgg8", "resnet20", "mobilenet-v2", "mobilenet-v3-small"])
def test_built_networks_survive_tracing(name):
    spec = named_network(name, CIFAR, 10)
    module = build(spec)
    assert from_torch(module, CIFAR) is spec
    imported = from_torch(nn.Sequential(*[_Forward(module)]), CIFAR)
    assert (imported.parameters, imported.macs) == (spec.parameters, spec.macs)
    assert len(imported.static_layers) == len(spec.static_layers)


class _Forward(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


def test_imported_networks_can_be_built_again():
    spec = from_torch(ResNet18(7), (3, 64, 64))
    with torch.no_grad():
        assert build(spec).eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


def test_the_model_is_left_as_it_was():
    model = ResNet18(10).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    from_torch(model, (3, 64, 64))
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def sequential(*modules):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *modules, nn.Flatten(), nn.Linear(8 * 32 * 32, 10))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.used(x.flatten(1))


class Deciding(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class CrossAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.kv = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        return (self.q(x) @ self.kv(x).transpose(1, 2)).flatten(1)


class Concatenating(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], dim=1)


@pytest.mark.parametrize(
    ("model", "shape", "reason"),
    [
        (sequential(nn.SiLU()), CIFAR, "'1' is SiLU"),
        (sequential(nn.ReLU(), nn.BatchNorm2d(8)), CIFAR, "'2' is BatchNorm2d"),
        (nn.Sequential(nn.ConvTranspose2d(3, 4, 2)), CIFAR, "ConvTranspose2d"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2)), CIFAR, "dilation"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(5)), CIFAR, "adaptive pooling"),
        (Concatenating(), CIFAR, "'cat' is a concatenation"),
        (CrossAttention(), (8, 4, 4), "no attention on a fused projection"),
        (Unused(), (1, 2, 2), "40 parameters, what was understood of it 20"),
        (Deciding(), CIFAR, "cannot be traced"),
        (sequential(), (3, 16, 16), "does not run on images"),
    ],
)
def test_what_cannot_be_expressed_is_named(model, shape, reason):
    with pytest.raises(InputError, match=reason):
        from_torch(model, shape)
