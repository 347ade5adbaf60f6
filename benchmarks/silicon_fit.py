"""Fit the few free constants of the macro model to silicon, and judge them on publications that were left out.

    python benchmarks/silicon_fit.py --macros macros.csv             # the constants, as they stand in published.toml
    python benchmarks/silicon_macros.py --macros macros.csv --leave-out publication

Maximum a posteriori: every free constant has a log-normal prior around a physical value (:data:`PRIORS`; sources
stand in ``published.toml``), shared by all mechanisms that use it; logarithms of the errors have a scale of one natural
unit and are robust (linear beyond it); points of one publication share one weight, so that a chip with many operating
points counts once. Constants that silicon says little about are not fitted at all. That is why so few rows can bear
it: 8 constants for energy from 48 publications, 7 for area from 39.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from silicon_macros import Comparison, Row, compare

from nax_bo.hardware.profiles import Profile, load_profile

PRIORS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "energy": {
        "charge_ff": (1.5, 0.7),
        "bitline_ff": (1.5, 0.7),
        "dac_ff_per_bit": (10.0, 1.0),
        "converter_ff_per_bit": (10.0, 0.7),
        "column_ff": (20.0, 1.0),
        "product_ff": (2.6, 0.5),
        "nvm_read_uw": (2.0, 1.0),
        "sram_read_ua": (10.0, 0.7),
    },
    "area": {
        "column_um2": (150.0, 1.0),
        "line_um2": (3.5, 1.0),
        "nvm_line_um2": (20.0, 1.0),
        "control_um2": (10000.0, 1.0),
        "product_um2": (5.0, 0.6),
        "processor_area": (1.6, 0.2),
        "step_ns": (5.0, 0.7),
    },
}
"""Centre and standard deviation of the logarithm of each free constant of section ``macro``."""


@dataclass(frozen=True)
class Fitted:
    """A profile with fitted constants, and their values by name."""

    profile: Profile
    values: dict[str, float]


def with_constants(profile: Profile, values: Mapping[str, float]) -> Profile:
    """The profile with other values in its section ``macro``."""
    changed = {f"macro.{k}": replace(profile.constants[f"macro.{k}"], value=v) for k, v in values.items()}
    return replace(profile, constants={**profile.constants, **changed})


def fit(rows: Sequence[Row], profile: str | Profile = "published") -> Fitted:
    """Fit energy to measured TOPS/W, and area and unstated steps to measured TOPS/mm2."""
    base = load_profile(profile) if isinstance(profile, str) else profile
    values: dict[str, float] = {}
    for kind, priors in PRIORS.items():
        values |= _fit(rows, base, kind, priors)
    return Fitted(with_constants(base, values), values)


def _fit(
    rows: Sequence[Row], base: Profile, kind: str, priors: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    names = list(priors)
    centre = np.log([priors[n][0] for n in names])
    deviation = np.array([priors[n][1] for n in names])
    used = [row for row in rows if _error(compare(row, profile=base), kind) is not None]
    points = Counter(publication(row) for row in used)
    weight = np.array([1 / math.sqrt(points[publication(row)]) for row in used])

    def residuals(at: NDArray[np.float64]) -> NDArray[np.float64]:
        trial = with_constants(base, dict(zip(names, np.exp(at), strict=True)))
        errors = np.array([_error(compare(row, profile=trial), kind) for row in used]) * math.log(2) * weight
        robust = np.sign(errors) * np.sqrt(2 * (np.sqrt(1 + errors**2) - 1))
        return np.concatenate([robust, (at - centre) / deviation])

    best = least_squares(residuals, centre, max_nfev=30)
    return dict(zip(names, (float(x) for x in np.exp(best.x)), strict=True))


def _error(result: Comparison, kind: str) -> float | None:
    return result.error_w if kind == "energy" else result.error_mm2


def publication(row: Row) -> str:
    """What is left out together: all operating points of one macro, in whatever table they stand."""
    return row.get("macro_id") or row["point_id"]


def leave_out(rows: Sequence[Row], predict_cycle: bool, profile: str | Profile) -> list[Comparison]:
    """Every row predicted with constants fitted to all other publications."""
    out = []
    for name in sorted({publication(row) for row in rows}):
        fitted = fit([row for row in rows if publication(row) != name], profile).profile
        out += [compare(row, predict_cycle, fitted) for row in rows if publication(row) == name]
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--macros", type=Path, required=True, help="csv file of silicon points")
    parser.add_argument("--profile", default="published", help="shipped profile or TOML file")
    args = parser.parse_args()
    with args.macros.open(newline="", encoding="utf-8") as file:
        found = fit(list(csv.DictReader(file)), args.profile)
    print(json.dumps({k: float(f"{v:.3g}") for k, v in found.values.items()}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
