"""A new study that starts with what earlier ones know (``--from``).

A result is taken over where it means the same: same data (by fingerprint), same training and reading (recipe,
conditions, accuracy evaluator), and a design that is the same network and chip in the new study. Costs are computed
anew, so cost model, objectives and limits may differ, and so may the part of the space that is searched: designs
outside it are left. Results of another meaning are refused, since they would be mixed with new ones as if they were
theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError, StoreError
from nax_bo.space import Design
from nax_bo.study.config import StudyConfig
from nax_bo.study.file import records
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Evaluation, Proposal, Trial
from nax_bo.study.problem import StudyProblem
from nax_bo.study.proposing import proposal_of
from nax_bo.study.sources import foreign, refuse_foreign

_TAKEN = ("system", "network", "weights", "data", "conditions", "recipe", "accuracy", "ladder")

_MEANING = ("network", "weights", "conditions", "recipe", "accuracy")
"""Settings that decide what an accuracy means; data are told apart by their fingerprint."""


@dataclass(frozen=True)
class Earlier:
    """What comes over from earlier studies.

    Attributes:
        proposals: Evaluations, decided in this order.
        results: The finished evaluation behind each.
        told: Of each study: its name, how many designs came over, and how many lie outside the space.
    """

    proposals: tuple[Proposal, ...]
    results: tuple[Evaluation, ...]
    told: tuple[Mapping[str, Any], ...]


def check_beginning(path: Path, before: Sequence[Path]) -> None:
    """Raise StoreError if a study exists that did not begin with these earlier ones."""
    if not path.exists():
        return
    store = Store(path)
    try:
        began = [told.get("study") for told in store.meta("from") or [] if isinstance(told, dict)]
    finally:
        store.close()
    if began != [p.name for p in before]:
        raise StoreError(
            f"{path} exists, and did not begin with {', '.join(p.name for p in before)}",
            "Leave --from out to go on with it, or name a new study: --study NEW",
        )


def inherited(path: Path, given: Mapping[str, Any], *, trust: bool) -> dict[str, Any]:
    """Settings of a new study: those given, and else those of an earlier study that decide what results mean.

    Raises:
        StoreError: The earlier study cannot be read, or names code of others that this call does not name.
    """
    store = Store(path)
    try:
        config = records.config_of(store.meta("config"))
    finally:
        store.close()
    taken = {name: value for name, value in config.to_dict().items() if name in _TAKEN and name not in given}
    if not trust:
        refuse_foreign(path, {k: v for k, v in foreign(config).items() if k in taken}, "starting from it")
    return {**taken, **given}


def earlier(
    paths: Sequence[Path], config: StudyConfig, data: Mapping[str, Any], problem: StudyProblem
) -> Earlier:
    """Results of earlier studies that hold in a new one with these settings; reading them runs no code they name.

    Raises:
        StoreError: A study cannot be read, or its results mean something else.
        InputError: None of a study's designs lies in the new space.
    """
    proposals: list[Proposal] = []
    results: list[Evaluation] = []
    told: list[dict[str, Any]] = []
    seen: set[tuple[tuple[int, ...], str]] = set()
    for path in paths:
        store = Store(path)
        try:
            _check_meaning(path, store, config, data)
            trials = store.trials()
            ended = sorted(
                ((e, t) for t in trials for e in t.evaluations if e.order is not None),
                key=lambda pair: pair[0].order or 0,
            )
            inside: dict[int, Proposal] = {}
            for evaluation, trial in ended:
                design = _design(problem, trial)
                if design is None or evaluation.fidelity not in config.ladder:
                    continue
                if trial.number not in inside:
                    made = proposal_of(problem, design, evaluation.fidelity)
                    _check_same(path, store, trial, made)
                    inside[trial.number] = made
                if (look := (design.indices, evaluation.fidelity)) not in seen:
                    seen.add(look)
                    first = inside[trial.number]
                    why = f"from {path.name}"
                    proposals.append(Proposal(design, first.costs, evaluation.fidelity, why, first.specs))
                    results.append(evaluation)
        finally:
            store.close()
        if not inside:
            raise InputError(
                f"nothing of {path} lies in this study's space", "Leave --from out, or choose a wider space."
            )
        told.append({"study": path.name, "designs": len(inside), "outside": len(trials) - len(inside)})
    return Earlier(tuple(proposals), tuple(results), tuple(told))


def _check_meaning(path: Path, store: Store, config: StudyConfig, data: Mapping[str, Any]) -> None:
    theirs, ours = records.config_of(store.meta("config")).to_dict(), config.to_dict()
    differing = [f"{n} was {theirs[n]!r}, is {ours[n]!r}" for n in _MEANING if theirs[n] != ours[n]]
    if records.data_of(store.meta("data"))["fingerprint"] != data["fingerprint"]:
        differing.insert(0, f"data were {theirs['data']}, are {ours['data']}")
    if differing:
        raise StoreError(
            f"the results of {path} mean something else: {'; '.join(differing)}",
            f"Name the same with this study, or take its designs without their results: "
            f"naxbo trials -s {path} --csv > designs.csv, then --start designs.csv.",
        )


def _design(problem: StudyProblem, trial: Trial) -> Design | None:
    """The trial's design in the new space, if it lies there."""
    try:
        found = problem.space.design(dict(trial.design))
    except InputError:
        return None
    return found if dict(found) == dict(trial.design) else None


def _check_same(path: Path, store: Store, trial: Trial, made: Proposal) -> None:
    specs = store.specs(trial.number)
    for what, before, now in (
        ("network", specs.network, made.specs.network),
        ("chip", specs.chip, made.specs.chip),
    ):
        if before and json.loads(records.to_text(now)) != before:
            raise StoreError(
                f"design {trial.number} of {path} is another {what} in this study",
                "Its space has changed since: leave --from out.",
            )
