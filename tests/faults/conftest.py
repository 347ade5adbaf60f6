"""A study that took no training, as both kits start from it."""

from concurrent.futures import Executor, Future

import pytest

from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.job import JobResult


class Formula(Executor):
    """Answers with an accuracy that the job's seed decides."""

    def submit(self, fn, job, /):
        future: Future[JobResult] = Future()
        mean = 0.5 + (job.seed % 100) / 250
        future.set_result(JobResult({"mean": mean, "p05": mean, "standard_error": 0.01, "clean": 0.95}))
        return future


@pytest.fixture(scope="session")
def small_study(tmp_path_factory):
    """Makes a study of so many designs at random."""

    def make(designs, **settings):
        path = tmp_path_factory.mktemp("study") / "s.naxbo"
        base = {
            "budget": designs,
            "strategy": "random",
            "calibrate_every": 1000,
            "workers": 1,
            "within": 100.0,
        }
        with Study(path, StudyConfig(**{**base, **settings})) as study:
            study.run(executor=Formula())
        return path

    return make
