"""Surrogates of the learned outcomes, fitted to the log of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

from nax_bo.errors import NaxboError, SurrogateError
from nax_bo.search.models.relevant import MOST, relevant
from nax_bo.search.problem import Constraint, Problem
from nax_bo.search.scale import Array
from nax_bo.search.state import Look, Observation, SearchState, merged
from nax_bo.surrogate import AdaptedSurrogate, Column, build, columns_of
from nax_bo.surrogate.adapt import copied
from nax_bo.surrogate.protocol import JointSurrogate, UpdatableSurrogate

DEFAULT_SURROGATE = "gp"

_SMALL = 100  # observations up to which settings are learned anew every time

_UNKNOWN_CORRELATION = (
    0.8  # between fidelities, for surrogates that cannot tell; as measured on short trainings
)


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
    by_name: Mapping[str, AdaptedSurrogate]
    success: AdaptedSurrogate | None
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
        return {name: _flat(model, x) for name, model in self.by_name.items()}

    def success_probability(self, indices: ArrayLike) -> Array:
        """Probability that evaluating each design succeeds, ``n``."""
        if self.success is None:
            return np.ones(len(np.asarray(indices)))
        mean, std = _flat(self.success, self.inputs(indices))
        return np.asarray(np.maximum(ndtr((mean - 0.5) / np.sqrt(std**2 + 0.15**2)), 1e-9))

    def believing(self, pending: Sequence[Look]) -> Models:
        """With the pending looks at their predicted means (kriging believer, Ginsbourger et al. 2010)."""
        if not pending:
            return self
        x = self.inputs([i for i, _ in pending], [level for _, level in pending])
        out = {}
        for name, model in self.by_name.items():
            out[name] = model.condition(x, model.predict(x)[0])
        return replace(self, by_name=out)

    def correlation(self, indices: NDArray[np.int64], level: float) -> float:
        """Mean correlation between what is believed of designs at ``level`` and at the full fidelity, in [0, 1]."""
        found = []
        for model in self.by_name.values():
            if not isinstance(model.inner, JointSurrogate):
                return _UNKNOWN_CORRELATION
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
    """Constraints on learned outcomes with their (lower, upper) limits.

    Without those that clip a reference point, and those that every value of the scale keeps.
    """
    directions = {o.name: o.maximise for o in problem.objectives}
    out = []
    for c in problem.constraints:
        if c.name not in problem.learned_names:
            continue
        lower, upper = c.lower, c.upper
        if c.name in directions:
            lower, upper = (None, upper) if directions[c.name] else (lower, None)
        least, most = problem.scale_of(c.name).domain
        lower = None if lower is not None and lower <= least else lower
        upper = None if upper is not None and upper >= most else upper
        if lower is not None or upper is not None:
            out.append((c, lower, upper))
    return out


def log_feasibility(
    models: Models, predicted: Mapping[str, tuple[Array, Array]], indices: NDArray[np.int64]
) -> Array:
    """Logarithm of the probability that learned constraints hold and the evaluation succeeds, ``n``.

    However small it is, it says which designs are less hopeless: those of which less is known.
    """
    out = np.log(models.success_probability(indices))
    for constraint, lower, upper in learned_constraints(models.problem):
        mean, std = predicted[constraint.name]
        scale = models.problem.scale_of(constraint.name)
        z = scale.sign * mean
        sd = np.maximum(std, 1e-200)
        if upper is not None:
            out = out + log_ndtr((scale.sign * scale.to_model(upper) - z) / sd)
        if lower is not None:
            out = out + log_ndtr((z - scale.sign * scale.to_model(lower)) / sd)
    return out


Memo = dict[tuple[str, str], tuple[tuple[Any, ...], AdaptedSurrogate]]
"""What surrogates were last fitted to, by outcome and reference; saves work, changes nothing."""


def fit_models(state: SearchState, memo: Memo | None = None) -> Models:
    """Surrogates of all learned outcomes, from the whole log (every fidelity).

    A surrogate that fails is replaced by the default one, and that by the average of what was seen;
    ``Models.notes`` says so. Beyond 100 observations settings are learned anew less often.

    Raises:
        SurrogateError: A surrogate fails and the option ``on_surrogate_error`` is ``"raise"``.
    """
    problem = state.problem
    observations = seen_by_surrogates(state)
    with_level = len(problem.fidelities) > 1 or any(o.level != 1.0 for o in observations)
    columns = input_columns(problem, with_level)
    empty = Models(problem, {}, None, with_level)
    x = empty.inputs([o.indices for o in observations], [o.level for o in observations])
    notes: list[str] = []
    kept: Memo = {} if memo is None else memo
    by_name = {}
    for name in problem.learned_names:
        by_name[name], found = _fit_with_fallback(
            state, name, columns, x, _targets(problem, name, observations), kept
        )
        notes += found
    success = None
    if state.failures:
        success, found = _fit_success(state, empty, columns, observations, kept)
        notes += found
    return Models(problem, by_name, success, with_level, tuple(notes))


def seen_by_surrogates(state: SearchState) -> tuple[Observation, ...]:
    """All observations up to :data:`MOST`; beyond, the relevant ones as of the last checkpoint and all since."""
    every = merged(state.observations)
    first = _checkpoint(len(every))
    rows = relevant(state, every[:first])
    return (*(every[i] for i in rows), *every[first:])


def input_columns(problem: Problem, with_level: bool) -> tuple[Column, ...]:
    """Description of the surrogate inputs: visible variables, proxies, and the fidelity."""
    variables = columns_of(problem.space.variables[i] for i in problem.visible)
    proxies = tuple(Column(p.name, "proxy") for p in problem.proxies)
    return (*variables, *proxies, *([Column("fidelity", "fidelity")] if with_level else []))


def _targets(problem: Problem, name: str, observations: Sequence[Observation]) -> tuple[Array, Array]:
    scale = problem.scale_of(name)
    raw = np.array([o.outcomes[name] for o in observations], dtype=float)
    variance = np.array([o.variance.get(name, np.nan) for o in observations], dtype=float)
    return scale.to_model(raw), scale.variance_to_model(raw, variance)


def _flat(model: AdaptedSurrogate, x: Array) -> tuple[Array, Array]:
    if not len(x):
        return np.zeros(0), np.zeros(0)
    mean, std = model.predict(x)
    return mean[:, 0], std[:, 0]


def _checkpoint(n: int) -> int:
    """Observations that settings are learned from: all up to 100, then as of every 10th, 20th (400) or 50th (1,000)."""
    return n if n <= _SMALL else n - n % (10 if n <= 400 else 20 if n <= MOST else 50)


def _fit(
    reference: Any,
    columns: Sequence[Column],
    seed: int,
    x: Array,
    targets: tuple[Array, Array],
    memo: Memo,
    name: str,
) -> AdaptedSurrogate:
    model = build(reference, columns, seed)
    y, noise = targets[0][:, None], targets[1][:, None]
    first = _checkpoint(len(y)) if isinstance(model.inner, UpdatableSurrogate) else len(y)
    seen = (columns, x[:first].tobytes(), y[:first].tobytes(), noise[:first].tobytes())
    key = (name, str(reference))
    if key in memo and memo[key][0] == seen:
        model = copied(memo[key][1])
    else:
        model.fit(x[:first], y[:first], noise[:first])
        if first > _SMALL:
            with suppress(SurrogateError):  # what cannot be copied is not remembered
                memo[key] = (seen, copied(model))
    if first < len(y):
        model.update(x[first:], y[first:], noise[first:])
    if reference != DEFAULT_SURROGATE:
        model.predict(x)  # some fail with many rows only
    return model


def _fit_with_fallback(
    state: SearchState,
    name: str,
    columns: Sequence[Column],
    x: Array,
    targets: tuple[Array, Array],
    memo: Memo,
) -> tuple[AdaptedSurrogate, list[str]]:
    wanted = surrogate_of(state.options, name)
    notes: list[str] = []
    plain = isinstance(wanted, str) and wanted == DEFAULT_SURROGATE
    for reference in [wanted] if plain else [wanted, DEFAULT_SURROGATE]:
        try:
            return _fit(reference, columns, state.seed, x, targets, memo, name), notes
        except (NaxboError, ArithmeticError, ValueError) as ex:
            if state.options.get("on_surrogate_error") == "raise":
                raise
            instead = (
                "the average of what was seen" if reference == DEFAULT_SURROGATE else repr(DEFAULT_SURROGATE)
            )
            what = ex.message if isinstance(ex, NaxboError) else f"{type(ex).__name__}: {ex}"
            label = reference if isinstance(reference, str) else type(reference).__name__
            notes.append(f"the surrogate {label!r} of {name!r} failed, used {instead} instead ({what})")
    return AdaptedSurrogate(Average()).fit(x, targets[0][:, None]), notes


def surrogate_of(options: Mapping[str, Any], name: str) -> Any:
    """The surrogate wanted for outcome ``name``."""
    wanted = options.get("surrogate", DEFAULT_SURROGATE)
    return wanted.get(name, DEFAULT_SURROGATE) if isinstance(wanted, Mapping) else wanted


def _fit_success(
    state: SearchState,
    empty: Models,
    columns: Sequence[Column],
    observations: Sequence[Observation],
    memo: Memo,
) -> tuple[AdaptedSurrogate, list[str]]:
    failed = [(f.indices, f.level, 0.0) for f in state.failures[-MOST:]]
    done = [(o.indices, o.level, 1.0) for o in observations]
    # the rarer first: settings are learned from the first rows, and must not miss them
    rows = [*failed, *done] if len(failed) <= len(done) else [*done, *failed]
    x = empty.inputs([i for i, _, _ in rows], [level for _, level, _ in rows])
    y = np.array([success for _, _, success in rows])
    plain = replace(state, options={"surrogate": DEFAULT_SURROGATE})
    return _fit_with_fallback(plain, "success", columns, x, (y, np.zeros(len(y))), memo)
