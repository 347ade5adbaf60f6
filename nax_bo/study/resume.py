"""Going on with a study: which settings may change, whether its sources are what they were, and what follows if not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nax_bo.errors import InputError, NaxboError, StoreError
from nax_bo.study.config import FREE_TO_CHANGE, StudyConfig
from nax_bo.study.file import records
from nax_bo.study.file.store import Store
from nax_bo.study.problem import StudyProblem
from nax_bo.study.proposing import problem_report
from nax_bo.study.running.job import describe_data
from nax_bo.study.sources import model_fingerprint, rooted, same

WAY_OUT = (
    "Use the same settings, or start another study with what still holds of this one: --study NEW --from {}"
)
_FEW = 8
"""Designs that are built anew where nothing hints at a change."""

_PLACES = ("data", "system", "network", "weights", "cost_model")
"""Settings that may be named anew, if what they name is the same."""


@dataclass(frozen=True)
class Resumed:
    """Settings to go on with.

    Attributes:
        config: The settings.
        changes: What differs from the stored ones, in words.
        given: Settings that this call named.
    """

    config: StudyConfig
    changes: tuple[str, ...]
    given: frozenset[str]


def resume(store: Store, stored: StudyConfig, wanted: StudyConfig | Mapping[str, Any] | None) -> Resumed:
    """Settings of a study that this call goes on with: the stored ones, with those given that may change.

    Raises:
        StoreError: A given setting would change what the stored results mean, or names other data or another model.
    """
    if wanted is None:
        return Resumed(stored, (), frozenset())
    plain = wanted.to_dict() if isinstance(wanted, StudyConfig) else dict(wanted)
    plain = _not_asked_before(store, plain)
    config = rooted(StudyConfig.from_dict({**stored.to_dict(), **plain}))
    ours, theirs = stored.to_dict(), config.to_dict()
    changed = [name for name in ours if ours[name] != theirs[name]]
    refused = [name for name in changed if name not in FREE_TO_CHANGE and not _renamed(store, config, name)]
    if refused:
        text = ", ".join(f"{name} was {ours[name]!r}, now {theirs[name]!r}" for name in refused)
        raise StoreError(f"{store.path} is a study with other settings: {text}", WAY_OUT.format(store.path))
    words = tuple(f"{name}: {ours[name]!r} -> {theirs[name]!r}" for name in changed)
    return Resumed(config, words, frozenset(plain))


def _not_asked_before(store: Store, wanted: dict[str, Any]) -> dict[str, Any]:
    """Without what a study with a time limit was asked for when it was created: what became of it is stored."""
    before = store.meta("asked")
    if not isinstance(before, Mapping):
        return wanted
    try:
        asked = StudyConfig.from_dict(before).to_dict()
    except InputError:
        records.refuse(str(store.path), "what it was asked for cannot be read")
    now = rooted(StudyConfig.from_dict({**asked, **wanted})).to_dict()
    more_time = now["time"] != asked["time"]  # then a budget that the time has cut counts again
    return {
        name: value
        for name, value in wanted.items()
        if now[name] != asked[name] or (name == "budget" and more_time)
    }


def _renamed(store: Store, config: StudyConfig, name: str) -> bool:
    """Whether a changed setting is only another name of the same thing."""
    if name not in _PLACES:
        return False
    if name == "data":
        found = describe_data(config.data)["fingerprint"]
        return bool(found == (store.meta("data") or {}).get("fingerprint"))
    problem = _live(store, config)
    if name in ("network", "weights"):
        return bool(problem_sources(problem).get("network") == (store.meta("sources") or {}).get("network"))
    if name == "cost_model":
        sources = store.meta("sources") or {}
        return model_fingerprint(problem.cost_model) == sources.get("cost_model")
    try:
        return not moved_designs(store, problem, everything=False)
    except NaxboError:
        return False


def _live(store: Store, config: StudyConfig) -> StudyProblem:
    facts = store.meta("data")
    return StudyProblem(config, tuple(facts["input_shape"]), facts["num_classes"])


def moved_designs(store: Store, problem: StudyProblem, *, everything: bool) -> str:
    """How the space's code differs from what the file holds, in words; empty if it does not."""
    if problem.space != store.space:
        return "its space has other variables"
    trials = store.trials()
    for trial in trials if everything else _spread(trials):
        specs = store.specs(trial.number)
        network, chip = problem.system.decode(trial.design)
        for what, ours, now in (
            ("network", specs.network, network.to_dict()),
            ("chip", specs.chip, chip.to_dict()),
        ):
            if ours and _plain(now) != _plain(ours):
                return f"design {trial.number} is another {what} now"
    return ""


def check_problem(store: Store, problem: StudyProblem) -> str:
    """Make sure that stored designs and costs are what the settings' code makes of them today.

    Costs of a model that has changed are computed anew, all of them, in one transaction; designs that have become
    others are refused, since their accuracies were measured on what they were.

    Returns:
        What was done, in words; empty if nothing had to be.

    Raises:
        StoreError: The space has changed.
    """
    sources = store.meta("sources") or {}
    found = problem_sources(problem)
    if found.get("network") != sources.get("network"):
        raise StoreError(
            f"the network {problem.config.network} or its weights have changed since {store.path} was started",
            "Restore them, or start another study: --study NEW",
        )
    if difference := moved_designs(store, problem, everything=found["system"] != sources.get("system")):
        raise StoreError(
            f"the design space {problem.config.subject} has changed since {store.path} was started: {difference}",
            "Restore it, or start another study: --study NEW",
        )
    trials = store.trials()
    changed = found["cost_model"] != sources.get("cost_model")
    if not changed:
        sample = _spread(trials)
        now = problem.costs_of([t.design for t in sample]) if sample else []
        changed = any(
            not same(value, costs.get(name, value))
            for trial, costs in zip(sample, now, strict=True)
            for name, value in trial.costs.items()
        )
    facts: dict[str, Any] = {"sources": {**sources, **found}}
    if not changed:
        if found != {k: sources.get(k) for k in found}:
            store.set_meta(facts)
        return ""
    prices = {}
    if trials:
        for trial, costs in zip(trials, problem.costs_of([t.design for t in trials]), strict=True):
            prices[trial.number] = costs, problem_report(problem, trial.design)
    store.reprice(prices, {**facts, "reference_point": problem.reference_point})
    return (
        f"the cost model {problem.config.cost_model} has changed: "
        f"costs of all {len(trials)} designs were computed anew"
    )


def problem_sources(problem: StudyProblem) -> dict[str, str]:
    """Fingerprints of the code and constants that make designs and costs."""
    from nax_bo.references import source_of

    found = {
        "system": source_of(type(problem.system.description)),
        "cost_model": model_fingerprint(problem.cost_model),
    }
    return found | ({"network": problem.given.fingerprint} if problem.given else {})


def with_budget(config: StudyConfig, budget: int | None) -> StudyConfig:
    """The settings with another budget, if there is one."""
    return config if budget is None else replace(config, budget=budget)


def _spread(trials: list[Any]) -> list[Any]:
    """A few of many, evenly, the first and the last among them."""
    if len(trials) <= _FEW:
        return trials
    return [trials[round(i * (len(trials) - 1) / (_FEW - 1))] for i in range(_FEW)]


def _plain(value: Any) -> Any:
    """As it is read from JSON: lists for tuples."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
