"""Which device trains and reads: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from platform import node
from typing import TYPE_CHECKING

from nax_bo.errors import InputError

if TYPE_CHECKING:
    import torch

    from nax_bo.accuracy.data import DataSet

AUTO_DEVICE = "auto"
_FORM = re.compile(r"auto|cpu|cuda(:\d+)?")


def check_device(name: str) -> None:
    """Raise InputError for what is no device; whether there is one is asked where trainings run."""
    if not _FORM.fullmatch(name):
        raise InputError(f"device = {name!r}", "Write auto, cpu, cuda or cuda:1.")


def torch_device(name: str) -> torch.device:
    """The device called ``name`` here; ``auto``: the first GPU, or the processor where there is none.

    Raises:
        InputError: No such device, or this torch or machine has none.
    """
    import torch

    check_device(name)
    there = torch.cuda.is_available()
    if name == AUTO_DEVICE:
        return torch.device("cuda" if there else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if not there:
        built = "" if torch.version.cuda else f"; torch {torch.__version__} is built without it"
        raise InputError(
            f"device {name!r}: there is no CUDA on {node()}{built}", "Use --device cpu, or auto."
        )
    found, count = torch.device(name), torch.cuda.device_count()
    if (found.index or 0) >= count:
        raise InputError(f"device {name!r}: there are {count} here", f"Use cuda:0 to cuda:{count - 1}.")
    return found


@lru_cache(maxsize=2)
def placed(data: DataSet, device: torch.device) -> DataSet:
    """The data set with its images on ``device``, moved once in this process."""
    if device.type == "cpu":
        return data
    parts = ("train_images", "train_labels", "test_images", "test_labels")
    return replace(data, **{name: getattr(data, name).to(device) for name in parts})
