"""Surrogates of the learned outcomes, fitted to the log of a search."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from nax_bo.errors import SurrogateError
from nax_bo.references import load_object
from nax_bo.search.problem import Constraint, Problem
from nax_bo.search.scale import Array
from nax_bo.search.state import Look, Observation, SearchState, merged
from nax_bo.surrogate import Column, Surrogate, columns_of
from nax_bo.surrogate.protocol import ConditionalSurrogate, JointSurrogate, UpdatableSurrogate

DEFAULT_SURROGATE = "gp"
_NAMES = {
    "gp": "nax_surrogates:GaussianProcess",
    "gbt": "nax_surrogates:GradientBoosting",
    "blend": "nax_surrogates:Blend",
}


@dataclass(frozen=True)
class Models:
    """One fitted surrogate per learned outcome.

    Attributes:
        problem: What is optimised.
        by_name: Surrogate of each learned outcome, in its model scale.
        success: Surrogate of whether an evaluation succeeds (1) or fails (0); None if none has failed.
        with_level: Whether the fidelity is an input.
        notes: What went wrong while fitting and what was done instead.
    """

    problem: Problem
    by_name: Mapping[str, Surrogate]
    success: Surrogate | None
    with_level: bool
    notes: tuple[str, ...] = ()

    def inputs(self, indices: ArrayLike, level: float | Sequence[float] = 1.0) -> Array:
        """Surrogate inputs of designs ``n x d`` at fidelity ``level`` (one, or one per design)."""
        x = self.problem.inputs(indices)
        return np.column_stack([x, np.broadcast_to(level, len(x))]) if self.with_level else x

    def predict(
        self, indices: ArrayLike, level: float | Sequence[float] = 1.0
    ) -> dict[str, tuple[Array, Array]]:
        """Mean and standard deviation (``n`` each) of every learned outcome in its model scale.

        Raises:
            SurrogateError: A surrogate fails or does not return finite numbers of the right shape.
        """
        x = self.inputs(indices, level)
        return {name: checked_predict(model, x, name) for name, model in self.by_name.items()}

    def success_probability(self, indices: ArrayLike) -> Array:
        """Probability that evaluating each design succeeds, ``n``."""
        if self.success is None:
            return np.ones(len(np.asarray(indices)))
        mean, std = checked_predict(self.success, self.inputs(indices), "success")
        return np.asarray(np.maximum(ndtr((mean - 0.5) / np.sqrt(std**2 + 0.15**2)), 1e-9))

    def believing(self, pending: Sequence[Look]) -> Models:
        """With the pending looks at their predicted means (kriging believer, Ginsbourger et al. 2010).

        Surrogates that cannot be conditioned stay as they are.
        """
        if not pending:
            return self
        x = self.inputs([i for i, _ in pending], [level for _, level in pending])
        out = {}
        for name, model in self.by_name.items():
            mean, _ = checked_predict(model, x, name)
            out[name] = (
                model.condition(x, mean[:, None]) if isinstance(model, ConditionalSurrogate) else model
            )
        return replace(self, by_name=out)

    def correlation(self, indices: NDArray[np.int64], level: float) -> float:
        """Mean correlation between what is believed of designs at ``level`` and at the full fidelity, in [0, 1]."""
        found = []
        for model in self.by_name.values():
            if not (self.with_level and isinstance(model, JointSurrogate)):
                return 0.8
            n = len(indices)
            x = np.vstack([self.inputs(indices, level), self.inputs(indices, 1.0)])
            cov = model.predict_joint(x)[1][0]
            scale = np.sqrt(np.maximum(np.diag(cov), 1e-18))
            found.append(np.diag(cov[:n, n:]) / (scale[:n] * scale[n:]))
        return float(np.clip(np.mean(found), 0.0, 1.0)) if found else 1.0


class Average:
    """The surrogate of last resort: mean and spread of what was seen, the same for every design."""

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> Average:
        """Keep mean and standard deviation of ``Y: n x m``."""
        self._mean, self._std = Y.mean(axis=0), np.maximum(Y.std(axis=0), 1e-6)
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """The same mean and standard deviation for every row of ``X: n x d``, ``n x m`` each."""
        shape = (len(X), len(self._mean))
        return np.broadcast_to(self._mean, shape), np.broadcast_to(self._std, shape)


def learned_constraints(problem: Problem) -> list[tuple[Constraint, float | None, float | None]]:
    """Constraints on learned outcomes with their (lower, upper) limits, less those that clip a reference point."""
    directions = {o.name: o.maximise for o in problem.objectives}
    out = []
    for c in problem.constraints:
        if c.name not in problem.learned_names:
            continue
        lower, upper = c.lower, c.upper
        if c.name in directions:
            lower, upper = (None, upper) if directions[c.name] else (lower, None)
        if lower is not None or upper is not None:
            out.append((c, lower, upper))
    return out


def feasibility(
    models: Models, predicted: Mapping[str, tuple[Array, Array]], indices: NDArray[np.int64]
) -> Array:
    """Probability that learned constraints hold and the evaluation succeeds, ``n``."""
    out = models.success_probability(indices)
    for constraint, lower, upper in learned_constraints(models.problem):
        mean, std = predicted[constraint.name]
        scale = models.problem.scale_of(constraint.name)
        z = scale.sign * mean
        sd = np.maximum(std, 1e-9)
        if upper is not None:
            out = out * ndtr((scale.sign * scale.to_model(upper) - z) / sd)
        if lower is not None:
            out = out * ndtr((z - scale.sign * scale.to_model(lower)) / sd)
    return out


def fit_models(state: SearchState) -> Models:
    """Surrogates of all learned outcomes, from the whole log (every fidelity).

    A surrogate that fails is replaced by the default one, and that by the average of what was seen;
    ``Models.notes`` says so. Beyond 100 observations settings are learned anew at every fifth only.

    Raises:
        SurrogateError: A surrogate fails and the option ``on_surrogate_error`` is ``"raise"``.
    """
    problem = state.problem
    observations = merged(state.observations)
    with_level = len(problem.fidelities) > 1 or any(o.level != 1.0 for o in observations)
    columns = input_columns(problem, with_level)
    empty = Models(problem, {}, None, with_level)
    x = empty.inputs([o.indices for o in observations], [o.level for o in observations])
    notes: list[str] = []
    by_name = {}
    for name in problem.learned_names:
        y, noise = _targets(problem, name, observations)
        by_name[name] = _fit_with_fallback(state, name, columns, x, y, noise, notes)
    success = _fit_success(state, empty, columns, observations, notes) if state.failures else None
    return Models(problem, by_name, success, with_level, tuple(notes))


def input_columns(problem: Problem, with_level: bool) -> tuple[Column, ...]:
    """Description of the surrogate inputs: visible variables, proxies, and the fidelity."""
    variables = columns_of(problem.space.variables[i] for i in problem.visible)
    proxies = tuple(Column(p.name, "proxy") for p in problem.proxies)
    return (*variables, *proxies, *([Column("fidelity", "fidelity")] if with_level else []))


def checked_predict(model: Surrogate, x: Array, name: str) -> tuple[Array, Array]:
    """Mean and standard deviation, ``n`` each, of a surrogate of one outcome.

    Raises:
        SurrogateError: It fails, or returns other shapes, NaN, infinity or a negative deviation.
    """
    if not len(x):
        return np.zeros(0), np.zeros(0)
    hint = (
        f"Check the surrogate of {name!r} with the conformance suite, or use surrogate={DEFAULT_SURROGATE!r}."
    )
    try:
        mean, std = (np.asarray(part, dtype=float) for part in model.predict(x))
    except SurrogateError:
        raise
    except Exception as ex:
        raise SurrogateError(
            f"the surrogate of {name!r} cannot predict: {type(ex).__name__}: {ex}", hint
        ) from ex
    if mean.shape not in ((len(x), 1), (len(x),)) or std.shape != mean.shape:
        raise SurrogateError(
            f"the surrogate of {name!r} gave shapes {mean.shape} and {std.shape} for {len(x)} rows", hint
        )
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std >= 0).all()):
        raise SurrogateError(f"the surrogate of {name!r} gave NaN, infinity or a negative deviation", hint)
    return mean.reshape(-1), std.reshape(-1)


def make_surrogate(reference: Any, columns: Sequence[Column], seed: int) -> Surrogate:
    """A fresh surrogate from a reference, a class or factory, or an object to copy."""
    if isinstance(reference, str):
        return _built(load_object(_NAMES.get(reference, reference)), columns, seed)
    if isinstance(reference, type) or not hasattr(reference, "predict"):
        return _built(reference, columns, seed)
    import copy

    fresh = copy.deepcopy(reference)
    if hasattr(fresh, "columns"):
        fresh.columns = columns
    return fresh  # type: ignore[no-any-return]


def _built(factory: Any, columns: Sequence[Column], seed: int) -> Surrogate:
    accepted = inspect.signature(factory).parameters
    given = {"columns": columns, "seed": seed}
    return factory(**{k: v for k, v in given.items() if k in accepted})  # type: ignore[no-any-return]


def _targets(problem: Problem, name: str, observations: Sequence[Observation]) -> tuple[Array, Array]:
    scale = problem.scale_of(name)
    raw = np.array([o.outcomes[name] for o in observations], dtype=float)
    variance = np.array([o.variance.get(name, np.nan) for o in observations], dtype=float)
    return scale.to_model(raw), scale.variance_to_model(raw, variance)


def _checkpoint(n: int) -> int:
    return n if n <= 100 else n - n % 5


def _fit(
    reference: Any, columns: Sequence[Column], seed: int, x: Array, y: Array, noise: Array, name: str
) -> Surrogate:
    model = make_surrogate(reference, columns, seed)
    known = None if np.isnan(noise).all() else noise[:, None]
    first = _checkpoint(len(y)) if isinstance(model, UpdatableSurrogate) else len(y)
    model.fit(x[:first], y[:first, None], None if known is None else known[:first])
    if isinstance(model, UpdatableSurrogate) and first < len(y):
        model.update(x[first:], y[first:, None], None if known is None else known[first:])
    checked_predict(model, x[:1], name)
    return model


def _fit_with_fallback(
    state: SearchState,
    name: str,
    columns: Sequence[Column],
    x: Array,
    y: Array,
    noise: Array,
    notes: list[str],
) -> Surrogate:
    wanted = state.options.get("surrogate", DEFAULT_SURROGATE)
    if isinstance(wanted, Mapping):
        wanted = wanted.get(name, DEFAULT_SURROGATE)
    for reference in (wanted, DEFAULT_SURROGATE):
        try:
            return _fit(reference, columns, state.seed, x, y, noise, name)
        except Exception as ex:
            error = ex if isinstance(ex, SurrogateError) else SurrogateError(f"{type(ex).__name__}: {ex}")
            if state.options.get("on_surrogate_error") == "raise":
                raise error from ex
            fall_back = repr(DEFAULT_SURROGATE) if reference != DEFAULT_SURROGATE else "the average"
            notes.append(
                f"surrogate {reference!r} of {name!r} failed ({error.message}); used {fall_back} instead"
            )
            if reference == DEFAULT_SURROGATE:
                break
    return Average().fit(x, y[:, None])


def _fit_success(
    state: SearchState,
    empty: Models,
    columns: Sequence[Column],
    observations: Sequence[Observation],
    notes: list[str],
) -> Surrogate:
    rows = [(o.indices, o.level) for o in observations] + [(f.indices, f.level) for f in state.failures]
    x = empty.inputs([i for i, _ in rows], [level for _, level in rows])
    y = np.array([1.0] * len(observations) + [0.0] * len(state.failures))
    plain = replace(state, options={"surrogate": DEFAULT_SURROGATE})
    return _fit_with_fallback(plain, "success", columns, x, y, np.full(len(y), np.nan), notes)
