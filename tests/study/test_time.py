"""Studies with a time limit: what is cut, that it is kept, that the clock only ends things."""

from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.accuracy.data import DataSet, register_data_set
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.accuracy.recipes import rungs
from nax_bo.accuracy.timing import LookCost, measure_cost
from nax_bo.durations import seconds_of, spoken
from nax_bo.errors import InputError, StoreError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.network import vgg
from nax_bo.study import Study, StudyConfig
from nax_bo.study.planning.plan import fit
from nax_bo.study.running.pace import Pace, Sign, SignsOfLife
from tests.study.test_study import formula

CLASSES = 4


def pictures(options):
    """Images of 32 x 32, or as many pixels as are asked for."""
    side, n, m = options.image_size or 32, options.train or 3000, options.test or 1500
    labels = torch.arange(n + m) % CLASSES
    images = torch.ones(n + m, 3, side, side) * labels[:, None, None, None]
    return DataSet(
        "pictures", images[:n], labels[:n], images[n:], labels[n:], tuple(map(str, range(CLASSES)))
    )


register_data_set("pictures", pictures)


def by_work(step_s, seen=None):
    """Looks whose cost is that of multiplications: ``step_s`` for a step of 64 images with ten million each."""

    def measure(config, network, chip):
        if seen is not None:
            seen.append(config)
        macs = sum(layer.macs for layer in network.layers)
        unit = step_s * macs / 1e7
        return LookCost(unit, 3 * unit, unit, unit / 500, unit, unit / 100)

    return measure


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations_are_read_as_they_are_written(hours, minutes, seconds):
    if hours + minutes + seconds:
        assert seconds_of(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


@pytest.mark.parametrize("text", ["", "0m", "30", "2 hours", "-5m", "m", "1m1h", "inf", "1e3s", "nanh"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InputError, match=r"time = .*\n.*2h, 30m"):
        seconds_of(text)


def test_durations_are_spoken_as_precisely_as_estimates_are():
    assert [spoken(s) for s in (0.84, 42.4, 600.0, 9000.0)] == ["0.8 s", "42 s", "10 min", "2.5 h"]


def test_what_fits_is_left_alone():
    config = StudyConfig(data="pictures", time="2h", budget=20)
    plan = fit(config, by_work(1e-6), 2, budget_given=True)
    assert (plan.config, plan.chosen) == (config, "nothing had to be cut")


@pytest.mark.parametrize("budget", [12, 40])
def test_less_time_cuts_more_and_the_estimate_fits(budget):
    found = []
    for time in ("2h", "30m", "10m"):
        plan = fit(
            StudyConfig(data="pictures", time=time, budget=budget), by_work(0.02), 2, budget_given=True
        )
        assert plan.estimate.total_s <= seconds_of(time)
        assert plan.config.budget == budget
        found.append(plan.estimate.short_s)
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_images_space_and_trainings_are_cut_and_the_choice_is_said():
    plan = fit(StudyConfig(data="pictures", time="20m"), by_work(0.1), 2, budget_given=False)
    assert "size=16" in plan.config.data
    assert rungs(plan.config.recipe)[FULL.name].trainings == 1
    assert "16 x 16 pixels instead of 32 x 32" in plan.chosen
    assert plan.config.budget < StudyConfig().budget
    study = replace(plan.config, time="")
    assert study.to_dict() == StudyConfig.from_dict(study.to_dict()).to_dict()


def test_what_the_user_said_stays():
    config = StudyConfig(
        data="pictures,size=24,train=2000",
        recipe="auto,trainings=2,epochs=9",
        choose={"width_1": ("16", "192")},
        time="3h",
    )
    plan = fit(config, by_work(0.05), 2, budget_given=False)
    assert plan.config.data.startswith("pictures,train=2000,")
    assert "size=24" in plan.config.data
    assert plan.config.recipe == config.recipe
    assert plan.config.choose["width_1"] == ("16", "192")


def test_a_time_that_is_too_short_is_refused_by_name():
    with pytest.raises(
        InputError, match=r"50 designs on pictures take about .* at least, .* not 1m\n.*--time"
    ):
        fit(StudyConfig(data="pictures", time="1m", budget=50), by_work(0.5), 2, budget_given=True)
    with pytest.raises(InputError, match="evaluator of your own"):
        StudyConfig(time="1h", accuracy="mine:Class")


def test_sizes_that_a_space_cannot_be_built_for_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "large.py").write_text(
        "from nax_bo.errors import InputError\n"
        "from nax_bo.systems.vgg import VggSystem\n"
        "class Large(VggSystem):\n"
        "    def __post_init__(self):\n"
        "        if min(self.input_shape[1:]) < 32:\n"
        "            raise InputError('images are too small', 'use larger ones')\n"
    )
    config = StudyConfig(data="pictures", system=f"{tmp_path / 'large.py'}:Large", time="3h", budget=20)
    plan = fit(config, by_work(0.02), 2, budget_given=True)
    assert "size=" not in plan.config.data


def test_fewer_designs_where_their_number_is_not_said():
    config = StudyConfig(data="pictures", time="30m")
    plan = fit(config, by_work(2.0), 1, budget_given=False)
    assert 12 <= plan.config.budget < 60
    assert plan.estimate.total_s <= 1800
    with pytest.raises(InputError, match="60 designs on pictures take about"):
        fit(replace(config, budget=60), by_work(2.0), 1, budget_given=True)


def test_the_dearest_steps_are_not_measured():
    seen = []
    fit(StudyConfig(data="pictures", time="15m"), by_work(0.1, seen), 2, budget_given=False)
    assert all("size=16" in config.data for config in seen)


@pytest.fixture
def planned(monkeypatch):
    """Measuring is quick, and the clock of a study is that of its trainings: a second a short look, four a full one."""

    @contextmanager
    def measuring(config):
        yield by_work(0.01), 1

    clock = [0.0]
    monkeypatch.setattr("nax_bo.study.study.measuring", measuring)
    for module in ("pace", "loop"):
        monkeypatch.setattr(f"nax_bo.study.running.{module}.monotonic", lambda: clock[0])
    return clock


class Late(Future):
    """Moves the clock when it is asked how it went."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def exception(self, timeout=None):
        self.clock[0], self.seconds = self.clock[0] + self.seconds, 0.0
        return super().exception(timeout)


class Timed(Executor):
    """A minute for a short look, four for a full one."""

    def __init__(self, clock):
        self.clock = clock

    def submit(self, fn, job, /):
        future = Late(self.clock, 60.0 if job.fidelity == SHORT.name else 240.0)
        future.set_result(formula(job))
        return future


def looks(study):
    return [(t.number, dict(t.design), [e.fidelity for e in t.evaluations]) for t in study.trials()]


def test_a_planned_study_goes_on_with_the_same_command_and_refuses_others(tmp_path, planned):
    asked = {"data": "pictures", "time": "30m", "budget": 30, "workers": 1}
    with Study(tmp_path / "s", asked) as study:
        stored = study.config
        assert "trainings=1" in stored.recipe
        assert "one training" in study.plan["chosen"]
    with Study(tmp_path / "s", asked) as again:
        assert (again.config, again.changes) == (stored, ())
    with pytest.raises(StoreError, match="with other settings: data was"):
        Study(tmp_path / "s", {**asked, "data": "digits"})


def test_the_clock_ends_a_study_and_changes_no_design(tmp_path, planned):
    asked = {"data": "pictures", "time": "20m", "budget": 14, "workers": 1}
    with Study(tmp_path / "limited", asked) as study:
        study.run(executor=Timed(planned))
        limited, took = looks(study), planned[0]
        assert took <= 1.2 * 1200
        assert 2 < study.config.budget < 14
        assert any("full" in fidelities for _, _, fidelities in limited)
        before = len(study.store.evaluations())
    planned[0] = 0.0
    with Study(tmp_path / "limited", asked) as study:  # the same command: its time is over
        study.run(executor=Timed(planned))
        assert len(study.store.evaluations()) == before
        plain = {**study.config.to_dict(), "time": "", "budget": study.config.budget}
    with Study(tmp_path / "free", plain) as study:
        study.run(executor=Timed(planned))
        free = looks(study)
    first = [design for _, design, _ in limited]
    assert first == [design for _, design, _ in free[: len(first)]]


def test_more_time_goes_on_to_the_budget_that_was_asked_for(tmp_path, planned):
    asked = {"data": "pictures", "time": "20m", "budget": 8, "workers": 1}
    with Study(tmp_path / "s", asked) as study:
        study.run(executor=Timed(planned))
        assert study.config.budget < 8
    with Study(tmp_path / "s", {**asked, "time": "5h"}) as study:
        study.run(executor=Timed(planned))
        assert len(study.trials()) == 8


def test_trainings_tell_how_far_they_have_come(tmp_path, monkeypatch):
    chip = ChipSpec("sram", arrays=(ArraySpec(64, 64, bits_per_cell=1),))
    data = pictures(type("Few", (), {"image_size": 8, "train": 64, "test": 32})())
    told = []
    evaluate(
        vgg((3, 8, 8), CLASSES, widths=[4]),
        chip,
        data,
        recipe="auto,steps=4,trainings=2",
        on_progress=told.append,
    )
    assert told == [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
    monkeypatch.setattr("nax_bo.study.running.pace.EVERY_S", 0.0)
    signs = SignsOfLife()
    sign = Sign(signs.path(7))
    sign(0.25)
    assert (signs.share(7), signs.share(8)) == (0.25, 0.0)
    signs.close()
    sign(0.5)  # nowhere to write to: no failure
    assert signs.share(7) == 0.0


def test_trainings_under_way_count_for_the_time_left(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("nax_bo.study.running.pace.monotonic", lambda: clock[0])
    pace = Pace({"short": 0.2, "full": 1.0}, [], 1, None)
    assert pace.eta_s(1.0, 0.0) is None
    clock[0] = 10.0
    assert pace.eta_s(1.0, 0.5) == pytest.approx(10.0)


def test_measured_looks_take_about_as_long_as_the_looks_themselves():
    chip = ChipSpec("rram", arrays=(ArraySpec(64, 64, bits_per_cell=1),))
    data = pictures(type("Few", (), {"image_size": 8, "train": 256, "test": 64})())
    network = vgg((3, 8, 8), CLASSES, widths=[16, 16])
    cost = measure_cost(network, chip, data, "auto", Conditions())
    assert min(np.array([cost.step_s, cost.exact_chip_s, cost.exact_image_s])) > 0
    report = evaluate(network, chip, data, fidelity="short", recipe="auto,short_steps=60")
    expected = cost.seconds(60, 1, SHORT, 64)
    assert report.seconds / 5 < expected < 5 * report.seconds
