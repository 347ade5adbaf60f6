"""What a GPU would be given: no tensor of the host in a training step or a read, and few operators.

There is no GPU here. Meta tensors stand in: like those of a device they refuse to be mixed with the host's, and they
cannot be asked for their values, which on a device would mean to wait for it.
"""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nax_bo.accuracy.hardware_aware import hardware_aware, measure_converters, measure_ir_drop
from nax_bo.crossbar import convert, noise_aware
from nax_bo.crossbar.arithmetic.exact import in_blocks
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import vgg
from nax_bo.network.torch_build import build

WAITS = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero")
CHIP = ChipSpec(
    "rram", arrays=(ArraySpec(128, 128, bits_per_cell=1, weight_bits=8, input_bits=8, adc_bits=7),)
)
CIFAR_VGG = {"widths": [64, 64, 128, 128, 256, 256, 256, 256], "pool_after": [1, 3, 5, 7]}


class Watch(TorchDispatchMode):
    """Counts operators, and names those that make the host wait."""

    def __init__(self):
        super().__init__()
        self.operators, self.waits = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operators += 1
        asked = any(isinstance(a, torch.Tensor) and a.device.type == "meta" for a in args)
        if asked and func.overloadpacket.__name__ in WAITS:
            self.waits.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def programmed(network, size=8, chip=CHIP, draws=1):
    torch.manual_seed(0)
    images = torch.rand(4, 3, size, size)
    crossbars = convert(build(network, 0), chip).eval()
    crossbars.calibrate(images, vectors=64)
    crossbars.mode = "exact"
    crossbars.program(1, Conditions(ir_drop=False), draws)
    return crossbars, images


def test_an_exact_read_of_512_cifar_images_takes_few_operators_on_a_device():
    network, _ = programmed(vgg((3, 32, 32), 10, **CIFAR_VGG), size=32)
    network.to("meta")
    images = torch.empty(512, 3, 32, 32, device="meta")
    with Watch() as seen, torch.no_grad():
        scores = network(images)
    assert scores.shape == (512, 10)
    assert scores.device.type == "meta"
    assert seen.waits == []
    assert seen.operators <= 2000


@pytest.mark.parametrize("device", ["rram", "pcm", "sram"])
@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_operators_do_not_grow_with_images(device, encoding):
    chip = ChipSpec(device, arrays=(ArraySpec(64, 64, bits_per_cell=1, encoding=encoding),))
    network, _ = programmed(vgg((3, 8, 8), 10, widths=[8, 8]), chip=chip)
    network.to("meta")
    counts = []
    with torch.no_grad():
        network(torch.empty(1, 3, 8, 8, device="meta"))  # the first read makes the arrays
    for n in (16, 512):
        with Watch() as seen, torch.no_grad():
            network(torch.empty(n, 3, 8, 8, device="meta"))
        counts.append(seen.operators)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("draw", [0, 2])
def test_a_programmed_network_that_comes_back_from_a_device_reads_the_same(draw):
    network, images = programmed(vgg((3, 8, 8), 10, widths=[8]), draws=3)
    quiet = Conditions(ir_drop=False, read_noise=False, converter_noise_lsb=0.0)
    network.program(5, quiet, 3)
    network.draw = draw
    with torch.no_grad():
        before = network(images)
        moved = network.to(torch.float64).to(torch.float32)
        assert torch.equal(moved(images), before)


@pytest.mark.parametrize("device", ["rram", "sram"])
def test_a_training_step_holds_no_host_tensor_and_waits_for_nothing(device):
    chip = ChipSpec(device, arrays=(ArraySpec(64, 64, bits_per_cell=1),))
    conditions = Conditions()
    model = noise_aware(build(vgg((3, 8, 8), 10, widths=[8, 8]), 0), chip, conditions, seed=0)
    examples = torch.rand(8, 3, 8, 8)
    with hardware_aware(model, examples) as layers:
        measure_ir_drop(layers.values())
        measure_converters(model, layers, examples, conditions)
        assert all(layer.converters is not None for layer in layers.values())
        model.to("meta").train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
        images = torch.empty(32, 3, 8, 8, device="meta")
        labels = torch.zeros(32, dtype=torch.long, device="meta")
        with Watch() as seen:
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimiser.step()
        assert loss.device.type == "meta"
        assert seen.waits == []


def test_a_host_tensor_in_a_step_would_be_noticed():
    model = noise_aware(build(vgg((3, 8, 8), 10, widths=[8]), 0), CHIP, Conditions(), seed=0)
    with hardware_aware(model, torch.rand(8, 3, 8, 8)) as layers:
        model.to("meta").train()
        for layer in layers.values():
            layer.ir_drop = torch.zeros(layer.layer.weight.shape)
        with pytest.raises(RuntimeError, match="device"):
            model(torch.empty(4, 3, 8, 8, device="meta"))


@pytest.mark.parametrize("blocks", [(3,), (4, 4), (4, 4, 1), (2, 2, 1, 2, 2, 1), (4, 4, 4, 4)])
def test_blocks_are_the_parts_of_a_split_filled_up(blocks):
    values = torch.arange(2.0 * sum(blocks)).reshape(2, -1) + 1
    found = in_blocks(values, blocks)
    for at, part in enumerate(torch.split(values, list(blocks), -1)):
        assert torch.equal(found[:, at, : part.shape[-1]], part)
        assert not found[:, at, part.shape[-1] :].any()
