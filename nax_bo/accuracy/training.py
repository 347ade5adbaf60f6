"""Noise-aware training of one network for one chip."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from nax_bo.accuracy.checkpoint import Checkpoint, Progress
from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.fidelity import Recipe
from nax_bo.accuracy.hardware_aware import (
    HardwareAwareLayer,
    hardware_aware,
    measure_converters,
    measure_ir_drop,
)
from nax_bo.crossbar import CrossbarNetwork, Mode, noise_aware
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.generators import generator_on
from nax_bo.crossbar.layers import CrossbarLayer
from nax_bo.errors import EvaluationError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import build

SMALLEST_BATCH, LARGEST_BATCH = 32, 128
STEPS_PER_EPOCH = 44
"""Smaller sets are trained in smaller batches, so that an epoch of them still has about this many steps."""

CALIBRATION_IMAGES = 128
IR_DROP_AT = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Parts of the training after which IR drop is measured anew."""

IR_DROP_ONCE_AT = (0.5,)
"""The same in trainings of fewer than :data:`MANY_STEPS` steps, which a measurement would lengthen noticeably."""

CONVERTERS_AT = (0.2, 0.6)
"""Parts of the training after which converters' ranges, and thereby their noise, are estimated anew."""

MANY_STEPS = 200
CHECK_EVERY = 16
"""Steps between two looks at whether the loss is still a number."""

NEGLIGIBLE_IR_DROP = 0.02
"""Below this change relative to the weights, it is measured once."""

_NORMALISATION_STREAM = 0x5EED


def train(
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    *,
    recipe: Recipe,
    seed: int,
    conditions: Conditions,
    mode: Mode = "exact",
    timeout_s: float = float("inf"),
    checkpoint: Checkpoint | None = None,
    module: nn.Module | None = None,
    on_step: Callable[[float], None] = lambda share: None,
) -> CrossbarNetwork:
    """Train for the chip's quantisation and device noise, then fit converters and normalisation to programmed chips.

    One cycle of the learning rate: linear warm-up, then a cosine to zero (Smith and Topin 2019,
    doi:10.1117/12.2520589; Loshchilov and Hutter 2017, arXiv:1608.03983), by AdamW (Loshchilov and Hutter 2019,
    arXiv:1711.05101) or SGD with Nesterov's momentum. What the loop leaves out or simplifies,
    converters and wires above all, shifts and scales outputs per channel. The statistics of the batch normalisations
    are therefore measured again on a programmed chip (adaptive batch normalisation of Joshi et al. 2020,
    doi:10.1038/s41467-020-16108-9), on training images and on another chip than accuracy is measured on.

    Args:
        network: What is trained.
        chip: For which chip.
        data: On what; the network is trained on the device on which the images are.
        recipe: How.
        seed: Seed of initial weights, order of images and noise.
        conditions: Non-idealities.
        mode: How the network will be read; the cheap modes are fitted in the pass that normalisation needs anyway.
        timeout_s: When training gives up.
        checkpoint: Where a long training leaves what it needs to go on after it was killed, and goes on from.
        module: The network to begin with, in place of one that is built and initialised by ``seed``.
        on_step: Told before every step which share of the steps is done.

    Raises:
        InputError: The chip does not fit the network.
        EvaluationError: The loss is no longer a number, or the time is up.
    """
    deadline = Deadline(timeout_s)
    begun = (module or build(network, seed)).to(data.train_images.device)
    model = noise_aware(begun, chip, conditions, seed=seed, network=network)
    model.quick_wires = mode == "fast"
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = data.train_images.contiguous(memory_format=torch.channels_last)
    batch = batch_size(len(images))
    steps = step_count(recipe, len(images))
    examples = calibration_images(images)
    with hardware_aware(model, examples) as layers:
        batches = islice(shuffled_batches(images, data.train_labels, batch, seed, recipe), steps)
        measurements = _Measurements(model, layers, examples, conditions, steps)
        _descend(model, batches, steps, recipe, deadline, measurements, checkpoint, on_step)
        ranges: dict[CrossbarLayer, InputRange] = {h.layer: h.input_range for h in layers.values()}
    model.eval()
    model.calibrate(examples, ranges, recipe.calibration_vectors, conditions)
    deadline.check()
    fit_normalisation(model, examples, seed, conditions, mode)
    return model


def batch_size(images: int) -> int:
    """Power of two that gives about :data:`STEPS_PER_EPOCH` steps per epoch, within limits."""
    wanted = max(1.0, images / STEPS_PER_EPOCH)
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, 1 << round(math.log2(wanted))))


def step_count(recipe: Recipe, images: int) -> int:
    """Batches that a training on so many images learns from."""
    return max(1, recipe.least_steps, round(recipe.epochs * math.ceil(images / batch_size(images))))


def fit_normalisation(
    model: CrossbarNetwork, images: Tensor, seed: int, conditions: Conditions, mode: Mode
) -> None:
    """Replace the statistics of all batch normalisations by those of ``images`` on a programmed chip, read exactly.

    On the way, a cheap ``mode`` is fitted to the exact one: it needs the same reads of the same images. ``images`` are
    those the network was calibrated on. Leaves ``model`` in evaluation mode and programmed as that chip.
    """
    before, model.mode = model.mode, "exact"
    with taking_statistics(model):
        model.program(seed ^ _NORMALISATION_STREAM, conditions)
        if mode in ("fast", "adaptive"):
            model.fit(adaptive=mode == "adaptive")
        else:
            with torch.no_grad():
                model(images)
    model.mode = before


def idealise(model: CrossbarNetwork, images: Tensor, mode: Literal["ideal", "float"] = "ideal") -> None:
    """Put ``model`` on an ideal chip, or off any: read so, and the statistics of all batch normalisations taken so."""
    model.mode = mode
    with taking_statistics(model), torch.no_grad():
        model(calibration_images(images))


@contextmanager
def taking_statistics(model: CrossbarNetwork) -> Iterator[None]:
    """Batch normalisations take the statistics of the images that are read; ``model`` is in evaluation mode after."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    model.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # take the batch's statistics
        norm.train()
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _descend(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    steps: int,
    recipe: Recipe,
    deadline: Deadline,
    measurements: _Measurements,
    checkpoint: Checkpoint | None,
    on_step: Callable[[float], None],
) -> None:
    """Train ``model`` on ``batches``, from where ``checkpoint`` was written if it was."""
    optimiser = make_optimiser(model, recipe)
    schedule = Schedule(steps, recipe.learning_rate, recipe.warm_up)
    model.train()
    begun = checkpoint.restore(model, optimiser) if checkpoint else None
    if begun is not None:
        measurements.wires_due = set(begun.wires_due)
    finite = torch.ones((), dtype=torch.bool, device=next(model.parameters()).device)
    for step, (images, labels) in enumerate(batches):
        if begun is not None and step < begun.step:
            continue
        deadline.check()
        on_step(step / steps)
        if checkpoint is not None and checkpoint.due:
            checkpoint.save(model, optimiser, Progress(step, frozenset(measurements.wires_due)))
        measurements.before(step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        loss = functional.cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)
        finite = torch.isfinite(loss.detach()) & finite
        if step % CHECK_EVERY == 0 or step == steps - 1:  # not at every step: a device would be waited for
            _check_finite(finite)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _check_finite(finite: Tensor) -> None:
    if not finite:
        raise EvaluationError(
            "the training diverged: its loss is not a number",
            "Check the images for NaN; else leave this design out.",
        )


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser of all parameters; biases, normalisations and steps of input codes do not decay."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimiser == "sgd":
        nesterov = recipe.momentum > 0
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov)
    betas = (recipe.momentum, recipe.variance_memory)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=True)


@dataclass(frozen=True)
class Schedule:
    """One cycle over ``steps``, with its peak at ``learning_rate`` after the share ``warm_up``."""

    steps: int
    learning_rate: float
    warm_up: float

    def at(self, step: int) -> float:
        """Learning rate of ``step``, counted from 0."""
        progress = (step + 0.5) / self.steps
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        fall = (progress - self.warm_up) / (1.0 - self.warm_up)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * fall))


def shuffled_batches(
    images: Tensor, labels: Tensor, batch: int, seed: int, recipe: Recipe
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled and augmented batches, epoch after epoch, without end."""
    order = generator_on(images.device, seed)
    while True:
        for chosen in torch.split(torch.randperm(len(images), generator=order, device=images.device), batch):
            seen = augment(images[chosen], recipe.flip, recipe.crop, order)
            yield _at_least_two(seen), _at_least_two(labels[chosen])


def augment(images: Tensor, flip: bool, crop: int, random: Generator) -> Tensor:
    """Mirror each of ``images`` (N x C x H x W) with probability 1/2, and shift it by up to ``crop`` pixels over zeros.

    Draws nothing, and returns ``images`` itself, where neither is asked for.
    """
    n, _, height, width = images.shape
    if flip:
        mirrored = torch.rand(n, generator=random, device=images.device) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    if crop:
        padded = functional.pad(images, (crop, crop, crop, crop))
        device = images.device
        down, right = torch.randint(2 * crop + 1, (2, n), generator=random, device=device)
        rows = (down[:, None] + torch.arange(height, device=device))[:, None, :, None]
        columns = (right[:, None] + torch.arange(width, device=device))[:, None, None, :]
        at = torch.arange(n, device=device)[:, None, None, None]
        channels = torch.arange(images.shape[1], device=device)[None, :, None, None]
        images = padded[at, channels, rows, columns]
    return images.contiguous(memory_format=torch.channels_last) if flip or crop else images


def calibration_images(images: Tensor) -> Tensor:
    """Those on which converters and normalisation are fitted: the first :data:`CALIBRATION_IMAGES`."""
    return _at_least_two(images[:CALIBRATION_IMAGES])


def _at_least_two(values: Tensor) -> Tensor:
    """One image twice: batch normalisation of a 1 x 1 map needs two values, and twice the same is the same mean."""
    return values if len(values) > 1 else torch.cat([values, values])


class _Measurements:
    """Measures at some steps of a training what wires and converters do; wires no more once they do little."""

    def __init__(
        self,
        model: CrossbarNetwork,
        layers: Mapping[str, HardwareAwareLayer],
        examples: Tensor,
        conditions: Conditions,
        steps: int,
    ) -> None:
        self.model, self.layers, self.examples, self.conditions = model, layers, examples, conditions
        parts = (IR_DROP_AT if steps >= MANY_STEPS else IR_DROP_ONCE_AT) if conditions.ir_drop else ()
        self.wires_due = {round(part * steps) for part in parts}
        self.converters_due = {round(part * steps) for part in CONVERTERS_AT}

    def before(self, step: int) -> None:
        if step in self.wires_due and measure_ir_drop(self.layers.values()) < NEGLIGIBLE_IR_DROP:
            self.wires_due = set()
        if step in self.converters_due:
            measure_converters(self.model, self.layers, self.examples, self.conditions)


class Deadline:
    """When a training gives up."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.at = monotonic() + timeout_s

    def check(self) -> None:
        """Raise EvaluationError once the time is up."""
        if monotonic() > self.at:
            raise EvaluationError(
                f"training took longer than {self.timeout_s:.3g} s",
                "Raise timeout_s, or use smaller networks.",
            )
