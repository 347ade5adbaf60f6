"""Who is blamed: invalid outcomes are failures that say so, environments are not designs, limits hold from outside."""

import math
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future
from dataclasses import replace

import pytest
from nax_cli.interrupt import stoppable

from nax_bo.cluster import WorkerLostError
from nax_bo.errors import EnvironmentFaultError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.faults import MOST_ENDINGS
from nax_bo.study.running.job import JobResult

GOOD = {"mean": 0.7, "p05": 0.65, "standard_error": 0.01, "clean": 0.8, "seconds": 1.0}
CONFIG = StudyConfig(budget=4, strategy="random", calibrate_every=1000, workers=1)


class Answers(Executor):
    """Answers each job with what ``answer`` says of its turn: a result, an exception, or nothing (None: it hangs)."""

    def __init__(self, answer):
        self.answer, self.turn = answer, 0

    def submit(self, fn, job, /):
        future: Future[JobResult] = Future()
        found = self.answer(self.turn)
        self.turn += 1
        if isinstance(found, BaseException):
            future.set_exception(found)
        elif found is not None:
            future.set_result(found)
        return future


def good(turn):
    return JobResult(GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": math.nan},
        {"mean": math.inf},
        {"mean": None},
        {"mean": 1.5},
        {"mean": "0.7"},
        {"standard_error": math.nan},
        {"standard_error": -1.0},
        {"clean": math.inf},
        {"extra": object()},
        {"draws": [0.1, math.nan], "trainings": 1},
        {"draws": []},
    ],
)
def test_an_invalid_outcome_is_a_failure_that_says_so_and_the_study_goes_on(tmp_path, changed):
    bad = JobResult({**GOOD, **changed})
    with Study(tmp_path / "s", CONFIG) as study:
        study.run(executor=Answers(lambda turn: bad if turn == 1 else JobResult(GOOD)))
        messages = [e.message for t in study.trials() for e in t.evaluations if e.state == "failed"]
    assert len(messages) == 1
    assert "no valid result" in messages[0]
    with Study(tmp_path / "s") as study:
        assert len(study.trials()) == 4
        study.run(budget=5, executor=Answers(good))
        assert len(study.trials()) == 5


@pytest.mark.parametrize("missing", ["mean", "standard_error"])
def test_an_outcome_without_its_numbers_is_a_failure(tmp_path, missing):
    bad = JobResult({k: v for k, v in GOOD.items() if k != missing})
    with Study(tmp_path / "s", CONFIG) as study:
        study.run(executor=Answers(lambda turn: bad if turn == 0 else JobResult(GOOD)))
        assert sum(t.failed for t in study.trials()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        OSError(28, "No space left on device"),
        ModuleNotFoundError("No module named 'nax_bo'"),
        AttributeError("module 'nax_bo.study.running.job' has no attribute 'run_job'"),
        WorkerLostError("an evaluation has to run again: several workers died"),
        KeyError("HOME"),
    ],
)
def test_faults_of_the_environment_stop_the_run_and_blame_no_design(tmp_path, fault):
    with Study(tmp_path / "s", CONFIG) as study:
        with pytest.raises(EnvironmentFaultError, match="in a row could not run") as stopped:
            study.run(executor=Answers(lambda turn: fault))
        assert stopped.value.exit_code == 7
        assert not any(t.failed for t in study.trials())
        assert len(study.trials()) == 1
        study.run(executor=Answers(good))  # the same command, on a machine that works
        assert len(study.trials()) == 4
        assert not any(t.failed for t in study.trials())


def test_a_fault_now_and_then_costs_nothing(tmp_path):
    with Study(tmp_path / "s", CONFIG) as study:
        study.run(executor=Answers(lambda turn: OSError("lost") if turn % 3 else JobResult(GOOD)))
        assert len(study.trials()) == 4
        assert all(e.state == "done" for t in study.trials() for e in t.evaluations)


class Stopped(Answers):
    """Is told to stop at a certain turn."""

    def __init__(self, at):
        super().__init__(good)
        self.at = at

    def submit(self, fn, job, /):
        if self.turn == self.at:
            raise KeyboardInterrupt
        return super().submit(fn, job)


def test_a_run_that_is_told_to_stop_suspects_no_design(tmp_path):
    for _ in range(MOST_ENDINGS + 2):
        with Study(tmp_path / "s", CONFIG) as study, pytest.raises(KeyboardInterrupt):
            study.run(executor=Stopped(0))
    with Study(tmp_path / "s") as study:
        assert [e.endings for t in study.trials() for e in t.evaluations] == [0]
        study.run(executor=Answers(good))
        assert not any(t.failed for t in study.trials())


def killed(path, number):
    """Leave the file as a killed run does, with the first look at a design under way."""
    with Study(path) as study:
        study.store.start(study.trial(number).evaluations[0].id)


def test_a_design_that_ends_the_run_again_and_again_is_given_up(tmp_path):
    path = tmp_path / "s"
    with Study(path, CONFIG) as study, pytest.raises(KeyboardInterrupt):
        study.run(executor=Stopped(0))
    for _ in range(MOST_ENDINGS - 1):
        killed(path, 0)
        with Study(path) as study, pytest.raises(KeyboardInterrupt):
            study.run(executor=Stopped(0))
    killed(path, 0)
    with Study(path) as study:
        study.run(executor=Answers(good))
        first = study.trials()[0]
        assert first.failed
        assert "the run was killed 2 times" in first.evaluations[0].message
        assert len(study.trials()) == 4
        assert study.retry_failed() == 1
        study.run(executor=Answers(good))
        assert not any(t.failed for t in study.trials())


def test_what_was_under_way_when_a_run_was_killed_runs_alone(tmp_path):
    """Two looks were under way; each has the machine for itself when the study goes on, and only then do two run."""
    at_once = []

    class Counting(Executor):
        def __init__(self):
            self.open = []

        def submit(self, fn, job, /):
            self.open = [f for f in self.open if not f.done()]
            future: Future[JobResult] = Future()
            self.open.append(future)
            at_once.append(len(self.open))
            threading.Timer(0.05, future.set_result, [JobResult(GOOD)]).start()
            return future

    path = tmp_path / "s"
    with Study(path, replace(CONFIG, workers=2, budget=6)) as study, pytest.raises(KeyboardInterrupt):
        study.run(executor=Stopped(2))
    with Study(path) as study:
        for evaluation in study.store.evaluations("queued"):
            study.store.start(evaluation.id)
        suspects = len(study.store.evaluations("running"))
    assert suspects >= 1
    with Study(path) as study:
        study.run(executor=Counting())
        assert not any(t.failed for t in study.trials())
    assert at_once[:suspects] == [1] * suspects


def test_a_training_that_hangs_is_ended_from_outside(tmp_path, monkeypatch):
    monkeypatch.setattr("nax_bo.study.running.loop.GRACE_S", 0.2)
    config = StudyConfig(budget=3, strategy="random", calibrate_every=1000, workers=1, timeout_s=0.3)
    begun = time.monotonic()
    with Study(tmp_path / "s", config) as study:
        study.run(executor=Answers(lambda turn: None if turn == 1 else JobResult(GOOD)))
        (message,) = [e.message for t in study.trials() for e in t.evaluations if e.state == "failed"]
    assert "longer than 0.3 s" in message
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_to_stop_are_one_interruption(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    ways_out = 0
    try:
        with stoppable():
            try:
                os.kill(os.getpid(), number)
                time.sleep(5)
            finally:
                os.kill(os.getpid(), number)  # a second request does not cut the way out short
                time.sleep(0.05)
                ways_out += 1
    except KeyboardInterrupt:
        ways_out += 1
    finally:
        signal.signal(number, before)
        for other in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(
                getattr(signal, other), signal.default_int_handler if other == "SIGINT" else signal.SIG_DFL
            )
    assert ways_out == 2


class Worker(Executor):
    """Runs jobs here, as a worker on which something is different."""

    def __init__(self, **different):
        self.different = different

    def submit(self, fn, job, /):
        future: Future[JobResult] = Future()
        try:
            future.set_result(fn(replace(job, **self.different)))
        except Exception as ex:
            future.set_exception(ex)
        return future


@pytest.mark.parametrize(
    ("different", "message"),
    [
        ({"version": "9.9"}, "runs naxbo"),
        ({"data": "digits,train=100"}, "holds other data than the study's"),
    ],
)
def test_another_version_or_other_data_on_a_worker_are_refused(tmp_path, different, message):
    with Study(tmp_path / "s", replace(CONFIG, data="digits,train=120")) as study:
        with pytest.raises(EnvironmentFaultError, match=message):
            study.run(executor=Worker(**different))
        assert not any(t.failed for t in study.trials())
        study.run(executor=Answers(good))
        assert len(study.trials()) == 4
