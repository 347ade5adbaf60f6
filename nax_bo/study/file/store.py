"""A study on disk: one SQLite file, one transaction per change.

Rollback journal, deleted at each commit, and ``synchronous=EXTRA``: what was recorded lies in that one file alone, and
survives a kill of the process and a loss of power (https://www.sqlite.org/pragma.html#pragma_synchronous). A kill in
the middle of a commit leaves ``FILE-journal`` beside it until the study is next opened: the two belong together.
Everything in it is numbers and JSON text; nothing is ever unpickled. Rows become records in
:mod:`nax_bo.study.file.records`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from filelock import FileLock, Timeout

from nax_bo.errors import StoreError
from nax_bo.space import Space
from nax_bo.study.file import records
from nax_bo.study.file.database import FORMAT, connect, create_file
from nax_bo.study.file.outcome import check_outcome
from nax_bo.study.file.trial import EVALUATION_COLUMNS, Evaluation, Proposal, Specs, State, Trial


class Store:
    """The tables of one study; every public write is one transaction. It may be used from any thread.

    Args:
        path: The file; one that cannot be written is opened for reading.
        space: Of which its designs are; only for a new study.
        create: Whether to make a new study.
        facts: What a new study says of itself (JSON values), read by :meth:`meta`.
        begun: Finished evaluations that a new study begins with, in their order: what was proposed, and its end.

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
        begun: Sequence[tuple[Proposal, Evaluation]] = (),
    ) -> None:
        self.path = Path(path)
        self._turn = RLock()
        self._closed = False
        if create:
            if space is None:
                raise StoreError("a new study needs a space", "Pass space=... with create=True.")
            create_file(
                self.path, {"space": space.to_json(), **(facts or {})}, lambda db: self._begin(db, begun)
            )
        elif not self.path.is_file():
            raise StoreError(
                f"there is no study at {self.path}", "Start one with: naxbo optimize --study FILE"
            )
        with self._reading():
            self._db, self.writable = connect(self.path)
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        found = self.meta("format")
        if found != FORMAT:
            raise StoreError(
                f"{self.path} has study format {found}, this version of naxbo reads format {FORMAT}",
                "Open it with the version that wrote it, or start a new study.",
            )
        with self._reading():
            self.space = records.space_of(self.meta("space"))

    def lock(self) -> FileLock:
        """A lock that only one running ``optimize`` holds; the system frees it when the process dies.

        Raises:
            StoreError: Another process holds it.
        """
        place = self.path.resolve()  # one study, whatever name it is called by
        lock = FileLock(f"{place}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"{self.path} is being run by another process", "Wait for it, or use another --study."
            ) from None
        except (OSError, NotImplementedError) as ex:
            raise StoreError(
                f"cannot lock {self.path}: {ex}", "Choose a folder that can be written, with --study."
            ) from ex
        return lock

    def running(self) -> bool:
        """Whether another process runs the study now; where nothing can be locked, nobody does."""
        lock = FileLock(f"{self.path.resolve()}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except (OSError, NotImplementedError):
            return False
        lock.release()
        return False

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        with self._turn:
            self._closed = True
            self._db.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._turn:
            if self._closed:
                raise StoreError(f"the study {self.path} is closed", "Use it inside its with block.")
            try:
                yield
            except sqlite3.OperationalError as ex:
                raise StoreError(
                    f"cannot use the study {self.path}: {ex}",
                    "Is the disk full, the folder read-only, or the file locked?",
                ) from ex
            except (sqlite3.Error, UnicodeDecodeError, OverflowError) as ex:
                raise StoreError(
                    f"{self.path} is not a naxbo study, or it is damaged: {ex}",
                    f"Choose another file with --study. {records.SALVAGE}",
                ) from ex
            except StoreError as ex:
                if str(self.path) in ex.message:
                    raise
                raise StoreError(f"{self.path}: {ex.message}", ex.hint) from ex

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
            return None if row is None else records.parse(f"the fact {key!r}", row[0])

    def set_meta(self, facts: Mapping[str, Any]) -> None:
        """Replace facts about the study."""
        with self._writing() as db:
            self._write_facts(db, facts)

    @staticmethod
    def _write_facts(db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
        db.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, json.dumps(value, allow_nan=False)) for key, value in facts.items()],
        )

    def version(self) -> tuple[int, int]:
        """Changes whenever the file does, by whomever."""
        with self._reading():
            return self._db.execute("PRAGMA data_version").fetchone()[0], self._db.total_changes

    # What was decided and found

    def add(self, proposals: Sequence[Proposal], facts: Mapping[str, Any] | None = None) -> list[Evaluation]:
        """Queue evaluations, and replace facts about the study, all or none; known designs keep number and specs."""
        ids = []
        with self._writing() as db:
            self._write_facts(db, facts or {})
            for proposal in proposals:
                key = json.dumps(proposal.design.indices)
                row = db.execute("SELECT number FROM trials WHERE indices = ?", (key,)).fetchone()
                number = row[0] if row else self._add_trial(db, key, proposal)
                cursor = db.execute(
                    "INSERT INTO evaluations (trial, fidelity, reason, state) VALUES (?, ?, ?, 'queued')",
                    (number, proposal.fidelity, proposal.reason),
                )
                ids.append(cursor.lastrowid)
        return self._evaluations("id", ids)

    @classmethod
    def _begin(cls, db: sqlite3.Connection, begun: Sequence[tuple[Proposal, Evaluation]]) -> None:
        """Write finished evaluations into a new study."""
        for order, (proposal, end) in enumerate(begun):
            key = json.dumps(proposal.design.indices)
            row = db.execute("SELECT number FROM trials WHERE indices = ?", (key,)).fetchone()
            number = row[0] if row else cls._add_trial(db, key, proposal)
            outcome = json.dumps(dict(end.outcome), allow_nan=False)
            db.execute(
                "INSERT INTO evaluations (trial, fidelity, reason, state, finish_order, outcome, message, seconds, "
                "attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    proposal.fidelity,
                    proposal.reason,
                    end.state,
                    order,
                    outcome,
                    end.message,
                    end.seconds,
                    end.attempts,
                ),
            )

    @staticmethod
    def _add_trial(db: sqlite3.Connection, key: str, proposal: Proposal) -> int:
        specs = proposal.specs
        cursor = db.execute(
            "INSERT INTO trials SELECT COALESCE(MAX(number) + 1, 0), ?, ?, ?, ? FROM trials RETURNING number",
            (
                key,
                json.dumps(dict(proposal.design)),
                records.to_text(proposal.costs),
                records.to_text(specs.scores),
            ),
        )
        number = int(cursor.fetchone()[0])
        forms = (records.to_text(form) for form in (specs.network, specs.chip, specs.report))
        db.execute("INSERT INTO specs VALUES (?, ?, ?, ?)", (number, *forms))
        return number

    def reprice(
        self, prices: Mapping[int, tuple[Mapping[str, float], Mapping[str, Any]]], facts: Mapping[str, Any]
    ) -> None:
        """Replace costs and cost reports by trial number, and facts about the study, all or none."""
        with self._writing() as db:
            for number, (costs, report) in prices.items():
                db.execute("UPDATE trials SET costs = ? WHERE number = ?", (records.to_text(costs), number))
                db.execute("UPDATE specs SET report = ? WHERE trial = ?", (records.to_text(report), number))
            self._write_facts(db, facts)

    def start(self, evaluation: int) -> None:
        """Mark an evaluation as running."""
        with self._writing() as db:
            db.execute(
                "UPDATE evaluations SET state = 'running', attempts = attempts + 1 WHERE id = ?",
                (evaluation,),
            )

    def finish(
        self,
        evaluation: int,
        state: State,
        *,
        outcome: Mapping[str, Any] | None = None,
        message: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Record the end of an evaluation and its place in the order of completion.

        Raises:
            StoreError: It is done, and its outcome is none (:func:`nax_bo.study.file.outcome.check_outcome`).
        """
        if state == "done" and (problem := check_outcome(outcome)):
            raise StoreError(f"evaluation {evaluation} cannot be recorded as done: {problem}", "Check first.")
        with self._writing() as db:
            db.execute(
                "UPDATE evaluations SET state = ?, outcome = ?, message = ?, seconds = ?, "
                "finish_order = (SELECT COALESCE(MAX(finish_order) + 1, 0) FROM evaluations) WHERE id = ?",
                (state, json.dumps(dict(outcome or {}), allow_nan=False), message, seconds, evaluation),
            )

    def requeue(self, evaluation: int, message: str = "") -> None:
        """Queue an evaluation again that ended for no fault of its design."""
        with self._writing() as db:
            db.execute(
                "UPDATE evaluations SET state = 'queued', message = ? WHERE id = ?", (message, evaluation)
            )

    def requeue_running(self, *, ended: bool = False) -> int:
        """Queue again what is running; returns how many. ``ended``: because the last run ended without a word."""
        with self._writing() as db:
            return db.execute(
                "UPDATE evaluations SET state = 'queued', endings = endings + ? WHERE state = 'running'",
                (int(ended),),
            ).rowcount

    def requeue_failed(self) -> int:
        """Queue again what failed; returns how many."""
        with self._writing() as db:
            return db.execute(
                "UPDATE evaluations SET state = 'queued', finish_order = NULL, endings = 0, message = '', "
                "outcome = '{}' WHERE state = 'failed'"
            ).rowcount

    def evaluations(self, *states: State) -> list[Evaluation]:
        """Evaluations in the order in which they were decided, optionally only those in ``states``."""
        if states == ("queued",):  # asked for at every step: an index answers, at any length of the study
            return self._read_evaluations("WHERE state = 'queued' ", ())
        return self._evaluations("state", states) if states else self._evaluations()

    def trials(self) -> list[Trial]:
        """All designs by number, with their evaluations."""
        return self._trials()

    def trial(self, number: int) -> Trial | None:
        """One design, or None; read on its own, which many designs do not slow down."""
        return next(iter(self._trials(number)), None) if 0 <= number < 2**63 else None

    def specs(self, number: int) -> Specs:
        """What a design is, as data.

        Raises:
            StoreError: It is missing or damaged.
        """
        with self._reading():
            row = self._db.execute(
                "SELECT network, chip, report, scores FROM specs JOIN trials ON number = trial WHERE trial = ?",
                (number,),
            ).fetchone()
            if row is None:
                records.refuse(f"the description of design {number}", "it is missing")
            return records.specs_of(number, row)

    def scores(self) -> dict[int, dict[str, float]]:
        """Training-free scores of all designs by number."""
        with self._reading():
            rows = self._db.execute("SELECT number, scores FROM trials").fetchall()
            return {number: records.scores_of(number, text) for number, text in rows}

    def _evaluations(self, column: str = "", values: Sequence[object] = ()) -> list[Evaluation]:
        """Those with one of ``values`` in ``column``, in the order in which they were decided; else all."""
        chosen = f"WHERE {column} IN ({', '.join('?' * len(values))}) " if column else ""
        return self._read_evaluations(chosen, values)

    def _read_evaluations(self, chosen: str, values: Sequence[object]) -> list[Evaluation]:
        with self._reading():
            rows = self._db.execute(
                f"SELECT {EVALUATION_COLUMNS} FROM evaluations {chosen}ORDER BY id", tuple(values)
            ).fetchall()
            return [records.evaluation_of(row) for row in rows]

    def _trials(self, *numbers: int) -> list[Trial]:
        """All trials, or the one of a number."""
        by_trial: dict[int, list[Evaluation]] = {}
        for evaluation in self._evaluations("trial", numbers) if numbers else self._evaluations():
            by_trial.setdefault(evaluation.trial, []).append(evaluation)
        chosen = "WHERE number = ? " if numbers else ""
        with self._reading():
            rows = self._db.execute(
                f"SELECT number, indices, design, costs FROM trials {chosen}ORDER BY number", numbers
            ).fetchall()
            if not numbers:
                records.check_numbers([row[0] for row in rows], by_trial)
            return [
                Trial(
                    n,
                    records.design_of(self.space, n, indices, choices),
                    records.costs_of(n, costs),
                    tuple(by_trial.get(n, ())),
                )
                for n, indices, choices, costs in rows
            ]
