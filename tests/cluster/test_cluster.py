"""Executors by name, and Dask with real worker processes that die and join."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nax_bo.cluster import WorkerLostError, connect, executor_names
from nax_bo.errors import EvaluationError, InputError

distributed = pytest.importorskip("distributed")
QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}


def test_local_processes_are_the_study_s_own():
    assert connect("local") is None
    assert "local" in executor_names()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("slurm", "no executor 'slurm'\n.*dask-slurm"),
        ("dask:", "names no scheduler"),
        ("math:pi", "math:pi is a float"),
        ("os:getcwd", "gave a str"),
        ("os.path:join", "without arguments"),
    ],
)
def test_names_that_are_no_executor_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        connect(name)


def test_a_factory_of_one_s_own_says_its_capacity(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from concurrent.futures import ThreadPoolExecutor\ndef pool():\n    return ThreadPoolExecutor(3)\n"
    )
    cluster = connect(f"{file}:pool")
    assert isinstance(cluster.executor, ThreadPoolExecutor)
    assert cluster.capacity() == 3
    assert connect(f"{file}:pool", workers=2).capacity() == 2
    cluster.close()


def test_no_scheduler_is_said_so(monkeypatch):
    monkeypatch.setattr("nax_bo.cluster.dask.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:9'"):
        connect("dask:tcp://127.0.0.1:9")


class Processes:
    """A scheduler and workers as processes of their own, to be killed."""

    def __init__(self, folder):
        self.folder, self.all = folder, []

    def scheduler(self, port):
        return self.start("distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard")

    def worker(self, port):
        return self.start(
            "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-dashboard", "--no-nanny",
            "--death-timeout", "60",
        )  # fmt: skip

    def start(self, module, *arguments):
        code = f"import sys; from {module} import main; sys.argv[0] = 'dask'; main()"
        environment = {**os.environ, **QUIET}
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--host", "127.0.0.1", *arguments],
            cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.all.append(process)
        return process

    def end(self):
        for process in self.all:
            process.kill()
            process.wait()


@pytest.fixture
def processes(tmp_path):
    running = Processes(tmp_path)
    yield running
    running.end()


def until(condition, seconds=60.0):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_workers_join_die_and_their_scheduler_comes_back(processes, free_port, monkeypatch):
    scheduler = processes.scheduler(free_port)
    workers = [processes.worker(free_port)]
    monkeypatch.setattr("nax_bo.cluster.dask.COME_BACK_S", 60.0)
    cluster = connect(f"dask:tcp://127.0.0.1:{free_port}")
    try:
        scenario(cluster, processes, scheduler, workers, free_port)
    finally:
        cluster.close()  # its threads would go on beside other tests


def scenario(cluster, processes, scheduler, workers, port):
    executor = cluster.executor
    until(lambda: executor.submit(os.getpid).result(60) == workers[0].pid)
    assert cluster.capacity() == 1

    workers.append(processes.worker(port))
    until(lambda: cluster.capacity() == 2)

    futures = [executor.submit(time.sleep, 1.0) for _ in range(4)]
    time.sleep(0.3)
    os.kill(workers[0].pid, signal.SIGKILL)
    assert [f.result(60) for f in futures] == [None] * 4  # what ran on the dead one ran again

    workers += [processes.worker(port), processes.worker(port), processes.worker(port)]
    until(lambda: cluster.capacity() == 4)
    with pytest.raises(WorkerLostError, match="several workers died"):
        executor.submit(os._exit, 1).result(120)

    lost = executor.submit(time.sleep, 60.0)
    time.sleep(0.3)
    scheduler.kill()
    scheduler.wait()
    with pytest.raises(EvaluationError, match="has to run again"):
        lost.result(120)
    processes.scheduler(port)
    processes.worker(port)
    assert executor.submit(abs, -7).result(120) == 7


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
