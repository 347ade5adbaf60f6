import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.accuracy import evaluate as module
from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate, measure
from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT, Recipe
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.training import train
from nax_bo.crossbar import accuracy
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
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
        conditions = Conditions(variation_scale=scale)
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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_statistics_are_numpys(draws):
    report = AccuracyReport(tuple(draws), 1.0, 10, "full", 1.0)
    assert report.mean == pytest.approx(np.mean(draws))
    assert report.p05 == pytest.approx(np.quantile(draws, 0.05))
    assert report.std == pytest.approx(np.std(draws, ddof=1) if len(draws) > 1 else 0.0, abs=1e-12)
    assert report.standard_error == pytest.approx(report.std / len(draws) ** 0.5)


def test_reports_survive_json_and_older_ones_are_read():
    report = AccuracyReport((0.9, 0.8), 0.95, 100, "full", 2.5, confidence=0.7, trainings=2)
    plain = json.loads(json.dumps(report.to_dict()))
    assert AccuracyReport.from_dict(plain) == report
    del plain["confidence"], plain["trainings"]
    assert AccuracyReport.from_dict(plain) == replace(report, confidence=None, trainings=1)


def test_an_ideal_chip_is_judged_with_its_own_normalisation():
    """Wires of large arrays shift what layers give, which the statistics of the programmed chip make up for."""
    array = ArraySpec(rows=256, cols=256, bits_per_cell=2, weight_bits=5, input_bits=4, adc_bits=7)
    data = parse_data("digits").load()
    network = vgg((1, 8, 8), 10, widths=[64, 64, 64], pool_after=[1])
    report = evaluate(network, ChipSpec("rram", arrays=(array,)), data, fidelity="short", seed=1)
    assert report.clean > report.mean - 0.02
