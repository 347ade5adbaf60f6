"""A programmed network comes back from its file with the same outputs, or the file is refused."""

import json
import random
from contextlib import suppress

import pytest
import torch
from torch import Generator, nn

from nax_bo.crossbar import convert, restore, save
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions

ARRAY = ArraySpec(rows=16, cols=16, weight_bits=4, input_bits=4, adc_bits=5)
CHIP = ChipSpec(device="rram", arrays=(ARRAY,))
MODES = ("float", "ideal", "fast", "adaptive", "exact")


class Twice(nn.Module):
    """A convolution that is called twice, and normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Linear(3, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def made(seed: int = 0) -> Twice:
    torch.manual_seed(seed)
    return Twice().eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 3, 8, 8, generator=Generator().manual_seed(1))


@pytest.fixture(scope="module")
def programmed(images):
    network = convert(made(), CHIP, weight_clip=2.5)
    network.eval()
    network.calibrate(images)
    network.program(7, Conditions(time_s=3600.0), draws=3)
    network.mode = "exact"
    return network


@pytest.fixture(scope="module")
def file(programmed, tmp_path_factory):
    return save(programmed, tmp_path_factory.mktemp("saved") / "chip.safetensors")


def fresh(**options):
    return convert(made(99), CHIP, **{"weight_clip": 2.5, **options}).eval()


def outputs(network, images):
    """Of every mode on every chip, as just programmed."""
    network.program(list(network.chip_seeds), network.conditions)
    found = []
    for mode in MODES:
        network.mode = mode
        for draw in range(network.draws):
            network.draw = draw
            found.append(network(images))
    return torch.stack(found)


def test_it_gives_the_same_outputs_in_every_mode_and_on_every_chip(programmed, file, images):
    back = restore(fresh(), file)
    assert back.mode == "exact"
    assert (back.draws, back.conditions) == (3, programmed.conditions)
    assert torch.equal(outputs(back, images), outputs(programmed, images))
    assert back.report() == programmed.report()


def test_reading_goes_on_where_programming_ended(images, tmp_path):
    network = convert(made(), CHIP).eval()
    network.calibrate(images)
    network.program([3, 4])
    network.mode, network.draw = "exact", 1
    path = save(network, tmp_path / "chip")
    back = restore(convert(made(5), CHIP).eval(), path)
    assert back.draw == 1
    assert torch.equal(back(images), network(images))


def test_the_order_of_sums_comes_back(images, tmp_path):
    network = convert(made(), CHIP).eval().to(memory_format=torch.channels_last)
    network.calibrate(images)
    network.program(0)
    network.mode = "float"
    back = restore(convert(made(5), CHIP).eval(), save(network, tmp_path / "chip"))
    assert back.model.conv.weight.stride() == network.model.conv.weight.stride()
    assert torch.equal(back(images), network(images))


@pytest.mark.parametrize("calibrated", [False, True])
def test_what_is_not_programmed_yet_comes_back_so(images, tmp_path, calibrated):
    network = convert(made(), CHIP).eval()
    if calibrated:
        network.calibrate(images)
    back = restore(convert(made(5), CHIP).eval(), save(network, tmp_path / "chip"))
    network.mode = back.mode = "float"
    assert torch.equal(back(images), network(images))
    back.mode = "exact"
    with pytest.raises(InputError, match=r"programmed|calibrated"):
        back(images)


def test_the_same_network_gives_the_same_bytes(programmed, tmp_path):
    first, second = (save(programmed, tmp_path / name).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (lambda: fresh(weight_clip=3.0), "other hardware"),
        (lambda: convert(made(), ChipSpec(device="pcm", arrays=(ARRAY,)), weight_clip=2.5), "other hardware"),
        (lambda: convert(nn.Sequential(nn.Conv2d(3, 3, 3)), CHIP, weight_clip=2.5), "other hardware"),
        (lambda: convert(nn.ModuleDict({"conv": nn.Conv2d(3, 3, 3), "head": nn.Linear(3, 4)}), CHIP, weight_clip=2.5),
         "not as the model has it"),
    ],
)  # fmt: skip
def test_another_chip_or_model_is_refused_and_stays_as_it_was(network, match, file):
    other = network()
    before = {k: v.clone() for k, v in other.model.state_dict().items()}
    with pytest.raises(InputError, match=match):
        restore(other, file)
    assert all(torch.equal(v, before[k]) for k, v in other.model.state_dict().items())
    assert other.draws == 0


def test_files_of_others_are_refused(tmp_path):
    from safetensors.torch import save_file

    for name, content in (("empty", b""), ("text", b"hello"), ("json", json.dumps({}).encode())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as weights"):
            restore(fresh(), tmp_path / name)
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(InputError, match="naxbo did not write them"):
        restore(fresh(), tmp_path / "foreign")
    with pytest.raises(InputError, match="cannot be read"):
        restore(fresh(), tmp_path / "missing")


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_file_is_read_or_refused(file, tmp_path, seed):
    draw = random.Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(draw.choice([1, 20])):
        content[draw.randrange(draw.choice([200, 4000, len(content)]))] = draw.randrange(256)
    path = tmp_path / "damaged"
    path.write_bytes(content[: draw.choice([len(content), draw.randrange(len(content))])])
    with suppress(InputError):  # anything else would fail the test
        restore(fresh(), path)
