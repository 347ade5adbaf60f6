"""What a study's trainings say about designs that were not trained: predictions, and whether to trust them.

Accuracy is modelled as the search models it: its logit, from the choices that can change it, the training-free
scores and the fidelity, with trainings of every fidelity as data (:func:`nax_bo.search.models.learned.fit_models`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search import Problem, SearchState
from nax_bo.search.models.learned import Models, fit_models
from nax_bo.search.state import Observation
from nax_bo.space import Design, Value
from nax_bo.study.study import Study
from nax_bo.surrogate.quality import Z95, explained, rank_correlation

Array = NDArray[np.float64]

LEAST_RESULTS = 2
"""Finished trainings from which a surrogate can be fitted."""

LEAST_CHECKED = 3
"""Fully trained designs from which held-out predictions can be judged."""


@dataclass(frozen=True)
class Prediction:
    """Accuracy that a full training of a design is expected to measure.

    Attributes:
        accuracy: Median.
        low, high: Ends of the central 95 % interval, measurement noise included.
    """

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class AccuracyModel:
    """A surrogate of accuracy fitted to a study; made by :func:`fit_accuracy`.

    Attributes:
        surrogate: Its reference.
        models: The fitted surrogate with its inputs.
        outcome: What is predicted: the study's measured objective.
        typical_noise: Median known noise variance of full trainings, logit scale.
    """

    surrogate: str
    models: Models
    outcome: str
    typical_noise: float

    def predict(
        self, designs: Sequence[Design | Mapping[str, Value]], noise: Array | None = None
    ) -> list[Prediction]:
        """What full trainings of ``designs`` would measure.

        Args:
            designs: Designs of the study's space, or their choices by name.
            noise: Known noise variance of each measurement, logit scale, ``n``; by default the study's typical one.

        Raises:
            InputError: A design does not belong to the space.
            SurrogateError: The surrogate fails.
        """
        if not designs:
            return []
        problem = self.models.problem
        space = problem.space
        rows = space.indices([d if isinstance(d, Design) else space.design(d) for d in designs])
        mean, std = self.models.predict(rows)[self.outcome]
        learned = self.models.by_name[self.outcome].noise_variance(self.models.inputs(rows))[:, 0]
        known = np.full(len(rows), self.typical_noise) if noise is None else noise
        half = Z95 * np.sqrt(std**2 + learned + known)
        scale = problem.scale_of(self.outcome)
        best, worst, middle = (scale.model_to_raw(z) for z in (mean - half, mean + half, mean))
        return [Prediction(*map(float, row)) for row in zip(middle, worst, best, strict=True)]


@dataclass(frozen=True)
class Calibration:
    """Held-out predictions of a study's fully trained designs.

    Attributes:
        surrogate: Its reference.
        numbers: Numbers of the designs.
        measured: Measured accuracy of each.
        predictions: Its prediction from trainings of other designs only.
    """

    surrogate: str
    numbers: tuple[int, ...]
    measured: tuple[float, ...]
    predictions: tuple[Prediction, ...]

    @property
    def coverage(self) -> float:
        """Share of the measurements inside their 95 % intervals."""
        pairs = zip(self.measured, self.predictions, strict=True)
        return float(np.mean([p.low <= m <= p.high for m, p in pairs]))

    @property
    def tau(self) -> float:
        """Kendall's rank correlation (tau-b) of predicted and measured accuracy; NaN if either is constant."""
        return rank_correlation(self.measured, [p.accuracy for p in self.predictions])

    @property
    def r2(self) -> float:
        """Share of the variance of measured accuracy that is predicted; NaN if it does not vary."""
        return explained(self.measured, [p.accuracy for p in self.predictions])


def fit_accuracy(study: Study, surrogate: str | None = None) -> AccuracyModel:
    """The study's surrogate of accuracy, or another one, fitted to all of its trainings.

    Raises:
        InputError: The study holds fewer than two finished trainings.
        SurrogateError: The surrogate cannot be found or fitted.
    """
    return _fit(_accuracy_state(study), surrogate or study.surrogate)


def cross_validate(study: Study, surrogate: str | None = None, folds: int = 10) -> Calibration:
    """Predict every fully trained design from the other designs' trainings.

    All trainings of the designs of a fold are left out, short ones too; short trainings of other designs are data.
    Designs are dealt to folds at random from a fixed seed; with no more designs than folds this is leave-one-out.

    Raises:
        InputError: Fewer than three designs are trained in full.
        SurrogateError: The surrogate cannot be found or fitted.
    """
    name = surrogate or study.surrogate
    state = _accuracy_state(study)
    full = {o.indices: o for o in state.full}
    if len(full) < LEAST_CHECKED:
        raise InputError(
            f"too few designs are trained in full to judge predictions: {len(full)}",
            f"It takes {LEAST_CHECKED}: go on with naxbo optimize.",
        )
    looks = list(full)
    dealt = np.random.default_rng(0).permutation(len(looks)) % min(folds, len(looks))
    found: dict[tuple[int, ...], Prediction] = {}
    for fold in range(dealt.max() + 1):
        held = [looks[i] for i in np.flatnonzero(dealt == fold)]
        rest = tuple(o for o in state.observations if o.indices not in held)
        model = _fit(replace(state, observations=rest), name)
        noise = np.array([_noise(state.problem, full[look]) for look in held])
        designs = [state.problem.space.design(look) for look in held]
        found |= dict(zip(held, model.predict(designs, noise), strict=True))
    numbers = {trial.design.indices: trial.number for trial in study.trials()}
    looks.sort(key=lambda look: numbers[look])
    return Calibration(
        name,
        tuple(numbers[look] for look in looks),
        tuple(full[look].outcomes[study.config.headline.name] for look in looks),
        tuple(found[look] for look in looks),
    )


def _accuracy_state(study: Study) -> SearchState:
    """The study's log with accuracy as the only outcome, so that nothing else is computed or fitted."""
    state = study.log().state
    problem = replace(
        state.problem,
        objectives=[o for o in state.problem.objectives if o.name == study.config.headline.name],
        constraints=(),
        known_outcomes=None,
        complete=None,
        reference_point={},
        within={},
    )
    options: dict[str, Any] = {**state.options, "on_surrogate_error": "raise"}
    return replace(state, problem=problem, failures=(), pending=(), options=options)


def _fit(state: SearchState, surrogate: str) -> AccuracyModel:
    if len(state.observations) < LEAST_RESULTS:
        raise InputError(
            f"too few trainings have finished to predict from: {len(state.observations)}",
            f"It takes {LEAST_RESULTS}: go on with naxbo optimize.",
        )
    models = fit_models(replace(state, options={**state.options, "surrogate": surrogate}))
    noise = [_noise(state.problem, o) for o in state.full]
    return AccuracyModel(
        surrogate, models, state.problem.objectives[0].name, float(np.median(noise)) if noise else 0.0
    )


def _noise(problem: Problem, observation: Observation) -> float:
    """Known noise variance of the only outcome, in its model scale."""
    (outcome,) = problem.objectives
    variance = observation.variance.get(outcome.name, 0.0)
    return float(outcome.scales.variance_to_model(observation.outcomes[outcome.name], variance))
