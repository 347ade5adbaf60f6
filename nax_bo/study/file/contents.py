"""All that a study's file holds, row by row and checked, and a new file with it: what salvage and transcripts share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nax_bo.errors import NaxboError, StoreError
from nax_bo.space import Space
from nax_bo.study.file import records
from nax_bo.study.file.database import create_file
from nax_bo.study.file.trial import EVALUATION_COLUMNS

NEEDED = ("space", "config", "data", "reference_point")
"""Facts without which there is no study."""

TRIAL_COLUMNS = "number, indices, design, costs, scores"
SPECS_COLUMNS = "trial, network, chip, report"

Row = tuple[Any, ...]


@dataclass
class Contents:
    """Rows of each table by key, facts by name, and what is wrong in words."""

    facts: dict[str, Any] = field(default_factory=dict)
    trials: dict[int, Row] = field(default_factory=dict)
    specs: dict[int, Row] = field(default_factory=dict)
    evaluations: dict[int, Row] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _space: Space | None = None
    _orders: set[int] = field(default_factory=set)

    def take_facts(self, facts: dict[str, Any]) -> None:
        """Take over facts, but for those that are not what they should be. Before any row."""
        self.facts = dict(facts)
        spaces: list[Space] = []
        checks: dict[str, Callable[[Any], object]] = {
            "space": lambda value: spaces.append(records.space_of(value)),
            "config": records.config_of,
            "data": records.data_of,
            "reference_point": lambda value: records.numbers_of("the reference point", value),
        }
        for name, read in checks.items():
            if name not in self.facts:
                self.problems.append(f"the {name} is missing")
            elif not self._sound(read, self.facts[name]):
                del self.facts[name]
        self._space = spaces[0] if spaces else None

    def take_trial(self, row: Row) -> None:
        """Take over a row of :data:`TRIAL_COLUMNS`, if it is sound."""
        if self._sound(self._check_trial, row):
            self.trials[row[0]] = row

    def take_specs(self, row: Row) -> None:
        """Take over a row of :data:`SPECS_COLUMNS`, if it is sound."""
        if self._sound(records.specs_of, row[0], (*row[1:], "{}")):
            self.specs[row[0]] = row

    def take_evaluation(self, row: Row) -> None:
        """Take over a row of the columns of an evaluation, if it is sound."""
        if self._sound(records.evaluation_of, row) and row[5] not in self._orders:
            self._orders |= {row[5]} - {None}
            self.evaluations[row[0]] = row

    def _check_trial(self, row: Row) -> None:
        number, indices, choices, costs, scores = row
        if type(number) is not int or number < 0:
            records.refuse("a design", f"its number is {number!r}")
        if self._space is not None:
            records.design_of(self._space, number, indices, choices)
        records.costs_of(number, costs)
        records.scores_of(number, scores)

    def _sound(self, read: Callable[..., object], *arguments: Any) -> bool:
        try:
            read(*arguments)
        except NaxboError as ex:
            self.problems.append(ex.message)
            return False
        return True

    @property
    def whole(self) -> list[int]:
        """Numbers of the designs of which everything is there, in order."""
        decided = {row[1] for row in self.evaluations.values()}
        return [n for n in sorted(self.trials) if n in self.specs and n in decided]

    def write(self, new: Path, source: str) -> int:
        """Make a new study of the whole designs, numbered from 0; returns how many evaluations it holds.

        Raises:
            StoreError: A fact is missing without which there is no study, or ``new`` exists. ``source``: where the
                contents come from, in words.
        """
        if missing := [name for name in NEEDED if name not in self.facts]:
            raise StoreError(
                f"{source} is damaged beyond repair: its {', '.join(missing)} cannot be read",
                "Restore it from a copy.",
            )
        kept = self.whole
        number = {old: i for i, old in enumerate(kept)}
        evaluations = [row for row in self.evaluations.values() if row[1] in number]
        marks = ", ".join("?" * len(EVALUATION_COLUMNS.split(", ")))

        def fill(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?)",
                [(number[n], *self.trials[n][1:]) for n in kept],
            )
            db.executemany(
                "INSERT INTO specs VALUES (?, ?, ?, ?)", [(number[n], *self.specs[n][1:]) for n in kept]
            )
            db.executemany(
                f"INSERT INTO evaluations ({EVALUATION_COLUMNS}) VALUES ({marks})",
                [(row[0], number[row[1]], *row[2:]) for row in evaluations],
            )

        create_file(new, {k: v for k, v in self.facts.items() if k != "format"}, fill)
        return len(evaluations)
