"""What a study's results were made with, and whose code its settings name.

Settings name a space, a data set, a cost model, a strategy and a surrogate. Those that are naxbo's own may be used by
anyone who opens the study. Code of other people is loaded only by those who named it themselves, or who trust the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

from nax_bo.accuracy.evaluator import OWN
from nax_bo.cluster.named import own_executor
from nax_bo.errors import NaxboError, StoreError
from nax_bo.hardware.protocol import OneByOne, cost_model_names
from nax_bo.references import absolute, source_of
from nax_bo.study.config import LIBRARIES, StudyConfig
from nax_bo.surrogate import parse_reference

TRUST = "Name it again in this call, or add --trust (trust=True) if you trust whoever made the file."


def foreign(config: StudyConfig) -> dict[str, str]:
    """Settings that name code which is not naxbo's own, with what they name. Imports none of it."""
    checks: dict[str, Callable[[str], bool]] = {
        "system": _own_system,
        "network": _own_network,
        "data": _own_data,
        "strategy": _own_strategy,
        "surrogate": _own_surrogate,
        "cost_model": _own_cost_model,
        "accuracy": lambda text: text == OWN,
        "executor": own_executor,
    }
    return {name: getattr(config, name) for name, own in checks.items() if not own(getattr(config, name))}


def refuse_foreign(path: Path, names: Mapping[str, str], why: str) -> None:
    """Raise StoreError if ``names``, settings with what they name, is not empty."""
    if names:
        what = ", ".join(f"{name} = {value!r}" for name, value in names.items())
        raise StoreError(f"{path} names code that is not naxbo's ({what}), and {why} takes it", TRUST)


def _own_system(text: str) -> bool:
    from nax_bo.systems import system_names

    return text in system_names()


def _own_network(text: str) -> bool:
    """Whether naming a network runs no code of others: none, a library's, or a graph that is data."""
    return not text or text.partition(":")[0] in LIBRARIES or text.endswith(".onnx")


def _own_data(text: str) -> bool:
    from nax_bo.accuracy.data.registry import own_data_set

    return own_data_set(text)


def _own_strategy(text: str) -> bool:
    from nax_bo.search.strategy import strategy_names

    return text in strategy_names()


def _own_surrogate(text: str) -> bool:
    from nax_bo.surrogate.registry import own_surrogate

    try:
        return own_surrogate(parse_reference(text)[0])
    except NaxboError:
        return False


def _own_cost_model(text: str) -> bool:
    return text in cost_model_names() or (text.endswith(".toml") and ":" not in text)


def rooted(config: StudyConfig) -> StudyConfig:
    """The settings with every file named from the root, so that they mean the same in every folder."""
    cost = config.cost_model
    if cost.endswith(".toml"):
        cost = str(Path(cost).expanduser().absolute())
    return replace(
        config,
        system=absolute(config.system),
        network=_rooted_file(config.network)
        if config.network.endswith(".onnx")
        else absolute(config.network),
        weights=_rooted_file(config.weights),
        strategy=absolute(config.strategy),
        surrogate=absolute(config.surrogate),
        cost_model=absolute(cost),
        accuracy=config.accuracy if config.accuracy == OWN else absolute(config.accuracy),
        executor=config.executor if own_executor(config.executor) else absolute(config.executor),
        data=_rooted_data(config.data),
    )


def _rooted_file(text: str) -> str:
    return str(Path(text).expanduser().absolute()) if text else ""


def _rooted_data(text: str) -> str:
    from nax_bo.accuracy.data import parse_data

    spec = parse_data(text)
    place = spec.path and str(Path(spec.path).expanduser().absolute())
    return str(replace(spec, name=absolute(spec.name), path=place))


def model_fingerprint(model: Any) -> str:
    """SHA-256 of what a cost model computes with: its constants where it has a profile, else its source file."""
    inner = model.evaluator if isinstance(model, OneByOne) else model
    profile = getattr(inner, "profile", None)
    constants = getattr(profile, "constants", None)
    if isinstance(constants, Mapping):
        text = repr((getattr(profile, "adc_model", ""), sorted(constants.items())))
        return hashlib.sha256(text.encode()).hexdigest()
    return source_of(type(inner))


def same(ours: float, theirs: float) -> bool:
    """Whether two costs are one, but for rounding."""
    return ours == theirs or abs(ours - theirs) <= 1e-9 * abs(theirs) or (isnan(ours) and isnan(theirs))


def changed_names(a: Mapping[str, Any], b: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of ``names`` under which two mappings hold different things."""
    return [name for name in names if a.get(name) != b.get(name)]
