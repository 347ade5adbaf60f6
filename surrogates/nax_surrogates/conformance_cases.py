"""The single demands on a surrogate. Each case gets a reference, class or instance and makes its own data."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override

from nax_bo.errors import NaxboError
from nax_bo.surrogate import AdaptedSurrogate, build
from nax_bo.surrogate.protocol import Array, ConditionalSurrogate, JointSurrogate
from nax_surrogates.problems import PROBLEMS, Sample, draw

_DATA: Sample = draw(PROBLEMS["smooth16"], 24, 1, proxy="useful")
_OTHER: Sample = draw(PROBLEMS["smooth16"], 18, 2, proxy="useful")
_SHAPES = "The search combines predictions of thousands of candidates by position."
_TRUST = "Acquisition functions turn these numbers into decisions; one bad value decides for all."


class Broken(Exception):
    """A demand that is not met: what happened, and what to do."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    @override
    def __str__(self) -> str:
        return f"{self.problem}\nhint: {self.hint}"


@dataclass(frozen=True, slots=True)
class Case:
    """One demand: ``what`` must hold, ``why``, and the function that tries it."""

    name: str
    what: str
    why: str
    trial: Callable[[Any], None]

    def run(self, surrogate: Any) -> None:
        """Try it in this process; raises :class:`Broken` if the surrogate does not meet the demand."""
        try:
            self.trial(surrogate)
        except Broken:
            raise
        except NaxboError as ex:
            raise Broken(ex.message, ex.hint) from ex
        except Exception as ex:
            raise Broken(f"{type(ex).__name__}: {ex}", "Find out with a debugger where it raises.") from ex

    def verdict(self, surrogate: Any) -> tuple[str, str]:
        """(problem, hint), both empty if the demand is met."""
        try:
            self.run(surrogate)
        except Broken as broken:
            return broken.problem, broken.hint
        return "", ""


def _fit(surrogate: Any, data: Sample = _DATA, seed: int = 0) -> AdaptedSurrogate:
    return build(surrogate, data.columns, seed).fit(data.X, data.Y)


def _constructs(surrogate: Any) -> None:
    build(surrogate, _DATA.columns, 0)


def _fits(surrogate: Any) -> None:
    _fit(surrogate)


def _raw(surrogate: Any) -> tuple[Array, Array]:
    answer = _fit(surrogate).inner.predict(_OTHER.X.copy())
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise Broken(f"predict returns {type(answer).__name__}", "Return (mean, std), each n x m.")
    return np.asarray(answer[0], dtype=np.float64), np.asarray(answer[1], dtype=np.float64)


def _shape(surrogate: Any) -> None:
    for what, values in zip(("mean", "std"), _raw(surrogate), strict=True):
        if values.shape not in ((len(_OTHER.X), 1), (len(_OTHER.X),)):
            raise Broken(
                f"{what} has shape {values.shape}, not {(len(_OTHER.X), 1)}", "Return n x m, as Y was."
            )


def _finite(surrogate: Any) -> None:
    for what, values in zip(("mean", "std"), _raw(surrogate), strict=True):
        if not np.isfinite(values).all():
            raise Broken(f"{what} holds NaN or infinity", "Look for divisions by 0 and logarithms of 0.")


def _std_not_negative(surrogate: Any) -> None:
    _, std = _raw(surrogate)
    if (std < 0).any():
        raise Broken(f"std goes down to {std.min():.3g}", "Return a standard deviation, clipped at 0.")


def _std_informs(surrogate: Any) -> None:
    std = _fit(surrogate).predict(_OTHER.X)[1]
    if not (std > 0).any():
        raise Broken(
            "std is 0 everywhere", "Without a spread nothing is explored; return plain means instead."
        )


def _inputs_unchanged(surrogate: Any) -> None:
    inner = build(surrogate, _DATA.columns, 0).fit(_DATA.X, _DATA.Y).inner
    x, y, at = _DATA.X.copy(), _DATA.Y.copy(), _OTHER.X.copy()
    inner.fit(x, y)
    inner.predict(at)
    for what, now, before in (
        ("X of fit", x, _DATA.X),
        ("Y of fit", y, _DATA.Y),
        ("X of predict", at, _OTHER.X),
    ):
        if not np.array_equal(now, before, equal_nan=True):
            raise Broken(f"{what} was changed", "Copy arrays before changing them: x = x.copy().")


def _deterministic(surrogate: Any) -> None:
    _same(
        _fit(surrogate),
        _fit(surrogate),
        "two fits with the same seed differ",
        "Draw from default_rng(seed) only.",
    )


def _global_state(surrogate: Any) -> None:
    before = np.random.get_state(legacy=False)  # noqa: NPY002 - to see whether the surrogate touches it
    _fit(surrogate).predict(_OTHER.X)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    if str(before) != str(after):
        raise Broken("numpy's global random state was used", "Draw from np.random.default_rng(seed).")


def _takes_seed(surrogate: Any) -> None:
    fitted = []
    for state in (1, 2):
        random.seed(state)
        np.random.seed(state)  # noqa: NPY002 - a surrogate that draws from it must be found out
        fitted.append(_fit(surrogate, seed=5))
    first, second = fitted
    _same(
        first,
        second,
        "the result depends on global random state, not on the seed",
        "Draw from default_rng(seed).",
    )


def _no_state_leak(surrogate: Any) -> None:
    used = _fit(surrogate, _OTHER)
    used.fit(_DATA.X, _DATA.Y)
    _same(
        used,
        _fit(surrogate),
        "an earlier fit changes a later one",
        "Start fit from nothing; learn nothing across.",
    )


def _predict_is_pure(surrogate: Any) -> None:
    fitted = _fit(surrogate)
    first = fitted.predict(_OTHER.X)
    fitted.predict(_DATA.X)
    second = fitted.predict(_OTHER.X)
    if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(first, second, strict=True)):
        raise Broken("predicting twice gives two answers", "Draw random numbers in fit, not in predict.")


def _rows_independent(surrogate: Any) -> None:
    fitted = _fit(surrogate)
    mean, std = fitted.predict(_OTHER.X)
    part, spread = fitted.predict(_OTHER.X[3:7])
    if not (np.allclose(part, mean[3:7], rtol=1e-6) and np.allclose(spread, std[3:7], rtol=1e-4, atol=1e-6)):
        raise Broken(
            "a design's prediction depends on the others asked for", "Scale by the training data only."
        )


def _two_outcomes(surrogate: Any) -> None:
    y = np.hstack([_DATA.Y, -2.0 * _DATA.Y])
    mean, _ = build(surrogate, _DATA.columns, 0).fit(_DATA.X, y).predict(_OTHER.X)
    if mean.shape != (len(_OTHER.X), 2):
        raise Broken(f"mean has shape {mean.shape} for two outcomes", "Return n x m, as Y was.")


def _known_noise(surrogate: Any) -> None:
    build(surrogate, _DATA.columns, 0).fit(_DATA.X, _DATA.Y, _DATA.Yvar).predict(_OTHER.X)


def _few_points(surrogate: Any) -> None:
    for n in (2, 3, 5):
        build(surrogate, _DATA.columns, 0).fit(_DATA.X[:n], _DATA.Y[:n]).predict(_OTHER.X)


def _constant(surrogate: Any) -> None:
    build(surrogate, _DATA.columns, 0).fit(_DATA.X, np.full_like(_DATA.Y, 3.0)).predict(_OTHER.X)


def _duplicates(surrogate: Any) -> None:
    twice = np.vstack([_DATA.X, _DATA.X[:6], _DATA.X[:6]])
    y = np.vstack([_DATA.Y, _DATA.Y[:6], _DATA.Y[:6] + 0.1])
    build(surrogate, _DATA.columns, 0).fit(twice, y).predict(_OTHER.X)


def _missing_proxies(surrogate: Any) -> None:
    x, at = _DATA.X.copy(), _OTHER.X.copy()
    x[::3, -1], at[::2, -1] = np.nan, np.nan
    build(surrogate, _DATA.columns, 0).fit(x, _DATA.Y).predict(at)


def _joint(surrogate: Any) -> None:
    fitted = _fit(surrogate)
    if not isinstance(fitted.inner, JointSurrogate):
        return
    _, std = fitted.predict(_OTHER.X)
    _, cov = fitted.predict_joint(_OTHER.X)
    if not np.allclose(np.diagonal(cov[0]), std[:, 0] ** 2, rtol=1e-3, atol=1e-8):
        raise Broken(
            "the joint variances differ from those of predict", "Both describe the noise-free outcome."
        )
    if np.linalg.eigvalsh(cov[0]).min() < -1e-6 * np.trace(cov[0]):
        raise Broken("the joint covariance is not positive semidefinite", "Check how it is put together.")


def _condition(surrogate: Any) -> None:
    fitted = _fit(surrogate)
    if not isinstance(fitted.inner, ConditionalSurrogate):
        return
    before = fitted.predict(_OTHER.X)
    point = _OTHER.X[:1]
    after = fitted.condition(point, before[0][:1])
    if after.predict(point)[1][0, 0] > before[1][0, 0] * 1.001:
        raise Broken("imagining an outcome makes its design less certain", "Treat it as an observation.")
    if not all(np.array_equal(a, b) for a, b in zip(before, fitted.predict(_OTHER.X), strict=True)):
        raise Broken("condition changes the surrogate itself", "Return a new surrogate.")


def _same(first: AdaptedSurrogate, second: AdaptedSurrogate, problem: str, hint: str) -> None:
    pairs = zip(first.predict(_OTHER.X), second.predict(_OTHER.X), strict=True)
    if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs):
        raise Broken(problem, hint)


_RESUME = "A study that is resumed or replayed must make the same suggestions."
_EARLY = "Studies start with few points, repeat designs, and hit plateaus."

CASES: tuple[Case, ...] = (
    Case("constructs", "can be constructed", "Workers make it from its reference.", _constructs),
    Case("fits", "learns from 24 designs", "Everything else needs that.", _fits),
    Case("shape", "mean and std are n x m", _SHAPES, _shape),
    Case("finite", "mean and std are finite", _TRUST, _finite),
    Case("std-not-negative", "std is never negative", _TRUST, _std_not_negative),
    Case(
        "std-not-zero",
        "std is not 0 everywhere",
        "A surrogate that is sure of everything explores nothing.",
        _std_informs,
    ),
    Case(
        "inputs-unchanged",
        "arrays it is given stay as they are",
        "The study goes on using them.",
        _inputs_unchanged,
    ),
    Case("deterministic", "the same seed and data give the same predictions", _RESUME, _deterministic),
    Case("seed", "the seed decides everything random", _RESUME, _takes_seed),
    Case("global-random-state", "global random state is left alone", _RESUME, _global_state),
    Case("no-state-leak", "a fit does not depend on earlier fits", _RESUME, _no_state_leak),
    Case("predict-is-pure", "predicting does not change later predictions", _RESUME, _predict_is_pure),
    Case(
        "rows-independent", "a prediction does not depend on its neighbours in X", _SHAPES, _rows_independent
    ),
    Case(
        "two-outcomes",
        "two outcomes are learned together",
        "Accuracy and EDAP may both be learned.",
        _two_outcomes,
    ),
    Case(
        "known-noise",
        "known noise variances are taken",
        "Noise-aware accuracy has a known error.",
        _known_noise,
    ),
    Case("few-points", "learns from 2, 3 and 5 points", _EARLY, _few_points),
    Case("constant-outcome", "copes with a constant outcome", _EARLY, _constant),
    Case("duplicates", "copes with repeated designs", _EARLY, _duplicates),
    Case(
        "missing-proxies",
        "copes with missing proxies",
        "Proxies may fail for single designs.",
        _missing_proxies,
    ),
    Case("joint", "joint covariances agree with std", "Batches rest on them.", _joint),
    Case("condition", "imagined outcomes reduce uncertainty", "Parallel suggestions rest on it.", _condition),
)
