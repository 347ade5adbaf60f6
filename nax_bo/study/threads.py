"""Few threads for small matrices, so that looking at a study does not fight its trainings for the cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def few_threads() -> Iterator[None]:
    """One thread for linear algebra and torch within the block.

    The matrices of a study's surrogates are small: more threads gain little, and where other processes hold the cores
    they spin, which made a prediction take a minute instead of seconds.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
