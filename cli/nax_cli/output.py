"""How answers are printed: text tables or one JSON document on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nax_bo.outcomes import OUTCOMES
from nax_bo.units import PLAIN, cost_cells, percent_places, points, unit_for

if TYPE_CHECKING:
    from nax_bo.study import Study

SCHEMA_VERSION = 1
"""Of every ``--json`` answer: raised when a field is renamed, removed or changes its unit or meaning."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
TrustFlag = Annotated[
    bool,
    typer.Option(
        "--trust", help="Load code that the study's file names, though this command does not name it."
    ),
]
StudyOption = Annotated[str, typer.Option("--study", "-s", metavar="FILE", help="The study's file.")]


def say(text: str) -> None:
    """A line for the person at the terminal (stderr)."""
    print(text, file=sys.stderr, flush=True)


def print_json(answer: Any) -> None:
    """One strict JSON document: numbers that JSON cannot write become null."""
    document = {"schema_version": SCHEMA_VERSION, **answer} if isinstance(answer, Mapping) else answer
    print(json.dumps(strict(document), indent=2, allow_nan=False))


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] | None = None,
    width: int | None = None,
    keys: int = 1,
) -> str:
    """Rows as aligned text; numbers to four significant digits, right-aligned.

    What is wider than ``width`` goes on below, the first ``keys`` columns repeated; by default, than the terminal that
    it is shown on.
    """
    if not rows:
        return "(nothing)"
    names = list(columns or rows[0])
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    numeric = [all(_is_number(row.get(name, 0)) for row in rows) for name in names]

    def line(values: Sequence[str], shown: Sequence[int]) -> str:
        parts = [values[i].rjust(widths[i]) if numeric[i] else values[i].ljust(widths[i]) for i in shown]
        return "  ".join(parts).rstrip()

    rules = ["-" * w for w in widths]
    folds = _folds(widths, width or _terminal_width(), keys)
    return "\n\n".join("\n".join(line(v, shown) for v in (names, rules, *cells)) for shown in folds)


def _terminal_width() -> int | None:
    """Columns of the terminal that stdout goes to; None if it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _folds(widths: Sequence[int], most: int | None, keys: int) -> list[list[int]]:
    """Columns that stand side by side, the keys in each part; as many as fit, and at least one besides."""
    first = list(range(keys))
    start = sum(widths[:keys]) + 2 * (keys - 1)
    folds, used = [[*first]], start
    for i, width in enumerate(widths[keys:], start=keys):
        if most is not None and used + 2 + width > most and len(folds[-1]) > keys:
            folds.append([*first])
            used = start
        folds[-1].append(i)
        used += 2 + width
    return folds


def labelled(label: str, text: str, room: int = 13) -> str:
    """A label and a text beside it; where a terminal shows it, in lines that fit."""
    lead, width = f"{label:{room}}", _terminal_width()
    if width is None:
        return lead + text
    lines = textwrap.wrap(text, max(20, width - room), break_on_hyphens=False)
    return lead + f"\n{' ' * room}".join(lines)


def _is_number(value: Any) -> bool:
    """Numbers, and texts that show one."""
    return isinstance(value, (int, float)) or bool(re.fullmatch(r"[-+]?[\d.]*=?", str(value)))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return "-" if value is None else str(value)


def in_units(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with outcomes headed in words and shown in one unit per column, chosen by size; JSON keeps fixed units.

    Accuracies and shares are percentages.
    """
    units = {
        name: unit_for(OUTCOMES[name].unit, [row.get(name) for row in rows])
        for name in dict.fromkeys(name for row in rows for name in row if name in OUTCOMES)
    }

    def cell(name: str, value: Any) -> tuple[str, Any]:
        if name.endswith("_share") or (name in OUTCOMES and OUTCOMES[name].source == "measured"):
            return f"{name.replace('_', ' ')} (%)", None if value is None else f"{100 * value:.1f}"
        if name in units:
            return units[name].heading(OUTCOMES[name].label).translate(PLAIN), units[name].show(value)
        return name, value

    return [dict(cell(name, value) for name, value in row.items()) for row in rows]


def why_empty(study: Study) -> str:
    """Why a study's front is empty."""
    full = [e for t in study.trials() if (e := t.at("full"))]
    if not full:
        return "No design has been trained in full yet."
    limits = [f"{n} <= {v:g}" for n, v in study.config.max.items()]
    limits += [f"{n} >= {v:g}" for n, v in study.config.min.items()]
    best = 100 * max(study.accuracy(e) for e in full)
    return (
        f"None of {len(full)} fully trained designs is within the study's limits ({', '.join(limits)}); "
        f"the most accurate one has {best:.2f} %."
    )


def plain_cells(rows: Sequence[Mapping[str, Any]], costs: Sequence[str]) -> list[dict[str, str]]:
    """:func:`nax_bo.units.cost_cells` with headings in ASCII."""
    return [{k.translate(PLAIN): v for k, v in line.items()} for line in cost_cells(rows, costs)]


def front_table(rows: Sequence[Mapping[str, Any]], test_images: int, costs: Sequence[str]) -> str:
    """Designs of a front (``nax_bo.report.front.front_rows``) as text: percent, ``costs`` in one unit per column."""
    places = percent_places([row["standard_error"] for row in rows], test_images)
    lines = []
    for row, priced in zip(rows, plain_cells(rows, costs), strict=True):
        line = {
            "design": row["number"],
            "accuracy (%)": f"{100 * row['accuracy']:.{places}f}" + "=" * row["ties"],
        }
        if row.get("accuracy_low") is not None:
            line["95 % interval"] = " to ".join(
                f"{100 * row[end]:.{places}f}" for end in ("accuracy_low", "accuracy_high")
            )
        line |= spread_cells(row, tail=any(r["p05"] is not None and r["chips_differ"] for r in rows))
        line |= priced
        if row.get("stays") is not None:
            line["stays (%)"] = f"{100 * row['stays']:.0f}"
        lines.append(line | {"undominated under": undominated(row["holds_under"])})
    empty = [name for name in SPREADS if all(line[name] == "-" for line in lines)]
    lines = [{k: v for k, v in line.items() if k not in empty} for line in lines]
    return table(lines)


def undominated(models: Sequence[str]) -> str:
    """Under which cost models no other design beats one."""
    from nax_bo.report.front import PROFILES

    return "all" if set(models) == set(PROFILES) else ", ".join(models) or "none"


SPREADS = ("+- trainings", "+- chips")
"""Columns that are left out where nothing fills them."""


def spread_cells(row: Mapping[str, Any], tail: bool) -> dict[str, Any]:
    """How far trainings and chips of a design differ, percentage points; "-" where too few were measured to say.

    ``tail`` for what 95 % of chips exceed besides.
    """
    cells = {
        "+- trainings": points(row["between_trainings"]),
        "+- chips": points(row["between_chips"]) if row["chips_differ"] else "no noise",
    }
    if tail:
        known = row["chips_differ"] and row["p05"] is not None
        cells["95 % exceed"] = f"{100 * row['p05']:.1f}" if known else "-"
    return cells


def spread_text(outcome: Mapping[str, Any]) -> str:
    """The same of one evaluation (``AccuracyReport.to_dict``), in words."""
    trainings, chips = outcome["trainings"], len(outcome["draws"])
    parts = [
        f"{trainings} training{'s' if trainings > 1 else ''}, {chips} chip{'s' if chips > 1 else ''} read"
    ]
    if outcome["between_trainings"] is not None:
        parts.append(f"± {points(outcome['between_trainings'])} between trainings")
    if not outcome["chips_differ"]:
        parts.append("this device has no noise in the model: chips do not differ")
    elif outcome["between_chips"] is not None:
        parts.append(f"± {points(outcome['between_chips'])} between chips")
        low = outcome["p05"]
        parts.append(
            "too few chips to say what 95 % exceed"
            if low is None
            else f"95 % of chips exceed {100 * low:.1f} %"
        )
    return ", ".join(parts)


def strict(value: Any) -> Any:
    """``value`` with plain types only, and null for numbers that JSON cannot write."""
    if isinstance(value, Mapping):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
