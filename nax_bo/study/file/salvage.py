"""What can still be read of a damaged study, and what is wrong with one.

Rows are read one by one. Where a page is damaged, SQLite gives up a whole scan; rows behind it are then asked for by
number, so that those in sound pages are all found. A design or an evaluation comes over if every cell of it passes the
checks of :mod:`nax_bo.study.file.records`. Designs are numbered from 0 again; their former numbers are said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nax_bo.errors import NaxboError, StoreError
from nax_bo.space import Space
from nax_bo.study.file import records
from nax_bo.study.file.database import FORMAT, create_file, open_to_read
from nax_bo.study.file.trial import EVALUATION_COLUMNS

_GAP = 2000
"""Numbers in a row that may be missing behind a damaged page before a table is taken to end."""

_NEEDED = ("space", "config", "data", "reference_point")
_TRIAL = "number, indices, design, costs, scores"
_SPECS = "trial, network, chip, report"


@dataclass
class Found:
    """What was read: rows of each table by key, facts by name, and what is wrong in words."""

    facts: dict[str, Any] = field(default_factory=dict)
    trials: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    specs: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    evaluations: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check(path: Path) -> list[str]:
    """What is wrong with a study, in words; empty if it is sound.

    Raises:
        StoreError: There is no such file, or it is no study of this format.
    """
    found = _read(path)
    with closing(open_to_read(path)) as db:
        try:
            said = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
        except sqlite3.Error as ex:
            said = [str(ex)]
    found.problems += [f"SQLite: {line}" for line in said if line != "ok"]
    whole = [n for n in found.trials if n in found.specs]
    try:
        records.check_numbers(sorted(whole), {row[1] for row in found.evaluations.values()})
    except NaxboError as ex:
        found.problems.append(ex.message)
    return found.problems


def salvage(path: Path, new: Path) -> dict[str, Any]:
    """Write a new study with all that can be read of a damaged one, which is left as it is.

    Returns:
        ``designs`` and ``evaluations`` that came over, ``problems`` in words, and ``numbers``: the former number of
        each design.

    Raises:
        StoreError: What a study needs to be one cannot be read, or ``new`` exists.
    """
    found = _read(path)
    if missing := [name for name in _NEEDED if name not in found.facts]:
        raise StoreError(
            f"{path} is damaged beyond repair: its {', '.join(missing)} cannot be read",
            "Restore it from a copy.",
        )
    decided = {row[1] for row in found.evaluations.values()}
    kept = [n for n in sorted(found.trials) if n in found.specs and n in decided]
    number = {old: i for i, old in enumerate(kept)}
    facts = {k: v for k, v in found.facts.items() if k != "format"}
    create_file(new, facts)
    evaluations = [row for row in found.evaluations.values() if row[1] in number]
    with closing(sqlite3.connect(new)) as db, db:
        db.executemany(
            "INSERT INTO trials VALUES (?, ?, ?, ?, ?)",
            [(number[n], *found.trials[n][1:]) for n in kept],
        )
        db.executemany(
            "INSERT INTO specs VALUES (?, ?, ?, ?)", [(number[n], *found.specs[n][1:]) for n in kept]
        )
        db.executemany(
            f"INSERT INTO evaluations ({EVALUATION_COLUMNS}) VALUES ({', '.join('?' * 11)})",
            [(row[0], number[row[1]], *row[2:]) for row in evaluations],
        )
    return {
        "designs": len(kept),
        "evaluations": len(evaluations),
        "problems": found.problems,
        "numbers": kept,
    }


def _read(path: Path) -> Found:
    if not path.is_file():
        raise StoreError(f"there is no study at {path}", "Check the path.")
    found = Found()
    with closing(open_to_read(path)) as db:
        for name, text in _rows(db, "meta", "key, value", found):
            try:
                found.facts[str(name)] = records.parse(f"{name!r}", text)
            except NaxboError as ex:
                found.problems.append(ex.message)
        if found.facts.get("format", FORMAT) != FORMAT or not found.facts:
            raise StoreError(
                f"{path} is no study of format {FORMAT}, or nothing of it can be read",
                "Restore it from a copy.",
            )
        space = _facts(found)
        for row in _rows(db, "trials", _TRIAL, found):
            if _sound(found, _check_trial, space, row):
                found.trials[row[0]] = row
        for row in _rows(db, "specs", _SPECS, found):
            if _sound(found, records.specs_of, row[0], (*row[1:], "{}")):
                found.specs[row[0]] = row
        orders: set[int] = set()
        for row in _rows(db, "evaluations", EVALUATION_COLUMNS, found):
            if _sound(found, records.evaluation_of, row) and row[5] not in orders:
                orders |= {row[5]} - {None}
                found.evaluations[row[0]] = row
    return found


def _facts(found: Found) -> Space | None:
    """Drop facts that are not what they should be; the space, if it can be read."""
    spaces: list[Space] = []
    checks: dict[str, Callable[[Any], object]] = {
        "space": lambda value: spaces.append(records.space_of(value)),
        "config": records.config_of,
        "data": records.data_of,
        "reference_point": lambda value: records.numbers_of("the reference point", value),
    }
    for name, read in checks.items():
        if name not in found.facts:
            found.problems.append(f"the {name} is missing")
        elif not _sound(found, read, found.facts[name]):
            del found.facts[name]
    return spaces[0] if spaces else None


def _check_trial(space: Space | None, row: tuple[Any, ...]) -> None:
    number, indices, choices, costs, scores = row
    if type(number) is not int or number < 0:
        records.refuse("a design", f"its number is {number!r}")
    if space is not None:
        records.design_of(space, number, indices, choices)
    records.costs_of(number, costs)
    records.scores_of(number, scores)


def _sound(found: Found, read: Callable[..., object], *arguments: Any) -> bool:
    try:
        read(*arguments)
    except NaxboError as ex:
        found.problems.append(ex.message)
        return False
    return True


def _rows(db: sqlite3.Connection, table: str, columns: str, found: Found) -> Iterator[tuple[Any, ...]]:
    """All rows of a table that SQLite can read, damaged pages or not."""
    last = -1
    try:
        for row_id, *row in db.execute(f"SELECT rowid, {columns} FROM {table} NOT INDEXED ORDER BY rowid"):
            last = row_id
            yield tuple(row)
        return
    except (sqlite3.Error, UnicodeDecodeError) as ex:
        found.problems.append(f"the table of {table} is damaged: {ex}")
    gap = 0
    while gap < _GAP:
        last, gap = last + 1, gap + 1
        try:
            row = db.execute(f"SELECT {columns} FROM {table} NOT INDEXED WHERE rowid = ?", (last,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            continue
        if row is not None:
            gap = 0
            yield tuple(row)
