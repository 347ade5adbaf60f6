"""Kept networks: what a file says is what the chips do, and a file that is not whole is refused."""

import json
import struct
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import FULL, LADDER
from nax_bo.accuracy.kept import DataFacts, KeptDesign, pack, read_kept
from nax_bo.accuracy.remeasure import remeasure
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import vgg
from nax_bo.network.torch_build import build

ARRAY = ArraySpec(rows=64, cols=64, bits_per_cell=1, weight_bits=5, input_bits=4, adc_bits=6)
CHIP = ChipSpec("rram", arrays=(ARRAY,))
NETWORK = vgg((1, 8, 8), 10, widths=[8, 8], pool_after=[1])


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits").load().subset(384, 128)


@pytest.fixture(scope="module")
def kept(digits):
    """A design as a study's worker leaves it, trained for a third of the time."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LADDER, "full", replace(FULL, recipe=replace(FULL.recipe, epochs=4, least_steps=90)))
        report = evaluate(NETWORK, CHIP, digits, seed=3, keep=found.append)
    facts = DataFacts.of("digits", digits)
    return KeptDesign(NETWORK, CHIP, Conditions(), facts, "auto", 3, found[0], report)


@pytest.fixture
def file(kept, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(pack(kept))
    return path


def test_a_file_gives_the_measured_accuracy_again_chip_by_chip(kept, file, digits):
    again = remeasure(read_kept(file), digits)
    assert again.same
    assert not again.calibrated_anew
    assert again.accuracy.draws == kept.accuracy.draws
    assert len(set(again.accuracy.draws)) > 3  # chips and trainings differ, so equality says something
    assert (again.accuracy.clean, again.accuracy.confidence) == (
        kept.accuracy.clean,
        kept.accuracy.confidence,
    )


def test_a_file_is_read_back_whole_and_written_alike(kept, file):
    assert pack(read_kept(file)) == file.read_bytes()
    assert read_kept(file).data == kept.data
    assert kept.data.mean
    assert kept.data.class_names == tuple("0123456789")


@pytest.mark.parametrize("training", [0, 1, 2])
def test_one_training_keeps_its_own_chips_and_accuracy(kept, digits, training):
    alone = kept.only(training)
    assert alone.accuracy.draws == kept.accuracy.draws[training::3]
    again = remeasure(alone, digits)
    assert again.same
    assert again.accuracy.draws == alone.accuracy.draws


def test_plain_torch_classifies_as_the_file_says(kept, file, digits):
    """With torch and safetensors alone: names and shapes are the network's, and normalisation needs no chip."""
    tensors = load_file(file)
    for training, found in enumerate(kept.trained.networks):
        network = build(NETWORK, 1)
        start = f"{training}."
        network.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)})
        with torch.no_grad():
            right = network.eval()(digits.test_images).argmax(1) == digits.test_labels
        assert float(right.float().mean()) == found.float_accuracy
        assert found.float_accuracy > 0.6  # guessing: 0.1


def test_other_conditions_meet_the_ranges_that_were_kept(kept, digits):
    rough = remeasure(kept, digits, conditions=Conditions(variation_scale=4.0))
    assert not rough.calibrated_anew
    assert not rough.same
    assert rough.accuracy.mean < kept.accuracy.mean - 0.02


def test_another_chip_is_calibrated_anew_and_converters_matter(kept, digits):
    accuracy = {}
    for bits in (3, 8):
        chip = replace(CHIP, arrays=(replace(ARRAY, adc_bits=bits),))
        found = remeasure(kept, digits, chip=chip)
        assert found.calibrated_anew
        accuracy[bits] = found.accuracy.mean
    assert accuracy[8] > accuracy[3] + 0.1


def test_what_cannot_change_accuracy_changes_nothing(kept, digits):
    chip = replace(CHIP, arrays=(replace(ARRAY, mux=2, adc_type="flash"),), clock_ghz=0.5)
    found = remeasure(kept, digits, chip=chip)
    assert not found.calibrated_anew
    assert found.accuracy.draws == kept.accuracy.draws


def test_more_chips_begin_with_the_measured_ones(kept, digits):
    found = remeasure(kept, digits, chips=21)
    assert found.accuracy.draws[: len(kept.accuracy.draws)] == kept.accuracy.draws
    assert len(found.accuracy.draws) == 21
    assert found.accuracy.p05 is not None
    other = remeasure(kept, digits, seed=99)
    assert other.accuracy.draws != kept.accuracy.draws


def test_a_chip_without_noise_is_read_once_per_training(kept, digits):
    still = Conditions(
        converter_errors=False, programming_noise=False, read_noise=False, faults=False, time_s=0.0
    )
    found = remeasure(kept, digits, conditions=still)
    assert len(found.accuracy.draws) == 3
    assert not found.accuracy.chips_differ


def test_other_data_are_refused_by_shape_and_by_class(kept):
    with pytest.raises(InputError, match=r"images of \(1, 8, 8\)"):
        remeasure(kept, parse_data("cluttered-digits").load())


def test_a_training_that_does_not_exist_is_refused(kept):
    with pytest.raises(InputError, match="no training 3"):
        kept.only(3)


def header(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + size])["__metadata__"]


def edited(path, change):
    """The file with its metadata changed by ``change``."""
    about = json.loads(header(path)["naxbo"])
    change(about)
    save_file(load_file(path), path, metadata={"naxbo": json.dumps(about)})


DAMAGE = {
    "format": lambda a: a.update(format=2),
    "no network": lambda a: a.pop("network"),
    "other network": lambda a: a.update(network=vgg((1, 8, 8), 10, widths=[9, 8], pool_after=[1]).to_dict()),
    "impossible chip": lambda a: a["chip"].update(device="unobtainium"),
    "unknown condition": lambda a: a["conditions"].update(weather=1),
    "negative step": lambda a: a["trainings"][0]["calibration"]["conv1"][0]["inputs"].update(scale=-1.0),
    "step as text": lambda a: a["trainings"][0]["calibration"]["conv1"][0]["converter"].update(step="1"),
    "uncalibrated layer": lambda a: a["trainings"][1]["calibration"].pop("conv2"),
    "a training less": lambda a: a["trainings"].pop(),
    "a chip less": lambda a: a["chip_seeds"].pop(),
    "no draws": lambda a: a["accuracy"].update(draws=[]),
    "a list": lambda a: a.update(trainings="none"),
    "a seed too large": lambda a: a["chip_seeds"].__setitem__(0, 1 << 70),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_edited_metadata_are_refused(file, kind):
    edited(file, DAMAGE[kind])
    with pytest.raises(InputError, match=r"w\.safetensors"):
        read_kept(file)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_cut_files_are_refused(file, part):
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(InputError, match="cannot be read as weights"):
        read_kept(file)


def test_tensors_that_are_missing_or_not_finite_are_refused(file):
    tensors = load_file(file)
    name = "1.blocks.conv2.op.weight"
    for change in (
        {**tensors, name: tensors[name] * float("nan")},
        {k: v for k, v in tensors.items() if k != name},
    ):
        save_file(change, file, metadata=header(file))
        with pytest.raises(InputError, match=r"tensor 1\.blocks\.conv2"):
            read_kept(file)


def test_weights_of_others_are_refused_by_name(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "theirs.safetensors")
    with pytest.raises(InputError, match="naxbo did not write them"):
        read_kept(tmp_path / "theirs.safetensors")
    with pytest.raises(InputError, match="cannot be read"):
        read_kept(tmp_path / "none.safetensors")
