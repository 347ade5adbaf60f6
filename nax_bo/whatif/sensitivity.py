"""Which settings matter: one at a time around a chip, and variance-based over a whole range of chips."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.report import CostBatch
from nax_bo.network.spec import NetworkSpec
from nax_bo.notebook import table_html
from nax_bo.outcomes import MAIN_COSTS, priced
from nax_bo.whatif.designs import Model, Row, metrics, price
from nax_bo.whatif.settings import Sweep, apply_settings

OUTPUTS = MAIN_COSTS
"""What sensitivities are computed for."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BOOTSTRAPS = 200


@dataclass(frozen=True)
class Sensitivity:
    """How outputs depend on settings.

    Attributes:
        method: ``"one-at-a-time"``, ``"sobol exact"`` or ``"sobol sampled"``.
        evaluations: Designs priced.
        table: Rows as in :meth:`rows`.
        details: One row per priced design (one at a time), else empty.
    """

    method: str
    evaluations: int
    table: tuple[Row, ...]
    details: tuple[Row, ...] = ()

    def rows(self) -> list[Row]:
        """One row per setting and output, the most influential first within an output."""
        return [dict(row) for row in self.table]

    def _repr_html_(self) -> str:
        return table_html(self.rows(), f"{self.method}, {self.evaluations} designs priced")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "method": self.method,
            "evaluations": self.evaluations,
            "sensitivities": self.rows(),
            "designs": [dict(row) for row in self.details],
        }


def one_at_a_time(
    network: NetworkSpec, chip: ChipSpec, axes: Sequence[Sweep], model: Model = "published"
) -> Sensitivity:
    """Change one setting at a time, everything else as in ``chip``.

    Rows hold the smallest and largest ratio to the chip as it is, and ``swing``, the largest over the smallest.
    Interactions are invisible here; :func:`sobol` shows them.

    Raises:
        InputError: No axes, or a value that does not fit the chip.
    """
    _check(axes)
    settings = [setting for axis in axes for setting in axis.settings]
    chips = [chip, *(apply_settings(network, chip, [setting]) for setting in settings)]
    batch = price(network, chips, model)
    outputs = _outputs(batch)
    ratios = outputs[1:] / outputs[0]
    owner = np.array([i for i, axis in enumerate(axes) for _ in axis.settings])
    table = [
        {
            "output": output,
            "setting": axis.address,
            "lowest_ratio": float(ratios[owner == i, k].min()),
            "highest_ratio": float(ratios[owner == i, k].max()),
            "swing": float(ratios[owner == i, k].max() / ratios[owner == i, k].min()),
        }
        for k, output in enumerate(OUTPUTS)
        for i, axis in enumerate(axes)
    ]
    details = [
        {"setting": setting.address, "value": setting.label.partition("=")[2], **metrics(batch, i + 1)}
        for i, setting in enumerate(settings)
    ]
    return Sensitivity("one-at-a-time", len(chips), _ranked(table, "swing"), tuple(details))


def sobol(
    network: NetworkSpec,
    chip: ChipSpec,
    axes: Sequence[Sweep],
    model: Model = "published",
    *,
    samples: int = 512,
    seed: int = 0,
) -> Sensitivity:
    """Shares of the variance of log10(output) that settings explain, over independent uniform values of each.

    ``first_order`` is what a setting explains alone, ``total`` includes its interactions. If the whole grid takes
    no more designs than sampling would, both are exact. Otherwise they are estimated from ``samples * (d + 2)``
    designs for ``d`` settings (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018, table 2: first order by
    estimator (b), total by Jansen's (f)), with the standard error over bootstrap resamples.

    Raises:
        InputError: No axes, fewer than 2 samples, or a combination that is impossible (mux above cols).
    """
    _check(axes)
    if samples < 2:
        raise InputError(f"samples = {samples}", "Use at least 2; 512 is a good start.")
    sizes = [len(axis.settings) for axis in axes]

    def evaluate(index: Ints) -> Floats:
        chips = [
            apply_settings(network, chip, [axis.settings[i] for axis, i in zip(axes, row, strict=True)])
            for row in index
        ]
        return np.log10(_outputs(price(network, chips, model)))

    if math.prod(sizes) <= samples * (len(axes) + 2):
        values = evaluate(np.array(list(itertools.product(*map(range, sizes)))))
        first, total = _exact(values.reshape(*sizes, len(OUTPUTS)))
        errors = np.zeros((2, *first.shape))
        method, count = "sobol exact", math.prod(sizes)
    else:
        rng = np.random.default_rng(seed)
        base = rng.integers(0, sizes, size=(2, samples, len(axes)))
        mixed = np.repeat(base[:1], len(axes), axis=0)
        for i in range(len(axes)):
            mixed[i, :, i] = base[1, :, i]
        values = evaluate(np.concatenate([base, mixed]).reshape(-1, len(axes)))
        values = values.reshape(len(axes) + 2, samples, len(OUTPUTS))
        first, total = _estimate(values)
        draws = rng.integers(0, samples, size=(_BOOTSTRAPS, samples))
        errors = np.std([_estimate(values[:, rows]) for rows in draws], axis=0)
        method, count = "sobol sampled", samples * (len(axes) + 2)
    table = [
        {
            "output": output,
            "setting": axis.address,
            "first_order": float(first[i, k]),
            "total": float(total[i, k]),
            "first_order_error": float(errors[0, i, k]),
            "total_error": float(errors[1, i, k]),
        }
        for k, output in enumerate(OUTPUTS)
        for i, axis in enumerate(axes)
    ]
    return Sensitivity(method, count, _ranked(table, "total"))


def _exact(values: Floats) -> tuple[Floats, Floats]:
    """First-order and total indices, d x outputs, of a full grid ``n1 x ... x nd x outputs``."""
    axes = tuple(range(values.ndim - 1))
    variance = _safe(values.var(axis=axes))
    first = [values.mean(axis=tuple(a for a in axes if a != i)).var(axis=0) / variance for i in axes]
    total = [values.var(axis=i).mean(axis=axes[:-1]) / variance for i in axes]
    return np.array(first), np.array(total)


def _estimate(values: Floats) -> tuple[Floats, Floats]:
    """The same from samples: rows A, B, then A with column i of B; ``(d + 2) x samples x outputs``."""
    a, b, mixed = values[0], values[1], values[2:]
    variance = _safe(np.var(values[:2].reshape(-1, values.shape[2]), axis=0))
    first = np.mean((b - a.mean(axis=0)) * (mixed - a), axis=1) / variance  # centring only lowers the noise
    total = np.mean((a - mixed) ** 2, axis=1) / 2 / variance
    return first, total


def _safe(variance: Floats) -> Floats:
    return np.where(variance > 1e-24, variance, np.inf)  # an output that never changes: all indices 0


def _outputs(batch: CostBatch) -> Floats:
    """:data:`OUTPUTS` of a batch, n x 4."""
    return np.column_stack(list(priced(batch, OUTPUTS).values()))


def _ranked(table: list[Row], key: str) -> tuple[Row, ...]:
    """By output, then the most influential first; outputs that the model does not define (NaN) in the order given."""
    return tuple(sorted(table, key=lambda row: (OUTPUTS.index(row["output"]), -np.nan_to_num(row[key]))))


def _check(axes: Sequence[Sweep]) -> None:
    addresses = [axis.address for axis in axes]
    if not axes or len(set(addresses)) < len(addresses):
        raise InputError(f"settings {addresses}", "Name at least one setting, each once.")
