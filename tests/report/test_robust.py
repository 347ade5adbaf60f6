"""Designs that stay on the front whichever source is right."""

from dataclasses import replace

import numpy as np
import pytest

from nax_bo.accuracy.report import statistics_of
from nax_bo.errors import InputError
from nax_bo.hardware.chip.devices import DEVICES
from nax_bo.hardware.pricing.draws import drawn_models
from nax_bo.hardware.profiles import load_profile
from nax_bo.report.front import Limits
from nax_bo.report.robust import front_shares, stays


@pytest.fixture(scope="module")
def study(tmp_path_factory, simulated_trainings):
    from nax_bo.study import Study, StudyConfig

    settings = StudyConfig(strategy="random", surrogate="gp", workers=1, budget=16, calibrate_every=2)
    with Study(tmp_path_factory.mktemp("robust") / "study.naxbo", settings) as made:
        made.run(executor=simulated_trainings())
        yield made


def test_shares_are_what_brute_force_finds_design_by_design(study) -> None:
    full = [(t, t.at("full")) for t in study.trials() if t.at("full")]
    counted = dict.fromkeys((t.number for t, _ in full), 0)
    rng = np.random.default_rng(study.config.seed)
    for model in drawn_models(load_profile("published"), 5, study.config.seed):
        luck = rng.standard_normal(len(full))
        points = {}
        for z, (trial, evaluation) in zip(luck, full, strict=True):
            report = statistics_of(evaluation.outcome)
            accuracy = min(1.0, max(0.0, report["mean"] + z * report["standard_error"]))
            points[trial.number] = (accuracy, model.evaluate(*study.network_and_chip(trial)).edap_uj_ms_mm2)
        best = max(a for a, _ in points.values())
        near = {n: p for n, p in points.items() if p[0] >= best - study.config.within / 100}
        for n, (a, e) in near.items():
            counted[n] += not any(b >= a and f <= e and (b, f) != (a, e) for b, f in near.values())
    assert front_shares(study, 5) == {n: c / 5 for n, c in counted.items()}


def test_those_that_stay_are_the_ones_with_the_share(study) -> None:
    shares = front_shares(study, 20)
    kept = stays(study, Limits({}, {}), 0.8, 20)
    assert {t.number for t, _ in kept} == {n for n, share in shares.items() if share >= 0.8}
    accuracies = [study.values(t)["accuracy"] for t, _ in kept]
    assert accuracies == sorted(accuracies, reverse=True)
    floor = accuracies[0]
    assert [t.number for t, _ in stays(study, Limits({}, {"accuracy": floor}), 0.8, 20)] == [
        kept[0][0].number
    ]


def test_a_draw_is_shared_by_all_names_of_a_device_and_stays_in_its_ranges(study) -> None:
    profile = load_profile("published")
    network, chip = study.network_and_chip(study.trials()[0])

    def with_device(name):
        return replace(chip, device=name, arrays=tuple(replace(a, bits_per_cell=1) for a in chip.arrays))

    for model in drawn_models(profile, 10, 3):
        prices = {
            name: model.evaluate(network, with_device(name)).edap_uj_ms_mm2
            for name in ("rram", "rram-neurram")
        }
        assert prices["rram"] == prices["rram-neurram"]
        for row in set(DEVICES.values()):
            for known in row.ranges:
                if known.field in ("r_on_ohm", "read_pulse_ns", "cell_area_f2"):
                    assert known.low <= getattr(model.devices[row.name], known.field) <= known.high
        factor = model.profile.constants["memory.energy_scale"].value
        assert 0.9 <= factor <= 5.0


def test_a_cost_model_without_ranges_is_refused_by_name(tmp_path, simulated_trainings) -> None:
    from nax_bo.study import Study, StudyConfig

    settings = StudyConfig(strategy="random", surrogate="gp", workers=1, budget=3, cost_model="xpertsim")
    with Study(tmp_path / "study.naxbo", settings) as made:
        made.run(executor=simulated_trainings())
        with pytest.raises(InputError, match="xpertsim are not known"):
            front_shares(made)
