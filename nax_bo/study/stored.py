"""The search problem of a study that is only read: what the file holds is believed, and its code is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from nax_bo.hardware import CostModel
from nax_bo.outcomes import PRICED
from nax_bo.space import Space
from nax_bo.study.file.trial import Trial
from nax_bo.study.problem import Costs, StudyProblem
from nax_bo.study.sources import refuse_foreign
from nax_bo.systems import System


@dataclass(frozen=True, eq=False)
class StoredProblem(StudyProblem):
    """A study's problem whose costs and scores of the study's own designs are those in the file.

    Other designs are priced by the models that the settings name, where these may be loaded; else their costs and
    scores are unknown (NaN).

    Attributes:
        path: The study's file.
        held: The joint space.
        trials: The study's designs, with their costs.
        read_scores: Reads their training-free scores by number.
        refused: Settings whose code may not be loaded, with what they name.
    """

    path: Path
    held: Space
    trials: tuple[Trial, ...]
    read_scores: Callable[[], Mapping[int, Mapping[str, float]]]
    refused: Mapping[str, str]

    @cached_property
    @override
    def space(self) -> Space:
        """The joint space."""
        return self.held

    @cached_property
    @override
    def system(self) -> System:
        """The joint space's code.

        Raises:
            StoreError: It is not naxbo's, and nobody vouched for it.
        """
        for name in ("system", "network"):
            self._need(name, "building designs that the study does not hold")
        return super().system

    @cached_property
    @override
    def cost_model(self) -> CostModel:
        """What prices other designs than the study's own.

        Raises:
            StoreError: It is not naxbo's, and nobody vouched for it.
        """
        self._need("cost_model", "pricing designs that the study does not hold")
        return super().cost_model

    def _need(self, name: str, why: str) -> None:
        refuse_foreign(self.path, {k: v for k, v in self.refused.items() if k == name}, why)

    @cached_property
    def _scores(self) -> Mapping[int, Mapping[str, float]]:
        return self.read_scores()

    @cached_property
    def _row_of(self) -> dict[tuple[int, ...], Trial]:
        return {trial.design.indices: trial for trial in self.trials}

    @override
    def costs(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        """Costs of many designs by name, ``n`` each."""
        found = self._found(columns)
        live = [i for i, trial in enumerate(found) if trial is None]
        closed = {"system", "network", "cost_model"} & set(self.refused)
        fresh = super().costs(_rows(columns, live)) if live and not closed else {}
        return self._filled(found, live, fresh)

    @override
    def _kept(self, columns: Mapping[str, NDArray[Any]]) -> Costs:
        costs = self._filled(self._found(columns), [], {})
        return {name: costs[name] for name in self._known_names}

    @staticmethod
    def _filled(found: list[Trial | None], live: list[int], fresh: Costs) -> Costs:
        """Stored costs where there is a trial, ``fresh`` ones in the rows ``live``, NaN elsewhere."""
        out = {o.name: np.full(len(found), np.nan) for o in PRICED}
        for name, values in out.items():
            values[live] = fresh.get(name, np.nan)
            for i, trial in enumerate(found):
                if trial is not None:
                    values[i] = trial.costs.get(name, np.nan)
        return out

    @override
    def proxies(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Training-free scores of many designs by name, ``n`` each."""
        from nax_bo.accuracy.proxies import SCORE_NAMES

        found = self._found(columns)
        live = [i for i, trial in enumerate(found) if trial is None]
        fresh = (
            super().proxies(_rows(columns, live))
            if live and not {"system", "network"} & set(self.refused)
            else {}
        )
        out = {name: np.full(len(found), np.nan) for name in SCORE_NAMES}
        for name, values in out.items():
            values[live] = fresh.get(name, np.nan)
            for i, trial in enumerate(found):
                if trial is not None:
                    values[i] = self._scores.get(trial.number, {}).get(name, np.nan)
        return out

    def _found(self, columns: Mapping[str, NDArray[Any]]) -> list[Trial | None]:
        """The study's design in each row, if it holds it."""
        rows = np.stack([_index(v.values, columns[v.name]) for v in self.space.variables], axis=1)
        return [self._row_of.get(tuple(row)) for row in self.space.canonical(rows).tolist()]


def _index(values: tuple[Any, ...], column: NDArray[Any]) -> NDArray[np.int64]:
    places = {value: i for i, value in enumerate(values)}
    return np.array([places.get(value, 0) for value in column.tolist()], dtype=np.int64)  # 0: idle


def _rows(columns: Mapping[str, NDArray[Any]], rows: list[int]) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in columns.items()}
