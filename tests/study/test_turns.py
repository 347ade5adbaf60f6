"""Same seed and same number of workers, same designs: whoever finishes first, interrupted or not."""

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nax_bo.errors import InputError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.job import JobResult


class Late(ThreadPoolExecutor):
    """Two workers that take random times, by another seed in each run; interrupted after so many jobs."""

    def __init__(self, seed, patience=10**9):
        super().__init__(2)
        self._draw, self._lock, self._patience = random.Random(seed), threading.Lock(), patience
        self.order = []

    def submit(self, fn, job, /):
        if self._patience == 0:
            raise KeyboardInterrupt
        self._patience -= 1
        with self._lock:
            delay = self._draw.choice([0.0, 0.0, 0.8])
        return super().submit(self._answer, job, delay)

    def _answer(self, job, delay):
        threading.Event().wait(delay)
        self.order.append(job.seed)
        if job.seed % 11 == 0:
            return JobResult(None, "it cannot be trained")
        bits = job.chip["arrays"][0]["adc_bits"]
        mean = 0.5 + 0.04 * bits + (job.seed % 100) / 5000
        return JobResult({"mean": mean, "p05": mean, "standard_error": 0.01, "clean": 0.95})


def run(path, executor, **settings):
    config = StudyConfig(
        **{
            "budget": 14,
            "workers": 2,
            "calibrate_every": 4,
            "reproducible": True,
            "data": "digits",
            **settings,
        }
    )
    with executor, Study(path, config) as study, contextlib.suppress(KeyboardInterrupt):
        study.run(executor=executor, finalists=3)
    with Study(path) as study:
        return [(e.fidelity, study.trial(e.trial).design.indices) for e in study.store.evaluations()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    first = Late(0)
    return run(tmp_path_factory.mktemp("turns") / "a", first), first.order


def test_two_workers_with_random_delays_see_the_same_designs(tmp_path, uninterrupted):
    history, order = uninterrupted
    other = Late(1)
    assert run(tmp_path / "b", other) == history
    assert other.order != order, "they did finish in another order"


@pytest.mark.parametrize("patience", [3, 12])
def test_interrupted_and_resumed_is_the_same(tmp_path, uninterrupted, patience):
    run(tmp_path / "c", Late(2, patience))
    assert run(tmp_path / "c", Late(3)) == uninterrupted[0]


def test_reproducible_takes_a_number_of_workers():
    with pytest.raises(InputError, match="number of workers"):
        StudyConfig(reproducible=True)
