"""The settings of a study: one dataclass for Python, the command line and TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nax_bo.accuracy.device import AUTO_DEVICE, check_device
from nax_bo.accuracy.evaluator import OWN
from nax_bo.accuracy.fidelity import (
    DEFAULT_LADDER,
    FULL,
    INHERIT,
    LADDER,
    PROGRAM,
    TRAINED_LADDER,
    TUNE,
    Fidelity,
    fidelity,
)
from nax_bo.accuracy.recipes import AUTO, parse_recipe, rungs
from nax_bo.accuracy.report import LEAST_CHIPS
from nax_bo.cluster import LOCAL
from nax_bo.durations import seconds_of
from nax_bo.errors import InputError
from nax_bo.hardware.chip import Conditions
from nax_bo.outcomes import DEFAULT_OBJECTIVES, MAIN_COSTS, OUTCOMES, SUMMARY_COST, Outcome, outcome
from nax_bo.sizes import bytes_of

KEEP = ("none", "front", "all")
"""Of which fully trained designs the weights can be kept."""

DEFAULT_SYSTEM = "vgg"
LIBRARIES = ("timm", "torchvision")
"""Libraries whose networks are named ``timm:NAME``; their weights are random unless a file is given."""

_OTHERS = tuple(name for name in LADDER if name not in (PROGRAM.name, TUNE.name))

FREE_TO_CHANGE = (
    "budget", "until_gain", "workers", "timeout_s", "strategy", "surrogate", "calibrate_every", "learn_costs",
    "objectives", "within", "max", "min", "executor", "device", "time", "keep_weights", "weights_limit_mb",
    "memory",
)  # fmt: skip
"""Settings that do not change what stored results mean, and may differ when a study goes on."""


@dataclass(frozen=True)
class StudyConfig:
    """Everything that defines a study, except where it is stored.

    Attributes:
        system: Joint design space: a built-in name or ``package.module:Factory`` or ``file.py:Factory``.
        network: A network that stays as it is while its chip is searched, in place of ``system``: ``file.py:make``,
            ``package.module:Class``, ``model.onnx``, ``timm:NAME``, ``torchvision:NAME`` (:mod:`nax_bo.interop.given`).
        weights: Its weights, a safetensors file; empty: those that it comes with, or a library's random ones.
        data: Data set: ``cluttered-digits``, ``digits``, ``cifar10:PATH``, ``tiny-imagenet:PATH``, ``folder:PATH``; how
            much of it is used may follow: ``,train=5000,test=2000,size=16``.
        budget: Designs to look at.
        until_gain: Stop before that once another 50 designs are expected to gain less than this share of the
            hypervolume; 0 for never.
        seed: Seed of everything random.
        strategy: How designs are proposed: ``naxbo`` or a baseline (``random``, ``sobol``, ``nsga2``, ...).
        surrogate: Model of the accuracy: a name, ``package.module:Class`` or ``file.py:Class``, with
            ``,key=value`` arguments.
        objectives: Outcomes to optimise, by name (:data:`nax_bo.outcomes.OUTCOMES`); at least one that is measured.
        choose: Values that variables of the space are confined to, as text by name: ``{"device": ("rram",)}``. A name
            without its layer stands for all layers: ``crossbar`` is ``crossbar_1``, ``crossbar_2``, ...
        within: Points of accuracy below the best found that the search, the front and the hypervolume care about;
            100 for all down to guessing. A limit on the accuracy itself takes its place.
        learn_costs: Learn costs like accuracy instead of computing them for every candidate (for slow cost models).
        accuracy: What measures accuracy: ``training``, or ``package.module:Class`` or ``file.py:Class``
            (:mod:`nax_bo.accuracy.evaluator`).
        cost_model: Profile name, TOML profile, ``package.module:Class`` or ``file.py:Class``.
        ladder: Looks that a design may get, cheapest first: ``inherit`` (weights from a super-network that is trained
            once for the whole space), ``short``, ``full``; of a ``network`` with weights: ``program`` (as they are),
            ``tune`` (a short training from them), ``full`` (a long one from them). The last is ``full``.
        calibrate_every: After this many designs, the most promising one is trained in full.
        max: Upper limits on outcomes, by name.
        min: Lower limits on outcomes, by name.
        conditions: Non-idealities under which accuracy is measured.
        recipe: How networks learn (:mod:`nax_bo.accuracy.recipes`).
        executor: Where trainings run (:func:`nax_bo.cluster.executor_names`).
        device: Where workers train and read: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        workers: Trainings that run at once; 0 means one per core.
        reproducible: Same seed and same number of workers, same designs, whoever finishes first
            (:mod:`nax_bo.study.running.turns`).
        timeout_s: Seconds after which a training counts as failed.
        memory: What a worker on this machine may take, as ``4G``: one that takes more is ended, and its design fails;
            empty: whatever there is.
        time: What the whole study may take, as ``2h`` or ``30m``; empty: as long as it takes. Ladder and space are cut
            to it when the study is created (:mod:`nax_bo.study.planning.plan`).
        keep_weights: Of which fully trained designs the weights are kept: ``none``, ``front``, ``all``; those of a
            ``network`` are not.
        weights_limit_mb: How large the folder with the weights may grow.
    """

    system: str = DEFAULT_SYSTEM
    network: str = ""
    weights: str = ""
    data: str = "cluttered-digits"
    budget: int = 200
    until_gain: float = 0.0
    seed: int = 0
    strategy: str = "naxbo"
    surrogate: str = "gp"
    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    choose: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    within: float = 10.0
    learn_costs: bool = False
    accuracy: str = "training"
    cost_model: str = "published"
    ladder: tuple[str, ...] = DEFAULT_LADDER
    calibrate_every: int = 10
    max: Mapping[str, float] = field(default_factory=dict)
    min: Mapping[str, float] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=Conditions)
    recipe: str = AUTO
    executor: str = LOCAL
    device: str = AUTO_DEVICE
    workers: int = 0
    reproducible: bool = False
    timeout_s: float = 3600.0
    memory: str = ""
    time: str = ""
    keep_weights: str = "front"
    weights_limit_mb: float = 1000.0

    def __post_init__(self) -> None:
        _whole("budget", self.budget, 1)
        _whole("seed", self.seed, 0)
        _whole("calibrate_every", self.calibrate_every, 1)
        _whole("workers", self.workers, 0)
        for name in (
            "system", "network", "weights", "data", "strategy", "surrogate", "accuracy", "cost_model", "recipe",
            "executor", "time", "device", "memory",
        ):  # fmt: skip
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} = {getattr(self, name)!r}", "Give its name, in quotes.")
        parse_recipe(self.recipe)
        check_device(self.device)
        _flag("learn_costs", self.learn_costs)
        _flag("reproducible", self.reproducible)
        _reproducible(self.reproducible, self.workers)
        _memory(self.memory, self.executor)
        number = isinstance(self.within, (int, float)) and not isinstance(self.within, bool)
        if not (number and 0 < self.within <= 100):
            raise InputError(f"within = {self.within!r}", "Give points of accuracy, above 0 and up to 100.")
        _share("until_gain", self.until_gain)
        if not self.timeout_s > 0:
            raise InputError(f"timeout_s = {self.timeout_s!r}", "Give a positive number of seconds.")
        _weights(self.keep_weights, self.weights_limit_mb, self.accuracy)
        for name in ("max", "min", "choose", "conditions"):
            if not isinstance(getattr(self, name), (Mapping, Conditions)):
                raise InputError(f"{name} = {getattr(self, name)!r}", f"Write a table: [{name}]")
        object.__setattr__(self, "objectives", _objectives(self.objectives))
        _check_network(self)
        if self.network and self.keep_weights == "front":
            object.__setattr__(self, "keep_weights", "none")
        default = TRAINED_LADDER if self.trained else DEFAULT_LADDER
        ladder = _ladder(self.ladder)
        ladder = default if ladder == DEFAULT_LADDER else ladder
        object.__setattr__(self, "ladder", _possible(ladder, TRAINED_LADDER if self.trained else _OTHERS))
        _time(self.time, self.accuracy, self.ladder)
        if INHERIT.name in self.ladder and self.accuracy != OWN:
            raise InputError(
                f"the ladder has {INHERIT.name}, and accuracy is measured by {self.accuracy}",
                f"{INHERIT.name} is a look of naxbo's own training: leave it out, or the evaluator.",
            )
        object.__setattr__(self, "choose", _choices(self.choose))
        for side in ("max", "min"):
            object.__setattr__(self, side, _limits(side, getattr(self, side)))
        for name, low in self.min.items():
            if low > self.max.get(name, low):
                raise InputError(
                    f"{name} is to be at least {low:g} and at most {self.max[name]:g}",
                    "Mend one of the limits.",
                )

    @property
    def trained(self) -> bool:
        """Whether a network is given that comes with its weights."""
        library = self.network.partition(":")[0] in LIBRARIES
        return bool(self.network) and (bool(self.weights) or not library)

    @property
    def subject(self) -> str:
        """What is searched, in a word: the given network or the space."""
        return self.network or self.system

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The objectives, then what is limited besides."""
        names = dict.fromkeys((*self.objectives, *self.max, *self.min))
        return tuple(OUTCOMES[name] for name in names)

    @property
    def headline(self) -> Outcome:
        """The measured objective: what "accuracy" means in this study; the first where there are several."""
        return next(o for o in self.outcomes if o.source == "measured")

    def within_limits(self, values: Mapping[str, float]) -> bool:
        """Whether a design's outcomes (``Study.values``) keep the study's limits; what is unknown keeps none."""
        unknown = float("nan")
        low = all(values.get(name, unknown) >= limit for name, limit in self.min.items())
        return low and all(values.get(name, unknown) <= limit for name, limit in self.max.items())

    @property
    def main_cost(self) -> Outcome:
        """The cost that stands against accuracy where a table or figure shows one: the first priced objective."""
        return next((o for o in self.outcomes if o.source == "priced"), OUTCOMES[SUMMARY_COST])

    @property
    def cost_columns(self) -> tuple[str, ...]:
        """Costs that tables of designs show: what is optimised or limited first, then the usual ones."""
        chosen = (o.name for o in self.outcomes if o.source == "priced")
        return tuple(dict.fromkeys((*chosen, SUMMARY_COST, *MAIN_COSTS)))

    @property
    def rungs(self) -> tuple[Fidelity, ...]:
        """The ladder's looks, cheapest first."""
        return tuple(rungs(self.recipe)[name] for name in self.ladder)

    @property
    def least_chips(self) -> int:
        """Programmed chips that every evaluation must read."""
        return LEAST_CHIPS if any(o.name == "p05" for o in self.outcomes) else 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        lists = {name: list(values) for name, values in self.choose.items()}
        plain = {"objectives": list(self.objectives), "ladder": list(self.ladder), "choose": lists}
        return {**asdict(self), **plain, "max": dict(self.max), "min": dict(self.min)}

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
    for name in ("max", "min", "choose"):
        if isinstance(data.get(name), Mapping) and name in changed:
            changed[name] = {**data[name], **changed[name]}  # limits and choices add up
    return StudyConfig.from_dict({**data, **changed})


def config_toml(config: StudyConfig | None = None) -> str:
    """The settings as a commented TOML file, which :func:`read_config` reads back."""
    config = config or StudyConfig()
    plain = config.to_dict()
    lines = ["# Settings of a naxbo study; run it with: naxbo optimize --config FILE", ""]
    for name, comment in _COMMENTS.items():
        lines += [f"# {comment}", f"{name} = {_toml(plain[name])}", ""]
    for name, comment in _TABLES.items():
        lines += [f"# {comment}", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in plain[name].items()), ""]
    lines += ["# Non-idealities under which accuracy is measured", "[conditions]"]
    lines += [f"{f.name} = {_toml(getattr(config.conditions, f.name))}" for f in fields(Conditions)]
    return "\n".join(lines) + "\n"


_COMMENTS = {
    "system": "joint space of network and chip (naxbo spaces), or package.module:Factory, or file.py:Factory",
    "network": "a network whose chip is searched, instead of system: file.py:make | model.onnx | timm:NAME",
    "weights": "its weights: a safetensors file",
    "data": "cluttered-digits | digits | cifar10:PATH | tiny-imagenet:PATH | folder:PATH; ,train=5000,size=16",
    "budget": "designs to look at",
    "until_gain": "stop once another 50 designs are expected to gain less than this share of the hypervolume; 0: never",
    "seed": "same seed, same designs (with several workers: see reproducible)",
    "strategy": "naxbo | random | sobol | nsga2 | local-search | linas | dynas | nacim",
    "surrogate": "model of accuracy (naxbo surrogates list), or package.module:Class, or file.py:Class",
    "objectives": "what is optimised: measured (accuracy, p05) and priced (edap, energy, latency, response, area, "
    "power, tops_w, tops_mm2, fps, utilisation)",
    "within": "points of accuracy below the best found that count; a limit on the accuracy itself takes its place",
    "learn_costs": "learn costs instead of computing them for every candidate: only for slow cost models",
    "accuracy": "training, or a class that measures accuracy: package.module:Class | file.py:Class",
    "cost_model": "published | isaac | puma | neurosim | xpertsim | xpert-lut | a TOML profile | a class",
    "ladder": "looks at designs, cheapest first: inherit (weights from one super-network), short, full; of a "
    "network with weights: program, tune, full",
    "calibrate_every": "after this many designs, the most promising one is trained in full",
    "recipe": "how networks learn: auto | digits | cifar-cnn | vit, with options: ,epochs=30,flip=true",
    "executor": "where trainings run: local | dask:ADDRESS | dask-slurm | module:factory",
    "device": "where workers train and read: auto (a GPU where there is one) | cpu | cuda | cuda:1",
    "workers": "trainings at once; 0: one per core, or all of the executor",
    "reproducible": "same seed and same number of workers, same designs: workers wait for each other now and then",
    "timeout_s": "a training that takes longer counts as failed",
    "memory": "what a worker may take, as 4G; one that takes more is ended and its design fails; empty: no limit",
    "time": "what the whole study may take, as 2h or 30m: ladder and space are cut to it; empty: as long as it takes",
    "keep_weights": "of which fully trained designs weights are kept, in a folder beside the study: none | front | all",
    "weights_limit_mb": "how large that folder may grow",
}

_TABLES = {
    "max": "upper limits on outcomes, for example: area_mm2 = 5.0",
    "min": "lower limits on outcomes, for example: accuracy = 0.9",
    "choose": 'values that variables are confined to, for example: device = ["rram"]',
}


def _objectives(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"objectives = {names!r}", 'Give a list: ["accuracy", "edap"].')
    chosen = tuple(outcome(name).name for name in names)
    if len(set(chosen)) < len(chosen):
        raise InputError(f"the objectives {', '.join(chosen)} name one twice", "Name each once.")
    if not any(OUTCOMES[name].source == "measured" for name in chosen):
        raise InputError(
            f"the objectives are {', '.join(chosen) or 'none'}: nothing that a training would measure",
            "Add accuracy or p05; for costs alone see naxbo what-if.",
        )
    return chosen


def _check_network(config: StudyConfig) -> None:
    if config.network and config.system != DEFAULT_SYSTEM:
        raise InputError(
            f"system = {config.system} with network = {config.network}",
            "Give a space to search, or a network that stays as it is.",
        )
    if config.weights and not config.network:
        raise InputError(
            f"weights = {config.weights} without a network", "Name the network that they belong to."
        )
    if config.network and config.time:
        raise InputError(
            f"time = {config.time} with network = {config.network}", "Give a budget of designs: --budget."
        )
    if config.network and config.keep_weights == "all":
        raise InputError("keep_weights = 'all': weights of given networks are not kept", 'Use "none".')


def _ladder(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"ladder = {names!r}", f"Give a list, for example {list(DEFAULT_LADDER)}.")
    given = [fidelity(str(name)) for name in names]
    if not given or given[-1] != FULL or given != sorted(set(given), key=list(LADDER.values()).index):
        raise InputError(
            f"the ladder is {', '.join(f.name for f in given) or 'empty'}",
            f"Name each look once, cheapest first, {FULL.name} last; there are {', '.join(LADDER)}.",
        )
    return tuple(f.name for f in given)


def _possible(ladder: tuple[str, ...], possible: Collection[str]) -> tuple[str, ...]:
    if wrong := [name for name in ladder if name not in possible]:
        raise InputError(
            f"the ladder has {wrong[0]}",
            f"Looks here: {', '.join(n for n in LADDER if n in possible)}; program and tune are for networks that come "
            "with their weights.",
        )
    return ladder


def _time(text: str, accuracy: str, ladder: Iterable[str]) -> None:
    """Refuse a time limit that is none, or that nothing can be cut for."""
    if not text:
        return
    seconds_of(text)
    for there, what in (
        (accuracy != OWN, "an accuracy evaluator of your own"),
        (INHERIT.name in ladder, f"the rung {INHERIT.name}"),
    ):
        if there:
            raise InputError(
                f"time = {text!r} with {what}",
                "Only naxbo's own trainings can be cut to fit: leave one of them out.",
            )


def _limits(side: str, given: Mapping[str, Any]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for name, limit in given.items():
        found = outcome(name)
        found.check_limit(limit)
        if found.name in limits:
            raise InputError(f"{found.name} has two limits with {side}", "Give one.")
        limits[found.name] = float(limit)
    return limits


def _choices(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    choices: dict[str, tuple[str, ...]] = {}
    for name, values in given.items():
        several = values if isinstance(values, (list, tuple)) else (values,)
        if not several:
            raise InputError(f"{name} is left without a value", "Choose at least one, or leave it out.")
        choices[name] = tuple(map(str, several))
    return choices


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


def _weights(keep: Any, limit_mb: Any, accuracy: str) -> None:
    if keep not in KEEP:
        raise InputError(f"keep_weights = {keep!r}", f"Choose {', '.join(KEEP[:-1])} or {KEEP[-1]}.")
    if isinstance(limit_mb, bool) or not isinstance(limit_mb, (int, float)) or not limit_mb > 0:
        raise InputError(f"weights_limit_mb = {limit_mb!r}", "Give a positive number of megabytes.")
    if keep == "all" and accuracy != OWN:
        raise InputError(
            f"keep_weights = 'all', but accuracy is measured by {accuracy}, which has no weights",
            "Leave it out: only naxbo's own trainings have weights to keep.",
        )


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} = {value!r}", "Give true or false, without quotes.")


def _reproducible(wanted: bool, workers: int) -> None:
    if wanted and not workers:
        raise InputError(
            "reproducible without a number of workers", "Designs depend on it: set workers (--workers N) too."
        )


def _memory(memory: str, executor: str) -> None:
    if not memory:
        return
    bytes_of(memory)
    if executor != LOCAL:
        raise InputError(
            f"memory = {memory!r} with executor {executor}",
            "It holds for workers of this machine: limit those of a cluster where they are started.",
        )


def _whole(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InputError(f"{name} = {value!r}", f"Give a whole number, at least {low}.")


def _share(name: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 <= value < 1):
        raise InputError(f"{name} = {value!r}", "Give a share below 1: 0.01 for 1 %; 0 for never.")


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
