"""The front of a study as a value: a list of designs that a notebook shows as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nax_bo.notebook import table_html
from nax_bo.study.file.trial import Trial
from nax_bo.units import cost_cells, points


class Front(list[Trial]):
    """Designs of a front, the most accurate first.

    Args:
        trials: The designs.
        rows: Their rows (``Study.row``), in the same order.
        costs: Names of the costs that a table shows.
    """

    def __init__(
        self, trials: Sequence[Trial], rows: Sequence[Mapping[str, Any]], costs: Sequence[str]
    ) -> None:
        super().__init__(trials)
        self.rows = [dict(row) for row in rows]
        self.costs = tuple(costs)

    def table(self, caption: str = "") -> str:
        """As an HTML table: accuracy and its standard error in percent, costs, choices."""
        priced = cost_cells(self.rows, self.costs)
        return table_html(
            [self._line(row, costs) for row, costs in zip(self.rows, priced, strict=True)],
            caption or f"{len(self)} designs on the front",
        )

    def _repr_html_(self) -> str:
        return self.table()

    def _line(self, row: Mapping[str, Any], costs: Mapping[str, str]) -> dict[str, Any]:
        return {
            "design": row["number"],
            "accuracy (%)": f"{100 * row['accuracy']:.1f}",
            "± (%)": points(row["standard_error"]),
            **costs,
            "choices": ", ".join(f"{k}={v}" for k, v in row["design"].items()),
        }
