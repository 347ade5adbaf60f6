"""A study's own space as a problem with a known truth: its surrogate plays the trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search import Fidelity, Problem
from nax_bo.search.scale import Scale
from nax_bo.space import Design
from nax_bo.study.answers.prediction import AccuracyModel, fit_accuracy
from nax_bo.study.study import Study


@dataclass(frozen=True, eq=False)
class StudyTestbed:
    """A :class:`nax_bo.search.bench.compare.Testbed` on a study's space, costs and limits.

    The fitted surrogate's mean is taken for the true accuracy, so a strategy that uses the same kind of surrogate has
    an advantage, and what the surrogate has not learned is not there to be found.

    Attributes:
        problem: The study's problem, with full evaluations only.
        model: What plays the trainings.
    """

    problem: Problem
    model: AccuracyModel

    def truth(self, indices: NDArray[np.int64]) -> Mapping[str, NDArray[np.float64]]:
        """Accuracy of designs ``n x d``, ``n``."""
        return {self.model.outcome: self._scale.model_to_raw(self._mean(indices))}

    def evaluate(self, design: Design, seed: int) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Accuracy of a design with the study's typical measurement noise, and the variance of that noise."""
        rng = np.random.default_rng([seed, *design.indices])
        mean = float(self._mean(np.array([design.indices]))[0])
        noise = self.model.typical_noise
        told = float(self._scale.model_to_raw(mean + np.sqrt(noise) * rng.standard_normal()))
        name = self.model.outcome
        return {name: told}, {name: noise * (told * (1.0 - told)) ** 2}  # the delta method

    @property
    def _scale(self) -> Scale:
        return self.problem.scale_of(self.model.outcome)

    def _mean(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.model.models.predict(indices)[self.model.outcome][0]


def study_testbed(study: Study) -> StudyTestbed:
    """The testbed of a study.

    Raises:
        InputError: The study learns its costs or two kinds of accuracy, or holds too few trainings.
        SurrogateError: Its surrogate cannot be fitted.
    """
    study.need("system", "network", "cost_model", why="pricing other designs")
    if study.config.learn_costs:
        raise InputError(
            f"{study.store.path} learns its costs",
            "Benchmarks need a study whose costs are computed, not learned.",
        )
    problem = study.problem()
    if len(problem.learned_names) > 1:
        raise InputError(
            f"{study.store.path} learns {' and '.join(problem.learned_names)}",
            "Benchmarks need a study that learns one kind of accuracy.",
        )
    return StudyTestbed(replace(problem, fidelities=(Fidelity("full", 1.0, 1.0),)), fit_accuracy(study))
