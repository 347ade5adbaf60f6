"""What a surrogate is: ``fit`` and ``predict``, and what it may offer beyond that.

A surrogate learns outcomes (accuracy, say) from designs. It needs no base class; any object with these
methods will do. Optional abilities are separate protocols, found with ``isinstance``.

Shapes: ``X: n x d``, ``Y: n x m``, ``mean: n x m``, ``std: n x m``, ``cov: m x n x n``. The spread that
``predict`` gives is that of the noise-free outcome; measurement noise is not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError

Array: TypeAlias = NDArray[np.float64]
ColumnKind = Literal["ordinal", "categorical", "proxy", "fidelity"]
COLUMN_KINDS: tuple[str, ...] = ("ordinal", "categorical", "proxy", "fidelity")


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of ``X`` holds.

    Attributes:
        name: Name of the variable or proxy.
        kind: ``ordinal``: rank scaled to [0, 1]. ``categorical``: index 0 .. ``cardinality`` - 1, as a float.
            ``proxy``: any number, or NaN where the proxy is not available; the surrogate scales it.
            ``fidelity``: in [0, 1], where 1 is the full evaluation.
        cardinality: Number of values; 0 for proxies.
        active_when: Columns before it by name with the values, as ``X`` holds them, that they must have for this one to
            matter; otherwise it holds 0, which says nothing.
    """

    name: str
    kind: ColumnKind = "ordinal"
    cardinality: int = 0
    active_when: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in COLUMN_KINDS:
            raise InputError(
                f"column {self.name!r} has kind {self.kind!r}", f"Use one of {', '.join(COLUMN_KINDS)}."
            )
        if self.kind == "categorical" and self.cardinality < 1:
            raise InputError(
                f"categorical column {self.name!r} has {self.cardinality} values", "Give its cardinality."
            )


def columns_of(variables: Iterable[Any]) -> tuple[Column, ...]:
    """The columns of ``Space.encode``, from ``Space.variables`` or some of them."""
    some = {v.name: v for v in variables}

    def condition(parent: Any, values: Iterable[Any]) -> tuple[str, tuple[float, ...]]:
        last = parent.cardinality - 1 if parent.kind == "ordinal" and parent.cardinality > 1 else 1
        return parent.name, tuple(parent.values.index(value) / last for value in values)

    return tuple(
        Column(
            v.name,
            v.kind,
            v.cardinality,
            tuple(condition(some[c.variable], c.values) for c in v.active_when if c.variable in some),
        )
        for v in some.values()
    )


def check_columns(columns: Sequence[Column] | None, width: int) -> tuple[Column, ...]:
    """The given columns, or ``width`` ordinal ones if none are given.

    Raises:
        InputError: Their number is not ``width``, or there are two fidelity columns.
    """
    if columns is None:
        return tuple(Column(f"x{i}") for i in range(width))
    if len(columns) != width:
        raise InputError(
            f"X has {width} columns but {len(columns)} are described", "Describe every column of X once."
        )
    if sum(c.kind == "fidelity" for c in columns) > 1:
        raise InputError("X has two fidelity columns", "Give one column with the fidelity in [0, 1].")
    return tuple(columns)


@runtime_checkable
class Surrogate(Protocol):
    """The least that a surrogate must do."""

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> Any:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``; returns itself."""
        ...

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation, each ``n x m``, at ``X: n x d``."""
        ...


@runtime_checkable
class JointSurrogate(Surrogate, Protocol):
    """Predicts how outcomes of different designs move together."""

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n`` at ``X: n x d``."""
        ...


@runtime_checkable
class ConditionalSurrogate(Surrogate, Protocol):
    """Takes in imagined outcomes cheaply (kriging believer)."""

    def condition(self, X: Array, Y: Array) -> Any:
        """A new surrogate that has also seen ``Y: n x m`` at ``X: n x d``; settings are not learned anew."""
        ...


@runtime_checkable
class UpdatableSurrogate(Surrogate, Protocol):
    """Takes in further outcomes cheaply."""

    def update(self, X: Array, Y: Array, Yvar: Array | None = None) -> Any:
        """Append observations without learning settings anew; returns itself."""
        ...


@runtime_checkable
class NoiseAware(Surrogate, Protocol):
    """Knows the measurement noise that comes on top of the predicted spread."""

    def noise_variance(self, X: Array) -> Array:
        """Variance of the measurement noise at ``X: n x d``, ``n x m``."""
        ...


@runtime_checkable
class LeaveOneOut(Surrogate, Protocol):
    """Knows what it would have predicted for each training point without having seen it."""

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each *observation*, ``n x m`` each, without that observation."""
        ...


@runtime_checkable
class Prequential(Surrogate, Protocol):
    """Knows what it would have predicted when it had seen only the first of its training points."""

    def ahead(self, X: Array, after: NDArray[np.int64]) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcome at ``X: k x d``, ``k x m`` each.

        Each from the first ``after: k`` rows, in the order of fitting and updating, at the settings of now.
        """
        ...


@runtime_checkable
class BotorchNative(Protocol):
    """Is a BoTorch model already, or can turn into one."""

    def posterior(self, X: Any, **options: Any) -> Any:
        """A BoTorch posterior at the tensor ``X: batch x q x d``."""
        ...
