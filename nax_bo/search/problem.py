"""What is optimised: a space, known and learned outcomes, limits, cheap proxies, fidelities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError, NaxboError
from nax_bo.search.scale import Array, Scale
from nax_bo.space import Space

Columns = dict[str, NDArray[Any]]
Known = Callable[[Columns], ArrayLike]
"""Takes values by variable name, each of length ``n``, and returns ``n`` outcomes."""


@dataclass(frozen=True)
class Objective:
    """One outcome to optimise; minimised unless ``maximise``.

    Attributes:
        name: Name of the outcome.
        known: Computes it exactly for many designs at once; leave out if it is told, or comes from
            ``Problem.known_outcomes``.
        scale: How it is modelled: ``linear``, ``log10`` or ``logit`` (for fractions).
        maximise: Whether more is better.
        measure: Scale in which hypervolume counts it; by default the model's, but plain for ``logit``.
    """

    name: str
    known: Known | None = None
    scale: str = "linear"
    maximise: bool = False
    measure: str | None = None

    @cached_property
    def scales(self) -> Scale:
        """Model and measure scale."""
        return Scale.of(self.name, self.scale, self.measure, self.maximise)


@dataclass(frozen=True)
class Constraint:
    """Limits on an outcome, known or learned. Limits on an objective also clip its reference point.

    Attributes:
        name: Name of the outcome.
        known: As for :class:`Objective`.
        upper: Largest allowed value.
        lower: Smallest allowed value.
        scale: How it is modelled if it is learned.
    """

    name: str
    known: Known | None = None
    upper: float | None = None
    lower: float | None = None
    scale: str = "linear"

    def __post_init__(self) -> None:
        if self.upper is None and self.lower is None:
            raise InputError(f"constraint {self.name!r} has no limit", "Give upper or lower.")
        low, high = (d if v is None else v for v, d in ((self.lower, -np.inf), (self.upper, np.inf)))
        if not low <= high:
            raise InputError(
                f"constraint {self.name!r}: no value lies from {low} to {high}", "Give lower <= upper."
            )

    @cached_property
    def scales(self) -> Scale:
        """Model scale."""
        return Scale.of(self.name, self.scale, None, False)

    @property
    def words(self) -> str:
        """The limits as text: ``area <= 5``."""
        ends = ((">=", self.lower), ("<=", self.upper))
        return " and ".join(f"{self.name} {sign} {v:g}" for sign, v in ends if v is not None)

    def violation(self, raw: ArrayLike) -> Array:
        """How far raw values lie outside the limits, relative to the limit, ``n``; 0 where they hold."""
        y = np.asarray(raw, dtype=float)
        out = np.zeros(y.shape)
        if self.upper is not None:
            out += np.maximum(y - self.upper, 0.0) / (abs(self.upper) or 1.0)
        if self.lower is not None:
            out += np.maximum(self.lower - y, 0.0) / (abs(self.lower) or 1.0)
        return np.where(np.isfinite(y), out, np.inf)


@dataclass(frozen=True)
class Proxy:
    """A cheap score that may say something about learned outcomes; its worth is learned.

    Attributes:
        name: Name of the score.
        score: Vectorised, as ``Objective.known``; NaN where it is not available.
    """

    name: str
    score: Known


@dataclass(frozen=True)
class Fidelity:
    """One rung of the ladder of evaluations.

    Attributes:
        name: ``"short"`` or ``"full"``, say.
        cost: Price of one evaluation, in seconds or whatever else is to be saved: only ratios matter.
        level: In [0, 1], 1 for the full evaluation; by default evenly spaced in the order given.
    """

    name: str
    cost: float = 1.0
    level: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.cost < np.inf:
            raise InputError(f"fidelity {self.name!r} costs {self.cost}", "Give a number, at least 0.")


FULL = Fidelity("full", 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Problem:
    """A mixed discrete multi-objective problem.

    Attributes:
        space: Where designs live. Variables with ``affects="cost"`` are hidden from surrogates.
        objectives: At least one.
        constraints: Limits on outcomes.
        proxies: Cheap scores, given to surrogates as inputs; a start may be smaller with them.
        known_outcomes: Computes several known outcomes in one call; its names need no ``known`` of their own.
        reference_point: Raw worst values of interest by objective; what is missing is fixed after the initial design.
        fidelities: The ladder, cheapest first; only ``full`` by default.
        within: How far, in the measure scale, a full result may lie from the best of an objective to count: by the
            objective's name. The reference point follows the best; front and hypervolume hold nothing beyond it.
        complete: Maps index vectors ``n x d`` to ones whose cost-only variables are at, or very near, their best; asked
            for every candidate, so it should be quick.
        settle: The same exactly, for the few designs that are proposed.
        extras: Further figures by name, for strategies that ask for them; surrogates do not see them.

    Raises:
        InputError: Names repeat, a known function fails or returns the wrong shape, limits without a value.
    """

    space: Space
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint] = ()
    proxies: Sequence[Proxy] = ()
    known_outcomes: Callable[[Columns], Mapping[str, ArrayLike]] | None = None
    reference_point: Mapping[str, float] = field(default_factory=dict)
    fidelities: Sequence[Fidelity] = (FULL,)
    within: Mapping[str, float] = field(default_factory=dict)
    complete: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None
    settle: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None
    extras: Mapping[str, Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_kinds()
        names = [o.name for o in self.objectives]
        if not names or len(set(names)) != len(names):
            raise InputError(
                f"the objectives are {names}", "Give at least one objective, each with its own name."
            )
        for what, given in (("reference point", self.reference_point), ("setting 'within'", self.within)):
            if unknown := set(given) - set(names):
                raise InputError(f"the {what} names {sorted(unknown)}", f"The objectives are {names}.")
        if any(not far > 0 for far in self.within.values()):
            raise InputError(f"within = {dict(self.within)}", "Give distances above 0.")
        for o in self.objectives:
            worst = self.reference_point.get(o.name, 0.5)
            if not np.isfinite(o.scales.to_measure(worst)):
                raise InputError(
                    f"the reference point of {o.name!r} is {worst}",
                    f"Give a number that can be measured in {o.scales.measure}.",
                )
        levels = list(self.levels.values())
        if len(set(levels)) != len(levels) or levels[-1] != 1.0 or sorted(levels) != levels or levels[0] < 0:
            raise InputError(
                f"fidelity levels {self.levels}", "List the ladder cheapest first, with level 1 last."
            )
        self._check_limits()
        _ = self.known_names, [o.scales for o in self.objectives], [c.scales for c in self.constraints]
        for o in self.objectives:
            if o.name in self.learned_names and o.scales.model == "linear" and o.scales.warped:
                raise InputError(
                    f"{o.name!r} is measured in {o.scales.measure} but modelled linearly, so it may be predicted "
                    "where that is not defined",
                    f"Give it scale={o.scales.measure!r} too.",
                )

    def _check_kinds(self) -> None:
        for what, kind, items in (
            ("objectives", Objective, self.objectives),
            ("constraints", Constraint, self.constraints),
            ("proxies", Proxy, self.proxies),
            ("fidelities", Fidelity, self.fidelities),
        ):
            if isinstance(items, str) or not all(isinstance(item, kind) for item in items):
                raise InputError(
                    f"{what} = {items!r}", f"Give a list of {kind.__name__}(...), from nax_bo.search."
                )

    def _check_limits(self) -> None:
        for c in self.constraints:
            if c.name not in self.learned_names:
                continue
            scale = self.scale_of(c.name)
            low, high = scale.domain
            below = c.upper is not None and (c.upper < low or (scale.model == "log10" and c.upper <= low))
            if below or (c.lower is not None and c.lower > high):
                raise InputError(
                    f"constraint {c.name!r}: no value with scale {scale.model!r} lies from {c.lower} to {c.upper}",
                    "Mend the limit, or use scale='linear'.",
                )

    # outcomes

    @property
    def _outcomes(self) -> list[Objective | Constraint]:
        return [*self.objectives, *self.constraints]

    @cached_property
    def levels(self) -> dict[str, float]:
        """Level of each fidelity by name, ascending."""
        last = max(len(self.fidelities) - 1, 1)
        return {
            f.name: float(f.level if f.level is not None else (i / last if len(self.fidelities) > 1 else 1.0))
            for i, f in enumerate(self.fidelities)
        }

    def level(self, fidelity: str | float) -> float:
        """Level of a fidelity given by name or as a number in [0, 1]; raises InputError for others."""
        if isinstance(fidelity, str):
            if fidelity == "full":
                return 1.0
            if fidelity not in self.levels:
                raise InputError(
                    f"there is no fidelity {fidelity!r}", f"The problem declares {', '.join(self.levels)}."
                )
            return self.levels[fidelity]
        if not isinstance(fidelity, Real) or not 0 <= fidelity <= 1:
            raise InputError(f"fidelity {fidelity!r}", "Give a name or a level from 0 to 1.")
        return float(fidelity)

    def fidelity_name(self, level: float) -> str:
        """Name of a level, or the number as text."""
        return next(
            (n for n, at in self.levels.items() if at == level), "full" if level == 1.0 else f"{level:g}"
        )

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Names of the outcomes that are computed."""
        return frozenset(self.known(np.zeros((1, len(self.space)), dtype=np.int64)))

    @cached_property
    def known_objectives(self) -> tuple[Objective, ...]:
        """The objectives that are computed."""
        return tuple(o for o in self.objectives if o.name in self.known_names)

    @cached_property
    def learned_names(self) -> tuple[str, ...]:
        """Names of the outcomes that must be told, objectives first."""
        wanted = [o.name for o in self.objectives] + [c.name for c in self.constraints]
        return tuple(dict.fromkeys(n for n in wanted if n not in self.known_names))

    def scale_of(self, name: str) -> Scale:
        """Scale of an objective or constraint."""
        for item in self._outcomes:
            if item.name == name:
                return item.scales
        raise InputError(
            f"the problem has no outcome {name!r}", f"It learns {', '.join(self.learned_names)}."
        )

    def known(self, indices: ArrayLike) -> dict[str, Array]:
        """Known outcomes by name, each ``n``, of index vectors ``n x d``; NaN where they cannot be computed."""
        x = np.asarray(indices, dtype=np.int64)
        if not len(x):
            return {name: np.zeros(0) for name in self.known_names}
        columns = self.space.columns(x)
        out: dict[str, Array] = {}
        if self.known_outcomes is not None:
            for name, values in _called("known_outcomes", self.known_outcomes, columns).items():
                out[name] = _checked(name, values, len(x))
        for item in self._outcomes:
            if item.known is not None:
                out[item.name] = _checked(item.name, _called(item.name, item.known, columns), len(x))
        return out

    def extra(self, name: str, indices: ArrayLike) -> Array:
        """One of :attr:`extras`, ``n``, of index vectors ``n x d``."""
        x = np.asarray(indices, dtype=np.int64)
        return _checked(name, _called(name, self.extras[name], self.space.columns(x)), len(x))

    def remembered(self, rows: Sequence[tuple[int, ...]]) -> dict[str, Array]:
        """:meth:`known` of designs that are asked about at every step, those that were told: each is computed once."""
        names, memo = sorted(self.known_names), self._memo
        if missing := [row for row in dict.fromkeys(rows) if row not in memo]:
            found = self.known(np.array(missing, dtype=np.int64))
            memo.update(
                zip(missing, np.array([found[n] for n in names]).T.reshape(len(missing), -1), strict=True)
            )
        values = np.array([memo[row] for row in rows]).reshape(len(rows), len(names))
        return {name: values[:, i] for i, name in enumerate(names)}

    @cached_property
    def _memo(self) -> dict[tuple[int, ...], Array]:
        """Known outcomes by design."""
        return {}

    def violation(self, known: Mapping[str, Array], n: int) -> Array:
        """Total relative violation of limits on known outcomes, ``n``; infinite where an objective is not finite."""
        total = np.zeros(n)
        for constraint in self.constraints:
            if constraint.name in known:
                total += constraint.violation(known[constraint.name])
        for objective in self.objectives:
            if objective.name in known:
                total[~np.isfinite(objective.scales.to_measure(known[objective.name]))] = np.inf
        return total

    def limits(self) -> Array:
        """Upper limits in the measure scale that constraints put on the objectives, ``m``; infinite without one."""
        out = np.full(len(self.objectives), np.inf)
        for j, objective in enumerate(self.objectives):
            for constraint in self.constraints:
                bound = constraint.lower if objective.maximise else constraint.upper
                if constraint.name == objective.name and bound is not None:
                    out[j] = min(out[j], float(objective.scales.to_measure(bound)))
        return out

    # inputs of surrogates

    @cached_property
    def visible(self) -> NDArray[np.int64]:
        """Columns of the space that can change a learned outcome."""
        return np.array(
            [i for i, v in enumerate(self.space.variables) if v.affects != "cost"], dtype=np.int64
        )

    @cached_property
    def hidden(self) -> NDArray[np.int64]:
        """Columns of the space that change costs only."""
        return np.setdiff1d(np.arange(len(self.space)), self.visible)

    def scores(self, indices: ArrayLike) -> Array:
        """Proxies ``n x p``; NaN where one is not available."""
        x = np.asarray(indices, dtype=np.int64)
        if not len(x):
            return np.zeros((0, len(self.proxies)))
        columns = self.space.columns(x) if self.proxies else {}
        out = [_checked(p.name, _called(p.name, p.score, columns), len(x)) for p in self.proxies]
        return np.where(np.isfinite(np.array(out)), np.array(out), np.nan).T if out else np.zeros((len(x), 0))

    def inputs(self, indices: ArrayLike) -> Array:
        """What surrogates see of designs ``n x d``, without the fidelity: visible variables, then proxies."""
        x = np.asarray(indices, dtype=np.int64)
        return np.hstack([self.space.encode(x)[:, self.visible], self.scores(x)])

    def completed(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Canonical index vectors with cost-only variables solved, if ``complete`` is given.

        Raises:
            InputError: ``complete`` changed the shape or another variable.
        """
        return self._solved(self.complete, indices)

    def settled(self, indices: ArrayLike) -> NDArray[np.int64]:
        """The same by ``settle``."""
        return self._solved(self.settle, indices)

    def _solved(
        self, solve: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None, indices: ArrayLike
    ) -> NDArray[np.int64]:
        x = self.space.canonical(indices)
        if solve is None or not len(x):
            return x
        solved = self.space.canonical(solve(x))
        if solved.shape != x.shape or (solved[:, self.visible] != x[:, self.visible]).any():
            raise InputError(
                "complete() changed more than cost-only variables",
                "It may set variables with affects='cost' only.",
            )
        return solved


def _called(name: str, function: Callable[[Columns], Any], columns: Columns) -> Any:
    try:
        return function(columns)
    except NaxboError:
        raise
    except Exception as ex:
        raise InputError(
            f"{name!r} fails: {type(ex).__name__}: {ex}",
            "It gets arrays by variable name, one entry per design, and returns an array of the same length.",
        ) from ex


def _checked(name: str, values: ArrayLike, n: int) -> Array:
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name!r} gave {values!r}", "Return one number per design.") from None
    if out.shape != (n,):
        raise InputError(f"{name!r} gave shape {out.shape} for {n} designs", "Return one number per design.")
    return out
