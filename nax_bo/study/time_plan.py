"""A study that fits into a given time: what is cut from ladder and space, chosen once, from measured steps.

The choice is made when the study is created and kept as ordinary settings, so that going on with it is the same study
(docs/decisions/0011). What the user has said stays: only what was left to naxbo is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.data.registry import parse_data
from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.accuracy.recipes import parse_recipe, rungs
from nax_bo.durations import seconds_of, spoken
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.network.spec import Shape
from nax_bo.study.config import StudyConfig
from nax_bo.study.loop import FINAL_LEAST, FINAL_SHARE
from nax_bo.study.problem import StudyProblem

if TYPE_CHECKING:
    from nax_bo.accuracy.timing import LookCost

Measure = Callable[[StudyConfig, NetworkSpec, ChipSpec], "LookCost"]
"""Measures what looks at a design cost under the given settings, where trainings will run."""

WANTED_STEPS, FEWEST_STEPS = (240, 80), (120, 40)
"""Batches of a full and of a short training: what is aimed at, and what is accepted where nothing is left to cut."""

SEARCH_S = 1.0
"""What choosing a design and keeping its result costs beside its training."""

HELD_BACK = 0.15
"""Share of the time that stays free: designs of a search are not those of a sample."""

DESIGNS, IN_MINUTES, FEWEST_DESIGNS = 60, 30.0, 12
"""Designs in so many minutes where the user names no number; it grows with the root of the time."""

_SAMPLE = 128
_SMALLEST_SIDE = 16
_LEAST_CHOICE = 2
_RAISES = 1.05
_LENGTH_KEYS = ("steps", "short_steps", "epochs", "least_steps")


@dataclass(frozen=True)
class Cut:
    """What is cut from a study, None and 0: nothing.

    Attributes:
        trainings: Of a full look.
        side: Of the images, in pixels.
        train, test: Images.
        largest: Values left out of every choice of a layer that makes networks larger (widths, kernels), from the top.
    """

    trainings: int | None = None
    side: int | None = None
    train: int | None = None
    test: int | None = None
    largest: int = 0


@dataclass(frozen=True)
class Images:
    """What a data set holds before anything is cut."""

    shape: Shape
    classes: int
    train: int
    test: int

    @classmethod
    def of(cls, spec: str) -> Images:
        """Of a specification; raises DataError if the data are missing or damaged."""
        data = parse_data(spec).load()
        return cls(data.input_shape, data.num_classes, len(data.train_labels), len(data.test_labels))


@dataclass(frozen=True)
class Estimate:
    """What looks at a design of a study take on average, in seconds, and how many there will be."""

    short_s: float
    full_s: float
    designs: int
    full: int
    workers: int

    @property
    def total_s(self) -> float:
        """The whole study; at its end workers wait for the last full trainings."""
        looks = self.designs * (self.short_s + SEARCH_S) + self.full * (self.full_s + SEARCH_S)
        return looks / self.workers + 0.5 * self.full_s

    @property
    def words(self) -> str:
        """In words."""
        return (
            f"a short look takes about {spoken(self.short_s)}, a full one {spoken(self.full_s)}: "
            f"{self.designs} designs and {self.full} full trainings, about {spoken(self.total_s)}"
        )


@dataclass(frozen=True)
class Plan:
    """Settings that fit into a time, what was chosen, in words, and the estimate for it."""

    config: StudyConfig
    chosen: str
    estimate: Estimate


class Candidate:
    """A study's settings with something cut."""

    def __init__(self, config: StudyConfig, images: Images, cut: Cut) -> None:
        spec = parse_data(config.data)
        self.images = replace(
            images,
            shape=(images.shape[0], cut.side, cut.side) if cut.side else images.shape,
            train=min(images.train, cut.train or images.train),
            test=min(images.test, cut.test or images.test),
        )
        data = replace(
            spec, size=cut.side or spec.size, train=cut.train or spec.train, test=cut.test or spec.test
        )
        recipe = config.recipe + (f",trainings={cut.trainings}" if cut.trainings else "")
        resized = replace(config, data=str(data), recipe=recipe)
        self.cut_values = self._largest(resized, cut.largest) if cut.largest else {}
        self.config = replace(resized, choose={**config.choose, **self.cut_values})
        self.cut = cut

    def _problem(self, config: StudyConfig) -> StudyProblem:
        return StudyProblem(config, self.images.shape, self.images.classes)

    def _largest(self, config: StudyConfig, left_out: int) -> dict[str, tuple[str, ...]]:
        """Values that stay of every choice of a layer that makes networks larger and that nobody has named."""
        problem = self._problem(config)
        space = problem.space
        decides = {c.variable for v in space.variables for c in v.active_when}
        said = {*config.choose}
        kept = {}
        for v in space.variables:
            stem = v.name.rpartition("_")[0]
            free = v.name not in said and stem not in said and v.name not in decides
            if free and v.kind == "ordinal" and v.scope.startswith("layer") and v.affects != "cost":
                few = v.values[: max(_LEAST_CHOICE, v.cardinality - left_out)]
                if len(few) < v.cardinality and _raises(problem, v.name):
                    kept[v.name] = tuple(map(str, few))
        return kept

    @cached_property
    def _middling(self) -> tuple[NetworkSpec, ChipSpec, float]:
        """A design whose work is the mean of an even sample's, and that mean, in multiplications per image."""
        problem = self._problem(self.config)
        x = problem.space.sobol(min(_SAMPLE, problem.space.size), 0)
        macs = _macs(problem, x)
        (design,) = problem.space.designs(x[[int(np.argmin(np.abs(macs - macs.mean())))]])
        return *problem.system.decode(design), float(macs.mean())

    @property
    def specs(self) -> tuple[NetworkSpec, ChipSpec]:
        """Network and chip of a middling design."""
        return self._middling[:2]

    @property
    def work(self) -> float:
        """Mean multiplications of a training step."""
        from nax_bo.accuracy.training import batch_size

        return self._middling[2] * batch_size(self.images.train)

    @cached_property
    def usual_steps(self) -> tuple[int, int]:
        """Batches of a full and of a short training as the recipe has them."""
        from nax_bo.accuracy.timing import lengths

        steps = lengths(self.config.recipe, self.specs[0], self.images.train, self.images.test).steps
        return steps[FULL.name], steps[SHORT.name]

    def with_steps(self, steps: tuple[int, int]) -> StudyConfig:
        """The settings with so many batches of a full and of a short training."""
        if steps == self.usual_steps:
            return self.config
        full, short = steps
        return replace(self.config, recipe=f"{self.config.recipe},steps={full},short_steps={short}")

    def estimate(self, cost: LookCost, workers: int, steps: tuple[int, int] | None = None) -> Estimate:
        """How long the study takes, if looks at its designs cost ``cost``."""
        from nax_bo.accuracy.timing import lengths

        config = self.config if steps is None else self.with_steps(steps)
        ladder = rungs(config.recipe)
        found = lengths(config.recipe, self.specs[0], self.images.train, self.images.test)
        short_s, full_s = (
            cost.seconds(found.steps[n], found.trainings[n], ladder[n], self.images.test)
            for n in (SHORT.name, FULL.name)
        )
        designs = config.budget
        final = max(FINAL_LEAST, round(FINAL_SHARE * designs))
        full = min(designs, designs // config.calibrate_every + final)
        return Estimate(short_s, full_s, designs, full, workers)


def _raises(problem: StudyProblem, name: str) -> bool:
    """Whether the largest value of a variable makes networks larger than its smallest."""
    space = problem.space
    x = space.sobol(_SAMPLE, 0)
    at = [v.name for v in space.variables].index(name)
    work = []
    for value in (0, space.variables[at].cardinality - 1):
        x[:, at] = value
        work.append(float(np.mean(_macs(problem, space.canonical(x)))))
    return work[1] > _RAISES * work[0]


def _macs(problem: StudyProblem, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Multiplications per image of each design."""
    return np.asarray(10.0 ** proxies(problem.system.workload(problem.space.columns(indices)))["log_macs"])


def cuts(config: StudyConfig, images: Images) -> Iterator[Cut]:
    """What may be cut, from nothing to the most; what the user has said is left as it is."""
    spec, said = parse_data(config.data), parse_recipe(config.recipe)[1]
    one = None if "trainings" in said else 1
    side = min(images.shape[1:])
    sides = [s for s in (side // 2, side // 4) if s >= _SMALLEST_SIDE] if spec.size is None else []

    def cut(train: int, test: int, largest: int = 0, smaller: int | None = None) -> Cut:
        return Cut(
            one,
            smaller,
            train if spec.train is None and train < images.train else None,
            test if spec.test is None and test < images.test else None,
            largest,
        )

    yield Cut()
    yield cut(10_000, 2_000)
    yield cut(10_000, 2_000, 1)
    for smaller in sides:
        for largest in (0, 1):
            yield cut(10_000, 1_000, largest, smaller)
    last = sides[-1] if sides else None
    for largest in (2, 3, 4):
        yield cut(4_000, 1_000, largest, last)
    yield cut(2_500, 500, 5, last)


def fit(config: StudyConfig, measure: Measure, workers: int, *, budget_given: bool) -> Plan:
    """Settings with which a study ends within ``config.time``.

    Args:
        config: The settings as they were given.
        measure: Measures on the workers that will do the work.
        workers: Trainings at once.
        budget_given: Whether the number of designs is the user's; else it follows from the time.

    Raises:
        InputError: Not even the smallest study fits.
    """
    time_s = seconds_of(config.time)
    room_s = time_s * (1.0 - HELD_BACK)
    if not budget_given:
        designs = round(DESIGNS * math.sqrt(time_s / 60.0 / IN_MINUTES))
        config = replace(config, budget=max(FEWEST_DESIGNS, min(config.budget, designs)))
    images = Images.of(config.data)
    *larger, last = (Candidate(config, images, cut) for cut in cuts(config, images))
    # The smallest is measured first: a step of the largest could take minutes.
    least = measure(last.config, *last.specs)
    for candidate in larger:
        steps = _shorter(WANTED_STEPS, candidate)
        guess = least.scaled(candidate.work / last.work)
        if candidate.estimate(guess, workers, steps).total_s > room_s:
            continue
        cost = measure(candidate.config, *candidate.specs)
        if candidate.estimate(cost, workers, steps).total_s <= room_s:
            return _longest(candidate, cost, workers, room_s, images)
    smallest = last.estimate(least, workers, _shorter(FEWEST_STEPS, last))
    if smallest.total_s > room_s:
        raise InputError(
            f"{config.budget} designs on {config.data} take about {spoken(smallest.total_s / (1 - HELD_BACK))} "
            f"at least, on {workers} workers, not {config.time}",
            "Give more --time, a smaller --budget, or smaller images: --data ...,size=16.",
        )
    return _longest(last, least, workers, room_s, images)


def _shorter(steps: tuple[int, int], candidate: Candidate) -> tuple[int, int]:
    """So many steps, or the usual ones where those are fewer or the user's."""
    if any(key in parse_recipe(candidate.config.recipe)[1] for key in _LENGTH_KEYS):
        return candidate.usual_steps
    usual = candidate.usual_steps
    return min(steps[0], usual[0]), min(steps[1], usual[1])


def _longest(candidate: Candidate, cost: LookCost, workers: int, room_s: float, images: Images) -> Plan:
    """The most steps that fit, between the fewest that are accepted and the usual ones."""
    low, high = _shorter(FEWEST_STEPS, candidate), candidate.usual_steps
    for part in np.linspace(1.0, 0.0, 41):
        steps = (round(low[0] + part * (high[0] - low[0])), round(low[1] + part * (high[1] - low[1])))
        found = candidate.estimate(cost, workers, steps)
        if found.total_s <= room_s:
            break
    return Plan(candidate.with_steps(steps), _chosen(candidate, steps, images), found)


def _chosen(candidate: Candidate, steps: tuple[int, int], images: Images) -> str:
    cut, now, said = candidate.cut, candidate.images, []
    if cut.side:
        said.append(
            f"images of {cut.side} x {cut.side} pixels instead of {images.shape[1]} x {images.shape[2]}"
        )
    if now.train < images.train:
        said.append(f"{now.train} of {images.train} training images")
    if now.test < images.test:
        said.append(f"{now.test} of {images.test} test images")
    if cut.trainings:
        said.append("one training in a full look")
    said += _spans(candidate.cut_values)
    if steps != candidate.usual_steps:
        said.append(
            "{} and {} batches in full and short trainings instead of {} and {}".format(
                *steps, *candidate.usual_steps
            )
        )
    return ", ".join(said) or "nothing had to be cut"


def _spans(values: Mapping[str, tuple[str, ...]]) -> list[str]:
    """``width up to 64``, one for all layers that are cut alike."""
    tops = dict.fromkeys((name.rpartition("_")[0] or name, kept[-1]) for name, kept in values.items())
    return [f"{stem} up to {top}" for stem, top in tops]
