"""The steps of a reproduction: baselines, searches, winners. Each is kept; what is finished is not done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any

from nax_bo.accuracy.fidelity import FULL, MANY_TEST_IMAGES
from nax_bo.accuracy.training import batch_size
from nax_bo.errors import InputError, NaxboError
from nax_bo.files import write_whole
from nax_bo.hardware import ArraySpec, ChipSpec, cost_model
from nax_bo.hardware.protocol import OneByOne
from nax_bo.hardware.reads import COST_FREE
from nax_bo.outcomes import OUTCOMES, outcome
from nax_bo.reproduce.factors import Factor, walk
from nax_bo.reproduce.limits import claimed_limits
from nax_bo.reproduce.pairs import Interval, paired_difference
from nax_bo.reproduce.procedures import PROCEDURES, procedure_found
from nax_bo.reproduce.result import BASELINES, TOLERANCE, Contender, Result
from nax_bo.reproduce.scale import LOOKS, Scale, images_seen
from nax_bo.reproduce.trainings import Measured, Trainings
from nax_bo.space import Design
from nax_bo.study import Study, StudyConfig
from nax_bo.study.file.trial import Trial
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.executor import local_executor
from nax_bo.study.running.job import data_set, describe_data
from nax_bo.systems import Claim
from nax_bo.systems.union import HOLDS

NAXBO, OWN, UNION = "naxbo", "own search", "union"
_OWN = {"nacim": "nacim", "cimnet": "dynas", "cimnet-vit": "dynas"}
"""Searches of systems whose settings name none; that of Saha et al. is not known."""
_TRIED = 3
"""Winners of a search that are trained until one holds its accuracy."""


class TimeUpError(NaxboError):
    """The time of this piece is over; what is finished is kept."""

    exit_code = 0


@dataclass(frozen=True)
class Baseline:
    """A design that contenders are measured against."""

    name: str
    design: Design
    costs: Mapping[str, float]
    measured: Measured


@dataclass(frozen=True)
class Reproduction:
    """A reproduction in a folder.

    Attributes:
        system: Name of a published system.
        folder: Where everything is kept.
        scale: Budget.
        data: Data set; the scale's by default.
        seeds: Searches of each kind.
        workers: Trainings at once; 0: one per core.
        seconds: When this piece stops.
        joint: Whether the union is searched too, from the baseline and from naxbo's winner; slow.
        say: Takes a line for the person who waits.
    """

    system: str
    folder: Path
    scale: Scale
    data: str = ""
    seeds: int = 1
    workers: int = 0
    seconds: float = float("inf")
    joint: bool = False
    say: Callable[[str], None] = lambda _: None
    started: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "started", monotonic())
        if not (self.data or self.scale.data):
            raise InputError(
                f"the scale {self.scale.name!r} has no data set of its own",
                "Give one: --data cifar10:PATH or --data tiny-imagenet:PATH.",
            )
        object.__setattr__(self, "data", self.data or self.scale.data)

    @cached_property
    def problem(self) -> StudyProblem:
        """The system's space and prices on this data.

        Raises:
            InputError: The system is none that was published.
        """
        facts = describe_data(self.data)
        start = StudyConfig(system=self.system, data=self.data)
        found = StudyProblem(start, facts["input_shape"], facts["num_classes"]).system
        if "paper" not in found.baselines:
            raise InputError(
                f"{self.system!r} is no published system: it has no baseline", "See: naxbo spaces"
            )
        settings = {k: v for k, v in found.settings.items() if k != "strategy"}
        config = StudyConfig.from_dict({**settings, "system": self.system, "data": self.data})
        return StudyProblem(replace(config, workers=self.workers), facts["input_shape"], facts["num_classes"])

    @property
    def claims(self) -> Sequence[Claim]:
        """What is to be reproduced."""
        return self.problem.system.claims

    @cached_property
    def main(self) -> str:
        """The cost whose factors are shown: the first that is claimed, else the first priced objective."""
        costs = [
            c.metric for c in self.claims if c.metric in OUTCOMES and OUTCOMES[c.metric].source == "priced"
        ]
        return costs[0] if costs else self.problem.config.main_cost.name

    @property
    def searches(self) -> dict[str, str]:
        """Strategies by the name under which they are reported."""
        own = self.problem.system.settings.get("strategy", _OWN.get(self.problem.system.name))
        return {**({OWN: own} if own else {}), "random": "random", NAXBO: "naxbo"}

    @cached_property
    def union(self) -> StudyProblem | None:
        """The union's space under this system's prices and conditions; None if it does not hold the system.

        What the cost model does not read of a chip stays as the baseline has it.
        """
        name = self.problem.system.name
        reference = next((u for u, parts in HOLDS.items() if name in parts), None)
        if reference is None:
            return None
        config = replace(self.problem.config, system=reference)
        whole = StudyProblem(config, self.problem.input_shape, self.problem.num_classes)
        paper = self._expressed(whole, self.problem.system.baselines["paper"])
        model = cost_model(config.cost_model)
        reads = getattr(model.evaluator if isinstance(model, OneByOne) else model, "reads", None)
        if reads is None:
            return whole
        chip = {f.name for f in (*fields(ChipSpec), *fields(ArraySpec))} - set(COST_FREE)
        unread = [n for n in paper if n.rstrip("_0123456789") in chip - reads.settings]
        fixed = replace(config, choose={n: (str(paper[n]),) for n in unread})
        return replace(whole, config=fixed)

    def _expressed(self, union: StudyProblem, design: Mapping[str, Any]) -> dict[str, Any]:
        description: Any = union.system.description
        found: dict[str, Any] = description.express(self.problem.system.name, design)
        return found

    def _joint(
        self,
        union: StudyProblem,
        seed: int,
        start: Contender,
        baselines: Mapping[str, Baseline],
        pool: Executor,
    ) -> Contender:
        """The union searched from the baseline and from the best design of the system's own space."""
        first = [
            union.space.design(self._expressed(union, d)) for d in (baselines["paper"].design, start.design)
        ]
        with self._study(union.config, UNION, "naxbo", seed, baselines) as study:
            self._search(study, UNION, seed, first, pool)
            paper = replace(baselines["paper"], design=first[0])
            found = self._winner(study, union, UNION, seed, {**baselines, "paper": paper}, pool)
        return replace(found, designs=found.designs + start.designs, images=found.images + start.images)

    def run(self) -> Result:
        """Do what is left, in the order baselines, searches, winners.

        Raises:
            TimeUpError: The seconds of this piece are over.
            NaxboError: A baseline cannot be trained or priced, or the folder cannot be used.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._pool() as pool:
            baselines = self._baselines(pool)
            contenders = []
            for seed in range(self.seeds):
                if self.problem.system.name in PROCEDURES:
                    contenders.append(self._by_procedure(seed, baselines, pool))
                for name, strategy in self.searches.items():
                    with self._study(self.problem.config, name, strategy, seed, baselines) as study:
                        self._search(study, name, seed, [baselines["paper"].design], pool)
                        contenders.append(self._winner(study, self.problem, name, seed, baselines, pool))
                if self.joint and self.union is not None:
                    contenders.append(self._joint(self.union, seed, contenders[-1], baselines, pool))
        system = self.problem.system
        return Result(
            self.system,
            self.scale.name,
            self.data,
            system.claims,
            [asdict(a) for a in system.assumptions],
            {k: {"name": b.name, "accuracies": b.measured.accuracies, "costs": self._shown(b.costs)}
             for k, b in baselines.items()},
            self.main,
            contenders,
        )  # fmt: skip

    @contextmanager
    def _pool(self) -> Iterator[Executor]:
        pool = local_executor(self.workers or os.cpu_count() or 1)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _tick(self, *_: Any) -> None:
        if monotonic() - self.started > self.seconds:
            raise TimeUpError(
                f"stopped after {self.seconds / 60:g} minutes; what is finished is kept in {self.folder}",
                "The same command goes on.",
            )

    @cached_property
    def trainings(self) -> Trainings:
        """Of baselines and winners."""
        return Trainings(self.folder / "trainings.json", self.problem.config, self.scale.looks)

    def _measure(
        self, designs: Sequence[Design], pool: Executor, looks: int = 0, ground: StudyProblem | None = None
    ) -> list[Measured]:
        decode = (ground or self.problem).system.decode
        return self.trainings.measure([decode(d) for d in designs], pool, self._tick, looks)

    # baselines

    def _baselines(self, pool: Executor) -> dict[str, Baseline]:
        """The paper's design; of the others of each kind the best."""
        given = self.problem.system.baselines
        self.say(f"{self.system}: trainings of the baselines")
        (paper,) = self._measure([given["paper"]], pool)
        out = {"paper": self._baseline("paper", given["paper"], paper)}
        alike = [name for name in given if name.startswith("homogeneous")]
        if alike:
            out["homogeneous"] = self._homogeneous(alike, pool)
        for name in self._by_cost([n for n in given if n.startswith("scaled")]):
            (found,) = self._measure([given[name]], pool)
            if paired_difference(found.accuracies, paper.accuracies).mean >= -TOLERANCE:
                out["scaled"] = self._baseline(name, given[name], found)
                break
        return out

    def _homogeneous(self, names: Sequence[str], pool: Executor) -> Baseline:
        """The cheapest of those that lie within the tolerance of the most accurate one."""
        given = self.problem.system.baselines
        found = dict(zip(names, self._measure([given[n] for n in names], pool, 1), strict=True))
        best = max(fmean(m.accuracies) for m in found.values())
        near = [n for n in names if fmean(found[n].accuracies) >= best - TOLERANCE]
        name = self._by_cost(near)[0]
        (whole,) = self._measure([given[name]], pool)
        return self._baseline(name, given[name], whole)

    def _baseline(self, name: str, design: Design, found: Measured) -> Baseline:
        (costs,) = self.problem.costs_of([design])
        return Baseline(name, design, costs, found)

    def _by_cost(self, names: Sequence[str]) -> list[str]:
        sign = OUTCOMES[self.main].sign
        priced = self.problem.costs_of([self.problem.system.baselines[n] for n in names])
        ranked = sorted(zip(priced, names, strict=True), key=lambda row: sign * row[0][self.main])
        return [name for _, name in ranked]

    # searches

    @contextmanager
    def _study(
        self, config: StudyConfig, name: str, strategy: str, seed: int, baselines: Mapping[str, Baseline]
    ) -> Iterator[Study]:
        config = replace(
            self._asked(name, config, baselines),
            strategy=strategy,
            seed=seed,
            budget=self.scale.designs,
            calibrate_every=self.scale.designs,
        )
        with Study(self.folder / f"{name.replace(' ', '-')}-{seed}.naxbo", config) as study:
            yield study

    def _asked(self, name: str, config: StudyConfig, baselines: Mapping[str, Baseline]) -> StudyConfig:
        """What a search is asked for: accuracy at the costs that are claimed.

        A system's own search proposes as it was published, which knows no limits on costs: what it finds counts if it
        holds the baseline's accuracy.
        """
        if name == OWN:
            floor = fmean(baselines["paper"].measured.accuracies) - TOLERANCE
            return replace(config, min={**config.min, "accuracy": round(floor, 4)})
        named = {kind: baselines[kind].costs for kind in ("paper", "homogeneous") if kind in baselines}
        return claimed_limits(replace(self.problem, config=config), named)

    def _search(self, study: Study, name: str, seed: int, first: Sequence[Design], pool: Executor) -> None:
        """Designs until their trainings have seen the scale's images, then the best in full."""
        study.add(first)
        over = study.store.path.with_suffix(
            ".searched"
        )  # else finished searches would grow where looks were cheap
        while not over.exists() and (room := self._room(study.trials())):
            before = len(study.trials())
            self.say(
                f"{self.system}: {name}, seed {seed}: {before} designs looked at, room for {room} full looks"
            )
            study.run(before + room, pool, self._tick, finalists=0)
            if len(study.trials()) == before:
                break  # there is no design left
        write_whole(over, "")
        study.run(len(study.trials()), pool, self._tick, finalists=self.scale.finalists)

    def _room(self, trials: Sequence[Trial]) -> int:
        """Full looks that the scale's images still allow, room for the finalists' kept free."""
        seen, full = self._images(trials), self._full_look
        waiting = sum(t.at(FULL.name) is None for t in trials)
        left = self.scale.designs * full - seen - min(self.scale.finalists, waiting) * full
        undecided = any(e.state in ("queued", "running") for t in trials for e in t.evaluations)
        return max(int(undecided), left // full)

    # winners

    def _winner(
        self,
        study: Study,
        ground: StudyProblem,
        name: str,
        seed: int,
        baselines: Mapping[str, Baseline],
        pool: Executor,
    ) -> Contender:
        """The best design that holds its accuracy in paired trainings; else the most accurate of those tried."""
        self.say(f"{self.system}: {name}, seed {seed}: trainings of the winner")
        ranked = self._ranked(study, baselines)
        spent = len(study.trials()), self._images(study.trials())
        tried: list[tuple[Design, Measured]] = []
        for design in ranked:
            (found,) = self._measure([design], pool, ground=ground)
            tried.append((design, found))
            if self._holds(found, baselines):
                return self._contender(ground, name, seed, design, found, baselines, spent)
        if not tried:
            raise InputError(f"{name} trained no design in full", "Remove its study, and run again.")
        return self._contender(
            ground, name, seed, *max(tried, key=lambda t: fmean(t[1].accuracies)), baselines, spent
        )

    def _ranked(self, study: Study, baselines: Mapping[str, Baseline]) -> list[Design]:
        """Designs within the limits that may be the winner, in the order in which they are tried.

        Where accuracy is claimed, or its loss, the most accurate. Else those with the largest gains that hold the
        baseline's accuracy by more than their standard error, and at last the most accurate.
        """
        trials = [t for t in study.trials() if t.at(FULL.name)]
        trials = [t for t in trials if study.config.within_limits(study.values(t))] or trials
        accuracy = {t.number: study.accuracy(t.at(FULL.name)) for t in trials}  # type: ignore[arg-type]
        best = sorted(trials, key=lambda t: accuracy[t.number] - self._excess(t), reverse=True)
        if any(c.metric == "accuracy" or c.lost for c in self.claims):
            return [t.design for t in best[:_TRIED]]
        floor = fmean(baselines["paper"].measured.accuracies) - TOLERANCE
        able = [t for t in trials if accuracy[t.number] - (study.row(t)["standard_error"] or 0.0) >= floor]
        dearest = sorted(able, key=lambda t: self._worth(t, baselines["paper"]), reverse=True)
        return list(dict.fromkeys(t.design for t in (*dearest[: _TRIED - 1], *best[:1])))

    def _excess(self, trial: Trial) -> float:
        """Accuracy that a design loses to variation beyond what is claimed, a fraction."""
        outcome = trial.at(FULL.name).outcome  # type: ignore[union-attr]
        allowed = [c.value / 100 for c in self.claims if c.lost]
        return max(0.0, outcome["clean"] - outcome["mean"] - allowed[0]) if allowed else 0.0

    def _worth(self, trial: Trial, paper: Baseline) -> tuple[float, float]:
        """How much of what is claimed a design keeps at least, up to all of it; then the main gain."""
        gains = self._gains(trial.costs, paper.costs)
        shares = [gains[c.metric] / c.value for c in self.claims if c.metric in gains]
        return min(1.0, *shares), gains[self.main]

    def _by_procedure(self, seed: int, baselines: Mapping[str, Baseline], pool: Executor) -> Contender:
        """What a search that is a training itself ends with, at as many images as the others' trainings see."""
        self.say(f"{self.system}: {OWN}, seed {seed}: its super-network and its gates learn")
        images = (self.scale.designs - 1) * self._full_look  # what it ends with is trained in full, too
        path = self.folder / f"{OWN.replace(' ', '-')}-{seed}.json"
        found = procedure_found(path, self.problem, self.main, images, seed)
        self._tick()
        (measured,) = self._measure([found.design], pool)
        spent = 1, found.images_seen + self._full_look
        return self._contender(self.problem, OWN, seed, found.design, measured, baselines, spent)

    def _holds(self, found: Measured, baselines: Mapping[str, Baseline]) -> bool:
        paper = baselines["paper"].measured
        return paired_difference(found.accuracies, paper.accuracies).mean >= -TOLERANCE

    def _contender(
        self,
        ground: StudyProblem,
        name: str,
        seed: int,
        design: Design,
        found: Measured,
        baselines: Mapping[str, Baseline],
        spent: tuple[int, int],
    ) -> Contender:
        """``spent``: designs that its search looked at, and training images that they saw."""
        (costs,) = ground.costs_of([design])
        return Contender(
            search=name,
            seed=seed,
            design=dict(design),
            costs=self._shown(costs),
            accuracy=fmean(found.accuracies),
            lost=fmean(found.clean) - fmean(found.accuracies),
            difference={k: self._difference(found, b.measured) for k, b in baselines.items()},
            gains={k: self._gains(costs, baselines[k].costs) for k in BASELINES if k in baselines},
            factors=self._factors(ground, baselines["paper"].design, design),
            designs=spent[0],
            images=spent[1],
        )

    def _difference(self, ours: Measured, theirs: Measured) -> Interval:
        return paired_difference(ours.accuracies, theirs.accuracies)

    def _gains(self, costs: Mapping[str, float], base: Mapping[str, float]) -> dict[str, float]:
        """How many times better each priced outcome is."""
        priced = {n: o for n, o in OUTCOMES.items() if o.source == "priced" and base.get(n) and costs.get(n)}
        return {n: (base[n] / costs[n]) ** o.sign for n, o in priced.items()}

    def _factors(self, ground: StudyProblem, start: Design, end: Design) -> list[Factor]:
        sign = outcome(self.main).sign

        def value(design: Design) -> float:
            (costs,) = ground.costs_of([design])
            return float(costs[self.main] ** sign)

        return walk(ground.space, start, end, value)[0]

    def _shown(self, costs: Mapping[str, float]) -> dict[str, float]:
        claimed = [c.metric for c in self.claims if c.metric in costs]
        return {n: costs[n] for n in dict.fromkeys((self.main, *claimed, *self.problem.config.cost_columns))}

    def _images(self, trials: Sequence[Trial]) -> int:
        """Training images that the looks at designs have seen; of one that failed, those of one training."""
        each = {name: self._of_training(name) for name in LOOKS}
        ended = [e for t in trials for e in t.evaluations if e.state in ("done", "failed")]
        return sum(each[e.fidelity] * int((e.outcome or {}).get("trainings", 1)) for e in ended)

    def _of_training(self, rung: str) -> int:
        images = len(data_set(self.data).train_labels)
        return images_seen(images, batch_size(images), LOOKS[rung].recipe)

    @cached_property
    def _full_look(self) -> int:
        """Training images of a full evaluation."""
        few = len(data_set(self.data).test_labels) < MANY_TEST_IMAGES
        return self._of_training(FULL.name) * (FULL.trainings if few else 1)
