"""Local worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from typing_extensions import override


def local_executor(workers: int) -> Executor:
    """A pool of ``workers`` fresh processes with one computing thread each.

    loky starts processes anew instead of forking (torch does not survive a fork) and says so when a worker dies; the
    pool is of no use then. One thread per worker: parallel trainings share the cores, and sums keep one order, so
    results repeat.
    """
    from loky.backend import get_context
    from loky.process_executor import ProcessPoolExecutor

    class Pool(ProcessPoolExecutor):  # type: ignore[misc]
        """loky's pool with the standard library's way to shut down; its processes do not heed Ctrl-C.

        A terminal sends Ctrl-C to all of them. They end because this process ends them, and not with tracebacks of
        their own, which an interpreter prints even while it starts.
        """

        @override
        def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
            with _deaf_children():
                future: Future[Any] = super().submit(fn, *args, **kwargs)
            return future

        @override
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=wait, kill_workers=cancel_futures)

    _start_tracker()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    pool: Executor = Pool(
        max_workers=workers,
        context=get_context("loky"),
        env=threads,
        initializer=_leave_with,
        initargs=(os.getpid(),),
    )
    return pool


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C for good; one that comes in these milliseconds goes unheard."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what becomes of signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_tracker() -> None:
    """Start the process that frees what dead workers leave, told not to warn of it: workers are killed on purpose."""
    from loky.backend import resource_tracker

    before = os.environ.get("PYTHONWARNINGS")
    quiet = "ignore:resource_tracker:UserWarning"
    os.environ["PYTHONWARNINGS"] = f"{before},{quiet}" if before else quiet
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _leave_with(parent: int) -> None:
    """End this process soon after ``parent``, should that be killed: nobody waits for its results any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
