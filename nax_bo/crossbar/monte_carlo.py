"""Accuracy over programmed chips."""

from __future__ import annotations

import math
from statistics import stdev

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.network import CrossbarNetwork
from nax_bo.errors import InputError
from nax_bo.hardware.chip import Conditions

_MOST_AT_ONCE = 4
_CELLS_AT_ONCE = 1 << 22  # cells programmed together: many small layers in one sweep, large ones one by one


def monte_carlo(
    network: CrossbarNetwork,
    images: Tensor,
    labels: Tensor,
    *,
    draws: int = 8,
    seed: int = 0,
    conditions: Conditions | None = None,
    target_standard_error: float = 0.0,
    min_draws: int = 2,
    batch: int = 512,
) -> list[float]:
    """Top-1 accuracy of each programmed chip, in the network's mode.

    Draw ``i`` depends on ``seed`` and ``i`` alone. Drawing stops early once at least ``min_draws`` chips put the
    standard error of the mean below ``target_standard_error``.

    Raises:
        InputError: No draws, or images and labels differ in number.
    """
    if draws < 1:
        raise InputError(f"draws = {draws}", "Draw at least one chip.")
    if len(images) != len(labels) or len(images) == 0:
        raise InputError(
            f"{len(images)} images, {len(labels)} labels", "Pass one label per image, at least one."
        )
    accuracies: list[float] = []
    root = Generator("cpu").manual_seed(seed)
    seeds = torch.randint(2**62, (draws,), generator=root, device="cpu").tolist()
    at_once = _chips_at_once(network)
    for i in range(draws):
        if i % at_once == 0:
            network.program(seeds[i : i + at_once], conditions)
        network.draw = i % at_once
        accuracies.append(accuracy(network, images, labels, batch))
        enough = len(accuracies) >= max(2, min_draws)
        if enough and stdev(accuracies) / math.sqrt(len(accuracies)) < target_standard_error:
            break
    return accuracies


def _chips_at_once(network: CrossbarNetwork) -> int:
    weights = sum(layer.weight.numel() * layer.hardware.array.slices for layer in network.layers.values())
    return max(1, min(_MOST_AT_ONCE, _CELLS_AT_ONCE // max(1, weights)))


@torch.no_grad()
def accuracy(network: CrossbarNetwork, images: Tensor, labels: Tensor, batch: int = 512) -> float:
    """Fraction of ``images`` classified as ``labels`` by the chip as it is programmed."""
    training = network.training
    network.eval()
    right = 0
    for x, y in zip(torch.split(images, batch), torch.split(labels, batch), strict=True):
        right += int((network(x).argmax(-1) == y).sum())
    network.train(training)
    return right / len(images)
