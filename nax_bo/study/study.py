"""A study: a problem, its history on disk, and the loop that makes it grow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from nax_bo.accuracy.evaluator import OWN, load_evaluator
from nax_bo.accuracy.fidelity import FULL, SHORT
from nax_bo.accuracy.report import LEAST_CHIPS, statistics_of
from nax_bo.errors import InputError, StoreError
from nax_bo.outcomes import Outcome, measured
from nax_bo.search import Optimizer
from nax_bo.space import Design
from nax_bo.study.config import StudyConfig
from nax_bo.study.executor import local_executor
from nax_bo.study.job import describe_data
from nax_bo.study.loop import Progress, Run
from nax_bo.study.problem import StudyProblem
from nax_bo.study.store import Store
from nax_bo.study.table import frame, trial_rows
from nax_bo.study.trial import Evaluation, Trial
from nax_bo.surrogate import SurrogateReference, resolve

SPREAD = ("between_chips", "between_trainings", "p05", "standard_error", "chips", "trainings", "chips_differ")
"""What :meth:`Study.row` says about the spread of a design's accuracy."""


class Study:
    """The one object that changes. Open or create it, ``run`` it, read ``trials()`` and ``front()``.

    All state is in the store. The optimiser is rebuilt from it by telling it every finished evaluation in the order of
    completion, so a resumed study continues as if it had never stopped.

    Args:
        path: The study's file.
        config: Settings. With settings, the study is created if it does not exist, and must have the same ones if it
            does (budget, workers and time-out may change). Without, it must exist.

    Raises:
        StoreError: The file cannot be used, or holds a study with other settings or other data.
        DataError, InputError: The settings name something that does not exist.
    """

    def __init__(self, path: str | Path, config: StudyConfig | None = None) -> None:
        if config is not None and not Path(path).exists():
            self._create(Path(path), config)
        self.store = Store(path)
        try:
            self._open(config)
        except BaseException:
            self.store.close()
            raise

    def _open(self, config: StudyConfig | None) -> None:
        stored = StudyConfig.from_dict(self.store.meta("config"))
        if config is not None and (changed := stored.differences(config)):
            text = ", ".join(f"{name} was {old!r}, now {new!r}" for name, (old, new) in changed.items())
            raise StoreError(
                f"{self.store.path} is a study with other settings: {text}",
                "Use the same settings, or another file with --study.",
            )
        self.config = config or stored
        facts = self.store.meta("data")
        self.study_problem = StudyProblem(self.config, tuple(facts["input_shape"]), facts["num_classes"])

    def _create(self, path: Path, config: StudyConfig) -> None:
        facts = describe_data(config.data)
        problem = StudyProblem(config, facts["input_shape"], facts["num_classes"])
        surrogate = resolve(config.surrogate)
        if config.accuracy != OWN:
            load_evaluator(config.accuracy)
        problem.check_limits()
        Optimizer(problem.problem(problem.reference_point), strategy=config.strategy, initial=0)
        known = {
            "config": config.to_dict(),
            "data": facts,
            "reference_point": problem.reference_point,
            "surrogate": surrogate.to_dict(),
            "naxbo": version("naxbo"),
        }
        # only now: what does not exist leaves no file behind
        Store(path, problem.space, create=True, facts=known).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    @override
    def __repr__(self) -> str:
        return f"Study({str(self.store.path)!r}, {len(self.trials())} designs)"

    # What it knows

    def trials(self) -> list[Trial]:
        """All designs with their evaluations."""
        return self.store.trials()

    def trial(self, number: int) -> Trial:
        """One design by number; raises InputError if there is none."""
        if (trial := self.store.trial(number)) is None:
            designs = len(self.trials())
            held = f"designs 0 to {designs - 1}" if designs else "no designs yet"
            raise InputError(f"there is no design {number}", f"The study holds {held}.")
        return trial

    def accuracy(self, evaluation: Evaluation) -> float:
        """The accuracy that the study maximises, of a finished evaluation: that of its first measured objective.

        Raises:
            StoreError: The evaluation does not hold it: a quantile over chips takes many chips.
        """
        return self._measured(evaluation, self.config.headline)

    def _measured(self, evaluation: Evaluation, outcome: Outcome) -> float:
        statistics = statistics_of(evaluation.outcome)
        if statistics.get(outcome.field) is None:
            raise StoreError(
                f"design {evaluation.trial} was read on {statistics['chips']} chips: no {outcome.label} is known of it",
                f"It takes {LEAST_CHIPS} chips: start another study with --study.",
            )
        return float(outcome.read(statistics))

    def values(self, trial: Trial, fidelity: str = FULL.name) -> dict[str, float]:
        """Outcomes of a design by name (:data:`nax_bo.outcomes.OUTCOMES`): priced, and measured at ``fidelity``."""
        evaluation = trial.at(fidelity)
        return {**trial.costs, **(measured(statistics_of(evaluation.outcome)) if evaluation else {})}

    def front(self) -> list[Trial]:
        """Fully trained designs within the limits that no other beats in the objectives; most accurate first."""
        wanted = {point.design.indices for point in self._log().front()}
        found = [t for t in self.trials() if t.design.indices in wanted and t.at(FULL.name)]
        return sorted(found, key=lambda t: -self.accuracy(t.at(FULL.name)))  # type: ignore[arg-type]

    def hypervolume(self) -> float:
        """Hypervolume of the front in the objectives' measure scales, below the reference point."""
        return self._log().hypervolume()

    def reference_point(self) -> dict[str, float]:
        """Worst value of each objective that counts, by name: it follows the best accuracy."""
        return self._log().reference_point

    def row(self, trial: Trial) -> dict[str, Any]:
        """A design as one row of a table: number, accuracy and its spread, costs, settings."""
        evaluation = trial.at(FULL.name) or trial.at(SHORT.name)
        outcome: Mapping[str, Any] = evaluation.outcome if evaluation else {}
        return {
            "number": trial.number,
            "fidelity": evaluation.fidelity if evaluation else None,
            "accuracy": outcome.get("mean"),
            **{name: statistics_of(outcome)[name] for name in SPREAD},
            **trial.costs,
            "design": dict(trial.design),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Every design as a flat row (:func:`nax_bo.study.table.trial_rows`)."""
        return trial_rows(self.store.space, self.trials(), {t.number for t in self.front()})

    def frame(self) -> Any:
        """:meth:`rows` as a pandas DataFrame.

        Raises:
            InputError: pandas is not installed.
        """
        return frame(self.rows())

    def add(self, designs: Sequence[Design], fidelity: str = SHORT.name) -> int:
        """Queue designs of one's own, which :meth:`run` takes up first; returns how many are new to the study.

        Raises:
            InputError: A design is of another space.
        """
        known = {t.design.indices for t in self.trials()}
        wanted = dict.fromkeys(d for d in designs if d.indices not in known)
        if any(d.space != self.store.space for d in wanted):
            raise InputError(
                "a design belongs to another space", "Make it with read_design(study.store.space, ...)."
            )
        reason = "given by the user"
        costs = self.study_problem.costs_of(list(wanted))
        self.store.add([(d, c, fidelity, reason) for d, c in zip(wanted, costs, strict=True)])
        return len(wanted)

    # The optimiser

    def optimizer(self, initial: int | None = 0) -> Optimizer:
        """The optimiser as it stands: told every finished evaluation, with the undecided ones pending.

        Args:
            initial: As for :class:`~nax_bo.search.Optimizer`; 0 to look back, None to go on (it costs a second).
        """
        optimizer = Optimizer(
            self._problem,
            strategy=self.config.strategy,
            surrogate=self.config.surrogate,
            seed=self.config.seed,
            initial=initial,
        )
        return self._told(optimizer)

    def _log(self) -> Optimizer:
        """What was found, by whatever strategy and surrogate: those of the study may be gone."""
        return self._told(Optimizer(self._problem, initial=0))

    def _told(self, optimizer: Optimizer) -> Optimizer:
        trials = self.trials()
        evaluations = [e for t in trials for e in t.evaluations]
        for evaluation in sorted((e for e in evaluations if e.order is not None), key=lambda e: e.order or 0):
            self.tell(optimizer, trials[evaluation.trial], evaluation)
        for evaluation in sorted((e for e in evaluations if e.order is None), key=lambda e: e.id):
            optimizer.add_pending(trials[evaluation.trial].design, evaluation.fidelity)
        return optimizer

    @cached_property
    def _problem(self) -> Any:
        return self.study_problem.problem(self.store.meta("reference_point"))

    def tell(self, optimizer: Optimizer, trial: Trial, evaluation: Evaluation) -> None:
        """Tell the optimiser of a finished evaluation."""
        if evaluation.state != "done":
            optimizer.tell_failed(trial.design, evaluation.message, fidelity=evaluation.fidelity)
            return
        statistics, outcomes, variance = statistics_of(evaluation.outcome), {}, {}
        for outcome in self.config.outcomes:
            if outcome.source == "priced":
                if self.config.learn_costs:
                    outcomes[outcome.name] = trial.costs[outcome.name]
                continue
            outcomes[outcome.name] = self._measured(evaluation, outcome)
            if (noise := outcome.variance(statistics)) is not None:
                variance[outcome.name] = noise
        optimizer.tell(trial.design, outcomes, variance=variance, fidelity=evaluation.fidelity)

    # The loop

    def _check_sources(self) -> None:
        """Refuse to go on with other data; warn about another surrogate, whose proposals may differ."""
        if describe_data(self.config.data)["fingerprint"] != self.store.meta("data")["fingerprint"]:
            raise StoreError(
                f"the data set {self.config.data} has changed since {self.store.path} was started",
                "Restore the data, or start another study with --study.",
            )
        if SurrogateReference.from_dict(self.store.meta("surrogate")).changed():
            warnings.warn(
                f"the source of surrogate {self.config.surrogate!r} has changed since the study was started; "
                "its proposals are no longer those of an uninterrupted run",
                stacklevel=3,
            )

    def run(
        self,
        budget: int | None = None,
        executor: Executor | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Look at designs until ``budget`` of them have been tried, then train what may be on the front in full.

        Evaluations that were under way when an earlier run ended are run again first. Interrupting (Ctrl-C) loses
        only what is running.

        Args:
            budget: Designs altogether, those of earlier runs included; the settings' by default.
            executor: Where trainings run; processes on this machine by default.
            on_progress: Called after every change.

        Raises:
            StoreError: Another process runs this study, or it cannot be written.
        """
        config = self.config if budget is None else replace(self.config, budget=budget)
        workers = config.workers or os.cpu_count() or 1
        with self.store.lock():
            self.store.requeue_running()
            self._check_sources()
            own = executor is None
            pool = executor or local_executor(workers)
            renew = (lambda: local_executor(workers)) if own else None
            run = Run(self, config, pool, renew, workers, on_progress or (lambda _: None))
            try:
                run.loop()
            finally:
                if own:
                    run.pool.shutdown(wait=False, cancel_futures=True)
