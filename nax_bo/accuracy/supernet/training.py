"""Training of the shared weights: at each step on several networks of the space, each on a chip of its own."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from nax_bo.accuracy.checkpoint import Checkpoint, Progress
from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.fidelity import Recipe
from nax_bo.accuracy.supernet.family import Family, Pair
from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.accuracy.training import (
    Deadline,
    Schedule,
    batch_size,
    make_optimiser,
    shuffled_batches,
    step_count,
)
from nax_bo.crossbar import noise_aware
from nax_bo.errors import EvaluationError
from nax_bo.hardware.chip import Conditions
from nax_bo.network.torch_build import build


def train_shared(
    family: Family,
    data: DataSet,
    *,
    recipe: Recipe,
    seed: int,
    conditions: Conditions,
    timeout_s: float = float("inf"),
    checkpoint: Checkpoint | None = None,
) -> SharedNetwork:
    """Train the networks of ``family`` together, so that slices of the result need no training of their own.

    Each step adds up the gradients of the largest network, the smallest and random ones, on one batch, each with the
    weight noise and the precisions of a chip drawn from the space. Inputs are quantised to ranges that are fitted to
    each batch, as calibration will fit them to a slice. Wires and converters are not in the loop; calibration and
    normalisation of a slice take them in. Step ``i`` depends on ``seed``, ``i`` and the weights alone.

    Args:
        family: The space.
        data: Images to train on.
        recipe: How.
        seed: Of initial weights, batches, designs and noise.
        conditions: Non-idealities.
        timeout_s: When training gives up.
        checkpoint: Where a long training leaves what it needs to go on after it was killed, and goes on from.

    Raises:
        EvaluationError: The loss is no longer a number, or the time is up.
        InputError: The networks cannot share weights, or activations are no longer numbers.
    """
    deadline = Deadline(timeout_s)
    shared = SharedNetwork(family.networks(), seed)
    images = data.train_images.contiguous(memory_format=torch.channels_last)
    optimiser, steps = make_optimiser(shared, recipe), step_count(recipe, len(images))
    schedule = Schedule(steps, recipe.learning_rate, recipe.warm_up)
    batches = islice(
        shuffled_batches(images, data.train_labels, batch_size(len(images)), seed, recipe), steps
    )
    begun = checkpoint.restore(shared, optimiser) if checkpoint else None
    for step, (x, y) in enumerate(batches):
        if begun is not None and step < begun.step:
            continue
        deadline.check()
        if checkpoint is not None and checkpoint.due:
            checkpoint.save(shared, optimiser, Progress(step, frozenset()))
        random = np.random.default_rng((seed, step))
        optimiser.zero_grad(set_to_none=True)
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        pairs = family.sandwich(random)
        for pair in pairs:
            own = int(random.integers(2**62))
            few = family.images(pair[0], len(x))
            logits = forward(shared, pair, x[:few], own, conditions)
            loss = functional.cross_entropy(logits, y[:few], label_smoothing=recipe.label_smoothing)
            if not torch.isfinite(loss):
                raise EvaluationError(
                    "the super-network's training diverged: its loss is not a number",
                    "Use a recipe with a smaller learning_rate, or a ladder without inherit.",
                )
            (loss / len(pairs)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    if checkpoint is not None:
        checkpoint.remove()
    return shared


def forward(shared: SharedNetwork, pair: Pair, images: Tensor, seed: int, conditions: Conditions) -> Tensor:
    """Logits of one network on one chip as in noise-aware training; gradients flow into the shared weights."""
    network, chip = pair
    model = noise_aware(build(network, 0), chip, conditions, seed=seed)
    slices = {f"model.{name}": value for name, value in shared.slices(network).items()}
    out: Tensor = functional_call(model, slices, (images,))
    return out
