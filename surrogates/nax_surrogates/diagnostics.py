"""How far a surrogate can be trusted on given data: cross-validated R2, Kendall tau, coverage, log density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.surrogate import build
from nax_bo.surrogate.encoding import check_observations
from nax_bo.surrogate.protocol import Array, Column, check_columns
from nax_bo.surrogate.quality import coverage_95, explained, rank_correlation
from nax_surrogates.calibration import log_density


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Quality of held-out predictions of one outcome at one fidelity.

    Attributes:
        outcome: Column of ``Y``.
        fidelity: In [0, 1]; None if all were taken together.
        n: Number of held-out outcomes.
        r2: Share of variance explained; NaN for a constant outcome.
        tau: Kendall's rank correlation (tau-b) of prediction and outcome; NaN for a constant one.
        coverage_95: Share of outcomes within the predicted 95 % interval, measurement noise included.
        nll: Mean negative log density of the outcomes.
    """

    outcome: int
    fidelity: float | None
    n: int
    r2: float
    tau: float
    coverage_95: float
    nll: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form; NaN becomes None."""
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()}


def diagnostics(
    surrogate: Any,
    X: Array,
    Y: Array,
    Yvar: Array | None = None,
    columns: Sequence[Column] | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
) -> tuple[Diagnosis, ...]:
    """Quality of a surrogate by ``folds``-fold cross-validation, for each outcome and fidelity.

    Args:
        surrogate: Reference, class or instance, as :func:`nax_bo.surrogate.build` takes it.
        X: ``n x d``.
        Y: ``n x m``.
        Yvar: Known noise variances, ``n x m``.
        columns: Description of the columns of ``X``.
        folds: Number of folds; ``n`` gives leave-one-out.
        seed: Deals the rows to the folds.

    Raises:
        InputError: Fewer rows than folds, or fewer than 2 folds.
    """
    x, y, noise = check_observations(X, Y, Yvar)
    if not 2 <= folds <= len(x):
        raise InputError(f"{folds} folds of {len(x)} rows", "Use from 2 folds up to the number of rows.")
    mean, std = np.empty_like(y), np.empty_like(y)
    order = np.random.default_rng(seed).permutation(len(x))
    for fold in range(folds):
        held = order[fold::folds]
        kept = np.delete(order, np.s_[fold::folds])
        fitted = build(surrogate, columns, seed).fit(x[kept], y[kept], noise[kept])
        mean[held], spread = fitted.predict(x[held])
        std[held] = np.sqrt(spread**2 + fitted.noise_variance(x[held]) + noise[held])
    at = [j for j, c in enumerate(check_columns(columns, x.shape[1])) if c.kind == "fidelity"]
    levels: list[float | None] = sorted(set(x[:, at[0]].tolist())) if at else [None]
    out = []
    for j in range(y.shape[1]):
        for level in levels:
            rows = np.flatnonzero(x[:, at[0]] == level) if level is not None else np.arange(len(x))
            out.append(diagnose(y[rows, j], mean[rows, j], std[rows, j], outcome=j, fidelity=level))
    return tuple(out)


def diagnose(
    y: NDArray[np.float64], mean: Array, std: Array, *, outcome: int = 0, fidelity: float | None = None
) -> Diagnosis:
    """Quality of predictions ``mean``, ``std`` of ``y``, ``n`` each."""
    safe = np.maximum(std, 1e-12)
    return Diagnosis(
        outcome,
        fidelity,
        len(y),
        explained(y, mean),
        rank_correlation(y, mean),
        coverage_95(y, mean, std),
        float(-log_density(y, mean, safe).mean()),
    )


def diagnostics_table(diagnoses: Sequence[Diagnosis]) -> str:
    """The diagnoses as text, one line each."""
    lines = ["outcome  fidelity     n     R2    tau  cover95     NLL"]
    for d in diagnoses:
        fidelity = "all" if d.fidelity is None else f"{d.fidelity:g}"
        lines.append(
            f"{d.outcome:7d}  {fidelity:>8}  {d.n:4d}  {d.r2:5.2f}  {d.tau:5.2f}  {d.coverage_95:7.2f}  {d.nll:6.2f}"
        )
    return "\n".join(lines)
