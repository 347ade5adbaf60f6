"""Predictions from a study's trainings: known truths, held-out honesty, intervals."""

from pathlib import Path

import numpy as np
import pytest

from nax_bo.errors import InputError, SurrogateError
from nax_bo.search.bench.compare import bench
from nax_bo.study import Study, StudyConfig
from nax_bo.study.answers.prediction import Calibration, Prediction, cross_validate, fit_accuracy
from nax_bo.study.answers.testbed import study_testbed
from nax_bo.study.answers.variants import vary


def truth(design) -> float:
    """Accuracy that falls with fewer bits and narrower layers."""
    z = 0.5 * design["adc_bits"] + 0.4 * design["input_bits"] + 0.05 * design["width_1"] - 4.0
    return float(0.1 + 0.85 / (1.0 + np.exp(-z)))


def filled(path: Path, full: int, short: int = 0, noise: float = 0.002, **settings) -> Study:
    """A study with measured designs, drawn at random."""
    study = Study(path, StudyConfig(**{"strategy": "random", "surrogate": "gp", **settings}))
    space, rng = study.store.space, np.random.default_rng(0)
    for i, row in enumerate(space.sample(full + short, 1)):
        design = space.design(row)
        fidelity = "full" if i < full else "short"
        (evaluation,) = study.store.add([study.proposal(design, fidelity, "test")])
        accuracy = truth(design) + noise * rng.standard_normal()
        outcome = {"mean": accuracy, "p05": accuracy, "standard_error": noise}
        study.store.finish(evaluation.id, "done", outcome=outcome, seconds=1.0)
    return study


@pytest.mark.parametrize("surrogate", ["gp", "gbt"])
def test_held_out_predictions_rank_and_cover_what_was_measured(tmp_path, surrogate) -> None:
    with filled(tmp_path / "s", full=50, short=20) as study:
        checked = cross_validate(study, surrogate, folds=5)
    assert checked.numbers == tuple(range(50))
    assert checked.tau > 0.6
    assert checked.r2 > 0.6
    assert checked.coverage >= 0.85
    assert all(p.low <= p.accuracy <= p.high for p in checked.predictions)


def test_a_left_out_design_does_not_see_its_own_measurement(tmp_path) -> None:
    with filled(tmp_path / "s", full=12) as study:
        before = cross_validate(study, folds=12)
        e = study.trial(5).evaluations[0]
        changed = {**e.outcome, "mean": 0.11}
        study.store.finish(e.id, "done", outcome=changed)
        after = cross_validate(study, folds=12)
    assert after.measured[5] == pytest.approx(0.11)
    # the folds are the same, so only predictions of the others may change
    assert after.predictions[5].accuracy == pytest.approx(before.predictions[5].accuracy, abs=1e-6)
    assert after.predictions != before.predictions


def test_short_trainings_of_a_held_out_design_are_left_out_too(tmp_path) -> None:
    with filled(tmp_path / "s", full=12) as study:
        before = cross_validate(study, folds=12)
        trial = study.trial(3)
        (extra,) = study.store.add([study.proposal(trial.design, "short", "test")])
        outcome = {"mean": 0.12, "p05": 0.12, "standard_error": 0.001}
        study.store.finish(extra.id, "done", outcome=outcome)
        after = cross_validate(study, folds=12)
    assert after.predictions[3].accuracy == pytest.approx(before.predictions[3].accuracy, abs=1e-6)


def test_predictions_follow_the_truth_of_new_designs(tmp_path) -> None:
    with filled(tmp_path / "s", full=60) as study:
        space = study.store.space
        new = [space.design(row) for row in space.sample(40, 99)]
        predictions = fit_accuracy(study).predict(new)
    inside = [p.low <= truth(d) <= p.high for p, d in zip(predictions, new, strict=True)]
    assert np.mean(inside) >= 0.85
    assert np.corrcoef([p.accuracy for p in predictions], [truth(d) for d in new])[0, 1] > 0.8


def test_noise_of_the_measurement_widens_the_interval(tmp_path) -> None:
    with filled(tmp_path / "s", full=15) as study:
        model, design = fit_accuracy(study), study.trial(0).design
        (exact,), (noisy,) = model.predict([design], np.zeros(1)), model.predict([design], np.ones(1))
    assert noisy.accuracy == exact.accuracy
    assert noisy.high - noisy.low > exact.high - exact.low


def test_designs_may_be_given_by_their_choices(tmp_path) -> None:
    with filled(tmp_path / "s", full=15) as study:
        model, design = fit_accuracy(study), study.trial(0).design
        assert model.predict([dict(design)]) == model.predict([design])
        assert model.predict([]) == []
        with pytest.raises(InputError, match="no variable 'colour'"):
            model.predict([{"colour": 1}])


@pytest.mark.parametrize(
    ("full", "match"), [(0, "finished to predict from: 0"), (1, "finished to predict from: 1")]
)
def test_too_few_trainings_are_refused(tmp_path, full, match) -> None:
    with filled(tmp_path / "s", full=full) as study:
        with pytest.raises(InputError, match=match):
            fit_accuracy(study)
        with pytest.raises(InputError, match=f"in full to judge predictions: {full}"):
            cross_validate(study)


def test_a_surrogate_that_does_not_exist_is_named(tmp_path) -> None:
    with filled(tmp_path / "s", full=5) as study, pytest.raises(SurrogateError, match="no surrogate 'nope'"):
        cross_validate(study, "nope")


def test_studies_that_learn_costs_predict_accuracy_alone(tmp_path) -> None:
    with (
        filled(tmp_path / "a", full=12, learn_costs=True) as learned,
        filled(tmp_path / "b", full=12) as known,
    ):
        assert cross_validate(learned).predictions == cross_validate(known).predictions


def test_scores_of_a_constant_accuracy_are_undefined() -> None:
    same = Calibration("gp", (0, 1, 2), (0.5, 0.5, 0.5), (Prediction(0.5, 0.4, 0.6),) * 3)
    assert same.coverage == 1.0
    assert np.isnan(same.tau)
    assert np.isnan(same.r2)


# changed designs


def test_changes_inside_the_space_are_priced_and_predicted(tmp_path) -> None:
    with filled(tmp_path / "s", full=30) as study:
        number = next(t.number for t in study.trials() if t.design["adc_bits"] == 4)
        base, better = vary(study, number, [[], ["adc_bits=8"]])
        (expected,) = study.study_problem.costs_of([better.design])
    assert better.cost.edap_uj_ms_mm2 == pytest.approx(expected["edap_uj_ms_mm2"])
    assert better.prediction.accuracy > base.prediction.accuracy
    assert (base.name, better.name) == ("base", "adc_bits=8")


def test_one_change_can_reach_all_layers_or_one(tmp_path) -> None:
    with filled(tmp_path / "s", full=3) as study:
        depth = int(study.trial(0).design["depth"])
        every, one = vary(study, 0, [["crossbar=64"], ["layer2.crossbar=256"]])
    assert [every.design[f"crossbar_{i}"] for i in range(1, depth + 1)] == [64] * depth
    assert one.design["crossbar_2"] == 256


def test_what_the_study_never_varied_is_priced_but_not_predicted(tmp_path) -> None:
    with filled(tmp_path / "s", full=5) as study:
        base, node = vary(study, 0, [[], ["technology_nm=45"]])
    assert node.prediction is None
    assert "never varied technology_nm=45" in node.note
    assert node.cost.area_um2 > base.cost.area_um2


def test_costs_come_even_from_a_study_too_young_to_predict(tmp_path) -> None:
    with filled(tmp_path / "s", full=1) as study:
        (variant,) = vary(study, 0, [["adc_bits=8"]])
    assert variant.prediction is None
    assert "too few trainings" in variant.note
    assert variant.cost.area_um2 > 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("adc_bits", "is no setting"),
        ("colour=red", "no hardware setting 'colour'"),
        ("width_1=7", "width_1 = '7'"),
    ],
)
def test_changes_that_cannot_be_read_are_refused(tmp_path, change, match) -> None:
    with filled(tmp_path / "s", full=2) as study, pytest.raises(InputError, match=match):
        vary(study, 0, [[change]])


# the study as a benchmark


def test_a_studys_testbed_tells_what_its_surrogate_believes(tmp_path) -> None:
    with filled(tmp_path / "s", full=20) as study:
        testbed, model = study_testbed(study), fit_accuracy(study)
        designs = [t.design for t in study.trials()[:5]]
        expected = [1.0 - p.accuracy for p in model.predict(designs)]
    assert testbed.truth(study.store.space.indices(designs))["accuracy"] == pytest.approx(
        1.0 - np.array(expected)
    )
    told = [testbed.evaluate(designs[0], seed) for seed in range(300)]
    spread = np.std([outcome["accuracy"] for outcome, _ in told])
    assert spread == pytest.approx(np.sqrt(told[0][1]["accuracy"]), rel=0.2)
    assert testbed.evaluate(designs[0], 1) == told[1]


def test_strategies_can_be_compared_on_a_studys_testbed(tmp_path) -> None:
    with filled(tmp_path / "s", full=20) as study:
        (curve,) = bench(study_testbed(study), ["random"], [0], budget=6, initial=2)
    assert len(curve.hypervolume) == 6
    assert list(curve.hypervolume) == sorted(curve.hypervolume)


def test_a_study_that_learns_costs_is_no_testbed(tmp_path) -> None:
    with (
        filled(tmp_path / "s", full=3, learn_costs=True) as study,
        pytest.raises(InputError, match="learns its costs"),
    ):
        study_testbed(study)


def test_a_change_of_depth_and_one_of_every_layer_meet(tmp_path) -> None:
    """Every layer of the changed network changes, and none that it no longer has; what is named exactly stays."""
    with filled(tmp_path / "s", full=2) as study:
        for depth in (2, 4):
            for changes in ([f"depth={depth}", "crossbar=64"], ["crossbar=64", f"depth={depth}"]):
                (found,) = vary(study, 0, [changes])
                sizes = [v for n, v in found.design.items() if n.startswith("crossbar_")]
                assert sizes == [64] * depth
        (found,) = vary(study, 0, [["depth=3", "crossbar_2=128", "crossbar=64"]])
        assert [found.design[f"crossbar_{i}"] for i in (1, 2, 3)] == [64, 128, 64]
