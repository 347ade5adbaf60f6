"""A study that fits into a given time: what is cut from ladder and space, chosen once, from measured steps.

The choice is made when the study is created and kept as ordinary settings, so that going on with it is the same study
(docs/decisions/0011). What the user has said stays: only what was left to naxbo is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.registry import parse_data
from nax_bo.accuracy.recipes import parse_recipe
from nax_bo.durations import seconds_of, spoken
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.study.config import StudyConfig
from nax_bo.study.planning.candidate import Candidate, Cut, Estimate, Images

if TYPE_CHECKING:
    from nax_bo.accuracy.timing import LookCost

Measure = Callable[[StudyConfig, NetworkSpec, ChipSpec], "LookCost"]
"""Measures what looks at a design cost under the given settings, where trainings will run."""

WANTED_STEPS, FEWEST_STEPS = (240, 80), (120, 40)
"""Batches of a full and of a short training: what is aimed at, and what is accepted where nothing is left to cut."""

HELD_BACK = 0.15
"""Share of the time that stays free: designs of a search are not those of a sample."""

DESIGNS, IN_MINUTES, FEWEST_DESIGNS = 60, 30.0, 12
"""Designs in so many minutes where the user names no number; it grows with the root of the time."""

_SMALLEST_SIDE = 16
_LENGTH_KEYS = ("steps", "short_steps", "epochs", "least_steps")


@dataclass(frozen=True)
class Plan:
    """Settings that fit into a time, what was chosen, in words, and the estimate for it."""

    config: StudyConfig
    chosen: str
    estimate: Estimate


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
    *larger, last = _candidates(config, images)
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
    while smallest.total_s > room_s and not budget_given and config.budget > FEWEST_DESIGNS:
        config = replace(config, budget=max(FEWEST_DESIGNS, round(0.8 * config.budget)))
        last = Candidate(config, images, last.cut)
        smallest = last.estimate(least, workers, _shorter(FEWEST_STEPS, last))
    if smallest.total_s > room_s:
        raise InputError(
            f"{config.budget} designs on {config.data} take about {spoken(smallest.total_s / (1 - HELD_BACK))} "
            f"at least, on {workers} workers, not {config.time}",
            "Give more --time, a smaller --budget, or smaller images: --data ...,size=16.",
        )
    return _longest(last, least, workers, room_s, images)


def _candidates(config: StudyConfig, images: Images) -> Iterator[Candidate]:
    """The study with more and more cut; without what its space cannot be built for (images too small, say)."""
    for cut in cuts(config, images):
        try:
            candidate = Candidate(config, images, cut)
            candidate.specs  # noqa: B018 - builds the space and a network of it
        except InputError:
            if cut == Cut():
                raise
            continue
        yield candidate


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
