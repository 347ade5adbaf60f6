"""What handing over a trial costs, beside the trial: milliseconds from submitting a job to its result, one at a time.

    OMP_NUM_THREADS=1 python benchmarks/executor_overhead.py [--jobs 300] [--json]

A job as a study sends it (a network of the default space and its chip), to a function that does nothing; local worker
processes and a Dask cluster of one process on this machine (extra ``cluster``). Medians, and the first of all, which
starts the workers, apart.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import Executor
from statistics import median
from time import perf_counter

from nax_bo.hardware.chip import Conditions
from nax_bo.study.config import StudyConfig
from nax_bo.study.running.executor import local_executor
from nax_bo.study.running.job import Job, JobResult
from nax_bo.systems import load_system


def nothing(job: Job) -> JobResult:
    """What a worker is asked for."""
    return JobResult({"mean": 0.5, "standard_error": 0.01})


def handed_over(pool: Executor, job: Job, jobs: int) -> dict[str, float]:
    """Milliseconds."""
    taken = []
    for _ in range(jobs + 1):
        start = perf_counter()
        pool.submit(nothing, job).result()
        taken.append(1000 * (perf_counter() - start))
    return {"first_ms": round(taken[0], 1), "median_ms": round(median(taken[1:]), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    system = load_system("vgg", (3, 32, 32), 10)
    (design,) = system.space.designs(system.space.sobol(1, 0))
    network, chip = system.decode(design)
    conditions = StudyConfig(conditions=Conditions()).to_dict()["conditions"]
    job = Job(network.to_dict(), chip.to_dict(), conditions, "digits", "short", "auto", 0, 600.0)
    found = {}
    pool = local_executor(1)
    found["local"] = handed_over(pool, job, arguments.jobs)
    pool.shutdown(wait=False, cancel_futures=True)
    try:
        from distributed import Client, LocalCluster

        from nax_bo.cluster.dask import DaskExecutor
    except ImportError:
        print("no Dask here: pip install naxbo[cluster]")
    else:
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
            dask = DaskExecutor(lambda: Client(cluster, set_as_default=False))
            found["dask"] = handed_over(dask, job, arguments.jobs)
            dask.shutdown()
    print(json.dumps(found) if arguments.json else found)


if __name__ == "__main__":
    main()
