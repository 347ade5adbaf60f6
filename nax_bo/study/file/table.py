"""All designs of a study as one flat table, for spreadsheets, pandas and people; its rows come back as designs."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from nax_bo.accuracy.report import statistics_of
from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.outcomes import MEASURED, PRICED, measured
from nax_bo.space import Space
from nax_bo.study.file.trial import Trial

Row = dict[str, Any]


def trial_rows(space: Space, trials: Sequence[Trial], front: Container[int]) -> list[Row]:
    """One row per design of a study; what a design has not is None. ``front``: numbers of those on it.

    ``number``; ``state`` (that of its last evaluation); ``fidelity`` at which it was measured; outcomes measured and
    priced, by name; ``standard_error``; ``on_front``; ``seconds`` and ``attempts`` of all its evaluations; where and
    with what it was measured (``made_host``, ``made_device``, ``made_naxbo``); ``reason`` of the first and ``message``
    of a failed one; then its choices by variable. Where a variable is called like one of these, the result gets
    ``result_`` before its name.
    """
    variables = [v.name for v in space.variables]
    rows = []
    for trial in trials:
        results = _results(trial, trial.number in front)
        row = {(f"result_{k}" if k in variables else k): v for k, v in results.items()}
        rows.append(row | {name: trial.design.get(name) for name in variables})
    return rows


def _results(trial: Trial, on_front: bool) -> Row:
    evaluation = trial.best
    statistics = statistics_of(evaluation.outcome) if evaluation else {}
    found = measured(statistics) if evaluation else {}
    last = trial.evaluations[-1] if trial.evaluations else None
    made = evaluation.outcome.get("made") if evaluation else None
    made = made if isinstance(made, Mapping) else {}
    return {
        "number": trial.number,
        "state": last.state if last else None,
        "fidelity": evaluation.fidelity if evaluation else None,
        **{o.name: found.get(o.name) for o in MEASURED},
        "standard_error": statistics.get("standard_error"),
        **{o.name: trial.costs.get(o.name) for o in PRICED},
        "on_front": on_front,
        "seconds": sum(e.seconds for e in trial.evaluations),
        "attempts": sum(e.attempts for e in trial.evaluations),
        **{f"made_{name}": made.get(name) for name in ("host", "device", "naxbo")},
        "reason": trial.evaluations[0].reason if trial.evaluations else None,
        "message": next((e.message for e in trial.evaluations if e.state == "failed"), None),
    }


def frame(rows: Sequence[Row]) -> Any:
    """Rows as a pandas DataFrame.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise InputError(
            "data frames need pandas", "Install it (pip install pandas), or use --csv."
        ) from None
    return pandas.DataFrame(list(rows))


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Rows as a parquet file, whole or not at all.

    Raises:
        InputError: pandas or pyarrow is not installed, or the file cannot be written.
    """
    table = frame(rows)
    try:
        write_whole(path, table.to_parquet)
    except ImportError as ex:
        raise InputError(
            "parquet files need pyarrow", "Install it (pip install pyarrow), or use --csv."
        ) from ex
