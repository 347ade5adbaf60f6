"""One run of a study: decide what to evaluate next, keep the workers busy, record what comes back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import replace
from importlib.metadata import version
from time import monotonic

from nax_bo.accuracy.fidelity import FULL, INHERIT
from nax_bo.accuracy.recipes import rungs
from nax_bo.cluster import WorkerLostError
from nax_bo.durations import seconds_of
from nax_bo.errors import EvaluationError, NaxboError
from nax_bo.search import Suggestion
from nax_bo.sizes import bytes_of, spoken_size
from nax_bo.study.config import StudyConfig
from nax_bo.study.file import records
from nax_bo.study.file.trial import Evaluation, Trial
from nax_bo.study.running.book import Book
from nax_bo.study.running.faults import Blame, given_up, invalid
from nax_bo.study.running.growing import Growing, Progress
from nax_bo.study.running.job import CHECKPOINTS, Job, JobResult, family_of, job_seed, run_job
from nax_bo.study.running.memory import LOOK_EVERY_S, resident_bytes
from nax_bo.study.running.pace import EVERY_S, Pace, SignsOfLife
from nax_bo.study.running.stopping import Stopping
from nax_bo.study.running.turns import TOLD, Turns
from nax_bo.study.running.weights import WeightsKeeper

GRACE_S = 3.0
"""What a training may take beyond its time limit before it is ended from outside."""

FINAL_SHARE, FINAL_LEAST = 0.08, 10
"""Full trainings at the end, as a share of the budget and at least, for designs that may still be on the front."""


class Run:
    """Keeps the workers busy until nothing is left to decide. All decisions are functions of the store.

    A worker that dies (out of memory, say) takes the whole pool with it. What was under way is then run again in a new
    pool, one at a time, so that only the design whose training kills its worker on its own is given up. So is what was
    under way when an earlier run ended without a word.
    """

    def __init__(
        self,
        study: Growing,
        config: StudyConfig,
        pool: Executor,
        renew: Callable[[], Executor] | None,
        workers: Callable[[], int],
        on_progress: Callable[[Progress], None],
        finalists: int | None = None,
    ) -> None:
        self._final = max(FINAL_LEAST, round(FINAL_SHARE * config.budget)) if finalists is None else finalists
        self.study, self.config, self.on_progress = study, config, on_progress
        self.pool, self.renew, self.workers = pool, renew, workers
        self.blame = Blame()
        self.price = {name: rung.relative_cost for name, rung in rungs(config.recipe).items()}
        self.store = study.store
        self.suspects = {e.id for e in self.store.evaluations("queued") if e.endings}
        self.futures: dict[Future[JobResult], tuple[Evaluation, float]] = {}
        self.memory = bytes_of(config.memory) if config.memory else None
        told = records.count_of(TOLD, self.store.meta(TOLD)) if config.reproducible else None
        self.optimizer = study.optimizer(initial=None, first=told)
        self.turns = None if told is None else self._turns(told, workers())
        trials = study.trials()
        self.book = Book(trials)
        self.weights = WeightsKeeper(self.store.path, config, trials)
        self.weights.forget(self.optimizer.front())
        self.best: float | None = None
        for trial in trials:
            self._compare(trial)
        self._nothing_left = False
        self.stopping = Stopping(self.store, config, self.optimizer)
        limit_s = seconds_of(config.time) if config.time else None
        self.pace = Pace(self.price, self.store.evaluations("done"), workers(), limit_s)
        self.signs = SignsOfLife() if renew is not None else None  # of this machine's own workers
        self.last: Progress | None = None
        self.news: list[str] = []

    def loop(self) -> None:
        """Decide, submit, record, until the budget is spent and the front is trained in full."""
        try:
            self._loop()
        finally:
            if self.signs:
                self.signs.close()

    def _turns(self, told: int, width: int) -> Turns:
        decided, trials = self.store.evaluations(), self.study.trials()
        turns = Turns(decided, told, width, self._tell)
        for evaluation in decided[told:]:
            if evaluation.order is not None:
                turns.ended(trials[evaluation.trial], evaluation)
        return turns

    def _tell(self, trial: Trial, evaluation: Evaluation) -> None:
        self.study.tell(self.optimizer, trial, evaluation)

    def _loop(self) -> None:
        while True:
            while len(self.futures) < (1 if self.suspects else self.workers()):
                if (evaluation := self._next()) is None:
                    break
                self._submit(evaluation)
            for line in self.news or [""]:  # only now, so that what runs again is counted
                self._report(line)
            self.news = []
            if not self.futures:
                return
            patience = self._patience()
            moving = min(patience, LOOK_EVERY_S if self.memory else EVERY_S) if self.signs else patience
            done, _ = wait(self.futures, timeout=moving, return_when=FIRST_COMPLETED)
            if self.memory:
                self._end_greedy()
            if not done:
                self._end_overdue()
                self._report_moved()
                continue
            done = {f for f in done if f in self.futures}
            sound = [f for f in done if not isinstance(f.exception(), BrokenExecutor)]
            for future in sorted(sound, key=lambda f: self.futures[f][0].id):
                self._record(future)
            if len(sound) < len(done):
                self._replace_pool()

    def _next(self) -> Evaluation | None:
        """The oldest queued evaluation, else a newly decided one, else None."""
        for waiting in self.store.evaluations("queued"):
            if not (why := given_up(waiting)):
                return waiting
            self._finish(waiting, JobResult(None, why), 0.0)
        suggestion = self._decide() if self.turns is None else self.turns.decide(self._decide)
        if suggestion is None:
            return None
        proposal = self.study.proposal(suggestion.design, suggestion.fidelity, suggestion.reason)
        (evaluation,) = self.store.add([proposal], {TOLD: self.turns.told} if self.turns else None)
        if self.turns:
            self.turns.decided(evaluation)
        self.book.note(self.study.trial(evaluation.trial))
        return evaluation

    def _decide(self) -> Suggestion | None:
        """Calibration when it is due, a new design while there is budget, at last what may be on the front."""
        spent = self.book.designs >= self._budget or self._nothing_left
        if not spent and self.pace.search_is_over(min(self._final, (self.book.designs + 1) // 2)):
            self._end_search()
            spent = True
        if spent and self.pace.nothing_more():
            return None
        looks = self.book.looks
        due = looks.final < self._final if spent else looks.since >= self.config.calibrate_every
        if due and (promoted := self.optimizer.promotions(1)):
            return promoted[0]
        if spent:
            return None
        if why := self.stopping.why(self.book.designs):
            self.news.append(why)
            self._nothing_left = True
            return self._decide()
        suggestion = next(iter(self.optimizer.ask(1)), None)
        if suggestion is None or not self._within_limits(suggestion):
            if suggestion is not None:
                self.optimizer.withdraw(suggestion.design, suggestion.fidelity)
            self._nothing_left = True  # what may be built has been seen: the best remain to be trained
            return self._decide()
        return suggestion

    def _end_search(self) -> None:
        """The time is nearly up: what has been looked at is the budget, from now on and when the study goes on."""
        self.config = replace(self.config, budget=self.book.designs)
        self.study.set_budget(self.book.designs)
        self.news.append(
            f"{self.config.time} are nearly over after {self.book.designs} designs: the best are trained in full now"
        )

    def _within_limits(self, suggestion: Suggestion) -> bool:
        problem = self.optimizer.problem
        return bool(problem.violation(problem.remembered([suggestion.design.indices]), 1)[0] <= 0)

    @property
    def _budget(self) -> int:
        """Designs to look at; a small space holds fewer than were asked for."""
        return min(self.config.budget, self.study.study_problem.space.size)

    def _work_left(self) -> float:
        """In full trainings, if all new designs are looked at cheaply."""
        new = 0 if self._nothing_left else max(0, self._budget - self.book.designs)
        looks = self.book.looks
        scheduled = (looks.since + new) // self.config.calibrate_every if new else 0
        full = max(0, min(new + looks.waiting, scheduled + self._final - (0 if new else looks.final)))
        running = sum(self.price[e.fidelity] for e, _ in self.futures.values())
        return new * self.config.rungs[0].relative_cost + full * self.price[FULL.name] + running

    def _submit(self, evaluation: Evaluation) -> None:
        specs = self.store.specs(evaluation.trial)
        job = Job(
            specs.network,
            specs.chip,
            self.config.to_dict()["conditions"],
            self.config.data,
            evaluation.fidelity,
            self.config.recipe,
            job_seed(self.config.seed, evaluation.trial),
            self.config.timeout_s,
            self.config.least_chips,
            self.config.accuracy,
            str(self.store.path.absolute()) + CHECKPOINTS,
            self.study.data["fingerprint"],
            version("naxbo"),
            self.weights.wanted_mb(evaluation.fidelity),
            family_of(self.config, self.store.space) if evaluation.fidelity == INHERIT.name else {},
            self.signs.path(evaluation.id) if self.signs else "",
            self.config.device,
            self.config.network,
            self.config.weights,
        )
        self.store.start(evaluation.id)
        try:
            future = self.pool.submit(run_job, job)
        except BrokenExecutor as ex:  # a worker has died since
            future = Future()
            future.set_exception(ex)
        self.futures[future] = (evaluation, monotonic())

    def _record(self, future: Future[JobResult]) -> None:
        evaluation, begun = self.futures.pop(future)
        error = future.exception()
        if isinstance(error, NaxboError) and not isinstance(error, WorkerLostError):
            raise error  # the data set is gone, say: what was under way is taken up when the study goes on
        if error is not None:
            self.store.requeue(evaluation.id, self.blame.environment(error))
            return
        self.blame.result()
        result = future.result()
        if result.outcome is not None and (why := invalid(result.outcome)):
            result = JobResult(None, why)
        self._finish(evaluation, result, monotonic() - begun)

    def _patience(self) -> float:
        """Seconds until the next training has run for too long."""
        begun = min(at for _, at in self.futures.values())
        return max(0.05, begun + self.config.timeout_s + GRACE_S - monotonic())

    def _end_overdue(self) -> None:
        """Give up trainings that hang: they were told to end by themselves, and have not."""
        limit = self.config.timeout_s
        overdue = [f for f, (_, at) in self.futures.items() if monotonic() - at > limit + GRACE_S]
        for future in overdue:
            evaluation, begun = self.futures.pop(future)
            future.cancel()
            hung = JobResult(None, f"it took longer than {limit:g} s, and did not end by itself")
            self._finish(evaluation, hung, monotonic() - begun)
        if overdue:
            self._renew_workers()

    def _end_greedy(self) -> None:
        """Give up trainings whose worker takes more memory than it may."""
        assert self.signs  # it has workers of its own
        taken = {}
        for future, (evaluation, _) in self.futures.items():
            if not future.done() and (pid := self.signs.worker(evaluation.id)):
                taken[future] = resident_bytes(pid)
        greedy = {future: size for future, size in taken.items() if size > (self.memory or size)}
        for future, size in greedy.items():
            evaluation, begun = self.futures.pop(future)
            future.cancel()
            why = f"its training took {spoken_size(size)} of memory, more than the {self.config.memory} that it may"
            self._finish(evaluation, JobResult(None, why), monotonic() - begun)
        if greedy:
            for future in [f for f in self.futures if f.done() and not f.exception()]:
                self._record(future)
            self._renew_workers()

    def _renew_workers(self) -> None:
        """Start this machine's workers anew: the others lose theirs too, through no fault of theirs."""
        if self.renew is None:
            return
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.pool, self.futures = self.renew(), {}
        self.store.requeue_running()

    def _replace_pool(self) -> None:
        lost, self.futures = list(self.futures.values()), {}
        if self.renew is None:
            raise EvaluationError(
                "the executor is broken: one of its workers died",
                "Go on with a new one; what was under way is run again.",
            )
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.pool = self.renew()
        for evaluation, begun in lost:
            if evaluation.id in self.suspects:  # and alone
                died = JobResult(None, "its worker died twice, for want of memory perhaps")
                self._finish(evaluation, died, monotonic() - begun)
            else:
                self.suspects.add(evaluation.id)
        self.store.requeue_running()

    def _finish(self, evaluation: Evaluation, result: JobResult, seconds: float) -> None:
        self.suspects.discard(evaluation.id)
        if result.outcome is None:
            self.store.finish(evaluation.id, "failed", message=result.error, seconds=seconds)
            self.news.append(f"design {evaluation.trial} failed ({evaluation.fidelity}): {result.error}")
        else:  # weights first: a design on the front without them would look as if they had been lost
            self.news += self.weights.keep(evaluation.trial, result)
            self.store.finish(evaluation.id, "done", outcome=result.outcome, seconds=seconds)
        trial = self.study.trial(evaluation.trial)
        self.book.note(trial)
        ended = next(e for e in trial.evaluations if e.id == evaluation.id)
        (self.turns.ended if self.turns else self._tell)(trial, ended)
        if result.outcome is not None and evaluation.fidelity == FULL.name:
            found = self.study.accuracy(ended)
            self._compare(trial)
            self.news.append(f"design {evaluation.trial} in full: {100 * found:.1f} % ({evaluation.reason})")
            self.weights.trained(trial)
            self.weights.forget(self.optimizer.front())
        self.pace.note(evaluation.fidelity, seconds)
        if self.signs:
            self.signs.forget(evaluation.id)

    def _compare(self, trial: Trial) -> None:
        """Note a design's accuracy if it is the best within the study's limits."""
        evaluation = trial.at(FULL.name)
        if evaluation and self.config.within_limits(self.study.values(trial)):
            self.best = max(self.best or 0.0, self.study.accuracy(evaluation))

    def _report(self, news: str) -> None:
        self.last = self._moved(
            Progress(
                designs=self.book.designs,
                budget=self._budget,
                full=self.book.full,
                running=len(self.futures),
                failed=self.book.failed,
                hypervolume=self.optimizer.hypervolume(),
                front=len(self.optimizer.front()),
                best=self.best,
                eta_s=None,
                news=news,
                outlook=None if self._nothing_left else self.stopping.outlook,
            )
        )
        self.on_progress(self.last)

    def _report_moved(self) -> None:
        """Report what has changed while nothing ended."""
        if self.signs and self.last:
            self.on_progress(self._moved(replace(self.last, news="")))

    def _moved(self, progress: Progress) -> Progress:
        """With how far the trainings under way have come, and the time left."""
        running = sorted((e for e, _ in self.futures.values()), key=lambda e: e.id)
        shares = tuple(self.signs.share(e.id) if self.signs else 0.0 for e in running)
        under_way = sum(s * self.price[e.fidelity] for s, e in zip(shares, running, strict=True))
        return replace(progress, shares=shares, eta_s=self.pace.eta_s(self._work_left(), under_way))
