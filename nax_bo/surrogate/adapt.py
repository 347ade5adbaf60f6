"""Any surrogate as the search sees it: checked, and with every ability, borrowed where it is missing."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nax_bo.errors import NaxboError, SurrogateError
from nax_bo.surrogate.encoding import check_observations
from nax_bo.surrogate.protocol import (
    Array,
    Column,
    ConditionalSurrogate,
    JointSurrogate,
    NoiseAware,
    UpdatableSurrogate,
)
from nax_bo.surrogate.reference import SurrogateReference, accepts, load_factory, parse_reference
from nax_bo.surrogate.regressor import RegressorSurrogate, is_plain_regressor

_CHECK_HINT = "Test it with: naxbo surrogates check REFERENCE"


class AdaptedSurrogate:
    """A surrogate of any origin, whose answers are checked and whose inputs are safe from it.

    What the inner surrogate cannot do is done for it: covariances without correlation, imagined or further
    outcomes by fitting a copy anew, noise taken as 0.

    Attributes:
        inner: The surrogate itself.
    """

    def __init__(self, inner: Any, columns: Sequence[Column] | None = None, seed: int = 0) -> None:
        if not (hasattr(inner, "fit") and hasattr(inner, "predict")):
            raise SurrogateError(
                f"{type(inner).__name__} is not a surrogate",
                "It needs fit(X, Y) and predict(X) -> (mean, std).",
            )
        self.columns = columns
        self.seed = seed
        self.inner = RegressorSurrogate(inner, columns, seed) if is_plain_regressor(inner) else inner
        self._data: tuple[Array, Array, Array] | None = None

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> AdaptedSurrogate:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``.

        Raises:
            InputError: The data are wrong.
            SurrogateError: The surrogate raises, or its first answer is not a mean and a spread.
        """
        self._data = check_observations(X, Y, Yvar)
        self._fit_inner()
        if not isinstance(self._call("predict", self._data[0][:2]), tuple):
            self.inner = RegressorSurrogate(self.inner, self.columns, self.seed)
            self._fit_inner()
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at ``X: n x d``, each ``n x m``.

        Raises:
            SurrogateError: Wrong shape, NaN, infinity or a negative spread.
        """
        answer = self._call("predict", X)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise SurrogateError(f"predict of {self._name} returns no (mean, std)", _CHECK_HINT)
        shape = (len(X), self._known()[1].shape[1])
        mean, std = (self._checked(what, a, shape) for what, a in zip(("mean", "std"), answer, strict=True))
        if (std < 0).any():
            raise SurrogateError(f"{self._name} predicts a negative standard deviation", _CHECK_HINT)
        return mean, std

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n`` at ``X: n x d``."""
        if isinstance(self.inner, JointSurrogate):
            mean, cov = self._call("predict_joint", X)
            n, m = len(X), self._known()[1].shape[1]
            return self._checked("mean", mean, (n, m)), self._checked("covariance", cov, (m, n, n))
        mean, std = self.predict(X)
        return mean, np.asarray(std.T[:, :, None] ** 2 * np.eye(len(X)))

    def noise_variance(self, X: Array) -> Array:
        """Variance of the measurement noise at ``X: n x d``, ``n x m``."""
        shape = (len(X), self._known()[1].shape[1])
        if isinstance(self.inner, NoiseAware):
            return self._checked("noise variance", self._call("noise_variance", X), shape)
        return np.zeros(shape)

    def condition(self, X: Array, Y: Array) -> AdaptedSurrogate:
        """A new surrogate that has also seen ``Y: k x m`` at ``X: k x d``."""
        other = copy.copy(self)
        other._data = self._appended(X, Y, None)
        if isinstance(self.inner, ConditionalSurrogate):
            other.inner = self._call("condition", X, Y)
        else:
            other.inner = copied(self.inner)
            other._fit_inner()
        return other

    def update(self, X: Array, Y: Array, Yvar: Array | None = None) -> AdaptedSurrogate:
        """Append observations; refits a surrogate that cannot."""
        self._data = self._appended(X, Y, Yvar)
        if isinstance(self.inner, UpdatableSurrogate):
            self._call("update", X, Y, Yvar)
        else:
            self._fit_inner()
        return self

    @property
    def _name(self) -> str:
        inner = self.inner.regressor if isinstance(self.inner, RegressorSurrogate) else self.inner
        return type(inner).__name__

    def _known(self) -> tuple[Array, Array, Array]:
        if self._data is None:
            raise SurrogateError(f"{self._name} has not been fitted", "Call fit(X, Y) first.")
        return self._data

    def _appended(self, X: Array, Y: Array, Yvar: Array | None) -> tuple[Array, Array, Array]:
        new = check_observations(X, Y, Yvar)
        x, y, noise = (np.concatenate(pair) for pair in zip(self._known(), new, strict=True))
        return x, y, noise

    def _fit_inner(self) -> None:
        x, y, noise = self._known()
        takes_noise = noise.any() and _takes(self.inner.fit, "Yvar")
        self._call("fit", x, y, noise) if takes_noise else self._call("fit", x, y)

    def _call(self, method: str, *arrays: Array | None) -> Any:
        copies = [None if a is None else np.array(a, dtype=np.float64) for a in arrays]
        try:
            return getattr(self.inner, method)(*copies)
        except NaxboError:
            raise
        except (Exception, SystemExit) as ex:
            raise SurrogateError(
                f"{method} of {self._name} fails: {type(ex).__name__}: {ex}", _CHECK_HINT
            ) from ex

    def _checked(self, what: str, values: Any, shape: tuple[int, ...]) -> Array:
        try:
            out = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as ex:
            raise SurrogateError(f"the {what} of {self._name} does not hold numbers", _CHECK_HINT) from ex
        if out.ndim == 1 and shape == (len(out), 1):
            out = out[:, None]
        if out.shape != shape:
            raise SurrogateError(
                f"the {what} of {self._name} has shape {out.shape}, not {shape}", _CHECK_HINT
            )
        if not np.isfinite(out).all():
            raise SurrogateError(f"the {what} of {self._name} holds NaN or infinity", _CHECK_HINT)
        return out


def build(surrogate: Any, columns: Sequence[Column] | None = None, seed: int = 0) -> AdaptedSurrogate:
    """A fresh surrogate from a reference (text or :class:`SurrogateReference`), a class, or an instance.

    ``columns`` and ``seed`` go to the constructor if it takes them. An instance is copied; the copy takes the seed
    as its attribute of that name, and the columns if its own are None.

    Raises:
        SurrogateError: It cannot be found, imported or constructed.
    """
    if isinstance(surrogate, str):
        surrogate = SurrogateReference(*parse_reference(surrogate))
    if isinstance(surrogate, SurrogateReference):
        factory, arguments = load_factory(surrogate.reference), dict(surrogate.arguments)
        return AdaptedSurrogate(_construct(factory, arguments, columns, seed), columns, seed)
    if inspect.isclass(surrogate) or inspect.isfunction(surrogate):
        return AdaptedSurrogate(_construct(surrogate, {}, columns, seed), columns, seed)
    inner = copied(surrogate)
    for name, value in (("columns", columns), ("seed", seed)):
        if hasattr(inner, name) and (name == "seed" or getattr(inner, name) is None):
            setattr(inner, name, value)
    return AdaptedSurrogate(inner, columns, seed)


def _construct(
    factory: Callable[..., Any], arguments: dict[str, Any], columns: Sequence[Column] | None, seed: int
) -> Any:
    offered = {"columns": columns, "seed": seed, "random_state": seed}
    extra = {k: v for k, v in offered.items() if k not in arguments and accepts(factory, k)}
    try:
        return factory(**extra, **arguments)
    except NaxboError:
        raise
    except (Exception, SystemExit) as ex:
        raise SurrogateError(
            f"{getattr(factory, '__name__', factory)} cannot be constructed: {type(ex).__name__}: {ex}",
            f"It was given {', '.join([*extra, *arguments]) or 'no arguments'}.",
        ) from ex


def copied(thing: Any) -> Any:
    """A deep copy; raises SurrogateError where there can be none."""
    try:
        return copy.deepcopy(thing)
    except Exception as ex:
        raise SurrogateError(
            f"{type(thing).__name__} cannot be copied: {type(ex).__name__}: {ex}",
            "Give its class instead of an object, keep no graphs or locks, or offer condition(X, Y).",
        ) from ex


def _takes(method: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters
