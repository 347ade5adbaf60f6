"""Noise-aware training of one network for one chip."""

from __future__ import annotations

from time import monotonic

import torch
from torch import Tensor
from torch.nn import functional

from nax_bo.accuracy.data import DataSet
from nax_bo.crossbar import CrossbarNetwork, noise_aware
from nax_bo.errors import EvaluationError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import build

BATCH = 64
LEARNING_RATE = 0.02
WEIGHT_DECAY = 5e-4
CALIBRATION_IMAGES = 128


def train(
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    *,
    epochs: int,
    seed: int,
    conditions: Conditions,
    timeout_s: float = float("inf"),
) -> CrossbarNetwork:
    """Train under the chip's quantisation and device noise, and calibrate input and converter ranges.

    AdamW with a one-cycle learning rate (Smith and Topin 2019, doi:10.1117/12.2520589); weight noise is drawn anew at
    every step, forward and backward use the same draw (Joshi et al. 2020, doi:10.1038/s41467-020-16108-9).

    Raises:
        EvaluationError: The loss is no longer a number, or the time is up.
    """
    model = noise_aware(build(network, seed), chip, conditions, seed=seed)
    order = torch.Generator().manual_seed(seed)
    images, labels = data.train_images, data.train_labels
    steps = epochs * -(-len(images) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.25)
    deadline = monotonic() + timeout_s
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=order).split(BATCH):
            _step(model, optimiser, images[batch], labels[batch])
            schedule.step()
        if monotonic() > deadline:
            raise EvaluationError(f"training took longer than {timeout_s:g} s", "Raise timeout_s, or use smaller networks.")
    model.eval()
    model.calibrate(images[:CALIBRATION_IMAGES])
    return model


def _step(model: CrossbarNetwork, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    loss = functional.cross_entropy(model(images), labels)
    if not torch.isfinite(loss):
        raise EvaluationError("the training diverged: its loss is not a number", "This design cannot be trained as set up.")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
