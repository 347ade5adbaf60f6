"""What converters do to a layer's outputs, fitted to the exact mode: the calibrated part of the cheap modes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Response:
    """``exact = gain * ideal + spread * (cells - ideal) + bias + residual``.

    ``ideal`` is the product with the intended weights, ``cells`` that with the programmed cells. They are weighted
    apart because a converter whose step is one level rounds part of the cells' errors away.

    Attributes:
        gain, bias: Per output channel.
        spread: One number: how much of the cells' errors passes the converters.
        residuals: What is left, ``images x ...`` as the layer's output is shaped. Adding one of them to an image keeps
            what independent noise would lose: errors of neighbouring channels and positions go together.
    """

    gain: Tensor
    bias: Tensor
    spread: float
    residuals: Tensor

    def add_residual(self, y: Tensor, generator: Generator | None) -> Tensor:
        """Add to each image of ``y``, in place, the residual of a random calibration image."""
        count = len(self.residuals)
        start = int(torch.randint(count, (), generator=generator, device="cpu"))
        done = 0
        while done < len(y):
            part = self.residuals[start : start + len(y) - done]
            y[done : done + len(part)] += part
            done, start = done + len(part), 0
        return y


def fit(ideal: Tensor, cells: Tensor, exact: Tensor) -> Response:
    """Least squares over images and positions of outputs of the same inputs, ``images x channels x height x width``.

    Gain and bias are fitted per channel, the spread over all channels. Channels without signal get gain 1.
    """
    base, target, errors = (_rows(t) for t in (ideal, exact, cells - ideal))
    slope_of_target, rest_of_target = _regress(target, base)
    slope_of_errors, rest_of_errors = _regress(errors, base)
    power = float(rest_of_errors.square().sum())
    negligible = 1e-12 * float(base.var(1, unbiased=False).sum()) * base.shape[1]
    spread = float((rest_of_errors * rest_of_target).sum()) / power if power > negligible else 1.0
    gain = slope_of_target - spread * slope_of_errors
    live = base.var(1, unbiased=False) > 1e-12 * float(base.var(1, unbiased=False).max())
    gain = torch.where(live, gain, torch.ones_like(gain))
    fitted = gain[:, None] * base + spread * errors
    bias = (target - fitted).mean(1)
    residual = (target - fitted - bias[:, None]).float()
    by_channel = exact.movedim(1, 0).shape
    return Response(
        gain.float(), bias.float(), spread, residual.reshape(by_channel).movedim(0, 1).contiguous()
    )


def _rows(y: Tensor) -> Tensor:
    return y.movedim(1, 0).flatten(1).double()


def _regress(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Slope of each row of ``y`` on that of ``x``, and the centred rest."""
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    power = x.square().sum(1).clamp(min=torch.finfo(torch.float64).tiny)
    slope = (x * y).sum(1) / power
    return slope, y - slope[:, None] * x
