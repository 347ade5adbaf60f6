"""Which device trains: what is asked for is there, or refused by name."""

import pytest
import torch

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.device import placed, torch_device
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.network import vgg
from nax_bo.study import Study, StudyConfig

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "mps", "cuda0"])
def test_what_is_no_device_is_refused(name):
    with pytest.raises(InputError, match=r"device = .*\n.*auto, cpu, cuda or cuda:1"):
        StudyConfig(device=name)


@needs_no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_said_to_be_missing_before_any_work(tmp_path, name):
    with pytest.raises(InputError, match=rf"device '{name}': there is no CUDA on .*\n.*--device cpu"):
        Study(tmp_path / "s", {"data": "digits", "device": name})
    assert not (tmp_path / "s").exists()


@needs_no_gpu
def test_auto_is_the_processor_where_there_is_no_gpu():
    assert torch_device("auto") == torch_device("cpu") == torch.device("cpu")


def test_results_do_not_depend_on_how_the_processor_is_called():
    data = parse_data("digits,train=100,test=50").load()
    chip = ChipSpec("sram", arrays=(ArraySpec(64, 64, bits_per_cell=1),))
    network = vgg((1, 8, 8), 10, widths=[4])
    found = [
        evaluate(network, chip, data, fidelity="short", recipe="auto,short_steps=5", device=name).draws
        for name in ("cpu", "auto")
    ]
    if not torch.cuda.is_available():
        assert found[0] == found[1]


def test_images_are_moved_once_and_to_where_they_are_asked():
    data = parse_data("digits,train=100,test=50").load()
    assert placed(data, torch.device("cpu")) is data
