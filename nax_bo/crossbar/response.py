"""What converters do to a layer's outputs on average and at random: the calibrated part of the cheap modes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Response:
    """``exact = gain * cheap + bias + sigma * N(0, 1)`` per output channel, fitted to outputs of both modes.

    Attributes:
        gain, bias, sigma: ``channels``.
    """

    gain: Tensor
    bias: Tensor
    sigma: Tensor

    def add_noise(self, y: Tensor, sigma: Tensor, generator: Generator | None) -> Tensor:
        """Add residual noise to ``y`` in place; ``sigma``: :attr:`sigma`, shaped to broadcast against ``y``."""
        bank = _bank(1 << max(18, (y.numel() - 1).bit_length()))
        start = int(torch.randint(len(bank) - y.numel() + 1, (), generator=generator))
        noise = bank[start : start + y.numel()].view(y.shape)
        return y.addcmul_(noise, sigma)


def fit(cheap: Tensor, exact: Tensor) -> Response:
    """Least squares per channel of ``batch x channels x height x width`` outputs of the same inputs."""
    x = cheap.movedim(1, 0).flatten(1).double()
    y = exact.movedim(1, 0).flatten(1).double()
    x_mean, y_mean = x.mean(1), y.mean(1)
    x_centred = x - x_mean[:, None]
    power = x_centred.square().sum(1)
    scale = float(power.max())
    live = power > 1e-9 * scale if scale > 0 else torch.zeros_like(power, dtype=torch.bool)
    slope = (x_centred * (y - y_mean[:, None])).sum(1) / power.clamp(min=torch.finfo(torch.float64).tiny)
    gain = torch.where(live, slope, torch.ones_like(slope))
    bias = y_mean - gain * x_mean
    residual = y - gain[:, None] * x - bias[:, None]
    return Response(gain.float(), bias.float(), residual.std(1, unbiased=False).float())


@lru_cache(maxsize=8)
def _bank(size: int) -> Tensor:
    """Normals that are read from random offsets: an addition per output instead of a draw."""
    return torch.randn(size + (size >> 2), generator=Generator().manual_seed(1))
