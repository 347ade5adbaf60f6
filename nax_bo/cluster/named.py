"""Executors by name: ``local``, ``dask:ADDRESS``, ``dask-slurm``, or a user's ``module:factory``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from nax_bo.errors import InputError
from nax_bo.references import load_object

LOCAL = "local"
MOST_JOBS = 64
"""Jobs that Slurm is asked for at most, where the study does not say how many workers."""


@dataclass(frozen=True)
class Cluster:
    """Workers that are not this machine's own.

    Attributes:
        executor: Runs trainings.
        capacity: How many run at once, asked whenever something can be started: workers come and go.
        close: Leaves it.
    """

    executor: Executor
    capacity: Callable[[], int]
    close: Callable[[], None]


def executor_names() -> dict[str, str]:
    """Forms of an executor's name, and what each is."""
    return {
        LOCAL: "processes on this machine",
        "dask:ADDRESS": "workers of a running Dask scheduler (extra cluster)",
        "dask-slurm": "Slurm jobs through dask-jobqueue, configured in its own file (extra cluster)",
        "module:factory": "a function that returns a concurrent.futures.Executor; or file.py:factory",
    }


def connect(name: str, workers: int = 0) -> Cluster | None:
    """The executor called ``name``; None for ``local``, which a study starts itself.

    Args:
        name: See :func:`executor_names`. A reference runs its code: give it only what the user wrote on this call.
        workers: Trainings at once, where the executor does not know its capacity itself; 0: as it says, or one.

    Raises:
        InputError: Unknown form, a library is missing, nothing answers, or the factory gives no executor.
    """
    if name == LOCAL:
        return None
    if name.startswith("dask:"):
        return _dask(name.removeprefix("dask:"), workers)
    if name == "dask-slurm":
        from nax_bo.cluster.dask import DaskExecutor, slurm_client

        make, end = slurm_client(workers or MOST_JOBS)
        executor = DaskExecutor(make)
        return Cluster(executor, executor.capacity, _both(executor.shutdown, end))
    if ":" in name:
        return _own(name, workers)
    forms = ", ".join(executor_names())
    raise InputError(f"there is no executor {name!r}", f"Write one of: {forms}.")


def _dask(address: str, workers: int) -> Cluster:
    from nax_bo.cluster.dask import DaskExecutor, dask_client

    if not address:
        raise InputError("dask: names no scheduler", "Write its address, as dask:tcp://HOST:8786.")
    executor = DaskExecutor(dask_client(address))
    capacity = (lambda: min(workers, executor.capacity())) if workers else executor.capacity
    return Cluster(executor, capacity, executor.shutdown)


def _own(reference: str, workers: int) -> Cluster:
    factory = load_object(reference)
    if not callable(factory):
        raise InputError(
            f"{reference} is a {type(factory).__name__}", "Name a function that returns an executor."
        )
    try:
        executor = factory()
    except TypeError as ex:
        raise InputError(
            f"{reference} cannot be called without arguments: {ex}", "Give defaults to all."
        ) from ex
    if not isinstance(executor, Executor):
        raise InputError(
            f"{reference} gave a {type(executor).__name__}", "Return a concurrent.futures.Executor."
        )
    own = getattr(executor, "capacity", None)
    count = workers or int(getattr(executor, "_max_workers", 1))
    return Cluster(executor, own if callable(own) else lambda: count, executor.shutdown)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def close() -> None:
        first()
        second()

    return close
