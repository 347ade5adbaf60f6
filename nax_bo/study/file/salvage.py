"""What can still be read of a damaged study, and what is wrong with one.

Where a page is damaged, SQLite gives up a whole scan; rows are then taken from every sound page
(:mod:`nax_bo.study.file.pages`). A design or an evaluation comes over if every cell of it passes the
checks of :mod:`nax_bo.study.file.records`. Designs are numbered from 0 again; their former numbers are said.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from nax_bo.errors import NaxboError, StoreError
from nax_bo.study.file import records
from nax_bo.study.file.contents import SPECS_COLUMNS, TRIAL_COLUMNS, Contents
from nax_bo.study.file.database import FORMAT, open_to_read
from nax_bo.study.file.pages import rows_of
from nax_bo.study.file.trial import EVALUATION_COLUMNS


def check(path: Path) -> list[str]:
    """What is wrong with a study, in words; empty if it is sound.

    Raises:
        StoreError: There is no such file, or it is no study of this format.
    """
    found = read_contents(path)
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
    found = read_contents(path)
    evaluations = found.write(new, str(path))
    return {
        "designs": len(found.whole),
        "evaluations": evaluations,
        "problems": found.problems,
        "numbers": found.whole,
    }


def read_contents(path: Path) -> Contents:
    """All that can be read of a study, damaged or not, with what is wrong.

    Raises:
        StoreError: There is no such file, or it is no study of this format.
    """
    if not path.is_file():
        raise StoreError(f"there is no study at {path}", "Check the path.")
    found, facts = Contents(), {}
    with closing(open_to_read(path)) as db:
        for name, text in _rows(path, db, "meta", "key, value", found):
            try:
                facts[str(name)] = records.parse(f"{name!r}", text)
            except NaxboError as ex:
                found.problems.append(ex.message)
        if facts.get("format", FORMAT) != FORMAT or not facts:
            raise StoreError(
                f"{path} is no study of format {FORMAT}, or nothing of it can be read",
                "Restore it from a copy.",
            )
        found.take_facts(facts)
        for row in _rows(path, db, "trials", TRIAL_COLUMNS, found):
            found.take_trial(row)
        for row in _rows(path, db, "specs", SPECS_COLUMNS, found):
            found.take_specs(row)
        for row in _rows(path, db, "evaluations", EVALUATION_COLUMNS, found):
            found.take_evaluation(row)
    return found


def _rows(
    path: Path, db: sqlite3.Connection, table: str, columns: str, found: Contents
) -> list[tuple[Any, ...]]:
    """All rows of a table: as SQLite reads them, and where it gives up, those of every sound page besides."""
    rows: dict[Any, tuple[Any, ...]] = {}
    try:
        for row in db.execute(f"SELECT {columns} FROM {table} NOT INDEXED ORDER BY rowid"):
            rows[row[0]] = tuple(row)
    except (sqlite3.Error, UnicodeDecodeError) as ex:
        found.problems.append(f"the table of {table} is damaged: {ex}")
        for row in rows_of(path.read_bytes(), table):
            rows.setdefault(row[0], row)
    return list(rows.values())
