import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.accuracy import evaluate as module
from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate, measure
from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT, Recipe
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.training import train
from nax_bo.crossbar import accuracy
from nax_bo.crossbar.physics.realise import realise
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.chip.device_noise import NoNoise
from nax_bo.hardware.chip.devices import DEVICES
from nax_bo.hardware.chip.variation import chips_differ
from nax_bo.network import vgg

ARRAY = ArraySpec(rows=64, cols=64, bits_per_cell=1, weight_bits=5, input_bits=4, adc_bits=6)
NOISY, QUIET = ChipSpec("rram", arrays=(ARRAY,)), ChipSpec("sram", arrays=(ARRAY,))
NETWORK = vgg((1, 8, 8), 10, widths=[12, 16], pool_after=[1])
STRONG = Conditions(variation_scale=3.0)


@pytest.fixture(scope="module")
def digits():
    return parse_data("digits").load().subset(384, 128)


@pytest.fixture(scope="module")
def model(digits):
    return train(NETWORK, NOISY, digits, recipe=Recipe(4, 0.03), seed=0, conditions=STRONG)


def without_seconds(report):
    return {k: v for k, v in report.to_dict().items() if k != "seconds"}


def test_short_look_at_digits(digits):
    report = evaluate(NETWORK, QUIET, digits, fidelity="short")
    assert 0.3 < report.mean <= 1.0  # guessing: 0.1
    assert report.fidelity == "short"
    assert report.test_images == 128
    assert 0.1 < report.confidence <= 1.0
    assert report.seconds > 0


def test_same_seed_same_report(digits):
    one, two, other = (evaluate(NETWORK, NOISY, digits, fidelity="short", seed=s) for s in (5, 5, 6))
    assert without_seconds(one) == without_seconds(two)
    assert without_seconds(one) != without_seconds(other)


def test_draws_are_what_the_simulator_says(model, digits):
    """Each draw is the accuracy of the chip programmed with its seed; chips of the same seed are the same."""
    level = replace(FULL, min_draws=3, max_draws=3)
    seen = []
    original = model.program

    def program(seeds, conditions):
        seen.extend(seeds)
        original(seeds, conditions)

    model.program = program
    try:
        draws, _ = measure([model], digits.test_images, digits.test_labels, level, seed=1, conditions=STRONG)
    finally:
        del model.program
    again = []
    for seed in seen:
        model.program(seed, STRONG)
        again.append(accuracy(model, digits.test_images, digits.test_labels))
    assert draws == again
    assert len(set(seen)) == 3


def test_drawing_stops_at_the_target(model, digits):
    def count(**changes):
        level = replace(FULL, min_draws=2, max_draws=8, **changes)
        return len(
            measure([model], digits.test_images, digits.test_labels, level, seed=1, conditions=STRONG)[0]
        )

    assert count(target_standard_error=1.0) == 2
    assert count(target_standard_error=-1.0) == 8


def test_two_networks_take_turns_and_each_is_read_on_chips_of_its_own(model, digits):
    other = train(NETWORK, NOISY, digits, recipe=Recipe(0.1, 0.03), seed=0, conditions=STRONG)
    level = replace(FULL, min_draws=5, max_draws=7, target_standard_error=1.0)

    def draws(models):
        return measure(models, digits.test_images, digits.test_labels, level, seed=1, conditions=STRONG)[0]

    both, one, two = draws([model, other]), draws([model]), draws([other])
    assert len(both) == 6  # five were asked for
    assert both[0::2] == one[0:5:2]
    assert both[1::2] == two[1:5:2] + both[5:]
    assert min(both[0::2]) > max(both[1::2])


def test_few_test_images_are_judged_by_several_trainings(digits, monkeypatch):
    level = replace(FULL, recipe=Recipe(0.5, 0.05), trainings=3, min_draws=4)
    monkeypatch.setitem(LADDER, "full", level)
    seeds = []

    def recorded(*args, seed, **options):
        seeds.append(seed)
        return train(*args, seed=seed, **options)

    monkeypatch.setattr(module, "train", recorded)
    for many, trainings in ((len(digits.test_labels) + 1, 3), (len(digits.test_labels), 1)):
        monkeypatch.setattr(module, "MANY_TEST_IMAGES", many)
        seeds.clear()
        report = evaluate(NETWORK, QUIET, digits, seed=3)
        assert report.trainings == len(set(seeds)) == trainings
        assert seeds[0] == 3


def test_measuring_gives_up_in_time(model, digits):
    with pytest.raises(EvaluationError, match="1 of 5 chips"):
        measure(
            [model], digits.test_images, digits.test_labels, FULL, seed=1, conditions=STRONG, timeout_s=-1.0
        )


def test_training_gives_up_in_time(digits):
    with pytest.raises(EvaluationError, match="longer than 0 s"):
        evaluate(NETWORK, QUIET, digits, timeout_s=0.0)


def test_more_variation_is_not_better(model, digits):
    def mean(scale):
        conditions = Conditions(variation_scale=scale, time_s=0.0, converter_errors=False)
        draws, _ = measure(
            [model], digits.test_images, digits.test_labels, SHORT, seed=1, conditions=conditions
        )
        return np.mean(draws)

    assert mean(0.0) > mean(20.0) + 0.2


def test_networks_for_other_images_or_fewer_classes_are_refused(digits):
    with pytest.raises(InputError, match=r"images of \(1, 16, 16\)"):
        evaluate(vgg((1, 16, 16), 10, [4]), QUIET, digits)
    with pytest.raises(InputError, match="7 classes apart"):
        evaluate(vgg((1, 8, 8), 7, [4]), QUIET, digits)


def test_unknown_fidelity_is_refused_before_training(digits, monkeypatch):
    monkeypatch.setattr(module, "train", None)
    with pytest.raises(InputError, match="no fidelity 'long'"):
        evaluate(NETWORK, QUIET, digits, fidelity="long")


@given(st.lists(st.floats(0, 1), min_size=20, max_size=40))
def test_of_one_training_statistics_are_numpys(draws):
    report = AccuracyReport(tuple(draws), 1.0, 10, "full", 1.0)
    wider = (len(draws) / (len(draws) - 1)) ** 0.5
    low = np.mean(draws) + wider * np.quantile(np.array(draws) - np.mean(draws), 0.05)
    assert report.mean == pytest.approx(np.mean(draws))
    assert report.p05 == pytest.approx(np.clip(low, 0, 1))
    assert report.between_chips == pytest.approx(np.std(draws, ddof=1), abs=1e-12)
    resolved = 0.1 / 12**0.5  # a step of one of ten images, evenly rounded
    assert report.standard_error == pytest.approx(max(report.between_chips / len(draws) ** 0.5, resolved))
    assert report.between_trainings is None


def _simulated(rng, trainings, chips, sigma_trainings, sigma_chips):
    means = 0.9 + sigma_trainings * rng.standard_normal(trainings)
    draws = [means[i % trainings] + sigma_chips * rng.standard_normal() for i in range(trainings * chips)]
    return AccuracyReport(tuple(draws), 1.0, 360, "full", 1.0, trainings=trainings)


def test_chips_and_trainings_are_told_apart():
    """Variances of simulated two-level data come back, and the standard error is that of the mean over many repeats."""
    rng = np.random.default_rng(0)
    reports = [_simulated(rng, 4, 3, 0.01, 0.004) for _ in range(4000)]
    chips, trainings, error = (
        np.mean([getattr(r, name) ** 2 for r in reports]) ** 0.5
        for name in ("between_chips", "between_trainings", "standard_error")
    )
    assert chips == pytest.approx(0.004, rel=0.03)
    assert trainings == pytest.approx(0.01, rel=0.03)
    assert error == pytest.approx(np.std([r.mean for r in reports]), rel=0.05)


def test_the_accuracy_that_most_chips_exceed_is_that_of_a_typical_training():
    """Trainings that differ a lot must not look like bad chips."""
    rng = np.random.default_rng(1)
    found = [_simulated(rng, 3, 20, 0.05, 0.002) for _ in range(400)]
    assert np.mean([r.p05 - r.mean for r in found]) == pytest.approx(-1.645 * 0.002, rel=0.1)


@pytest.mark.parametrize(("chips", "stated"), [(6, False), (19, False), (20, True)])
def test_a_tail_of_few_chips_is_not_stated(chips, stated):
    report = AccuracyReport(tuple(0.9 + 0.001 * i for i in range(chips)), 1.0, 10, "full", 1.0)
    assert (report.p05 is not None) is stated


def test_chips_without_noise_have_no_spread_and_trainings_that_agree_are_not_exact():
    report = AccuracyReport((0.9, 0.9, 0.9), 0.9, 100, "full", 1.0, trainings=3, chips_differ=False)
    assert (report.between_chips, report.p05) == (0.0, report.mean)
    assert report.standard_error == pytest.approx(0.01 / 36**0.5)
    assert AccuracyReport((0.9,), 0.9, 100, "full", 1.0).standard_error is None


def test_a_device_without_noise_is_read_once_per_training(digits, monkeypatch):
    monkeypatch.setitem(LADDER, "full", replace(FULL, recipe=Recipe(0.5, 0.05), trainings=2, min_draws=5))
    silent = Conditions(
        programming_noise=False, read_noise=False, faults=False, converter_errors=False, time_s=0.0
    )
    report = evaluate(NETWORK, QUIET, digits, conditions=silent)
    assert (len(report.draws), report.chips_differ, report.between_chips) == (2, False, 0.0)


def test_the_tail_of_chips_takes_as_many_as_are_asked_for(digits, monkeypatch):
    monkeypatch.setitem(LADDER, "full", replace(FULL, recipe=Recipe(0.1, 0.05), trainings=3))
    report = evaluate(NETWORK, NOISY, digits, least_chips=20)
    assert len(report.draws) == 21
    assert report.p05 is not None


@pytest.mark.parametrize("name", sorted(DEVICES))
@pytest.mark.parametrize("time_s", [0.0, 1e5])
def test_chips_differ_where_two_programmed_ones_do(name, time_s):
    """Against the simulation itself: cells of two chips, read once."""
    conditions = Conditions(time_s=time_s, ir_drop=False, converter_errors=False)
    cell = DEVICES[name]
    targets = torch.linspace(cell.g_off_s, cell.g_on_s, 20_000, dtype=torch.float64)
    one, two = (
        realise(targets, cell, torch.Generator().manual_seed(seed), conditions).g_s for seed in (1, 2)
    )
    seen = not torch.equal(one, two) or not isinstance(cell.read_noise, NoNoise)
    assert chips_differ(ChipSpec(name, arrays=(ArraySpec(bits_per_cell=1),)), conditions) is seen


def test_reports_survive_json_and_older_ones_are_read():
    report = AccuracyReport(
        (0.9, 0.8), 0.95, 100, "full", 2.5, confidence=0.7, trainings=2, chips_differ=False
    )
    plain = json.loads(json.dumps(report.to_dict()))
    assert AccuracyReport.from_dict(plain) == report
    del plain["confidence"], plain["trainings"], plain["chips_differ"]
    assert AccuracyReport.from_dict(plain) == replace(report, confidence=None, trainings=1, chips_differ=True)


def test_an_ideal_chip_is_judged_with_its_own_normalisation():
    """Wires of large arrays shift what layers give, which the statistics of the programmed chip make up for."""
    array = ArraySpec(rows=256, cols=256, bits_per_cell=2, weight_bits=5, input_bits=4, adc_bits=7)
    data = parse_data("digits").load()
    network = vgg((1, 8, 8), 10, widths=[64, 64, 64], pool_after=[1])
    report = evaluate(network, ChipSpec("rram", arrays=(array,)), data, fidelity="short", seed=1)
    assert report.clean > report.mean - 0.02
