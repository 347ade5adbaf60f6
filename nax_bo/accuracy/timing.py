"""How long looks at a design take on this machine, told from a few training steps and reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from statistics import fmean, median
from time import perf_counter
from typing import Self

import torch

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.fidelity import FULL, MANY_TEST_IMAGES, SHORT, Fidelity
from nax_bo.accuracy.recipes import recipe as named_recipe
from nax_bo.accuracy.recipes import rungs
from nax_bo.accuracy.training import step_count, train
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec

_STEPS = 6
"""Steps that are trained."""

_READ = 64
"""Images that one chip is read with."""

_SHARE_OF_CHIPS = 0.3
"""Chips read beyond the fewest, as a share of the way to the most."""


@dataclass(frozen=True)
class LookCost:
    """What looks at one design are made of, in seconds.

    Attributes:
        step_s: One training step.
        training_s: What each training takes besides: calibration, normalisation, wires.
        fast_chip_s, exact_chip_s: To program a chip that is read fast, or exactly.
        fast_image_s, exact_image_s: To read one image from it.
    """

    step_s: float
    training_s: float
    fast_chip_s: float
    fast_image_s: float
    exact_chip_s: float
    exact_image_s: float

    def scaled(self, factor: float) -> Self:
        """Of a design that takes ``factor`` times as much work, if all of it takes as much longer."""
        return type(self)(*(factor * value for value in astuple(self)))

    @classmethod
    def mean(cls, costs: Sequence[Self]) -> Self:
        """The mean of several."""
        return cls(*(fmean(values) for values in zip(*map(astuple, costs), strict=True)))

    def seconds(self, steps: int, trainings: int, rung: Fidelity, test_images: int) -> float:
        """A look that trains so many networks of so many steps each and reads so many images."""
        chips = rung.min_draws + _SHARE_OF_CHIPS * (rung.max_draws - rung.min_draws)
        exact = rung.mode == "exact"
        chip_s = self.exact_chip_s if exact else self.fast_chip_s
        image_s = self.exact_image_s if exact else self.fast_image_s
        return trainings * (steps * self.step_s + self.training_s) + chips * (chip_s + test_images * image_s)


@dataclass(frozen=True)
class Length:
    """How long the looks of a study are: ``steps`` of a training and ``trainings``, by name of the rung."""

    steps: Mapping[str, int]
    trainings: Mapping[str, int]


def lengths(recipe: str, network: NetworkSpec, train_images: int, test_images: int) -> Length:
    """What a recipe makes of a data set of so many images."""
    ladder = rungs(recipe)
    wanted = (SHORT.name, FULL.name)
    steps = {
        name: step_count(named_recipe(recipe, ladder[name].recipe, network), train_images) for name in wanted
    }
    few = test_images < MANY_TEST_IMAGES
    return Length(steps, {n: ladder[n].trainings if few or ladder[n].always else 1 for n in wanted})


def measure_cost(
    network: NetworkSpec, chip: ChipSpec, data: DataSet, recipe: str, conditions: Conditions
) -> LookCost:
    """Train a network for a few steps, and read a chip of it fast and exactly."""
    learning = replace(named_recipe(recipe, SHORT.recipe, network), epochs=0.0, least_steps=_STEPS)
    begun = perf_counter()
    told: list[float] = []
    model = train(
        network,
        chip,
        data,
        recipe=learning,
        seed=0,
        conditions=conditions,
        mode="fast",
        on_step=lambda _: told.append(perf_counter()),
    )
    whole_s = perf_counter() - begun
    # the first step loads and compiles; those at which wires and converters are measured are not typical
    step_s = median(b - a for a, b in pairwise(told[1:]))
    images = data.test_images[:_READ]
    read: dict[str, tuple[float, float]] = {}
    for mode in ("fast", "exact"):
        model.mode = mode
        start = perf_counter()
        model.program(1, conditions)
        programmed = perf_counter()
        with torch.no_grad():
            model(images)
        read[mode] = programmed - start, (perf_counter() - programmed) / len(images)
    return LookCost(step_s, max(0.0, whole_s - _STEPS * step_s), *read["fast"], *read["exact"])
