"""A new study that begins with earlier ones: results that mean the same come over, others are refused."""

import shutil
from concurrent.futures import Executor, Future

import pytest

from nax_bo.errors import StoreError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.job import JobResult


class Inline(Executor):
    """Answers at once with an accuracy that the job's seed decides."""

    def submit(self, fn, job, /):
        future: Future[JobResult] = Future()
        mean = 0.5 + (job.seed % 100) / 250
        future.set_result(JobResult({"mean": mean, "p05": mean, "standard_error": 0.01, "clean": 0.95}))
        return future


def config(**settings):
    return StudyConfig(**{"workers": 1, "calibrate_every": 4, **settings})


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    path = tmp_path_factory.mktemp("old") / "old.naxbo"
    with Study(path, config(strategy="random", data="digits", budget=12)) as study:
        study.run(executor=Inline())
    return path


def results(path):
    with Study(path) as study:
        return {
            (tuple(t.design.items()), e.fidelity): (e.outcome, e.state)
            for t in study.trials()
            for e in t.evaluations
        }


def test_all_results_come_over_and_the_search_goes_on_from_them(old, tmp_path):
    new = tmp_path / "new.naxbo"
    settings = {"strategy": "random", "budget": 16, "workers": 1, "max": {"area_mm2": 50}}
    with Study(new, settings, start_from=[old]) as study:
        assert study.config.data.startswith("digits"), "what decides the meaning of results is taken over"
        assert study.store.meta("from")[0]["designs"] == 12
        assert results(new) == results(old)
        with Study(old) as before:
            costs = {t.design.indices: t.costs for t in before.trials()}
            assert all(t.costs == pytest.approx(costs[t.design.indices]) for t in study.trials())
        seen = {t.design.indices for t in study.trials()}
        study.run(executor=Inline())
        assert len(study.trials()) == 16
        assert len({t.design.indices for t in study.trials()} - seen) == 4
    with Study(new, settings, start_from=[old]) as again:  # the same command resumes
        assert len(again.trials()) == 16


def test_designs_outside_the_part_that_is_searched_are_left(old, tmp_path):
    with Study(old) as study:
        devices = [t.design["device"] for t in study.trials()]
    with Study(tmp_path / "part", {"choose": {"device": devices[0]}}, start_from=[old]) as study:
        assert len(study.trials()) == devices.count(devices[0])
        assert study.store.meta("from")[0]["outside"] == len(devices) - devices.count(devices[0])
        assert {t.design["device"] for t in study.trials()} == {devices[0]}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"data": "cluttered-digits"}, "data were digits"),
        ({"recipe": "digits,epochs=3"}, "recipe"),
        ({"conditions": {"read_noise": False}}, "conditions"),
    ],
)
def test_results_of_another_meaning_are_refused_with_the_way_out(old, tmp_path, settings, named):
    with pytest.raises(StoreError, match=named) as caught:
        Study(tmp_path / "new", settings, start_from=[old])
    assert "--start" in caught.value.hint
    assert not (tmp_path / "new").exists()


def test_code_of_others_is_not_taken_over_unasked(old, tmp_path):
    with Study(old) as study:
        facts = study.store.meta("config")
    foreign = tmp_path / "foreign.naxbo"
    shutil.copy(old, foreign)
    with Study(foreign) as study:
        study.store.set_meta({"config": {**facts, "system": "subprocess:call"}})
    with pytest.raises(StoreError, match="subprocess"):
        Study(tmp_path / "new", {}, start_from=[foreign])


def test_an_existing_study_that_began_otherwise_is_refused(old, tmp_path):
    with (
        Study(tmp_path / "new", config(data="digits")) as _,
        pytest.raises(StoreError, match="did not begin with"),
    ):
        Study(tmp_path / "new", {}, start_from=[old])
    with pytest.raises(StoreError, match="no study"):
        Study(tmp_path / "other", {}, start_from=[tmp_path / "missing"])


def test_changed_meaning_of_a_study_names_this_way_out(old):
    with pytest.raises(StoreError) as caught:
        Study(old, {"recipe": "digits,epochs=3"})
    assert f"--from {old}" in caught.value.hint
