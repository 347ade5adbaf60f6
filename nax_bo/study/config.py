"""The settings of a study: one dataclass for Python, the command line and TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from nax_bo.accuracy.report import LEAST_CHIPS
from nax_bo.errors import InputError
from nax_bo.hardware.chip import Conditions

KNOWN_COSTS = ("edap_uj_ms_mm2", "energy_uj", "latency_ms", "area_mm2")
"""Outcomes of the cost model that may be limited with ``max``."""

FREE_TO_CHANGE = (
    "budget", "workers", "timeout_s", "strategy", "surrogate", "calibrate_every", "learn_edap", "accuracy_stat",
    "max", "min_accuracy",
)  # fmt: skip
"""Settings that do not change what stored results mean, and may differ when a study goes on."""


@dataclass(frozen=True)
class StudyConfig:
    """Everything that defines a study, except where it is stored.

    Attributes:
        system: Joint design space: a built-in name or ``package.module:Factory`` or ``file.py:Factory``.
        data: Data set: ``digits``, ``cifar10:PATH``, ``tiny-imagenet:PATH``, ``folder:PATH``; how much of it is used
            may follow: ``,train=5000,test=2000,size=16``.
        budget: Designs to look at.
        seed: Seed of everything random.
        strategy: How designs are proposed: ``naxbo`` or a baseline (``random``, ``sobol``, ``nsga2``, ...).
        surrogate: Model of the accuracy: a name, ``package.module:Class`` or ``file.py:Class``, with
            ``,key=value`` arguments.
        learn_edap: Learn EDAP like accuracy instead of computing it for every candidate (for slow cost models).
        cost_model: Profile name, TOML profile, ``package.module:Class`` or ``file.py:Class``.
        calibrate_every: After this many designs, the most promising one is trained in full.
        accuracy_stat: What is maximised over programmed chips: ``mean``, or ``p05``, the accuracy that 95 % exceed, for
            which more chips are read.
        max: Upper limits on known costs, by name (:data:`KNOWN_COSTS`).
        min_accuracy: Lower limit on accuracy.
        conditions: Non-idealities under which accuracy is measured.
        workers: Trainings that run at once; 0 means one per core.
        timeout_s: Seconds after which a training counts as failed.
    """

    system: str = "vgg"
    data: str = "digits"
    budget: int = 200
    seed: int = 0
    strategy: str = "naxbo"
    surrogate: str = "gp"
    learn_edap: bool = False
    cost_model: str = "published"
    calibrate_every: int = 10
    accuracy_stat: Literal["mean", "p05"] = "mean"
    max: Mapping[str, float] = field(default_factory=dict)
    min_accuracy: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)
    workers: int = 0
    timeout_s: float = 3600.0

    def __post_init__(self) -> None:
        _whole("budget", self.budget, 1)
        _whole("seed", self.seed, 0)
        _whole("calibrate_every", self.calibrate_every, 1)
        _whole("workers", self.workers, 0)
        for name in ("system", "data", "strategy", "surrogate", "cost_model"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} = {getattr(self, name)!r}", "Give its name, in quotes.")
        if not isinstance(self.learn_edap, bool):
            raise InputError(f"learn_edap = {self.learn_edap!r}", "Give true or false, without quotes.")
        if self.accuracy_stat not in ("mean", "p05"):
            raise InputError(f"accuracy_stat = {self.accuracy_stat!r}", "Use 'mean' or 'p05'.")
        if not 0 <= self.min_accuracy < 1:
            raise InputError(
                f"a minimum accuracy of {self.min_accuracy!r}", "Give a fraction from 0 to 1, such as 0.9."
            )
        if not self.timeout_s > 0:
            raise InputError(f"timeout_s = {self.timeout_s!r}", "Give a positive number of seconds.")
        for name in ("max", "conditions"):
            if not isinstance(getattr(self, name), (Mapping, Conditions)):
                raise InputError(f"{name} = {getattr(self, name)!r}", f"Write a table: [{name}]")
        for name, limit in self.max.items():
            if name not in KNOWN_COSTS:
                raise InputError(f"cannot limit {name!r}", f"Limits exist for {', '.join(KNOWN_COSTS)}.")
            if not (isinstance(limit, (int, float)) and limit > 0):
                raise InputError(f"{name} <= {limit!r} is not a limit", "Give a positive number.")

    @property
    def least_chips(self) -> int:
        """Programmed chips that every evaluation must read."""
        return LEAST_CHIPS if self.accuracy_stat == "p05" else 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {**asdict(self), "max": dict(self.max)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyConfig:
        """Inverse of :meth:`to_dict`; missing settings take their defaults, unknown ones raise InputError."""
        values = dict(data)
        _known(cls, values, "setting")
        if isinstance(values.get("conditions"), Mapping):
            _known(Conditions, values["conditions"], "condition")
            values["conditions"] = Conditions(**values["conditions"])
        try:
            return cls(**values)
        except TypeError as ex:
            raise InputError(f"these settings cannot be read: {ex}", "See: naxbo init") from ex


def read_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """Settings from a TOML file, with ``overrides`` (from the command line) on top.

    Raises:
        InputError: The file is missing, is not TOML, or holds an unknown setting.
    """
    try:
        with Path(path).open("rb") as file:
            data = tomllib.load(file)
    except OSError as ex:
        raise InputError(f"cannot read {path}: {ex.strerror}", "Write one with: naxbo init") from ex
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as ex:
        raise InputError(
            f"{path} is not valid TOML: {ex}", "Compare it with a fresh one from: naxbo init"
        ) from ex
    changed = dict(overrides or {})
    if isinstance(data.get("max"), Mapping) and "max" in changed:
        changed["max"] = {**data["max"], **changed["max"]}  # limits add up
    return StudyConfig.from_dict({**data, **changed})


def config_toml(config: StudyConfig | None = None) -> str:
    """The settings as a commented TOML file, which :func:`read_config` reads back."""
    config = config or StudyConfig()
    plain = config.to_dict()
    lines = ["# Settings of a naxbo study; run it with: naxbo optimize --config FILE", ""]
    for name, comment in _COMMENTS.items():
        lines += [f"# {comment}", f"{name} = {_toml(plain[name])}", ""]
    lines += ["# Upper limits on costs, for example: area_mm2 = 5.0", "[max]"]
    lines += [f"{k} = {_toml(v)}" for k, v in config.max.items()]
    lines += ["", "# Non-idealities under which accuracy is measured", "[conditions]"]
    lines += [f"{f.name} = {_toml(getattr(config.conditions, f.name))}" for f in fields(Conditions)]
    return "\n".join(lines) + "\n"


_COMMENTS = {
    "system": "joint space of network and chip (naxbo spaces), or package.module:Factory, or file.py:Factory",
    "data": "digits | cifar10:PATH | tiny-imagenet:PATH | folder:PATH; options: ,train=5000,test=2000,size=16",
    "budget": "designs to look at",
    "seed": "same seed, same designs",
    "strategy": "naxbo | random | sobol | nsga2 | local-search | linas",
    "surrogate": "model of accuracy (naxbo surrogates list), or package.module:Class, or file.py:Class",
    "learn_edap": "learn EDAP instead of computing it for every candidate: only for slow cost models",
    "cost_model": "published | isaac | puma | neurosim | xpertsim | xpert-lut | a TOML profile | a class",
    "calibrate_every": "after this many designs, the most promising one is trained in full",
    "accuracy_stat": "mean over noise draws, or p05: the accuracy that 95 % of chips exceed",
    "min_accuracy": "designs below it do not count",
    "workers": "trainings at once; 0: one per core",
    "timeout_s": "a training that takes longer counts as failed",
}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _whole(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InputError(f"{name} = {value!r}", f"Give a whole number, at least {low}.")


def _known(cls: type[Any], values: Mapping[str, Any], what: str) -> None:
    import difflib

    allowed = [f.name for f in fields(cls)]
    for name in values:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            raise InputError(
                f"there is no {what} {name!r}",
                f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(allowed)}.",
            )
