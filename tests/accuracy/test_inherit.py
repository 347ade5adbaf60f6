"""The rung ``inherit``: what is kept, found again, and measured of a slice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.supernet import inherit as module
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.supernet.inherit import super_network
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import families
from nax_bo.space import Space, ordinal

SHAPE = (1, 8, 8)
RECIPE = "digits,least_steps=2,epochs=0.01"  # five steps of the super-network


class Tiny:
    """Two widths, two depths, two precisions."""

    space = Space(
        [ordinal("depth", (1, 2), scope="network"), ordinal("width", (8, 16)), ordinal("input_bits", (2, 4))]
    )

    @staticmethod
    def decode(choices):
        chip = ChipSpec(device="rram", arrays=(ArraySpec(input_bits=choices["input_bits"]),))
        return families.vgg(SHAPE, 10, [choices["width"]] * choices["depth"]), chip


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits,train=200,test=100").load()


def kept(digits, folder: Path | None, seed: int = 0, recipe: str = RECIPE, **kw):
    family = Family(Tiny.space, Tiny.decode)
    return super_network(
        family, digits, recipe=recipe, seed=seed, conditions=Conditions(), folder=folder, **kw
    )


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_a_super_network_is_trained_once_and_found_again(digits, tmp_path, monkeypatch):
    first = kept(digits, tmp_path / "new")
    (file,) = (tmp_path / "new").iterdir()
    assert file.name.startswith("supernet-")
    assert equal(first, kept(digits, None))
    monkeypatch.setattr(module, "train_shared", None)  # training would be a TypeError
    assert equal(first, kept(digits, tmp_path / "new"))
    for other in ({"seed": 1}, {"recipe": f"{RECIPE},learning_rate=0.01"}):
        with pytest.raises(TypeError):
            kept(digits, tmp_path / "new", **other)
    with pytest.raises(TypeError):
        kept(parse_data("digits,train=201,test=100").load(), tmp_path / "new")


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "folder"])
def test_a_damaged_file_is_trained_anew(digits, tmp_path, damage):
    first = kept(digits, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"cut": whole[:-50], "noise": b"\0" * 4096, "empty": b""}[damage])
    assert equal(first, kept(digits, tmp_path))
    if damage != "folder":
        assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_the_file_only(digits, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert equal(kept(digits, blocked), kept(digits, None))
    assert blocked.read_text() == "in the way"


def _train(folder: str) -> None:
    """What a worker of its own does: says how often it trained, and the sum of what it holds."""
    torch.set_num_threads(1)
    calls = []
    own = module.train_shared

    def counted(*args, **kw):
        calls.append(1)
        return own(*args, **kw)

    module.train_shared = counted
    found = kept(parse_data("digits,train=200,test=100").load(), Path(folder))
    print(json.dumps([len(calls), float(sum(p.double().sum() for p in found.parameters()))]))


def test_two_workers_that_start_at_once_train_once_and_hold_the_same(tmp_path):
    command = [sys.executable, __file__, str(tmp_path)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    (a, first), (b, second) = (json.loads(worker.communicate(timeout=120)[0]) for worker in workers)
    assert a + b == 1
    assert first == second
    assert [f.suffix for f in tmp_path.iterdir()] == [".safetensors"]


def test_training_and_waiting_for_another_end_in_time(digits, tmp_path):
    with pytest.raises(EvaluationError, match="longer than"):
        kept(digits, tmp_path, timeout_s=0.0)
    fcntl = pytest.importorskip("fcntl")
    (lock,) = tmp_path.iterdir()
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EvaluationError, match="waiting for another worker"):
            kept(digits, tmp_path, timeout_s=0.1)
    assert kept(digits, tmp_path)


def test_a_look_repeats_and_measures_the_slice_on_its_chip(digits, tmp_path):
    shared = kept(digits, tmp_path, recipe="digits,least_steps=30,epochs=0.01")
    before = [p.clone() for p in shared.parameters()]
    network, chip = Tiny.decode({"depth": 2, "width": 16, "input_bits": 4})
    look = evaluate(network, chip, digits, fidelity="inherit", seed=3, shared=shared)
    again = evaluate(network, chip, digits, fidelity="inherit", seed=3, shared=shared)
    assert look.draws == again.draws
    assert (look.fidelity, look.trainings) == ("inherit", 1)
    assert look.mean > 0.5
    coarse = evaluate(
        network,
        Tiny.decode({"depth": 2, "width": 16, "input_bits": 2})[1],
        digits,
        fidelity="inherit",
        shared=shared,
    )
    assert coarse.mean < look.mean
    assert all(torch.equal(a, b) for a, b in zip(shared.parameters(), before, strict=True))


def test_without_a_super_network_or_with_a_foreign_one_it_is_refused(digits):
    network, chip = Tiny.decode({"depth": 1, "width": 8, "input_bits": 2})
    with pytest.raises(InputError, match="no super-network to inherit"):
        evaluate(network, chip, digits, fidelity="inherit")
    shared = kept(digits, None)
    with pytest.raises(InputError, match="no slice"):
        evaluate(families.vgg(SHAPE, 10, [24]), chip, digits, fidelity="inherit", shared=shared)


if __name__ == "__main__":
    _train(sys.argv[1])
