"""Columns of ``X`` as model features: one-hot categories, standardised proxies, marks for missing proxies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError
from nax_bo.surrogate.protocol import Array, Column, check_columns


@dataclass(frozen=True)
class Encoding:
    """How ``X: n x d`` becomes features ``n x p``; made by :func:`learn_encoding` from training data.

    Attributes:
        columns: Description of every column of ``X``.
        centre: Subtracted from each column, ``d`` (0 except for proxies).
        scale: Divides each column, ``d``.
        marked: Proxies with missing values in training, which get a 0/1 feature "is missing".
        group: For each feature, the column it belongs to, ``p``; marks count as further columns from ``d`` on.
    """

    columns: tuple[Column, ...]
    centre: Array
    scale: Array
    marked: tuple[int, ...]
    group: NDArray[np.int64]

    @property
    def kinds(self) -> NDArray[np.str_]:
        """Kind of the column behind each feature, ``p``; marks count as ``ordinal``."""
        kinds = [c.kind for c in self.columns] + ["ordinal"] * len(self.marked)
        return np.array(kinds)[self.group]

    def transform(self, X: ArrayLike) -> Array:
        """Features ``n x p`` of ``X: n x d``; a missing proxy takes its training mean.

        Raises:
            InputError: Wrong number of columns, values that are not numbers, an unknown category.
        """
        x = check_matrix("X", X, allow_nan=True)
        if x.shape[1] != len(self.columns):
            raise InputError(
                f"X has {x.shape[1]} columns, not {len(self.columns)}", "Give the columns used in fit."
            )
        out = np.empty((len(x), len(self.group)))
        numbers, places = self._numbers
        values = (x[:, numbers] - self.centre[numbers]) / self.scale[numbers]
        if not (known := np.isfinite(values)).all():
            self._check_missing(numbers[~known.all(axis=0)])
            values = np.where(known, values, 0.0)
        out[:, places] = values
        for j, at in self._categories:
            width = self.columns[j].cardinality
            out[:, at : at + width] = _one_hot(x[:, j], self.columns[j])
        at = len(self.group) - len(self.marked)
        out[:, at:] = ~np.isfinite(x[:, list(self.marked)])
        return out

    def active(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Which columns matter in each row of ``X: n x d``, ``n x d``: those whose conditions hold."""
        x = check_matrix("X", X, allow_nan=True)
        at = {c.name: j for j, c in enumerate(self.columns)}
        out = np.ones(x.shape, dtype=bool)
        shared: dict[
            tuple[tuple[str, tuple[float, ...]], ...], NDArray[np.bool_]
        ] = {}  # by many columns, mostly
        for j, column in enumerate(self.columns):
            if column.active_when and column.active_when not in shared:
                for i, values in ((at[n], v) for n, v in column.active_when if n in at):
                    out[:, j] &= out[:, i] & (np.abs(x[:, [i]] - values) < 1e-9).any(axis=1)
                shared[column.active_when] = out[:, j].copy()
            elif column.active_when:
                out[:, j] = shared[column.active_when]
        return out

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first feature of each column of ``X``, ``d``."""
        return np.searchsorted(self.group, np.arange(len(self.columns)))

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Columns that are one feature each, and where those features stand."""
        columns = np.flatnonzero([c.kind != "categorical" for c in self.columns])
        return columns, self._starts[columns]

    @cached_property
    def _categories(self) -> list[tuple[int, int]]:
        """Categorical columns, and where the features of each begin."""
        return [(j, int(self._starts[j])) for j, c in enumerate(self.columns) if c.kind == "categorical"]

    def _check_missing(self, columns: NDArray[np.int64]) -> None:
        for j in columns.tolist():
            if self.columns[j].kind != "proxy":
                raise InputError(
                    f"column {self.columns[j].name!r} holds NaN or infinity", "Only proxies may be missing."
                )


def learn_encoding(X: ArrayLike, columns: Sequence[Column] | None) -> Encoding:
    """Scales of the proxies, and which of them have missing values, from training inputs ``X: n x d``.

    Without ``columns`` every column is an ordinal one, scaled to [0, 1] over the training data.
    """
    x = check_matrix("X", X, allow_nan=True)
    described = check_columns(columns, x.shape[1])
    centre, scale = np.zeros(len(described)), np.ones(len(described))
    marked = []
    for j, column in enumerate(described):
        known = x[np.isfinite(x[:, j]), j]
        if column.kind == "proxy" and len(known):
            centre[j], scale[j] = known.mean(), known.std() if np.ptp(known) > 0 else 1.0
            if len(known) < len(x):
                marked.append(j)
        elif columns is None and len(known):
            centre[j], scale[j] = known.min(), np.ptp(known) or 1.0
    widths = [c.cardinality if c.kind == "categorical" else 1 for c in described] + [1] * len(marked)
    return Encoding(described, centre, scale, tuple(marked), np.repeat(np.arange(len(widths)), widths))


def check_matrix(name: str, values: ArrayLike, *, allow_nan: bool = False) -> Array:
    """``values`` as a float matrix; a vector becomes one column for Y, and is refused for X.

    Raises:
        InputError: Not numbers, not a matrix, or not finite.
    """
    try:
        out = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as ex:
        raise InputError(f"{name} does not hold numbers: {ex}", "Encode designs with Space.encode.") from ex
    if out.ndim == 1 and name != "X":
        out = out[:, None]
    if out.ndim != 2:
        raise InputError(f"{name} has shape {out.shape}", f"Give a matrix, {name}: n x columns.")
    if not allow_nan and not np.isfinite(out).all():
        rows = np.flatnonzero(~np.isfinite(out).all(axis=1))[:5].tolist()
        raise InputError(
            f"{name} holds NaN or infinity in rows {rows}", "Leave out evaluations without an outcome."
        )
    return out


def check_observations(X: ArrayLike, Y: ArrayLike, Yvar: ArrayLike | None) -> tuple[Array, Array, Array]:
    """Training data as matrices of matching shape; unknown noise (None or NaN) counts as 0.

    Raises:
        InputError: Shapes that do not match, outcomes that are not finite, no rows, negative variances.
    """
    x, y = check_matrix("X", X, allow_nan=True), check_matrix("Y", Y)
    if len(x) != len(y) or not len(x):
        raise InputError(
            f"X has {len(x)} rows and Y has {len(y)}", "Give one row of Y per row of X, at least one."
        )
    if Yvar is None:
        return x, y, np.zeros_like(y)
    noise = np.nan_to_num(check_matrix("Yvar", Yvar, allow_nan=True), nan=0.0, posinf=np.inf)
    if noise.shape != y.shape or (noise < 0).any() or np.isinf(noise).any():
        raise InputError(
            f"Yvar has shape {noise.shape}, Y has {y.shape}", "Give finite variances >= 0, one per outcome."
        )
    return x, y, noise


def _one_hot(values: Array, column: Column) -> Array:
    index = np.rint(values)
    if not (np.isfinite(values).all() and (index >= 0).all() and (index < column.cardinality).all()):
        raise InputError(
            f"column {column.name!r} holds a category outside 0 .. {column.cardinality - 1}",
            "Categories are given as their index.",
        )
    return np.equal(index[:, None], np.arange(column.cardinality)).astype(np.float64)
