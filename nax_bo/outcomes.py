"""What is measured or priced of a design, as one table; objectives, limits, columns and figures are selections from it.

An outcome has a name with its unit (``edap_uj_ms_mm2``), a short name without (``edap``), a sense, and a scale in which
it is modelled and in which hypervolume counts it. Measured outcomes are read from what a training reported and are
learned by the search; priced ones are read from a cost (one design's or a batch's) and are known for every candidate.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nax_bo.errors import InputError

Source = Literal["measured", "priced"]

QUANTILE_ERROR = 2.114
"""Standard error of a sample's 5 % quantile in standard errors of its mean, for normal samples of any size:
sqrt(0.05 x 0.95) / phi(1.645) (David and Nagaraja 2003, doi:10.1002/0471722162, section 10.2)."""


_PLAIN = str.maketrans({"µ": "u", "·": " ", "²": "2"})


@dataclass(frozen=True)
class Outcome:
    """One kind of result.

    Attributes:
        name: Unique, with its unit.
        short: The same without the unit; accepted wherever the name is.
        label: For headings.
        unit: As text; empty for plain numbers.
        best: Whether less (``min``) or more (``max``) of it is better.
        scale: ``log10``, ``logit`` (fractions) or ``linear``.
        source: ``measured`` by a training, or ``priced`` by a cost model.
        field: Attribute of a cost, or key of a training's report, that it is read from.
        factor: What turns that into the unit.
        error_factor: Of a measured outcome: its standard error over the report's ``standard_error``.
    """

    name: str
    short: str
    label: str
    unit: str
    best: Literal["min", "max"]
    scale: Literal["linear", "log10", "logit"]
    source: Source
    field: str
    factor: float = 1.0
    error_factor: float = 1.0

    @property
    def heading(self) -> str:
        """Label with unit: ``EDAP (µJ·ms·mm²)``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def axis(self) -> str:
        """The heading of an axis, with its sense."""
        return f"{self.heading}, {'less' if self.best == 'min' else 'more'} is better"

    @property
    def plain_heading(self) -> str:
        """The heading in ASCII, for terminals: ``EDAP (uJ ms mm2)``."""
        return self.heading.translate(_PLAIN)

    @property
    def ends(self) -> tuple[str, str]:
        """Names of the ends of its range between sources: ``edap_low_uj_ms_mm2`` and ``edap_high_uj_ms_mm2``."""
        unit = self.name.removeprefix(self.short)
        return f"{self.short}_low{unit}", f"{self.short}_high{unit}"

    @property
    def sign(self) -> int:
        """1 where less is better, -1 where more is."""
        return 1 if self.best == "min" else -1

    def read(self, result: Any) -> Any:
        """Its value in a cost (a number, or ``n`` of a batch), or in a training's report (a mapping).

        Raises:
            KeyError: A report lacks it.
        """
        if self.source == "measured":
            return float(result[self.field]) * self.factor
        return getattr(result, self.field) * self.factor

    def variance(self, report: Mapping[str, Any]) -> float | None:
        """Noise variance of a measured outcome in a training's report; None where that does not say."""
        error = report.get("standard_error")
        return None if error is None else float((self.error_factor * error) ** 2)

    def check_limit(self, limit: Any) -> None:
        """Raise InputError for what can be no limit on it."""
        number = isinstance(limit, (int, float)) and not isinstance(limit, bool) and np.isfinite(limit)
        if self.scale == "logit":
            if not (number and 0 < limit < 1):
                raise InputError(f"a limit of {limit!r} on {self.name}", "Give a fraction, such as 0.9.")
        elif not (number and limit > 0):
            raise InputError(f"a limit of {limit!r} on {self.name}", "Give a positive number.")


def _measured(name: str, label: str, field: str, error_factor: float = 1.0) -> Outcome:
    return Outcome(name, name, label, "", "max", "logit", "measured", field, 1.0, error_factor)


def _cost(short: str, label: str, unit: str, suffix: str, field: str, factor: float = 1.0) -> Outcome:
    return Outcome(f"{short}_{suffix}", short, label, unit, "min", "log10", "priced", field, factor)


def _yield(name: str, label: str, unit: str = "") -> Outcome:
    return Outcome(name, name, label, unit, "max", "log10", "priced", name)


OUTCOMES: Mapping[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        _measured("accuracy", "accuracy", "mean"),
        _measured("p05", "accuracy that 95 % of chips exceed", "p05", QUANTILE_ERROR),
        _cost("edap", "EDAP", "µJ·ms·mm²", "uj_ms_mm2", "edap_uj_ms_mm2"),
        _cost("energy", "energy", "µJ", "uj", "energy_pj", 1e-6),
        _cost("latency", "latency", "ms", "ms", "latency_ns", 1e-6),
        _cost("response", "response", "ms", "ms", "response_ns", 1e-6),
        _cost("area", "area", "mm²", "mm2", "area_um2", 1e-6),
        _cost("power", "power", "mW", "mw", "power_mw"),
        _yield("tops_w", "TOPS/W"),
        _yield("tops_mm2", "TOPS/mm²"),
        _yield("fps", "inferences/s"),
        Outcome("utilisation", "utilisation", "cells used", "", "max", "linear", "priced", "utilisation"),
    )
}
"""All outcomes by name."""

MEASURED = tuple(o for o in OUTCOMES.values() if o.source == "measured")
PRICED = tuple(o for o in OUTCOMES.values() if o.source == "priced")

DEFAULT_OBJECTIVES = ("accuracy", "edap_uj_ms_mm2")
"""What a study optimises unless told otherwise."""

MAIN_COSTS = ("energy_uj", "latency_ms", "area_mm2", "edap_uj_ms_mm2")
"""The costs of short tables and charts."""

SUMMARY_COST = "edap_uj_ms_mm2"
"""The cost that stands for all where one figure has to."""


def outcome(name: str) -> Outcome:
    """The outcome of a name, with or without its unit.

    Raises:
        InputError: There is none.
    """
    found = OUTCOMES.get(name) or next((o for o in OUTCOMES.values() if o.short == name), None)
    if found is not None:
        return found
    known = [n for o in OUTCOMES.values() for n in dict.fromkeys((o.short, o.name))]
    near = difflib.get_close_matches(str(name), known, n=1)
    raise InputError(
        f"nothing called {name!r} is measured or priced",
        f"Did you mean {near[0]!r}?"
        if near
        else f"There are {', '.join(o.short for o in OUTCOMES.values())}.",
    )


def priced(cost: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Priced outcomes of a cost by name, all of them by default: numbers, or arrays of ``n`` for a batch."""
    wanted = PRICED if names is None else [outcome(n) for n in names]
    return {o.name: o.read(cost) for o in wanted}


def cost_ends(cost: Any | None) -> dict[str, float | None]:
    """Ends of the ranges of :data:`MAIN_COSTS` between sources, by name, of one design's cost report.

    None where the report states no range, and where there is no report.
    """
    found: dict[str, float | None] = {}
    for o in (OUTCOMES[name] for name in MAIN_COSTS):
        ends = cost.ends(o.field) if cost is not None else None
        found |= dict(zip(o.ends, [end * o.factor for end in ends] if ends else (None, None), strict=True))
    return found


def measured(report: Mapping[str, Any]) -> dict[str, float]:
    """Measured outcomes that a training's report holds, by name."""
    return {o.name: o.read(report) for o in MEASURED if report.get(o.field) is not None}
