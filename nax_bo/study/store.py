"""A study on disk: one SQLite file, one transaction per change.

WAL journal and ``synchronous=FULL``: what was recorded survives a kill of the process and a loss of power
(https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous). Everything in it is numbers
and JSON text; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from nax_bo.errors import StoreError
from nax_bo.space import Design, Space
from nax_bo.study.trial import Evaluation, State, Trial

FORMAT = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    indices TEXT NOT NULL UNIQUE,
    design TEXT NOT NULL,
    costs TEXT NOT NULL
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
    UNIQUE (trial, fidelity)
);
"""


class Store:
    """The tables of one study; every public write is one transaction.

    Args:
        path: The file.
        space: Of which its designs are; only for a new study.
        create: Whether to make a new study.
        facts: What a new study says of itself (JSON values), read by :meth:`meta`.

    Raises:
        StoreError: The file is missing, not a study, of another format, or cannot be written; or there is one
            already where a new study should be.
    """

    def __init__(
        self,
        path: str | Path,
        space: Space | None = None,
        *,
        create: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        if create:
            self._create(space, facts or {})
        elif not self.path.is_file():
            raise StoreError(
                f"there is no study at {self.path}", "Start one with: naxbo optimize --study FILE"
            )
        with self._reading():
            self._db = sqlite3.connect(self.path, isolation_level=None)
        try:
            self._open()
        except BaseException:
            self._db.close()  # or SQLite's side files stay behind
            raise

    def _open(self) -> None:
        with self._reading():
            self._db.execute("PRAGMA foreign_keys=ON")
            self._db.execute("PRAGMA synchronous=FULL")
            found = self.meta("format")
        if found != FORMAT:
            raise StoreError(
                f"{self.path} has study format {found}, this version of naxbo reads format {FORMAT}",
                "Open it with the version that wrote it, or start a new study.",
            )
        self.space = Space.from_json(str(self.meta("space")))

    def _create(self, space: Space | None, facts: Mapping[str, Any]) -> None:
        if space is None:
            raise StoreError("a new study needs a space", "Pass space=... with create=True.")
        draft = self.path.with_name(f"{self.path.name}.new-{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            if not self.path.exists():  # the journal of a deleted study must not be replayed into a new one
                for end in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            db = sqlite3.connect(draft)
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)
            db.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [
                    ("format", json.dumps(FORMAT)),
                    ("space", json.dumps(space.to_json())),
                    *((key, json.dumps(value)) for key, value in facts.items()),
                ],
            )
            db.commit()
            db.close()
            _publish(draft, self.path)
        except (OSError, sqlite3.Error) as ex:
            for end in ("", "-wal", "-shm"):
                with suppress(OSError):
                    draft.with_name(draft.name + end).unlink()
            raise StoreError(
                f"cannot create the study {self.path}: {ex}",
                "Choose a folder that can be written, with --study.",
            ) from ex

    def lock(self) -> FileLock:
        """A lock that only one running ``optimize`` holds; the system frees it when the process dies.

        Raises:
            StoreError: Another process holds it.
        """
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"{self.path} is being run by another process", "Wait for it, or use another --study."
            ) from None
        except OSError as ex:
            raise StoreError(
                f"cannot lock {self.path}: {ex}", "Choose a folder that can be written, with --study."
            ) from ex
        return lock

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as ex:
            raise StoreError(
                f"cannot use the study {self.path}: {ex}",
                "Is the disk full, the folder read-only, or the file locked?",
            ) from ex
        except (sqlite3.DatabaseError, json.JSONDecodeError) as ex:
            raise StoreError(
                f"{self.path} is not a naxbo study, or it is damaged: {ex}",
                "Restore it from a copy, or choose another file with --study.",
            ) from ex

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    # What the study is

    def meta(self, key: str) -> Any:
        """A fact about the study, or None."""
        with self._reading():
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])

    # What was decided and found

    def add(self, proposals: Sequence[tuple[Design, Mapping[str, float], str, str]]) -> list[Evaluation]:
        """Queue evaluations of (design, costs, fidelity, reason), all or none; known designs keep their number."""
        ids = []
        with self._writing() as db:
            for design, costs, fidelity, reason in proposals:
                key = json.dumps(design.indices)
                row = db.execute("SELECT number FROM trials WHERE indices = ?", (key,)).fetchone()
                if row is None:
                    cursor = db.execute(
                        "INSERT INTO trials SELECT COALESCE(MAX(number) + 1, 0), ?, ?, ? FROM trials RETURNING number",
                        (key, json.dumps(dict(design)), json.dumps(dict(costs))),
                    )
                    row = cursor.fetchone()
                cursor = db.execute(
                    "INSERT INTO evaluations (trial, fidelity, reason, state) VALUES (?, ?, ?, 'queued')",
                    (row[0], fidelity, reason),
                )
                ids.append(cursor.lastrowid)
        return self._evaluations("id", ids)

    def start(self, evaluation: int) -> None:
        """Mark an evaluation as running."""
        with self._writing() as db:
            db.execute("UPDATE evaluations SET state = 'running' WHERE id = ?", (evaluation,))

    def finish(
        self,
        evaluation: int,
        state: State,
        *,
        outcome: Mapping[str, Any] | None = None,
        message: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Record the end of an evaluation and its place in the order of completion."""
        with self._writing() as db:
            db.execute(
                "UPDATE evaluations SET state = ?, outcome = ?, message = ?, seconds = ?, "
                "finish_order = (SELECT COALESCE(MAX(finish_order) + 1, 0) FROM evaluations) WHERE id = ?",
                (state, json.dumps(dict(outcome or {})), message, seconds, evaluation),
            )

    def requeue_running(self) -> int:
        """Queue again what was running when the last process ended; returns how many."""
        with self._writing() as db:
            return db.execute("UPDATE evaluations SET state = 'queued' WHERE state = 'running'").rowcount

    def evaluations(self, *states: State) -> list[Evaluation]:
        """Evaluations in the order in which they were decided, optionally only those in ``states``."""
        return self._evaluations("state", states) if states else self._evaluations()

    def trials(self) -> list[Trial]:
        """All designs by number, with their evaluations."""
        return self._trials()

    def trial(self, number: int) -> Trial | None:
        """One design, or None; read on its own, which many designs do not slow down."""
        return next(iter(self._trials(number)), None) if 0 <= number < 2**63 else None

    def _evaluations(self, column: str = "", values: Sequence[object] = ()) -> list[Evaluation]:
        """Those with one of ``values`` in ``column``, in the order in which they were decided; else all."""
        chosen = f"WHERE {column} IN ({', '.join('?' * len(values))}) " if column else ""
        with self._reading():
            rows = self._db.execute(
                "SELECT id, trial, fidelity, reason, state, finish_order, outcome, message, seconds "
                f"FROM evaluations {chosen}ORDER BY id",
                tuple(values),
            ).fetchall()
            return [
                Evaluation(
                    i,
                    trial,
                    fidelity,
                    reason,
                    cast(State, state),
                    order,
                    json.loads(outcome),
                    message,
                    seconds,
                )
                for i, trial, fidelity, reason, state, order, outcome, message, seconds in rows
            ]

    def _trials(self, *numbers: int) -> list[Trial]:
        """All trials, or the one of a number."""
        by_trial: dict[int, list[Evaluation]] = {}
        for evaluation in self._evaluations("trial", numbers) if numbers else self._evaluations():
            by_trial.setdefault(evaluation.trial, []).append(evaluation)
        chosen = "WHERE number = ? " if numbers else ""
        with self._reading():
            rows = self._db.execute(
                f"SELECT number, indices, costs FROM trials {chosen}ORDER BY number", numbers
            ).fetchall()
            return [
                Trial(
                    n, self.space.design(json.loads(indices)), json.loads(costs), tuple(by_trial.get(n, ()))
                )
                for n, indices, costs in rows
            ]


def _publish(draft: Path, path: Path) -> None:
    """Give the finished ``draft`` its name, unless something has it: a study exists as a whole or not at all."""
    try:
        os.link(draft, path)
    except OSError:
        if not path.exists():  # a file system without links
            draft.rename(path)
            return
        draft.unlink()
        raise StoreError(
            f"there is a study at {path} already", "Open it, or choose another file with --study."
        ) from None
    draft.unlink()
