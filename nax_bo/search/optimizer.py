"""Ask for designs, tell what they gave: the one stateful object of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from nax_bo.errors import InputError, SurrogateError
from nax_bo.search.beliefs import Belief, beliefs, believed_front
from nax_bo.search.diagnostics import Diagnostics, cheap_agreement, trust
from nax_bo.search.gain.promise import Promise, promise
from nax_bo.search.ladder import choose_fidelity, promotions
from nax_bo.search.log import log_from_dict, log_to_dict
from nax_bo.search.models.learned import DEFAULT_SURROGATE, Models, surrogate_of
from nax_bo.search.outlook import Outlook, foreseeable, outlook
from nax_bo.search.pareto import hypervolume
from nax_bo.search.problem import Problem
from nax_bo.search.state import Failure, Indices, Look, Observation, SearchState, Suggestion, initial_size
from nax_bo.search.strategies.initial import initial_design
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.search.strategy import Strategy, load_strategy
from nax_bo.space import Design, Value, read_design
from nax_bo.surrogate import parse_reference
from nax_bo.surrogate.reference import load_factory

_HUGE = 1e100  # beyond, squares overflow; such numbers stand for failures

_Found = TypeVar("_Found")

DesignLike = Design | Mapping[str, Value] | Sequence[int]


@dataclass(frozen=True)
class FrontPoint:
    """One nondominated design with its raw outcomes, known and told."""

    design: Design
    outcomes: Mapping[str, float]


class Optimizer:
    """Multi-objective search over a discrete space.

    Proposals are a function of the problem, the settings, what was told and what is pending: telling the same log
    again gives the same proposals. Nothing is proposed twice at the same fidelity.

    Args:
        problem: What to optimise.
        strategy: Name, ``package.module:Class`` reference, or object with ``propose(state)``.
        surrogate: Model of the learned outcomes: a reference, a class, an object, or one of these per outcome name.
        seed: Seed of everything random.
        initial: Number of designs to begin with (those told without being asked for count), or the designs themselves.
        acquisition: ``closed-form``, ``qlognehvi`` (BoTorch, Monte Carlo) or ``auto``.
        options: Further settings of the strategy (``on_surrogate_error="raise"``, say).
    """

    def __init__(
        self,
        problem: Problem,
        strategy: str | Strategy = "naxbo",
        surrogate: Any = "gp",
        seed: int = 0,
        initial: int | Sequence[DesignLike] | None = None,
        *,
        acquisition: str = "auto",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.problem = problem
        self.strategy = load_strategy(strategy)
        self._helper = self.strategy if isinstance(self.strategy, Naxbo) else Naxbo()
        settings = {"surrogate": surrogate, "acquisition": acquisition, **(options or {})}
        if acquisition not in ("auto", "closed-form", "qlognehvi"):
            raise InputError(f"acquisition {acquisition!r}", "Use auto, closed-form or qlognehvi.")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InputError(f"seed = {seed!r}", "Give a whole number, at least 0.")
        names = set(surrogate) if isinstance(surrogate, Mapping) else set()
        if unknown := names - set(problem.learned_names):
            raise InputError(
                f"surrogates of {sorted(unknown)}", f"Learned: {', '.join(problem.learned_names)}."
            )
        if type(self.strategy) is Naxbo and (unknown := set(options or {}) - {"on_surrogate_error"}):
            raise InputError(f"options {sorted(unknown)}", "naxbo has the option on_surrogate_error only.")
        for name in problem.learned_names:
            if isinstance(wanted := surrogate_of(settings, name), str):
                load_factory(parse_reference(wanted)[0])
        drawn = initial is None or isinstance(initial, (int, np.integer))
        self._state = SearchState(
            problem, int(seed), initial=self._initial(initial, seed), drawn=drawn, options=settings
        )

    def _initial(self, initial: int | Sequence[DesignLike] | None, seed: int) -> tuple[tuple[int, ...], ...]:
        if initial is None or isinstance(initial, (int, np.integer)):
            count = initial_size(self.problem) if initial is None else min(initial, self.problem.space.size)
            if count < 0:
                raise InputError(f"initial = {initial}", "Give a number of designs, at least 0.")
            rows = initial_design(self.problem, count, seed) if count else np.zeros((0, 0), dtype=np.int64)
            return tuple(map(tuple, rows.tolist()))
        return tuple(self._design(design).indices for design in initial)

    # ask and tell

    def ask(self, n: int = 1) -> list[Suggestion]:
        """The next ``n`` designs, fewer when the space runs out; they are pending until told.

        With several fidelities most are cheap looks at new designs; :meth:`promotions` names those that deserve more.
        Where nothing within the known limits is found, what breaks them least is proposed, and its reason says so.

        Raises:
            SurrogateError: A surrogate fails and the option ``on_surrogate_error`` is ``"raise"``, or the default one
                fails at new designs.
        """
        if n < 1:
            raise InputError(f"ask({n})", "Ask for at least one design.")
        out: list[Suggestion] = []
        with one_thread():
            while len(out) < n and (found := self._suggested(self._next)):
                out.append(self._marked(found[0]))
                self.add_pending(found[0].design, found[0].fidelity)
        return out

    def _suggested(self, work: Callable[[SearchState], list[Suggestion]]) -> list[Suggestion]:
        """What work on the state suggests, with a word if the default surrogate had to help out."""
        found, note = self._despite_surrogates(work)
        return [replace(s, reason=f"{s.reason}; {note}") for s in found] if note else found

    def _despite_surrogates(self, work: Callable[[SearchState], _Found]) -> tuple[_Found, str]:
        """Work on the state; once more with the default surrogate if the wanted one fails at new designs only.

        The text says so; it is empty where all went well.
        """
        try:
            return work(self._state), ""
        except SurrogateError as ex:
            wanted = self._state.options["surrogate"]
            if wanted == DEFAULT_SURROGATE or self._state.options.get("on_surrogate_error") == "raise":
                raise
            note = f"the surrogate failed at new designs, used {DEFAULT_SURROGATE!r} instead ({ex.message})"
            self._helper.forget()
            plain = replace(self._state, options={**self._state.options, "surrogate": DEFAULT_SURROGATE})
            try:
                return work(plain), note
            finally:
                self._helper.forget()

    def _marked(self, suggestion: Suggestion) -> Suggestion:
        if self.problem.violation(self.problem.remembered([suggestion.design.indices]), 1)[0] <= 0:
            return suggestion
        return replace(
            suggestion, reason=f"outside the known limits, for nothing within: {suggestion.reason}"
        )

    def _next(self, state: SearchState) -> list[Suggestion]:
        """The next suggestion, if there is one."""
        suggestion = self.strategy.propose(state)
        if suggestion is None:
            return promotions(state, 1, self._helper)
        if not getattr(self.strategy, "cheap_looks", False):
            return [self._settled(state, suggestion)]  # baselines know full evaluations only
        suggestion = self._settled(state, suggestion)
        models = self._helper.models(state) if suggestion.predicted else None
        return [choose_fidelity(state, models, suggestion)]

    def _settled(self, state: SearchState, suggestion: Suggestion) -> Suggestion:
        """The suggestion with its cost-only variables solved exactly, unless that design is known."""
        x = np.array([suggestion.design.indices], dtype=np.int64)
        exact = state.unseen(self.problem.settled(x))
        if not len(exact) or (exact == x).all():
            return suggestion
        return replace(suggestion, design=self.problem.space.designs(exact)[0])

    def promotions(self, k: int = 1) -> list[Suggestion]:
        """Which designs told at lower fidelities deserve the full one next; they are pending until told.

        Fewer than ``k`` if there are no more. By expected gain in hypervolume for its cost, over what is known in full.
        """
        if k < 1:
            raise InputError(f"promotions({k})", "Ask for at least one design.")
        with one_thread():
            out = self._suggested(lambda state: promotions(state, k, self._helper))
        for suggestion in out:
            self.add_pending(suggestion.design, suggestion.fidelity)
        return out

    def add_pending(self, design: DesignLike, fidelity: str | float = "full") -> None:
        """Mark a design as being evaluated (after a restart, say)."""
        look = (self._design(design).indices, self.problem.level(fidelity))
        if look not in self._state.pending:
            self._state = self._state.with_pending(look)

    def withdraw(self, design: DesignLike, fidelity: str | float = "full") -> None:
        """Give up a pending look: it may be proposed again.

        Raises:
            InputError: It is not pending.
        """
        look = (self._design(design).indices, self.problem.level(fidelity))
        if look not in self._state.pending:
            raise InputError(
                f"this look is not pending at {fidelity!r}", "Withdraw what was asked for and not told."
            )
        self._state = replace(self._state, pending=tuple(p for p in self._state.pending if p != look))

    def tell(
        self,
        design: DesignLike,
        outcomes: Mapping[str, float],
        variance: Mapping[str, float] | None = None,
        fidelity: str | float = "full",
    ) -> None:
        """Record the learned outcomes of a design, asked for or not; telling it again averages.

        Args:
            design: The design.
            outcomes: Raw value of every learned outcome; values of known ones are ignored.
            variance: Noise variance of outcomes where it is known.
            fidelity: Name, or level in [0, 1].

        Raises:
            InputError: An outcome is missing, unknown or not finite, or the fidelity is unknown.
        """
        row, level = self._design(design).indices, self.problem.level(fidelity)
        for what in (outcomes, variance or {}):
            if not isinstance(what, Mapping):
                raise InputError(
                    f"outcomes {what!r}", "Give a {name: value} mapping of every learned outcome."
                )
        learned = self.problem.learned_names
        for name in dict.fromkeys((*outcomes, *(variance or {}))):
            if name not in learned and name not in self.problem.known_names:
                raise InputError(f"{name!r} is not an outcome", f"Learned: {', '.join(learned)}.")
        values = {name: _number(name, outcomes.get(name)) for name in learned}
        for name, value in values.items():
            if not np.isfinite(self.problem.scale_of(name).to_model(value)):
                raise InputError(
                    f"{name} = {value} has no logarithm", "Use scale='linear', or tell_failed(...)."
                )
            if self.problem.scale_of(name).model == "logit" and not 0.0 <= value <= 1.0:
                raise InputError(f"{name} = {value} is not a fraction", "Tell 0 to 1, or use scale='linear'.")
        noise = {n: _number(n, v) for n, v in (variance or {}).items() if n in values}
        if any(v < 0 for v in noise.values()):
            raise InputError(f"a variance of {noise}", "Variances are at least 0.")
        observation = Observation(row, values, noise, level)
        self._state = replace(
            self._state,
            observations=(*self._state.observations, observation),
            pending=self._without(row, level),
        )

    def correct(
        self,
        design: DesignLike,
        outcomes: Mapping[str, float],
        variance: Mapping[str, float] | None = None,
        fidelity: str | float = "full",
    ) -> None:
        """Replace what was told of a design at a fidelity; arguments and errors as for :meth:`tell`.

        Raises:
            InputError: Nothing was told of it.
        """
        before = self._state
        self.forget(design, fidelity)
        try:
            self.tell(design, outcomes, variance, fidelity)
        except InputError:
            self._state = before
            raise

    def forget(self, design: DesignLike, fidelity: str | float = "full") -> None:
        """Take back what was told of a design at a fidelity, failures included: it may be proposed again.

        Raises:
            InputError: Nothing was told of it.
        """
        look = (self._design(design).indices, self.problem.level(fidelity))
        told = tuple(o for o in self._state.observations if (o.indices, o.level) != look)
        failed = tuple(f for f in self._state.failures if (f.indices, f.level) != look)
        if len(told) + len(failed) == len(self._state.observations) + len(self._state.failures):
            raise InputError(f"nothing was told of this design at {fidelity!r}", "Name what was told.")
        self._state = replace(self._state, observations=told, failures=failed)

    def tell_failed(self, design: DesignLike, reason: str = "", fidelity: str | float = "full") -> None:
        """Record that a design cannot be evaluated: it is not proposed again, and its like less often."""
        row, level = self._design(design).indices, self.problem.level(fidelity)
        failure = Failure(row, level, reason)
        self._state = replace(
            self._state, failures=(*self._state.failures, failure), pending=self._without(row, level)
        )

    def _without(self, row: Indices, level: float) -> tuple[Look, ...]:
        """What is still under way once a design is known at ``level``: lesser looks at it are not waited for."""
        return tuple(p for p in self._state.pending if p[0] != row or p[1] > level)

    def _design(self, design: DesignLike) -> Design:
        if isinstance(design, Design):
            if design.space != self.problem.space:
                raise InputError("the design belongs to another space", "Use Problem.space.design(...).")
            return design
        if isinstance(design, (list, tuple, np.ndarray)):
            return self.problem.space.design(design)
        return read_design(self.problem.space, design)

    # the log

    def to_dict(self) -> dict[str, Any]:
        """The whole log as JSON values: what was told, what failed, what is pending, how it began."""
        return log_to_dict(self._state)

    @classmethod
    def from_dict(
        cls,
        problem: Problem,
        data: Mapping[str, Any],
        strategy: str | Strategy = "naxbo",
        surrogate: Any = "gp",
        **settings: Any,
    ) -> Optimizer:
        """The optimiser of a log: it goes on as the one that made it, given the same problem and settings.

        Raises:
            InputError: The log is damaged, or of another problem.
        """
        made = cls(problem, strategy, surrogate, initial=0, **settings)
        made._state = log_from_dict(problem, data, made._state.options)
        return made

    # results

    @property
    def state(self) -> SearchState:
        """The log so far."""
        return self._state

    @property
    def reference_point(self) -> dict[str, float]:
        """Raw reference point of each objective; NaN while it is not fixed."""
        ref = self._state.reference
        out = {}
        for value, objective in zip(ref, self.problem.objectives, strict=True):
            raw = objective.scales.measure_to_raw(value)
            out[objective.name] = float(raw) if np.isfinite(value) else float("nan")
        return out

    def predict(self, designs: Sequence[DesignLike]) -> list[dict[str, Belief]]:
        """What full evaluations of designs would give, by outcome: known ones exactly, learned ones by the surrogates.

        Raises:
            InputError: A design does not belong to the space, or fewer than two results were told.
            SurrogateError: A surrogate fails.
        """
        rows = [self._design(d).indices for d in designs]
        x = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.problem.space))
        with one_thread():
            return beliefs(self._state, self._models(), x)

    def _models(self) -> Models | None:
        """The fitted surrogates; None where nothing is learned."""
        if not self.problem.learned_names:
            return None
        if len(self._state.observations) < 2:
            raise InputError("too little was told to predict from", "Tell at least two results.")
        return self._helper.models(self._state)

    def front(self, *, believed: bool = False) -> list[FrontPoint]:
        """Nondominated feasible designs among the fully evaluated ones.

        Args:
            believed: Judge them by the models' means instead of what was told: under noise, what was told flatters
                those that were lucky. The outcomes are still those that were told.
        """
        x, _ = self._state.front()
        if believed and (models := self._models()) is not None:
            with one_thread():
                rows = [self._state.full[i].indices for i in believed_front(self._state, models)]
            x = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.problem.space))
        known = self.problem.known(x) if len(x) else {}
        told = {o.indices: o.outcomes for o in self._state.full}
        return [
            FrontPoint(d, {**{n: float(v[i]) for n, v in known.items()}, **told[d.indices]})
            for i, d in enumerate(self.problem.space.designs(x))
        ]

    def hypervolume(self) -> float:
        """Hypervolume of the front below the reference point, in the objectives' measure scales."""
        _, y = self._state.front()
        reference = self._state.reference
        return hypervolume(y, reference) if len(y) and np.isfinite(reference).all() else 0.0

    def outlook(self, designs: int = 50) -> Outlook | None:
        """What so many further designs are expected to gain; None where too little is known, or nothing learned.

        Raises:
            InputError: ``designs`` is below 1.
            SurrogateError: As :meth:`ask`.
        """
        if designs < 1:
            raise InputError(f"an outlook on {designs} designs", "Ask for at least one.")
        if not self.problem.learned_names or not foreseeable(self._state):
            return None
        with one_thread():
            work = self._despite_surrogates(lambda state: outlook(state, self._helper.models(state), designs))
        return work[0]

    def diagnostics(self) -> Diagnostics:
        """Where the search stands and how far its surrogates can be trusted (fits them if need be)."""
        state, problem = self._state, self.problem
        told = {problem.fidelity_name(level): 0 for level in problem.levels.values()}
        for o in state.observations:
            name = problem.fidelity_name(o.level)
            told[name] = told.get(name, 0) + 1
        with one_thread():
            models = self._helper.models(state) if len(state.observations) >= 2 else None
            return Diagnostics(
                told,
                len(state.failures),
                len(state.pending),
                len(state.front()[0]),
                self.hypervolume(),
                self.reference_point,
                trust(state, models) if models else {},
                cheap_agreement(state),
                models.notes if models else (),
                promise(state, models) if models else Promise(),
            )


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {value!r}", "Tell a number for every learned outcome.") from None
    if not abs(number) < _HUGE:
        raise InputError(f"{name} = {number}", "Tell a finite number, or tell_failed(design, reason).")
    return number


def one_thread() -> AbstractContextManager[Any]:
    """Numerical libraries on one thread: many small matrices are slower on several, and sums differ by the order."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits
