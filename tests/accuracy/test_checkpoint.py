"""Checkpoints: a training that was killed goes on as if nothing had happened, or starts anew."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nax_bo.accuracy.checkpoint import Checkpoint
from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import SHORT
from nax_bo.accuracy.training import train
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import vgg

ARRAY = ArraySpec(32, 32, bits_per_cell=2, weight_bits=4, input_bits=4, adc_bits=6)
CHIP = ChipSpec("rram", arrays=(ARRAY,))
NETWORK = vgg((1, 8, 8), 10, widths=[8, 8], pool_after=[1])
RECIPE = replace(SHORT.recipe, least_steps=40, epochs=0.1, flip=True, crop=1)


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits,train=256,test=64").load()


class Killed(BaseException):
    """Stands for what ends a process at a step."""


def run(data, kept=None, *, seed=0, recipe=RECIPE):
    return train(NETWORK, CHIP, data, recipe=recipe, seed=seed, conditions=Conditions(), checkpoint=kept)


def killed_at(step, folder, data, monkeypatch, *, recipe=RECIPE):
    """Train with a checkpoint at every step until ``step`` checkpoints have been written, and die."""
    written = 0
    save = Checkpoint.save

    def save_and_die(self, *args):
        nonlocal written
        save(self, *args)
        written += 1
        if written == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            run(data, Checkpoint(folder, {"a": 1}, every_s=0.0), recipe=recipe)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_killed_training_ends_with_the_same_bits(tmp_path, digits, monkeypatch, optimiser):
    recipe = replace(RECIPE, optimiser=optimiser)
    whole = run(digits, recipe=recipe)
    killed_at(25, tmp_path, digits, monkeypatch, recipe=recipe)
    begun = []
    restore = Checkpoint.restore
    monkeypatch.setattr(Checkpoint, "restore", lambda self, *a: begun.append(restore(self, *a)) or begun[-1])
    resumed = run(digits, Checkpoint(tmp_path, {"a": 1}), recipe=recipe)
    assert begun[0].step == 24
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(tmp_path, digits, monkeypatch):
    killed_at(5, tmp_path, digits, monkeypatch)
    (file,) = tmp_path.iterdir()
    whole = run(digits)
    for content in (file.read_bytes()[:-100], b"", b"nonsense"):
        file.write_bytes(content)
        again = run(digits, Checkpoint(tmp_path, {"a": 1}))
        assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())
    killed_at(5, tmp_path, digits, monkeypatch)
    other = Checkpoint(tmp_path, {"a": 2})
    file.rename(other.path)  # the name of another training, the content of this one
    again = run(digits, other)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())


def test_a_folder_that_cannot_be_written_does_not_end_the_training(tmp_path, digits):
    (tmp_path / "file").write_text("")
    run(digits, Checkpoint(tmp_path / "file" / "folder", {}, every_s=0.0))


def test_an_evaluation_leaves_no_checkpoint_and_goes_on_after_sigkill(tmp_path, digits):
    spec = "digits,train=256,test=64"
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1)\n"
        "import nax_bo.accuracy.checkpoint as c; c.Checkpoint.__init__.__defaults__ = (0.0,)\n"
        "from nax_bo.accuracy.data import parse_data; from nax_bo.accuracy.evaluate import evaluate\n"
        "from nax_bo.network import NetworkSpec; from nax_bo.hardware.chip import ChipSpec\n"
        f"network = NetworkSpec.from_dict({NETWORK.to_dict()!r}); chip = ChipSpec.from_dict({CHIP.to_dict()!r})\n"
        f"evaluate(network, chip, parse_data({spec!r}).load(), fidelity='short', checkpoints=Path(sys.argv[1]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    give_up = time.monotonic() + 120
    while not list(tmp_path.glob("*.safetensors")) and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert list(tmp_path.glob("*.safetensors")), "killed in the middle"
    torch.set_num_threads(1)
    whole = evaluate(NETWORK, CHIP, digits, fidelity="short")
    resumed = evaluate(NETWORK, CHIP, digits, fidelity="short", checkpoints=Path(tmp_path))
    assert resumed.draws == whole.draws
    assert not list(tmp_path.glob("*.safetensors"))
