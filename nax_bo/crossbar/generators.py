"""Random numbers drawn where they are used: no noise travels from the host to a device."""

from __future__ import annotations

import torch
from torch import Generator

_DRAW_THEMSELVES = ("cpu", "cuda")


def generator_on(device: torch.device, seed: int) -> Generator:
    """A generator of ``device``: the same law on all of them, other numbers on each kind."""
    where = device if device.type in _DRAW_THEMSELVES else torch.device("cpu")  # meta tensors hold no numbers
    return Generator(where).manual_seed(seed)


def moved(generator: Generator | None, device: torch.device) -> Generator | None:
    """``generator`` itself where it may stay; on another kind of device one that starts anew from its seed."""
    if generator is None or generator.device.type == device.type or device.type not in _DRAW_THEMSELVES:
        return generator
    return generator_on(device, generator.initial_seed())
