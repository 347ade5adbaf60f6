"""A study as text: JSON lines that any tool reads, and a new study from them.

The first line says what it is, one line per fact and design follows (each design with its description and its
evaluations), and the last line counts them. A text whose end is missing (a full disk, a broken copy) gives the designs
before its end, and one warning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError, NaxboError, StoreError
from nax_bo.files import write_whole
from nax_bo.study.file import records
from nax_bo.study.file.contents import Contents
from nax_bo.study.file.database import FORMAT
from nax_bo.study.file.salvage import read_contents
from nax_bo.study.file.trial import EVALUATION_COLUMNS

_HEAD = {"naxbo": "study", "format": FORMAT}
_COLUMNS = EVALUATION_COLUMNS.split(", ")
_TEXTS = ("indices", "design", "costs", "scores", "network", "chip", "report")


def export_study(path: Path, out: Path) -> dict[str, int]:
    """Write a study as JSON lines; returns how many ``designs`` and ``evaluations``.

    Raises:
        StoreError: There is no such study, or it is damaged.
        InputError: ``out`` exists, or cannot be written.
    """
    if out.exists():
        raise InputError(f"{out} exists already", "Choose another place with --out.")
    found = read_contents(path)
    if found.problems:
        raise StoreError(f"{path} is damaged: {found.problems[0]}", records.SALVAGE)
    write_whole(
        out, "".join(f"{_line(value)}\n" for value in _said(found)), "Choose another place with --out."
    )
    return {"designs": len(found.whole), "evaluations": len(found.evaluations)}


def _said(found: Contents) -> Iterator[dict[str, Any]]:
    yield _HEAD
    for name, value in found.facts.items():
        if name != "format":
            yield {"fact": name, "value": value}
    of: dict[int, list[dict[str, Any]]] = {}
    for row in found.evaluations.values():
        record = dict(zip(_COLUMNS, row, strict=True))
        of.setdefault(row[1], []).append({**record, "outcome": json.loads(record["outcome"])})
    for number in found.whole:
        texts = (*found.trials[number][1:], *found.specs[number][1:])
        design = {name: json.loads(text) for name, text in zip(_TEXTS, texts, strict=True)}
        yield {"trial": number, **design, "evaluations": of[number]}
    yield {"end": {"designs": len(found.whole), "evaluations": len(found.evaluations)}}


def _line(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def import_study(log: Path, new: Path) -> dict[str, Any]:
    """Make a new study of JSON lines; what was running is queued again.

    Returns:
        ``designs`` and ``evaluations``, and ``warning``: that the text's end is missing, or empty.

    Raises:
        InputError: ``log`` cannot be read, or is no such text.
        StoreError: A line before the end is damaged, or ``new`` exists.
    """
    try:
        lines = log.read_bytes().split(b"\n")
    except OSError as ex:
        raise InputError(f"cannot read {log}: {ex.strerror}", "Check the path.") from ex
    torn = bool(lines.pop())  # what follows the last line break
    values = [_parsed(log, number, line) for number, line in enumerate(lines, start=1)]
    if not values or values[0] != _HEAD:
        raise InputError(
            f"{log} is no study of format {FORMAT} as text",
            "Make one with: naxbo study export STUDY --out FILE",
        )
    found = Contents()
    found.take_facts({v["fact"]: v.get("value") for v in values if isinstance(v.get("fact"), str)})
    for number, value in enumerate(values, start=1):
        if "trial" in value:
            _take(found, log, number, value)
        elif not {"naxbo", "fact", "end"} & set(value):
            raise StoreError(f"line {number} of {log} is damaged: it is no part of a study", _WAY_OUT)
    if found.problems:
        raise StoreError(f"{log} is damaged: {found.problems[0]}", _WAY_OUT)
    ends = values[-1].get("end")
    whole = {"designs": len(found.whole), "evaluations": len(found.evaluations)}
    if isinstance(ends, dict) and ends != whole:
        raise StoreError(f"{log} is damaged: it should hold {ends}, and holds {whole}", _WAY_OUT)
    cut = f"the end of {log} is missing: {whole['designs']} designs stand before it"
    written = found.write(new, str(log))
    return {"designs": whole["designs"], "evaluations": written, "warning": "" if ends and not torn else cut}


_WAY_OUT = "Export it again, or delete the damaged lines and the last one."


def _parsed(log: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = records.parse(f"line {number} of {log}", line.decode())
    except UnicodeDecodeError:
        raise StoreError(f"line {number} of {log} is damaged: it is not text", _WAY_OUT) from None
    except NaxboError as ex:
        raise StoreError(ex.message, _WAY_OUT) from None
    if not isinstance(value, dict):
        raise StoreError(f"line {number} of {log} is damaged: it is no table", _WAY_OUT)
    return value


def _take(found: Contents, log: Path, number: int, value: dict[str, Any]) -> None:
    """Take over a design with its description and evaluations."""
    evaluations = value.get("evaluations")
    missing = [name for name in _TEXTS if name not in value]
    if missing or not isinstance(evaluations, list):
        raise StoreError(
            f"line {number} of {log} is damaged: {', '.join(missing) or 'evaluations'} is missing", _WAY_OUT
        )
    texts = [json.dumps(value[name]) for name in _TEXTS]
    found.take_trial((value["trial"], *texts[:4]))
    found.take_specs((value["trial"], *texts[4:]))
    for record in evaluations:
        if not isinstance(record, dict) or set(record) != set(_COLUMNS):
            raise StoreError(f"line {number} of {log} is damaged: an evaluation lacks something", _WAY_OUT)
        state = "queued" if record["state"] == "running" else record["state"]
        row = {**record, "state": state, "outcome": json.dumps(record["outcome"])}
        found.take_evaluation(tuple(row[name] for name in _COLUMNS))
