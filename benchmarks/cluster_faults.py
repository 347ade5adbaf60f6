"""A real study on a Dask cluster of real processes while workers die and join and the scheduler is killed.

    python benchmarks/cluster_faults.py [--trials 40] [--json]

Two workers begin; at a quarter of the trials one is killed, at half the scheduler (it comes back with two workers), at
three quarters three workers join. Prints one JSON line: trials that were finished, designs that were blamed,
evaluations that were told twice, most trainings that ran at once, and seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from nax_bo.study import Study

SETTINGS = {
    "data": "digits,train=200,test=100",
    "recipe": "digits,epochs=0.5,least_steps=40",
    "calibrate_every": 1000,
    "strategy": "random",
}


class Cluster:
    """Processes on this machine."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """Start it, at the port that workers know."""
        return self._start("dask_scheduler", "--port", str(self.port))

    def add_worker(self) -> None:
        """Start one of one thread."""
        address = f"tcp://127.0.0.1:{self.port}"
        self.workers.append(self._start("dask_worker", address, "--nthreads", "1", "--no-nanny"))

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        code = f"import sys; from distributed.cli.{what} import main; sys.argv[0] = 'dask'; main()"
        command = [sys.executable, "-c", code, "--host", "127.0.0.1", "--no-dashboard", *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **quiet)

    def end(self) -> None:
        """Kill all of it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


class Faults:
    """What befalls the cluster as trials come in."""

    def __init__(self, cluster: Cluster, trials: int) -> None:
        self.cluster, self.trials = cluster, trials
        self.left = [(0.25, self.kill_worker), (0.5, self.kill_scheduler), (0.75, self.add_workers)]
        self.most = 0

    def seen(self, finished: int, running: int) -> None:
        """Do what is due."""
        self.most = max(self.most, running)
        while self.left and finished >= self.left[0][0] * self.trials:
            self.left.pop(0)[1]()

    def kill_worker(self) -> None:
        """At a quarter."""
        self.cluster.workers[0].kill()

    def kill_scheduler(self) -> None:
        """At half; its workers leave with it."""
        self.cluster.scheduler.kill()
        self.cluster.scheduler.wait()
        self.cluster.scheduler = self.cluster.start_scheduler()
        self.cluster.add_worker()
        self.cluster.add_worker()

    def add_workers(self) -> None:
        """At three quarters."""
        for _ in range(3):
            self.cluster.add_worker()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=40, help="designs to look at")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        cluster.add_worker()
        cluster.add_worker()
        faults = Faults(cluster, args.trials)
        start = time.perf_counter()
        settings = {
            **SETTINGS,
            "budget": args.trials,
            "executor": f"dask:tcp://127.0.0.1:{cluster.port}",
        }
        try:
            with Study(Path(folder) / "study.naxbo", settings) as study:

                def progress(p: object) -> None:
                    done = [e for t in study.trials() for e in t.evaluations if e.state == "done"]
                    faults.seen(len({e.trial for e in done}), p.running)  # type: ignore[attr-defined]
                    if not args.json:
                        print(f"\r{len(done)} evaluations", end="", file=sys.stderr)

                study.run(on_progress=progress)
                trials = study.trials()
        finally:
            cluster.end()
    evaluations = [e for t in trials for e in t.evaluations]
    orders = [e.order for e in evaluations if e.order is not None]
    result = {
        "trials": len(trials),
        "finished": sum(any(e.state == "done" for e in t.evaluations) for t in trials),
        "blamed": sum(t.failed for t in trials),
        "told_twice": len(orders) - len(set(orders)),
        "most_at_once": faults.most,
        "faults_left": len(faults.left),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(result))
    return 0 if result["finished"] == args.trials and not result["blamed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
