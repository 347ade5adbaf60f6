"""Looks measured where trainings will run, as many at once as there will be: they share memory and cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nax_bo.cluster import connect
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.study.config import StudyConfig
from nax_bo.study.planning.plan import Measure
from nax_bo.study.running.executor import local_executor

if TYPE_CHECKING:
    from nax_bo.accuracy.timing import LookCost


@contextmanager
def measuring(config: StudyConfig) -> Iterator[tuple[Measure, int]]:
    """What measures looks on the workers that the settings name, and how many of those there are."""
    cluster = connect(config.executor, config.workers)
    workers = cluster.capacity() if cluster else config.workers or os.cpu_count() or 1
    pool = cluster.executor if cluster else local_executor(workers)

    def measure(candidate: StudyConfig, network: NetworkSpec, chip: ChipSpec) -> LookCost:
        from nax_bo.accuracy.timing import LookCost

        plain = network.to_dict(), chip.to_dict(), candidate.to_dict()["conditions"]
        jobs = [
            pool.submit(run_measurement, *plain, candidate.data, candidate.recipe) for _ in range(workers)
        ]
        return LookCost.mean([job.result() for job in jobs])

    try:
        yield measure, workers
    finally:
        if cluster:
            cluster.close()
        else:
            pool.shutdown(wait=False, cancel_futures=True)


def run_measurement(
    network: Mapping[str, Any], chip: Mapping[str, Any], conditions: Mapping[str, Any], data: str, recipe: str
) -> LookCost:
    """What a worker does: :func:`nax_bo.accuracy.timing.measure_cost` of plain values, with one thread."""
    import torch

    from nax_bo.accuracy.timing import measure_cost
    from nax_bo.study.running.job import data_set

    torch.set_num_threads(1)
    specs = NetworkSpec.from_dict(network), ChipSpec.from_dict(chip)
    return measure_cost(*specs, data_set(data), recipe, Conditions(**conditions))
