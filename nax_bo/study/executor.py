"""Local worker processes."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Executor

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
        """loky's pool with the standard library's way to shut down."""

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
