"""A study: a problem, its history on disk, and the loop that makes it grow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from nax_bo.accuracy.device import torch_device
from nax_bo.accuracy.evaluator import OWN, load_evaluator
from nax_bo.accuracy.fidelity import FULL
from nax_bo.accuracy.report import LEAST_CHIPS, statistics_of
from nax_bo.cluster import LOCAL, connect
from nax_bo.errors import InputError, StoreError
from nax_bo.hardware import ChipSpec, CostReport
from nax_bo.network import NetworkSpec
from nax_bo.outcomes import Outcome, measured
from nax_bo.search import Optimizer, Problem
from nax_bo.space import Design
from nax_bo.study.config import StudyConfig
from nax_bo.study.file import records
from nax_bo.study.file.store import Store
from nax_bo.study.file.table import frame, trial_rows
from nax_bo.study.file.trial import Evaluation, Proposal, Specs, Trial
from nax_bo.study.front import Front
from nax_bo.study.planning.measuring import measuring
from nax_bo.study.planning.plan import fit
from nax_bo.study.problem import StudyProblem
from nax_bo.study.proposing import proposal_of
from nax_bo.study.resume import check_problem, problem_sources, resume, with_budget
from nax_bo.study.running.executor import local_executor
from nax_bo.study.running.growing import Progress
from nax_bo.study.running.job import describe_data
from nax_bo.study.running.loop import Run
from nax_bo.study.running.memory import check_watchable
from nax_bo.study.sources import foreign, refuse_foreign, rooted
from nax_bo.study.stored import StoredProblem
from nax_bo.study.warm import check_beginning, earlier, inherited
from nax_bo.surrogate import SurrogateReference, resolve

SPREAD = ("between_chips", "between_trainings", "p05", "standard_error", "chips", "trainings", "chips_differ")
"""What :meth:`Study.row` says about the spread of a design's accuracy."""


class Study:
    """The one object that changes. Open or create it, ``run`` it, read ``trials()`` and ``front()``.

    All state is in the store. The optimiser is rebuilt from it by telling it every finished evaluation in the order of
    completion, so a resumed study continues as if it had never stopped.

    Reading is data only: nothing that the file names is loaded, unless it is naxbo's own, or this call named it.

    Args:
        path: The study's file.
        config: Settings, all (a StudyConfig) or some (by name). With settings, the study is created if it does not
            exist; if it does, those that do not change what its results mean may differ, and take effect when it
            runs. Without, it must exist.
        trust: Load code that the file names, though this call does not name it.
        start_from: Earlier studies whose designs and results a new study begins with (:mod:`nax_bo.study.warm`);
            what decides the meaning of results is that of the first one, where ``config`` does not say it.

    Raises:
        StoreError: The file cannot be used, or holds a study with other settings or other data; or results of an
            earlier study mean something else.
        DataError, InputError: The settings name something that does not exist.
    """

    def __init__(
        self,
        path: str | Path,
        config: StudyConfig | Mapping[str, Any] | None = None,
        *,
        trust: bool = False,
        start_from: Sequence[str | Path] = (),
    ) -> None:
        before = tuple(map(Path, start_from))
        if before:
            check_beginning(Path(path), before)
        if config is not None and not Path(path).exists():
            chosen = config
            if before and not isinstance(config, StudyConfig):
                chosen = inherited(before[0], config, trust=trust)
            whole = chosen if isinstance(chosen, StudyConfig) else StudyConfig.from_dict(chosen)
            self._create(
                Path(path),
                rooted(whole),
                isinstance(config, StudyConfig) or "budget" in config,
                before,
            )
            config = whole if before else config
        self.store = Store(path)
        try:
            self._open(config, trust)
        except BaseException:
            self.store.close()
            raise

    def _open(self, config: StudyConfig | Mapping[str, Any] | None, trust: bool) -> None:
        resumed = resume(self.store, records.config_of(self.store.meta("config")), config)
        self.config, self.changes = resumed.config, resumed.changes
        self.data: Mapping[str, Any] = records.data_of(self.store.meta("data"))
        named = foreign(self.config)
        self.refused = {} if trust else {k: v for k, v in named.items() if k not in resumed.given}
        self._read: tuple[Any, list[Trial], StoredProblem] | None = None
        self._log: tuple[Any, Optimizer] | None = None
        self._live: StudyProblem | None = None

    def _create(self, path: Path, asked: StudyConfig, budget_given: bool, before: Sequence[Path]) -> None:
        config = asked
        if asked.time:
            with measuring(asked) as (measure, workers):
                plan = fit(asked, measure, workers, budget_given=budget_given)
            config = plan.config
        if config.executor == LOCAL and config.device.startswith("cuda"):
            torch_device(config.device)
        facts = describe_data(config.data)
        problem = StudyProblem(config, facts["input_shape"], facts["num_classes"])
        surrogate = resolve(config.surrogate)
        if config.accuracy != OWN:
            load_evaluator(config.accuracy)
        problem.check_limits()
        Optimizer(
            problem.problem(problem.reference_point),
            strategy=config.strategy,
            surrogate=config.surrogate,
            initial=0,
        )
        known: dict[str, Any] = {
            "config": config.to_dict(),
            "data": facts,
            "reference_point": problem.reference_point,
            "surrogate": surrogate.to_dict(),
            "sources": problem_sources(problem),
            "naxbo": version("naxbo"),
        }
        if asked.time:
            known |= {
                "asked": asked.to_dict(),
                "plan": {"chosen": plan.chosen, "estimate": plan.estimate.words},
            }
        begun: list[tuple[Proposal, Evaluation]] = []
        if before:
            found = earlier(before, config, facts, problem)
            begun = list(zip(found.proposals, found.results, strict=True))
            known["from"] = [dict(told) for told in found.told]
        # only now: what does not exist leaves no file behind
        Store(path, problem.space, create=True, facts=known, begun=begun).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    @override
    def __repr__(self) -> str:
        return f"Study({str(self.store.path)!r}, {len(self.trials())} designs)"

    def _repr_html_(self) -> str:
        """For notebooks: what was looked at, and the front."""
        trials = self.trials()
        full = sum(t.at(FULL.name) is not None for t in trials)
        said = (
            f"{self.store.path.name}: {len(trials)} of {self.config.budget} designs, {full} trained in full"
        )
        return self.front().table(said)

    # What it knows

    def trials(self) -> list[Trial]:
        """All designs with their evaluations."""
        return list(self._now()[1])

    @property
    def study_problem(self) -> StudyProblem:
        """The search problem: the settings' own while the study runs; else what the file holds."""
        return self._live or self._now()[2]

    def _now(self) -> tuple[Any, list[Trial], StoredProblem]:
        """What the file holds, read again when it has changed."""
        version_now = self.store.version()
        if self._read is None or self._read[0] != version_now:
            trials = self.store.trials()
            problem = StoredProblem(
                self.config,
                self.data["input_shape"],
                self.data["num_classes"],
                self.store.path,
                self.store.space,
                tuple(trials),
                self.store.scores,
                self.refused,
            )
            self._read = version_now, trials, problem
        return self._read

    def need(self, *names: str, why: str) -> None:
        """Raise StoreError unless the code that these settings name may be loaded.

        ``why`` says what takes it: ``"training a design"``.
        """
        refuse_foreign(self.store.path, {k: v for k, v in self.refused.items() if k in names}, why)

    @property
    def surrogate(self) -> str:
        """The study's surrogate.

        Raises:
            StoreError: It is not naxbo's, and nobody vouched for it.
        """
        self.need("surrogate", why="predicting with its own surrogate")
        return self.config.surrogate

    def specs(self, trial: Trial) -> Specs:
        """What a design is, as data: network, chip, cost report, scores."""
        return self.store.specs(trial.number)

    def network_and_chip(self, trial: Trial) -> tuple[NetworkSpec, ChipSpec]:
        """The network and the chip of a design, as stored."""
        specs = self.specs(trial)
        return NetworkSpec.from_dict(specs.network), ChipSpec.from_dict(specs.chip)

    def cost_report(self, trial: Trial) -> CostReport:
        """The cost of a design with its breakdowns, as stored; raises StoreError if it could not be priced."""
        if not (report := self.specs(trial).report):
            raise StoreError(
                f"design {trial.number} of {self.store.path} could not be priced", "Choose another design."
            )
        return CostReport.from_dict(report)

    def proposal(self, design: Design, fidelity: str, reason: str = "") -> Proposal:
        """An evaluation to add to the store, with all that reading will need."""
        return proposal_of(self.study_problem, design, fidelity, reason)

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

    def front(self) -> Front:
        """Fully trained designs within the limits that no other beats in the objectives; most accurate first."""
        wanted = {point.design.indices for point in self.log().front()}
        found = [t for t in self.trials() if t.design.indices in wanted and t.at(FULL.name)]
        found.sort(key=lambda t: -self.accuracy(t.at(FULL.name)))  # type: ignore[arg-type]
        return Front(found, [self.row(t) for t in found], self.config.cost_columns)

    def hypervolume(self) -> float:
        """Hypervolume of the front in the objectives' measure scales, below the reference point."""
        return self.log().hypervolume()

    def reference_point(self) -> dict[str, float]:
        """Worst value of each objective that counts, by name: it follows the best accuracy."""
        return self.log().reference_point

    def row(self, trial: Trial) -> dict[str, Any]:
        """A design as one row of a table: number, accuracy and its spread, costs, settings."""
        evaluation = trial.best
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
        """Every design as a flat row (:func:`nax_bo.study.file.table.trial_rows`)."""
        return trial_rows(self.store.space, self.trials(), {t.number for t in self.front()})

    def frame(self) -> Any:
        """:meth:`rows` as a pandas DataFrame.

        Raises:
            InputError: pandas is not installed.
        """
        return frame(self.rows())

    def add(self, designs: Sequence[Design], fidelity: str | None = None) -> int:
        """Queue designs of one's own, which :meth:`run` takes up first; returns how many are new to the study.

        Args:
            designs: The designs.
            fidelity: How they are looked at; by default as cheaply as the study's ladder allows.

        Raises:
            InputError: A design is of another space, or the ladder has no such look.
            StoreError: The study's space or cost model is not naxbo's, and nobody vouched for it.
        """
        rung = self.config.ladder[0] if fidelity is None else fidelity
        if rung not in self.config.ladder:
            raise InputError(
                f"the study's ladder has no look {rung!r}", f"It has: {', '.join(self.config.ladder)}."
            )
        known = {t.design.indices for t in self.trials()}
        wanted = dict.fromkeys(d for d in designs if d.indices not in known)
        if any(d.space != self.store.space for d in wanted):
            raise InputError(
                "a design belongs to another space", "Make it with read_design(study.store.space, ...)."
            )
        self.need("system", "network", "cost_model", why="pricing new designs")
        before, self._live = self._live, self._named_problem()
        try:
            proposals = [self.proposal(d, rung, "given by the user") for d in wanted]
        finally:
            self._live = before
        self.store.add(proposals)
        return len(wanted)

    def _named_problem(self) -> StudyProblem:
        """The search problem of the settings, code that they name included."""
        return StudyProblem(self.config, self.data["input_shape"], self.data["num_classes"])

    @property
    def plan(self) -> dict[str, str] | None:
        """What was ``chosen`` to fit into the study's time, and the ``estimate`` for it, in words; None without one."""
        found = self.store.meta("plan")
        if not isinstance(found, Mapping):
            return None
        return {name: str(found.get(name, "")) for name in ("chosen", "estimate")}

    def set_budget(self, designs: int) -> None:
        """Keep another budget."""
        self.config = replace(self.config, budget=designs)
        self.store.set_meta({"config": self.config.to_dict()})

    def retry_failed(self) -> int:
        """Queue again what failed, for :meth:`run` to take up first; returns how many evaluations."""
        return self.store.requeue_failed()

    # The optimiser

    def optimizer(self, initial: int | None = 0, first: int | None = None) -> Optimizer:
        """The optimiser as it stands: told every finished evaluation, with the undecided ones pending.

        Args:
            initial: As for :class:`~nax_bo.search.Optimizer`; 0 to look back, None to go on (it costs a second).
            first: Told only so many evaluations, in the order in which they were decided; by default all that are
                finished, in the order in which they were.

        Raises:
            StoreError: The study's surrogate, or its strategy to go on, is not naxbo's, and nobody vouched for it.
        """
        if initial != 0:
            self.need("strategy", why="going on")
        optimizer = Optimizer(
            self.problem(),
            strategy="naxbo" if initial == 0 else self.config.strategy,
            surrogate=self.surrogate,
            seed=self.config.seed,
            initial=initial,
        )
        return self._told(optimizer, first)

    def log(self) -> Optimizer:
        """What was found, by whatever strategy and surrogate: those of the study may be gone. To look back only."""
        now = None if self._live else self._now()[0]
        if self._log is None or now is None or self._log[0] != now:
            self._log = (
                now,
                self._told(Optimizer(self.problem(solve=False), seed=self.config.seed, initial=0)),
            )
        return self._log[1]

    def _told(self, optimizer: Optimizer, first: int | None = None) -> Optimizer:
        trials = self.trials()
        decided = sorted((e for t in trials for e in t.evaluations), key=lambda e: e.id)
        told = [e for e in decided[:first] if e.order is not None]
        for evaluation in sorted(told, key=lambda e: e.order or 0) if first is None else told:
            self.tell(optimizer, trials[evaluation.trial], evaluation)
        ids = {e.id for e in told}
        for evaluation in (e for e in decided if e.id not in ids):
            optimizer.add_pending(trials[evaluation.trial].design, evaluation.fidelity)
        return optimizer

    def problem(self, *, solve: bool = True) -> Problem:
        """The search problem that the optimiser works on; ``solve`` as for :meth:`StudyProblem.problem`."""
        reference = records.numbers_of("the reference point", self.store.meta("reference_point"))
        try:
            return self.study_problem.problem(reference, solve=solve)
        except InputError as ex:
            records.refuse(str(self.store.path), ex.message)

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

    def _check_sources(self, problem: StudyProblem) -> None:
        """Refuse to go on with other data or another space; price anew; warn about another surrogate."""
        if describe_data(self.config.data)["fingerprint"] != self.data["fingerprint"]:
            raise StoreError(
                f"the data set {self.config.data} has changed since {self.store.path} was started",
                "Restore the data, name it anew with --data if it has moved, or start another study with --study.",
            )
        if done := check_problem(self.store, problem):
            warnings.warn(done, stacklevel=3)
        kept = SurrogateReference.from_dict(self.store.meta("surrogate"))
        now = resolve(self.config.surrogate)
        if str(kept) == str(now) and kept.source_hash not in ("", now.source_hash):
            warnings.warn(
                f"the source of surrogate {self.config.surrogate!r} has changed since the study was started; "
                "its proposals are no longer those of an uninterrupted run",
                stacklevel=3,
            )
        facts: dict[str, Any] = {"surrogate": now.to_dict()} if str(kept) != str(now) else {}
        if self.changes:
            facts |= {"config": self.config.to_dict(), "reference_point": problem.reference_point}
        if facts:
            self.store.set_meta(facts)

    def run(
        self,
        budget: int | None = None,
        executor: Executor | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        finalists: int | None = None,
    ) -> None:
        """Look at designs until ``budget`` of them have been tried, then train what may be on the front in full.

        Evaluations that were under way when an earlier run ended are run again first. Interrupting (Ctrl-C) loses
        only what is running.

        Args:
            budget: Designs altogether, those of earlier runs included; the settings' by default.
            executor: Where trainings run; by default what the settings name.
            on_progress: Called after every change.
            finalists: Designs that may be on the front and are trained in full at the end; by default 8 % of the
                budget, and at least 10.

        Raises:
            StoreError: Another process runs this study, or it cannot be written.
        """
        config = with_budget(self.config, budget)
        if config.memory:
            check_watchable(own_workers=executor is None)
        refuse_foreign(self.store.path, self.refused, "running it")
        with self.store.lock():
            self.store.requeue_running(ended=True)
            problem = self._named_problem()
            self._check_sources(problem)
            self._live = problem
            cluster = connect(config.executor, config.workers) if executor is None else None
            workers = config.workers or os.cpu_count() or 1
            local = executor is None and cluster is None
            pool = executor or (cluster.executor if cluster else local_executor(workers))
            renew = (lambda: local_executor(workers)) if local else None
            capacity = cluster.capacity if cluster else (lambda: workers)
            run: Run | None = None
            try:
                run = Run(self, config, pool, renew, capacity, on_progress or (lambda _: None), finalists)
                run.loop()
            finally:
                self._live = None
                if local:
                    (run.pool if run else pool).shutdown(wait=False, cancel_futures=True)
                elif cluster:
                    cluster.close()
                # Told to stop, or stopped by a fault of the environment: what is under way is no suspect.
                with suppress(StoreError):
                    self.store.requeue_running()
