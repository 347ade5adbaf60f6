"""Studies: resuming, determinism, failures, limits, calibration. A formula replaces trainings, the rest is real."""

import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from nax_bo.errors import InputError, NaxboError, StoreError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.job import Job, JobResult, job_seed


def formula(job: Job) -> JobResult:
    """Accuracy that grows with width and converter bits, with noise that the job's seed decides."""
    array = job.chip["arrays"][0]
    if array["weight_bits"] == 3:
        return JobResult(None, "this design cannot be trained")
    width = math.fsum(layer["out_shape"][0] for layer in job.network["layers"] if layer["op"] == "conv")
    score = 0.4 * math.log10(width) + 0.25 * array["adc_bits"] + 0.2 * array["input_bits"]
    error = (
        0.9 / (1 + math.exp(score - 1.5))
        + 0.01 * (job.seed % 7) / 7
        + (0.03 if job.fidelity == "short" else 0)
    )
    mean = 1 - min(error, 0.95)
    return JobResult(
        {
            "mean": mean,
            "p05": mean - 0.02,
            "standard_error": 0.004,
            "clean": 1.0,
            "seconds": 1.0,
        }
    )


class Inline(Executor):
    """Runs jobs at once in this process, and is interrupted after ``patience`` of them."""

    def __init__(self, patience: int = 10**9) -> None:
        self.patience = patience
        self.jobs: list[Job] = []

    def submit(self, fn, job, /):
        if len(self.jobs) >= self.patience:
            raise KeyboardInterrupt
        self.jobs.append(job)
        future: Future[JobResult] = Future()
        future.set_result(formula(job))
        return future


class Fragile(Inline):
    """A pool that a certain design breaks: what is under way then is lost, and nothing is taken any more."""

    def __init__(self, fatal: int) -> None:
        super().__init__()
        self.fatal, self.waiting, self.broken = fatal, [], False

    def submit(self, fn, job, /):
        if self.broken:
            raise BrokenProcessPool
        future: Future[JobResult] = Future()
        self.waiting.append((future, job))
        self.jobs.append(job)
        if job.seed == self.fatal:
            self.broken = True
            for other, _ in self.waiting:
                other.set_exception(BrokenProcessPool())
        elif len(self.waiting) > 2:  # the oldest is ready
            done, its = self.waiting.pop(0)
            done.set_result(formula(its))
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        pass


class Alone(Inline):
    """A pool that a certain design breaks, and that runs the others at once."""

    def __init__(self, fatal: int) -> None:
        super().__init__()
        self.fatal = fatal

    def submit(self, fn, job, /):
        future = super().submit(fn, job)
        if job.seed == self.fatal:
            future = Future()
            future.set_exception(BrokenProcessPool())
        return future


def config(**settings) -> StudyConfig:
    return StudyConfig(**{"budget": 16, "workers": 1, "surrogate": "gp", "calibrate_every": 4, **settings})


def history(path: Path) -> list[tuple]:
    with Study(path) as study:
        return [(e.trial, e.fidelity, study.trial(e.trial).design.indices) for e in study.store.evaluations()]


def run(path: Path, settings: StudyConfig, executor: Executor | None = None) -> None:
    with Study(path, settings) as study:
        study.run(executor=executor or Inline())


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path) -> None:
    run(tmp_path / "whole", config())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", config(), Inline(patience=9))
    run(tmp_path / "parts", config())
    whole = history(tmp_path / "whole")
    assert len({row[0] for row in whole}) == 16
    assert history(tmp_path / "parts") == whole


def test_another_seed_gives_other_designs(tmp_path) -> None:
    run(tmp_path / "a", config(budget=4))
    run(tmp_path / "b", config(budget=4, seed=1))
    assert history(tmp_path / "a") != history(tmp_path / "b")


def test_a_larger_budget_goes_on(tmp_path) -> None:
    run(tmp_path / "s", config(budget=6))
    run(tmp_path / "s", config(budget=10))
    assert len({row[0] for row in history(tmp_path / "s")}) == 10


def test_nothing_is_evaluated_twice_and_failures_are_kept(tmp_path) -> None:
    run(tmp_path / "s", config(budget=14))
    rows = history(tmp_path / "s")
    assert len(set(rows)) == len(rows)
    with Study(tmp_path / "s") as study:
        failed = study.store.evaluations("failed")
        assert all(e.message == "this design cannot be trained" for e in failed)
        assert not {t.number for t in study.front()} & {e.trial for e in failed}


def test_the_front_is_trained_in_full_and_undominated(tmp_path) -> None:
    run(tmp_path / "s", config(budget=14))
    with Study(tmp_path / "s") as study:
        front = [study.row(t) for t in study.front()]
        assert front
        assert {row["fidelity"] for row in front} == {"full"}
        points = [(1 - row["accuracy"], row["edap_uj_ms_mm2"]) for row in front]
        assert not any(a != b and a[0] <= b[0] and a[1] <= b[1] for a in points for b in points)
        assert study.hypervolume() > 0


def test_limits_hold(tmp_path) -> None:
    run(tmp_path / "s", config(budget=12, max={"area_mm2": 4.0}, min={"accuracy": 0.5}))
    with Study(tmp_path / "s") as study:
        assert all(t.costs["area_mm2"] <= 4.0 for t in study.trials())
        assert all(study.row(t)["accuracy"] >= 0.5 for t in study.front())


@pytest.mark.parametrize("strategy", ["random", "sobol", "nsga2"])
def test_baselines_run_and_resume(tmp_path, strategy: str) -> None:
    run(tmp_path / "a", config(strategy=strategy))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", config(strategy=strategy), Inline(patience=5))
    run(tmp_path / "b", config(strategy=strategy))
    assert history(tmp_path / "a") == history(tmp_path / "b")


def test_costs_can_be_learned(tmp_path) -> None:
    run(tmp_path / "s", config(budget=14, learn_costs=True, max={"area_mm2": 5.0}))
    with Study(tmp_path / "s") as study:
        assert study.hypervolume() > 0


def test_other_settings_are_refused_with_their_names(tmp_path) -> None:
    run(tmp_path / "s", config(budget=2))
    with pytest.raises(StoreError, match="seed was 0, now 1"):
        Study(tmp_path / "s", config(seed=1))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"data": "cifar10:/nowhere"}, "/nowhere"),
        ({"data": "digit"}, "digit"),
        ({"system": "vggg"}, "no design space 'vggg'"),
        ({"cost_model": "guess"}, "no cost model 'guess'"),
        ({"strategy": "guess"}, "no strategy 'guess'"),
        ({"surrogate": "guess"}, "guess"),
    ],
)
def test_wrong_settings_leave_no_file(tmp_path, settings, match) -> None:
    with pytest.raises(NaxboError, match=match):
        Study(tmp_path / "s", config(**settings))
    assert list(tmp_path.iterdir()) == []


def test_unknown_design_number(tmp_path) -> None:
    run(tmp_path / "s", config(budget=2))
    with Study(tmp_path / "s") as study, pytest.raises(InputError, match="holds designs 0 to 1"):
        study.trial(7)


def test_seeds_of_trials_differ() -> None:
    seeds = {job_seed(study, trial) for study in range(20) for trial in range(50)}
    assert len(seeds) == 1000


def test_progress_is_reported(tmp_path) -> None:
    seen = []
    with Study(tmp_path / "s", config(budget=6)) as study:
        study.run(executor=Inline(), on_progress=seen.append)
    assert seen[-1].designs == 6
    assert [p.designs for p in seen] == sorted(p.designs for p in seen)
    assert seen[-1].running == 0
    assert seen[-1].eta_s == 0
    assert seen[-2].designs == 6  # all designs looked at
    assert seen[-2].eta_s > 0  # but not yet trained in full


@pytest.mark.parametrize(("least", "met"), [(0.5, True), (0.999, False)])
def test_progress_tells_the_best_within_the_limits(tmp_path, least, met) -> None:
    seen = []
    with Study(tmp_path / "s", config(budget=6, min={"accuracy": least})) as study:
        study.run(executor=Inline(), on_progress=seen.append)
        full = [study.accuracy(e) for t in study.trials() if (e := t.at("full"))]
    assert seen[-1].best == (max(full) if met else None)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_loses_no_finished_training(tmp_path) -> None:
    """Real trainings in real worker processes, killed with SIGKILL."""
    command = [
        sys.executable,
        "-m",
        "nax_cli",
        "optimize",
        "--budget",
        "4",
        "--no-report",
        "--study",
        "s.naxbo",
        "-j",
        "2",
    ]
    first = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    done: list[int] = []
    while not done and time.monotonic() < deadline:
        time.sleep(0.2)
        if (tmp_path / "s.naxbo").exists():
            with Study(tmp_path / "s.naxbo") as study:
                done = [e.id for e in study.store.evaluations("done")]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert first.stderr is not None
    first.stderr.close()
    assert done
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    with Study(tmp_path / "s.naxbo") as study:
        assert len(study.trials()) == 4
        finished = [e.id for e in study.store.evaluations("done")]
        assert set(done) <= set(finished)
        assert study.front()


def test_a_changed_surrogate_is_noticed(tmp_path) -> None:
    source = Path("examples/my_forest.py").read_text()
    (tmp_path / "forest.py").write_text(source)
    settings = config(budget=3, surrogate=f"{tmp_path}/forest.py:Forest")
    run(tmp_path / "s", settings)
    (tmp_path / "forest.py").write_text(source + "\n# changed\n")
    with pytest.warns(UserWarning, match="has changed since the study was started"):
        run(tmp_path / "s", settings)


def test_a_worker_that_dies_costs_only_the_design_that_killed_it(tmp_path, monkeypatch) -> None:
    """With three under way, its neighbours are run again, one at a time in a new pool."""
    settings = config(workers=3, budget=8, calibrate_every=100)
    pools: list[Executor] = []

    def pool(workers: int) -> Executor:
        fatal = job_seed(settings.seed, 4)
        pools.append(Alone(fatal) if pools else Fragile(fatal))
        return pools[-1]

    monkeypatch.setattr("nax_bo.study.study.local_executor", pool)
    with Study(tmp_path / "s", settings) as study:
        study.run()
        failed = {t.number for t in study.trials() if t.failed and "worker" in t.evaluations[0].message}
    assert failed == {4}
    assert len(pools) == 3


def test_a_broken_pool_of_ones_own_stops_the_study_and_loses_nothing(tmp_path) -> None:
    settings = config(budget=8)
    with pytest.raises(NaxboError, match="executor is broken"):
        run(tmp_path / "s", settings, Alone(job_seed(settings.seed, 4)))
    run(tmp_path / "s", settings)
    run(tmp_path / "whole", settings)
    assert history(tmp_path / "s") == history(tmp_path / "whole")


def test_a_raised_budget_is_calibrated_as_the_first_one_was(tmp_path) -> None:
    """The full trainings at the end of the first run do not count for the second."""
    run(tmp_path / "s", config(budget=12))
    run(tmp_path / "s", config(budget=28))
    with Study(tmp_path / "s") as study:
        evaluations = study.store.evaluations()
    first, last = (min(e.id for e in evaluations if e.trial == trial) for trial in (12, 27))
    during = [e for e in evaluations if e.fidelity == "full" and first < e.id < last]
    assert len(during) >= 3  # 16 designs, calibrated at every fourth


def test_a_front_is_read_though_the_surrogate_is_gone(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("from nax_surrogates import GaussianProcess as Own\n", encoding="utf-8")
    run(tmp_path / "s", config(budget=4, surrogate="own.py:Own"))
    Path("own.py").unlink()
    with Study(tmp_path / "s") as study:
        assert study.front()
        assert study.hypervolume() > 0


def test_workers_leave_with_the_process_that_started_them(tmp_path) -> None:
    code = (
        "import os, sys, time\n"
        "from nax_bo.study.running.executor import local_executor\n"
        "if __name__ == '__main__':\n"
        "    print(local_executor(1).submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    script = tmp_path / "start.py"
    script.write_text(code, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        worker = int(started.stdout.readline())
        os.kill(worker, 0)
        started.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = Path(f"/proc/{worker}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.2)
    pytest.fail("the worker is still there")
