"""Dask as an executor: capacity as it is now, workers that may die, a scheduler that may come back.

Dask runs a task again on another worker when its own dies, up to ``distributed.scheduler.allowed-failures`` times, and
so a killed worker is mostly not noticed here. A task that took several workers with it, and one whose scheduler was
lost, ends with :class:`WorkerLostError`: nothing is known of it, and nobody is to blame yet. After the loss of a
scheduler the next submission connects anew and waits for it to come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from typing_extensions import override

from nax_bo.errors import EvaluationError, InputError

CONNECT_S = 30.0
"""How long a scheduler may take to answer when a study starts."""

COME_BACK_S = 300.0
"""How long one that was lost may take to come back."""


class WorkerLostError(EvaluationError):
    """The worker of an evaluation died, or the scheduler forgot it: it has to run again."""


class DaskExecutor(Executor):
    """The workers of a Dask scheduler, with the standard library's interface.

    Args:
        connect: Makes a client, or raises OSError.
        resources: What each task takes of its worker's resources (``{"GPU": 1}``).
        come_back_s: How long a lost scheduler may take to come back; default :data:`COME_BACK_S`.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        resources: dict[str, float] | None = None,
        come_back_s: float | None = None,
    ) -> None:
        self._connect, self._resources, self._come_back_s = (
            connect,
            resources or {},
            COME_BACK_S if come_back_s is None else come_back_s,
        )
        self._lock = threading.Lock()
        self._client = connect()

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` on a worker; its future ends with :class:`WorkerLostError` if nobody knows what came of it."""
        client = self._alive()
        task = client.submit(fn, *args, **kwargs, pure=False, resources=self._resources)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        task.add_done_callback(lambda done: _pass_on(done, future))
        return future

    def capacity(self) -> int:
        """Tasks that can run at once on the workers that are there now; 1 while there are none."""
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        except (OSError, RuntimeError, ValueError, KeyError):
            return 1
        return max(1, sum(self._slots(worker) for worker in workers))

    def _slots(self, worker: dict[str, Any]) -> int:
        offered = worker.get("resources", {})
        slots = [worker["nthreads"], *(offered.get(k, 0) // n for k, n in self._resources.items())]
        return int(min(slots))

    def _alive(self) -> Any:
        with self._lock:
            give_up = time.monotonic() + self._come_back_s
            while self._client.status != "running" or not _answers(self._client):
                with suppress(Exception):  # whatever ails a lost client, a new one takes its place
                    self._client.close(timeout=1)
                with suppress(OSError):
                    self._client = self._connect()
                if time.monotonic() > give_up:
                    raise EvaluationError(
                        f"the Dask scheduler has not come back within {self._come_back_s:.0f} s",
                        "Start it again; the same command goes on with the study.",
                    )
                time.sleep(0.2)
            return self._client

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the scheduler; its workers stay."""
        with suppress(Exception):  # a scheduler that is gone needs no goodbye
            self._client.close(timeout=5 if wait else 1)


def _answers(client: Any) -> bool:
    try:
        client.scheduler_info(n_workers=0)
        return True
    except (OSError, RuntimeError, ValueError):
        return False


def _pass_on(task: Any, future: Future[Any]) -> None:
    from distributed.scheduler import KilledWorker

    status = task.status
    if status == "finished":
        try:
            future.set_result(task.result(timeout=30))
        except Exception as ex:  # the result went with its worker
            future.set_exception(_lost(f"its result was lost: {type(ex).__name__}"))
    elif status == "error":
        error = task.exception(timeout=30)
        if isinstance(error, KilledWorker):
            error = _lost("several workers died while they ran it")
        future.set_exception(
            error if isinstance(error, BaseException) else _lost("it failed in an unknown way")
        )
    else:
        future.set_exception(_lost("the scheduler lost it"))


def _lost(why: str) -> WorkerLostError:
    return WorkerLostError(f"an evaluation has to run again: {why}", "Look at the logs of the workers.")


def dask_client(address: str) -> Callable[[], Any]:
    """Connects to the scheduler at ``address``.

    Raises:
        InputError: Dask is not installed, or nothing answers there.
    """
    client = _import("distributed", "Client")

    def connect() -> Any:
        return client(address, timeout=CONNECT_S, set_as_default=False)

    def first() -> Any:
        try:
            return connect()
        except (OSError, ValueError, TypeError) as ex:
            raise InputError(
                f"no Dask scheduler answers at {address!r}: {ex}",
                "Start one with: dask scheduler; write its address, as dask:tcp://HOST:8786.",
            ) from ex

    return _Once(first, connect)


class _Once:
    """Calls ``first`` at the first call, ``then`` at all others."""

    def __init__(self, first: Callable[[], Any], then: Callable[[], Any]) -> None:
        self._calls = [first]
        self._then = then

    def __call__(self) -> Any:
        return (self._calls.pop() if self._calls else self._then)()


def slurm_client(most_jobs: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    """Jobs of Slurm as workers, through dask-jobqueue and its own configuration; as many as there is work for.

    Returns:
        What connects to them, and what ends them.

    Raises:
        InputError: dask-jobqueue is not installed, or not told what to ask Slurm for.
    """
    cluster_class, client = _import("dask_jobqueue", "SLURMCluster"), _import("distributed", "Client")
    try:
        cluster = cluster_class()
    except (ValueError, TypeError, OSError) as ex:
        raise InputError(
            f"dask-jobqueue cannot make jobs: {ex}",
            "Say cores, memory, walltime and queue in ~/.config/dask/jobqueue.yaml (https://jobqueue.dask.org).",
        ) from ex
    cluster.adapt(minimum_jobs=1, maximum_jobs=most_jobs)
    return lambda: client(cluster, set_as_default=False), cluster.close


def _import(module: str, name: str) -> Any:
    import importlib

    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as ex:
        raise InputError(
            f"this executor needs {module.replace('_', '-')}: {ex}",
            'Install it with: pip install "naxbo[cluster]"',
        ) from ex
