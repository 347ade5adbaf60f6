"""A study with something cut from it: what its looks would take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nax_bo.accuracy.data.registry import parse_data
from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.accuracy.proxies import proxies
from nax_bo.accuracy.recipes import rungs
from nax_bo.durations import spoken
from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.network.spec import Shape
from nax_bo.study.config import StudyConfig
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.loop import FINAL_LEAST, FINAL_SHARE

if TYPE_CHECKING:
    from nax_bo.accuracy.timing import LookCost

SEARCH_S = 1.0
"""What choosing a design and keeping its result costs beside its training."""

_SAMPLE = 128
_LEAST_CHOICE = 2
_RAISES = 1.05


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
