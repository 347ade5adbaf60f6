"""The SQLite file under a study: how it is made, opened for writing or for reading, and published."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nax_bo.errors import StoreError

FORMAT = 2

PATIENCE_S = 120.0
"""How long a process waits for another one's transaction, which takes milliseconds."""

_LONGEST = 1 << 32
"""Bytes beyond which a header that promises more is taken to be damaged itself."""

SIDE_FILES = ("-journal", "-wal", "-shm")
"""Ends of the names of files that SQLite keeps beside a database."""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    indices TEXT NOT NULL UNIQUE,
    design TEXT NOT NULL,
    costs TEXT NOT NULL,
    scores TEXT NOT NULL
);
CREATE TABLE specs (
    trial INTEGER PRIMARY KEY REFERENCES trials(number),
    network TEXT NOT NULL,
    chip TEXT NOT NULL,
    report TEXT NOT NULL
);
CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trials(number),
    fidelity TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    finish_order INTEGER UNIQUE,
    outcome TEXT NOT NULL DEFAULT '{}',
    message TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    endings INTEGER NOT NULL DEFAULT 0,
    UNIQUE (trial, fidelity)
);
CREATE INDEX waiting ON evaluations (id) WHERE state = 'queued';
"""


def connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection in autocommit mode, and whether it can write.

    A file that cannot be written is read as it lies there. If it was left in the middle of a commit and its folder
    cannot be written either, a copy in memory is rolled back and read.

    Raises:
        sqlite3.Error: The file cannot be opened.
    """
    if os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK):
        db = _open(path, "mode=rw")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA synchronous=EXTRA")
        return db, True
    journal = path.with_name(path.name + "-journal")
    if journal.exists() and journal.stat().st_size:
        return _rolled_back(path, journal), False
    return _open(path, "mode=ro" if os.access(path, os.R_OK) else "mode=rw"), False


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even what a commit had left half done; text that is none is read as such.

    Raises:
        StoreError: The file cannot be opened.
    """
    try:
        journal = path.with_name(path.name + "-journal")
        torn = journal.exists() and journal.stat().st_size > 0
        db = _rolled_back(path, journal) if torn else _made_whole(path) or _open(path, "mode=ro")
        db.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    except (OSError, sqlite3.Error) as ex:
        raise StoreError(f"cannot read {path}: {ex}", "Check its permissions.") from ex
    return db


def _made_whole(path: Path) -> sqlite3.Connection | None:
    """A copy in memory of a file that was cut off, with empty pages where its end was; None if nothing is missing.

    SQLite reads nothing of a file that is shorter than its header says: bytes 16 to 18 hold the size of a page (1 for
    65,536), bytes 28 to 32 how many there are (https://www.sqlite.org/fileformat.html).
    """
    content = path.read_bytes()
    page = int.from_bytes(content[16:18], "big")
    wanted = (65536 if page == 1 else page) * int.from_bytes(content[28:32], "big")
    if not (content.startswith(b"SQLite format 3\x00") and len(content) < wanted <= _LONGEST):
        return None
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    memory.deserialize(content.ljust(wanted, b"\x00"))
    return memory


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        timeout=PATIENCE_S,
        check_same_thread=False,
    )


def _rolled_back(path: Path, journal: Path) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(journal, copy.with_name(journal.name))
        source = _open(copy, "mode=rw")
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        try:
            source.backup(memory)
        finally:
            source.close()
    return memory


Fill = Callable[[sqlite3.Connection], object]
"""Writes what a new study begins with."""


def create_file(path: Path, facts: Mapping[str, Any], fill: Fill | None = None) -> None:
    """Make a study that says ``facts`` of itself, and holds what ``fill`` writes: there as a whole or not at all.

    Raises:
        StoreError: It cannot be written, or its name is taken.
    """
    for end in SIDE_FILES:
        other = path.with_name(path.name + end)
        if not path.exists() and other.exists() and other.stat().st_size:
            raise StoreError(
                f"{other} belongs to another study, which was at {path}",
                "Bring the two together again, or choose another file with --study.",
            )
    draft = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        write_new(draft, facts, fill)
        publish(draft, path)
    except (OSError, sqlite3.Error) as ex:
        raise StoreError(
            f"cannot create the study {path}: {ex}", "Choose a folder that can be written, with --study."
        ) from ex
    finally:
        for end in ("", *SIDE_FILES):
            with suppress(OSError):
                draft.with_name(draft.name + end).unlink()


def write_new(draft: Path, facts: Mapping[str, Any], fill: Fill | None = None) -> None:
    """A new database with the tables of a study, and what ``fill`` writes; read back before it may be published.

    Raises:
        OSError, sqlite3.Error: It cannot be written.
    """
    wanted = [("format", json.dumps(FORMAT)), *((k, json.dumps(v)) for k, v in facts.items())]
    db = sqlite3.connect(draft)
    try:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=EXTRA")
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO meta VALUES (?, ?)", wanted)
        if fill is not None:
            fill(db)
        db.commit()
    finally:
        db.close()
    check = sqlite3.connect(f"{draft.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found = check.execute("SELECT key, value FROM meta").fetchall()
        if sorted(found) != sorted(wanted) or check.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise OSError(f"{draft} does not hold what was written to it")
    finally:
        check.close()


def publish(draft: Path, path: Path) -> None:
    """Give the finished ``draft`` its name, unless something has it.

    Raises:
        StoreError: The name is taken.
        OSError: The folder cannot be written.
    """
    try:
        os.link(draft, path)
    except OSError:
        if path.exists() or path.is_symlink():
            raise StoreError(
                f"there is a study at {path} already", "Open it, or choose another file with --study."
            ) from None
        draft.rename(path)  # a file system without links
    else:
        draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a loss of power, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
