"""Studies whose designs inherit their weights from a super-network, trained for real."""

import json
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from nax_bo.accuracy.supernet import inherit
from nax_bo.errors import EvaluationError, InputError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.answers.single import evaluate_design
from nax_bo.study.running import job as jobs

SETTINGS = {
    "data": "digits,train=200,test=100",
    "ladder": ["inherit", "full"],
    "recipe": "digits,least_steps=2,epochs=0.01",  # five steps of the super-network, two of a full look
    "choose": {
        "depth": "2",
        "width": ["4", "8"],
        "kernel": "3",
        "crossbar": "64",
        "device": "sram",
        "mux": "8",
    },
    "budget": 3,
}


class Here(Executor):
    """Runs jobs in this process."""

    def submit(self, fn, job, /):
        future: Future[jobs.JobResult] = Future()
        try:
            future.set_result(fn(job))
        except Exception as ex:
            future.set_exception(ex)
        return future


@pytest.fixture
def trainings(monkeypatch) -> list[int]:
    """One entry for each training of a super-network."""
    found: list[int] = []
    own = inherit.train_shared

    def counted(*args, **kw):
        found.append(1)
        return own(*args, **kw)

    monkeypatch.setattr(inherit, "train_shared", counted)
    jobs._remembered_network.cache_clear()
    return found


def run(path: Path, **changes) -> None:
    jobs._remembered_network.cache_clear()  # as in another process
    with Study(path, {**SETTINGS, **changes}) as study:
        study.run(executor=Here())


def test_designs_inherit_from_one_super_network_which_a_later_run_finds(tmp_path, trainings) -> None:
    path = tmp_path / "s.naxbo"
    run(path)
    assert len(trainings) == 1
    (file,) = (tmp_path / "s.naxbo.checkpoints").iterdir()
    run(path, budget=4)
    assert len(trainings) == 1
    with Study(path) as study:
        looks = [[e.fidelity for e in t.evaluations] for t in study.trials()]
        first = study.trial(0)
        assert all(look == ["inherit", "full"] for look in looks)
        assert [r["fidelity"] for r in study.rows()] == ["full"] * 4
    again = evaluate_design(study=str(path), design=0, fidelity="inherit")
    assert len(trainings) == 1
    assert again["accuracy"]["draws"] == first.at("inherit").outcome["draws"]
    file.write_bytes(b"damaged")
    jobs._remembered_network.cache_clear()
    anew = evaluate_design(study=str(path), design=0, fidelity="inherit")
    assert len(trainings) == 2
    assert anew["accuracy"]["draws"] == again["accuracy"]["draws"]


def test_a_super_network_that_cannot_be_trained_stops_the_run_and_blames_no_design(tmp_path) -> None:
    path = tmp_path / "s.naxbo"
    with pytest.raises((EvaluationError, InputError), match=r"nan|not a number"):
        run(path, recipe=SETTINGS["recipe"] + ",learning_rate=1e30")
    with Study(path) as study:
        assert not any(t.failed for t in study.trials())


@pytest.mark.parametrize(
    ("ladder", "match"),
    [
        (["short"], "the ladder is short"),
        ([], "the ladder is empty"),
        (["full", "short"], "the ladder is full, short"),
        (["short", "short", "full"], "the ladder is short, short, full"),
        (["inherits", "full"], "no fidelity 'inherits'"),
        ("full", "ladder = 'full'"),
        (3, "ladder = 3"),
    ],
)
def test_ladders_that_make_no_sense_are_refused(ladder, match) -> None:
    with pytest.raises(InputError, match=match):
        StudyConfig(ladder=ladder)


def test_inherit_is_a_look_of_naxbos_own_training(tmp_path) -> None:
    with pytest.raises(InputError, match="accuracy is measured by my:Own"):
        StudyConfig(accuracy="my:Own", ladder=("inherit", "full"))


def test_the_ladder_is_kept_and_read(tmp_path) -> None:
    config = StudyConfig(ladder=("inherit", "short", "full"))
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert [f.name for f in config.rungs] == ["inherit", "short", "full"]
    assert StudyConfig.from_dict({}).ladder == ("short", "full")
