"""Rows of a study's file as records: the one place where what was read from disk is believed or refused.

Files are damaged, cut and edited by hand. Whatever a cell holds, reading it gives a record that the rest of naxbo can
rely on, or a StoreError that names the cell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn, cast

from nax_bo.accuracy.fidelity import LADDER
from nax_bo.errors import NaxboError, StoreError
from nax_bo.space import Design, Space
from nax_bo.study.config import StudyConfig
from nax_bo.study.file.outcome import check_outcome
from nax_bo.study.file.trial import STATES, Evaluation, Specs, State

SALVAGE = "Restore it from a copy, or take over what can be read: naxbo study salvage FILE NEW"
"""What to do about a damaged study."""

_MOST = 2**63


def refuse(where: str, why: str) -> NoReturn:
    """Raise the StoreError of a cell that cannot be what naxbo wrote."""
    raise StoreError(f"{where} is damaged: {why}", SALVAGE)


def parse(where: str, text: Any) -> Any:
    """A cell's JSON."""
    if not isinstance(text, str):
        refuse(where, f"it holds {type(text).__name__}, not text")
    try:
        return json.loads(text, parse_constant=lambda name: refuse(where, f"it holds {name}"))
    except (ValueError, RecursionError) as ex:
        refuse(where, f"it is not JSON ({ex})")


def space_of(text: Any) -> Space:
    """The space of a study."""
    try:
        return Space.from_json(str(text))
    except StoreError:
        raise
    except (NaxboError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as ex:
        refuse("the space", ex.message if isinstance(ex, NaxboError) else str(ex))


def config_of(stored: Any) -> StudyConfig:
    """The settings of a study."""
    if not isinstance(stored, dict):
        refuse("the settings", f"they are {_short(stored)}")
    try:
        return StudyConfig.from_dict(stored)
    except (NaxboError, TypeError, ValueError, AttributeError) as ex:
        refuse("the settings", ex.message if isinstance(ex, NaxboError) else str(ex))


def data_of(stored: Any) -> dict[str, Any]:
    """What a study remembers of its data set (:func:`nax_bo.study.running.job.describe_data`)."""
    where = "what is known of the data set"
    if not isinstance(stored, dict):
        refuse(where, f"it is {_short(stored)}")
    shape = stored.get("input_shape")
    if (
        not isinstance(shape, list)
        or len(shape) != 3
        or not all(type(n) is int and 0 < n < 1 << 20 for n in shape)
    ):
        refuse(where, f"its image shape is {_short(shape)}")
    for name in ("num_classes", "test_images"):
        if type(stored.get(name)) is not int or not 0 < stored[name] < 1 << 40:
            refuse(where, f"{name} is {_short(stored.get(name))}")
    for name in ("name", "fingerprint", "source"):
        if not isinstance(stored.get(name), str):
            refuse(where, f"{name} is {_short(stored.get(name))}")
    return {**stored, "input_shape": tuple(shape)}


def numbers_of(where: str, stored: Any) -> dict[str, float]:
    """Finite numbers by name."""
    if not isinstance(stored, dict):
        refuse(where, f"it is {_short(stored)}")
    return {name: _number(f"{name} of {where}", value, least=None) for name, value in stored.items()}


def count_of(where: str, stored: Any) -> int:
    """A whole number of at least 0; 0 where nothing is stored."""
    if stored is not None and (type(stored) is not int or stored < 0):
        refuse(where, f"it is {_short(stored)}")
    return int(stored or 0)


def design_of(space: Space, number: int, indices: Any, choices: Any) -> Design:
    """The design of a trial; its index vector and its choices by name must agree."""
    where = f"design {number}"
    row = parse(where, indices)
    if not isinstance(row, list) or not all(type(i) is int and abs(i) < _MOST for i in row):
        refuse(where, f"{_short(row)} is no index vector")
    try:
        design = space.design(row)
    except NaxboError as ex:
        refuse(where, ex.message)
    if list(design.indices) != row or parse(where, choices) != json.loads(json.dumps(dict(design))):
        refuse(where, "its choices by name and by number differ")
    return design


def costs_of(number: int, text: Any) -> dict[str, float]:
    """Costs of a trial by name; NaN where a cost could not be computed."""
    found = mapping(f"the costs of design {number}", text)
    return {
        name: math.nan if value is None else _number(f"{name} of design {number}", value, least=None)
        for name, value in found.items()
    }


def mapping(where: str, text: Any) -> dict[str, Any]:
    """A cell that holds a JSON object."""
    found = parse(where, text)
    return found if isinstance(found, dict) else refuse(where, f"{_short(found)} is no table")


def specs_of(number: int, row: Sequence[Any]) -> Specs:
    """Network, chip, cost report and scores of a trial, each checked by what reads it."""
    from nax_bo.hardware import ChipSpec, CostReport
    from nax_bo.network import NetworkSpec

    where = f"the description of design {number}"
    network, chip, report = (mapping(where, text) for text in row[:3])
    try:
        if network:
            NetworkSpec.from_dict(network)
            ChipSpec.from_dict(chip)
        if report:
            CostReport.from_dict(report)
    except StoreError:
        raise
    except NaxboError as ex:
        refuse(where, ex.message)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError) as ex:
        refuse(where, f"{type(ex).__name__}: {ex}")
    return Specs(network, chip, report, scores_of(number, row[3]))


def scores_of(number: int, text: Any) -> dict[str, float]:
    """Training-free scores of a trial by name; NaN where one is missing."""
    where = f"the scores of design {number}"
    return {
        k: math.nan if v is None else _number(where, v, least=None) for k, v in mapping(where, text).items()
    }


def evaluation_of(row: Sequence[Any]) -> Evaluation:
    """One evaluation."""
    id_, trial, fidelity, reason, state, order, outcome, message, seconds, attempts, endings = row
    where = f"evaluation {_short(id_)}"
    for name, value in (("id", id_), ("trial", trial), ("attempts", attempts), ("endings", endings)):
        if type(value) is not int or value < 0:
            refuse(where, f"its {name} is {_short(value)}")
    if fidelity not in LADDER:
        refuse(where, f"there is no fidelity {_short(fidelity)}")
    if state not in STATES:
        refuse(where, f"its state is {_short(state)}")
    if not (order is None or (type(order) is int and order >= 0)) or (order is None) != (
        state in ("queued", "running")
    ):
        refuse(where, f"it is {state} and has the place {_short(order)} in the order of completion")
    if not isinstance(reason, str) or not isinstance(message, str):
        refuse(where, "its reason or message is not text")
    told = mapping(where, outcome)
    if state == "done" and (problem := check_outcome(told)):
        refuse(where, problem)
    return Evaluation(
        id_,
        trial,
        str(fidelity),
        reason,
        cast(State, state),
        order,
        told,
        message,
        _number(f"the seconds of {where}", seconds, least=0.0),
        attempts,
        endings,
    )


def check_numbers(numbers: Sequence[Any], evaluated: Collection[int]) -> None:
    """Designs are numbered from 0 without a gap, each evaluation belongs to one of them, and each was decided on."""
    if list(numbers) != list(range(len(numbers))):
        refuse("the list of designs", "numbers are missing")
    if lost := sorted(set(evaluated) - set(numbers)):
        refuse("the list of evaluations", f"design {lost[0]} is missing")
    if idle := sorted(set(numbers) - set(evaluated)):
        refuse("the list of evaluations", f"design {idle[0]} has none")


def to_text(values: Mapping[str, Any]) -> str:
    """JSON of a mapping; numbers that JSON does not know become null."""
    return json.dumps(_plain(values), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(where: str, value: Any, least: float | None) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        refuse(where, f"it is {_short(value)}, not a number")
    if least is not None and value < least:
        refuse(where, f"it is {value}")
    return float(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
