"""A study: a problem, its history on disk, and the loop that makes it grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from nax_bo.errors import StoreError
from nax_bo.search import Optimizer
from nax_bo.study.config import StudyConfig
from nax_bo.study.job import Job, JobResult, job_seed, run_job
from nax_bo.study.problem import StudyProblem
from nax_bo.study.store import Store
from nax_bo.study.trial import Evaluation, Trial

CHEAP, FULL = "short", "full"


@dataclass(frozen=True)
class Progress:
    """Where a running study stands."""

    designs: int
    budget: int
    full: int
    running: int
    failed: int
    hypervolume: float
    front: int
    eta_s: float | None
    news: str


class Study:
    """The one object that changes. Open or create it, ``run`` it, read ``trials()`` and ``front()``.

    All state is in the store; the optimiser is rebuilt from it by telling it every finished evaluation in the order
    of completion, so a resumed study continues as if it had never stopped.

    Args:
        path: The study's file.
        config: Settings; needed to create a study, optional (and compared) to open one.

    Raises:
        StoreError: The file cannot be used, or holds a study with other settings.
        DataError, InputError: The settings name something that does not exist.
    """
