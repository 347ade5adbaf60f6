"""Noise-aware accuracy of one design at one fidelity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import torch
from torch import Generator, Tensor, nn

from nax_bo.accuracy.checkpoint import Checkpoint
from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.device import placed, torch_device
from nax_bo.accuracy.fidelity import INHERIT, MANY_TEST_IMAGES, PROGRAM, TUNE, Fidelity, Recipe
from nax_bo.accuracy.fidelity import fidelity as rung
from nax_bo.accuracy.kept import Trained, TrainedNetwork
from nax_bo.accuracy.programmed import programmed
from nax_bo.accuracy.recipes import AUTO, rungs
from nax_bo.accuracy.recipes import recipe as named_recipe
from nax_bo.accuracy.report import AccuracyReport, chip_variance
from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.accuracy.training import idealise, train
from nax_bo.crossbar import CrossbarNetwork, accuracy
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.hardware.chip.variation import chips_differ
from nax_bo.network import NetworkSpec

_IMAGES_PER_READ = 512
_CELLS_AT_ONCE = 1 << 22
_EVALUATION_STREAM = 0xE7A1
"""Keeps the chips on which accuracy is measured apart from those seen while training, at every seed."""

_TRAINING_STREAM = 0x2ED5
"""The same for further trainings."""


@dataclass(frozen=True)
class Given:
    """A network that comes as a torch module.

    Attributes:
        make: Makes it anew; what is random of it is decided by a seed.
        trained: Whether it comes with weights that are worth keeping.
        fingerprint: Of its code and weights.
    """

    make: Callable[[int], nn.Module]
    trained: bool
    fingerprint: str = ""


def evaluate(
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    *,
    fidelity: str = "full",
    recipe: str = AUTO,
    seed: int = 0,
    conditions: Conditions | None = None,
    timeout_s: float = float("inf"),
    least_chips: int = 1,
    checkpoints: Path | None = None,
    shared: SharedNetwork | None = None,
    given: Given | None = None,
    keep: Callable[[Trained], None] | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
    device: str = "cpu",
) -> AccuracyReport:
    """Train the network for the chip and measure it on programmed chips that it was not trained on.

    At the rungs ``inherit`` and ``program`` nothing is trained: the network takes its weights from ``shared``, or has
    those of ``given``, with which the trainings of ``tune`` and ``full`` begin.

    Args:
        network: The network.
        chip: The chip it runs on.
        data: Images to train and test on.
        fidelity: Rung of the ladder (:mod:`nax_bo.accuracy.fidelity`).
        recipe: How networks learn (:mod:`nax_bo.accuracy.recipes`).
        seed: Seed of weights, batches and all noise.
        conditions: Non-idealities; default all of them, read right after programming.
        timeout_s: When training and measuring give up.
        least_chips: Read at least so many programmed chips, where chips differ: for the tail of their distribution.
        checkpoints: Folder in which trainings of more than a minute leave what they need to go on after a kill.
        shared: The trained super-network of the network's space
            (:func:`nax_bo.accuracy.supernet.inherit.super_network`).
        given: The network as a torch module, where it is not built from its description.
        keep: Given the networks as they were measured, and the chips' seeds.
        on_progress: Told now and then which share of all training steps is done.
        device: Where to train and read (:mod:`nax_bo.accuracy.device`); a super-network is read on the processor.

    Raises:
        InputError: Unknown fidelity, recipe or device, or a chip, data or super-network that do not fit the network.
        EvaluationError: The training diverged, or time ran out.
    """
    start = perf_counter()
    level = rung(fidelity, rungs(recipe))
    begun = given is not None and given.trained
    where = torch_device("cpu" if level.name == INHERIT.name else device)
    original, data = data, placed(data, where)
    learning = named_recipe(recipe, level.recipe, network, gently=begun)
    noise = conditions or Conditions()
    differ = chips_differ(chip, noise)
    reads = _reads(level, differ, least_chips)
    _check_fit(network, data)
    if level.name == INHERIT.name and shared is None:
        raise InputError(
            "this network has no super-network to inherit its weights from",
            "Use another fidelity, or pass one.",
        )
    if level.name in (PROGRAM.name, TUNE.name) and not begun:
        raise InputError(
            f"the fidelity {level.name} is one of networks that come with their weights", "Use short or full."
        )
    many = len(data.test_labels) >= MANY_TEST_IMAGES and not level.always
    trainings = 1 if many else level.trainings
    seeds = [seed ^ (turn * _TRAINING_STREAM) for turn in range(trainings)]
    kept = [
        Checkpoint(
            checkpoints,
            _identity(network, chip, original, learning, own, noise, level, given) | {"device": where.type},
        )
        if checkpoints
        else None
        for own in seeds
    ]

    def on_chip(turn: int, own: int, checkpoint: Checkpoint | None) -> CrossbarNetwork:
        fitted: dict[str, Any] = {"seed": own, "conditions": noise, "mode": level.mode}
        module = None if given is None else given.make(own)
        if level.name == INHERIT.name and shared is not None:
            module = shared.inherited(network)
        if module is not None and level.name in (INHERIT.name, PROGRAM.name):
            fitted |= {"vectors": learning.calibration_vectors, "normalised": level.name != INHERIT.name}
            return programmed(module, network, chip, data, **fitted)
        left_s = max(0.0, timeout_s - (perf_counter() - start))
        options: dict[str, Any] = {"timeout_s": left_s, "checkpoint": checkpoint, "module": module}
        on_step = partial(_share_of_all, on_progress, turn, trainings)
        return train(network, chip, data, recipe=learning, on_step=on_step, **options, **fitted)

    models = [on_chip(turn, *each) for turn, each in enumerate(zip(seeds, kept, strict=True))]
    left_s = timeout_s - (perf_counter() - start)
    draws, confidences = measure(
        models, data.test_images, data.test_labels, reads, seed=seed, conditions=noise, timeout_s=left_s
    )
    if keep is not None:
        trained = tuple(TrainedNetwork.of(model, own, data) for model, own in zip(models, seeds, strict=True))
        keep(Trained(trained, chip_seeds(seed, reads.max_draws)[: len(draws)]))
    for model in models:
        idealise(model, data.train_images)
    for checkpoint in kept:
        if checkpoint is not None:
            checkpoint.remove()
    return AccuracyReport(
        draws=tuple(draws),
        clean=fmean(accuracy(model, data.test_images, data.test_labels) for model in models),
        test_images=len(data.test_labels),
        fidelity=fidelity,
        seconds=perf_counter() - start,
        confidence=fmean(confidences),
        trainings=len(models),
        chips_differ=differ,
    )


def _share_of_all(told: Callable[[float], None], turn: int, trainings: int, share: float) -> None:
    told((turn + share) / trainings)


def _reads(level: Fidelity, differ: bool, least_chips: int) -> Fidelity:
    """The rung with as many chips as are worth reading: one of each network where all are alike and read exactly."""
    if differ:
        most = max(
            level.max_draws, least_chips + level.trainings - 1
        )  # networks take turns: full rounds only
        return replace(level, min_draws=max(level.min_draws, least_chips), max_draws=most)
    return replace(level, min_draws=1) if level.mode == "exact" else level


def _identity(
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    recipe: Recipe,
    seed: int,
    conditions: Conditions,
    level: Fidelity,
    given: Given | None,
) -> dict[str, Any]:
    """What decides the result of one training."""
    return {
        "network": network.to_dict(),
        "chip": chip.to_dict(),
        "data": data.fingerprint,
        "recipe": asdict(recipe),
        "seed": seed,
        "conditions": asdict(conditions),
        "mode": level.mode,
        "given": given.fingerprint if given else "",
        "versions": [version("naxbo"), torch.__version__],
    }


def measure(
    models: Sequence[CrossbarNetwork],
    images: Tensor,
    labels: Tensor,
    level: Fidelity,
    *,
    seed: int,
    conditions: Conditions,
    timeout_s: float = float("inf"),
) -> tuple[list[float], list[float]]:
    """Accuracy, and mean probability given to the right class, of one programmed chip after another.

    The networks take turns. Chip ``i`` depends on ``seed`` and ``i`` alone, so two designs of one seed meet the same
    random numbers. Drawing stops once what the chips add to the standard error of the mean accuracy is below
    ``level.target_standard_error`` and every network has had its turn: more chips tell nothing about other trainings.

    Raises:
        EvaluationError: Time ran out before ``level.min_draws`` chips were read.
    """
    deadline = perf_counter() + timeout_s
    for model in models:
        model.eval()
        model.mode = level.mode
    accuracies: list[float] = []
    confidences: list[float] = []
    seeds = chip_seeds(seed, level.max_draws)
    likely = math.ceil(level.min_draws / len(models))
    readings = [
        read_chips(model, images, labels, seeds[turn :: len(models)], likely, conditions)
        for turn, model in enumerate(models)
    ]
    while len(accuracies) + len(models) <= level.max_draws:
        for reading in readings:
            right, confidence = next(reading)
            accuracies.append(right)
            confidences.append(confidence)
        n = len(accuracies)
        within = chip_variance(accuracies, len(models)) or 0.0
        if n >= level.min_draws and math.sqrt(within / n) <= level.target_standard_error:
            break
        if perf_counter() > deadline:
            if n >= level.min_draws:
                break
            raise EvaluationError(
                f"measuring accuracy took too long: {n} of {level.min_draws} chips read",
                "Raise timeout_s, or use fewer test images.",
            )
    return accuracies, confidences


def chip_seeds(seed: int, count: int) -> tuple[int, ...]:
    """Seeds of the programmed chips on which a design of ``seed`` is measured; more of them begin with the same."""
    random = Generator().manual_seed(seed ^ _EVALUATION_STREAM)
    return tuple(torch.randint(2**62, (count,), generator=random).tolist())


def read_chips(
    model: CrossbarNetwork,
    images: Tensor,
    labels: Tensor,
    seeds: Sequence[int],
    likely: int,
    conditions: Conditions,
) -> Iterator[tuple[float, float]]:
    """Accuracy and confidence of the chips of ``seeds``, of which ``likely`` will be wanted."""
    at_once = min(likely, _chips_at_once(model))
    for i in range(len(seeds)):
        if i % at_once == 0:
            model.program(seeds[i : i + at_once], conditions)
        model.draw = i % at_once
        yield _read(model, images, labels)


def _chips_at_once(model: CrossbarNetwork) -> int:
    """Chips of small networks are programmed together, which is faster; those of large ones one by one."""
    cells = sum(
        layer.weight.numel() * layer.hardware.array.cells_per_weight for layer in model.layers.values()
    )
    return max(1, _CELLS_AT_ONCE // max(1, cells))


@torch.no_grad()
def _read(model: CrossbarNetwork, images: Tensor, labels: Tensor) -> tuple[float, float]:
    right = torch.zeros((), dtype=torch.int64, device=images.device)
    probability = torch.zeros((), dtype=torch.float64, device=images.device)
    for x, y in zip(
        torch.split(images, _IMAGES_PER_READ), torch.split(labels, _IMAGES_PER_READ), strict=True
    ):
        scores = model(x)
        right += (scores.argmax(-1) == y).sum()
        probability += scores.softmax(-1).gather(1, y[:, None]).sum()
    return int(right) / len(images), float(probability) / len(images)


def _check_fit(network: NetworkSpec, data: DataSet) -> None:
    expects, classes = tuple(network.input_shape), network.layers[-1].out_shape[0]
    if expects != data.input_shape:
        raise InputError(
            f"the network takes images of {expects}, the data set {data.name!r} has {data.input_shape} (C, H, W)",
            "Decode the design for this data set, or resize the images with image_size.",
        )
    if classes < data.num_classes:
        raise InputError(
            f"the network tells {classes} classes apart, the data set {data.name!r} has {data.num_classes}",
            "Decode the design for this data set.",
        )
