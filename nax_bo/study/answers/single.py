"""One design at a time: build it from choices, price it, train it. No study is needed and none is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nax_bo.accuracy.device import AUTO_DEVICE
from nax_bo.accuracy.fidelity import FULL, INHERIT
from nax_bo.accuracy.fidelity import fidelity as rung
from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.space import Design, Space, Value
from nax_bo.study.config import StudyConfig
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.job import CHECKPOINTS, Job, describe_data, family_of, job_seed, run_job
from nax_bo.study.study import Study


def typical_design(space: Space) -> Design:
    """The design in the middle: middle value of every ordinal variable, first value of every categorical one."""
    return space.design(_middle(space))


def _middle(space: Space) -> dict[str, Value]:
    return {v.name: v.values[v.cardinality // 2 if v.kind == "ordinal" else 0] for v in space.variables}


def changed_design(space: Space, base: Mapping[str, Value], choices: Mapping[str, str]) -> Design:
    """``base`` with some choices replaced, given as text.

    Variables that become active take their middle or first value (:func:`typical_design`).

    Raises:
        InputError: A choice names no variable or no value of it, or does not matter for the resulting design.
    """
    parsed = {name: space[name].parse(text) for name, text in choices.items()}
    design = space.design({**_middle(space), **base, **parsed})
    for name in parsed:
        if name not in design:
            needed = " and ".join(f"{c.variable} in {list(c.values)}" for c in space[name].active_when)
            raise InputError(f"{name} does not matter for this design", f"It does only when {needed}.")
    return design


@dataclass(frozen=True)
class Setting:
    """What to train and where: settings, design with its network, chip and costs, rung of the ladder, seed.

    For the rung ``inherit`` also the family of the super-network, and the folder in which it is kept, if in any.
    """

    config: StudyConfig
    design: Design
    network: NetworkSpec
    chip: ChipSpec
    costs: Mapping[str, float]
    fidelity: str
    seed: int
    family: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""


def evaluate_design(choices: Mapping[str, str] | None = None, **where: Any) -> dict[str, Any]:
    """Price one design and train it under the noise of its chip: :func:`prepare`, then :func:`evaluate_setting`."""
    return evaluate_setting(prepare(choices, **where))


def prepare(
    choices: Mapping[str, str] | None = None,
    *,
    study: str | None = None,
    design: int | None = None,
    system: str = "vgg",
    data: str = StudyConfig.data,
    fidelity: str = "full",
    seed: int | None = None,
    trust: bool = False,
    device: str | None = None,
) -> Setting:
    """Check everything that can be checked before a training.

    Args:
        choices: Choices by name, as text; the rest is that of ``design``, else middle values.
        study: Study whose space, data, conditions and cost model to use.
        design: Number of a design of that study to start from.
        system: Space when no study is given.
        data: Data set when no study is given.
        fidelity: ``inherit``, ``short`` or ``full``.
        trust: Load code that the study names.
        device: Where to train and read (:mod:`nax_bo.accuracy.device`); default the study's, or ``auto``.
        seed: Seed of weights, batches and noise. By default the one that the study uses for ``design``, so an
            unchanged design gives the same accuracy again; 0 for others.

    Raises:
        InputError, DataError, StoreError: Something named does not exist or does not fit.
    """
    rung(fidelity)
    given = choices or {}
    if study is None:
        if design is not None:
            raise InputError(f"design {design} of which study?", "Add --study FILE.")
        config = StudyConfig(system=system, data=data, device=device or AUTO_DEVICE)
        facts = describe_data(data)
        problem = StudyProblem(config, tuple(facts["input_shape"]), facts["num_classes"])
        found = _setting(config, problem, changed_design(problem.space, {}, given), fidelity, seed or 0)
        return _with_family(found, problem.space)
    with Study(study, trust=trust) as opened:
        opened.need("data", "network", why="training a design")
        problem = opened.study_problem
        config = replace(opened.config, device=device or opened.config.device)
        base = {} if design is None else dict(opened.trial(design).design)
        own = 0 if design is None else job_seed(config.seed, design)
        start = changed_design(problem.space, base, given)
        used = own if seed is None else seed
        if held := next((t for t in opened.trials() if t.design == start), None):
            found = Setting(config, start, *opened.network_and_chip(held), held.costs, fidelity, used)
        else:
            found = _setting(config, problem, start, fidelity, used)
        if fidelity == INHERIT.name:
            opened.need("system", why="training the super-network of its space")
        return _with_family(found, problem.space, str(opened.store.path.absolute()) + CHECKPOINTS)


def _setting(config: StudyConfig, problem: StudyProblem, design: Design, fidelity: str, seed: int) -> Setting:
    network, chip = problem.system.decode(design)
    (costs,) = problem.costs_of([design])
    return Setting(config, design, network, chip, costs, fidelity, seed)


def _with_family(setting: Setting, space: Space, folder: str = "") -> Setting:
    """The setting with what its rung needs besides.

    Raises:
        InputError: The rung is not one of the evaluator that measures accuracy.
    """
    if setting.fidelity != INHERIT.name:
        return setting
    config = replace(setting.config, ladder=(INHERIT.name, FULL.name))
    return replace(setting, family=family_of(config, space), folder=folder)


def evaluate_setting(setting: Setting) -> dict[str, Any]:
    """Price and train.

    Returns:
        ``design`` (choices by name), ``costs``, ``accuracy`` (see ``AccuracyReport.to_dict``) and what was set.

    Raises:
        EvaluationError: The training failed.
    """
    config = setting.config
    job = Job(
        setting.network.to_dict(),
        setting.chip.to_dict(),
        config.to_dict()["conditions"],
        config.data,
        setting.fidelity,
        config.recipe,
        setting.seed,
        config.timeout_s,
        config.least_chips,
        config.accuracy,
        setting.folder,
        family=setting.family,
        given=config.network,
        given_weights=config.weights,
        device=config.device,
    )
    result = run_job(job)
    if result.outcome is None:
        raise EvaluationError(
            f"the design cannot be evaluated: {result.error}", "Change it with --set NAME=VALUE."
        )
    return {
        "system": config.subject,
        "data": config.data,
        "fidelity": setting.fidelity,
        "seed": setting.seed,
        "design": dict(setting.design),
        "costs": dict(setting.costs),
        "accuracy": dict(result.outcome),
    }
