"""Synthetic mixed problems with known truth, on which surrogates are compared and checked.

They mimic what learned objectives of co-design look like (saturating effects, interactions along the chain
of layers, thresholds, noise that depends on the design), not any particular chip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nax_bo.surrogate.protocol import Array, Column

ProxyKind = Literal["useful", "useless", "adversarial"]
LEVELS = 4


@dataclass(frozen=True)
class Problem:
    """A synthetic problem.

    Attributes:
        name: Name of the problem.
        columns: Its variables.
        truth: Noise-free outcome ``n`` of level indices ``n x d``.
        noise_std: Standard deviation of the noise, ``n``, of level indices ``n x d``.
    """

    name: str
    columns: tuple[Column, ...]
    truth: Callable[[NDArray[np.int64]], Array]
    noise_std: Callable[[NDArray[np.int64]], Array]


@dataclass(frozen=True)
class Sample:
    """Designs of a problem: inputs ``X: n x d``, noise-free ``truth: n x 1``, noisy ``Y``, variances ``Yvar``."""

    columns: tuple[Column, ...]
    X: Array
    truth: Array
    Y: Array
    Yvar: Array


def draw(problem: Problem, n: int, seed: int, *, proxy: ProxyKind | None = None, short: int = 0) -> Sample:
    """``n`` random designs with noisy full outcomes, and ``short`` further ones at fidelity 0.

    Args:
        problem: From :data:`PROBLEMS`.
        n: Designs at full fidelity.
        seed: Of designs, noise and proxy.
        proxy: Add a proxy column: ``useful`` (correlates at about 0.9), ``useless`` (noise), or
            ``adversarial`` (falls as the outcome rises).
        short: Cheap evaluations: compressed, shifted, with a part of their own and three times the noise.
            With any, a fidelity column is added.
    """
    rng = np.random.default_rng([seed, n, short])
    levels = rng.integers(0, LEVELS, (n + short, len(problem.columns)))
    truth, noise_std = problem.truth(levels), problem.noise_std(levels)
    spread = float(truth[: max(n, 2)].std()) or 1.0
    full = np.arange(n + short) < n
    own = np.sin(levels[:, 0] + 2.0 * levels[:, 1]) * 0.25 * spread
    truth = np.where(full, truth, 0.7 * truth - 1.0 + own)
    noise_std = np.where(full, noise_std, 3.0 * noise_std)
    outcome = truth + noise_std * rng.standard_normal(n + short)
    ordinal = np.array([c.kind == "ordinal" for c in problem.columns])
    x = np.where(ordinal, levels / (LEVELS - 1), levels)
    columns = problem.columns
    if proxy is not None:
        x = np.column_stack([x, _proxy(proxy, truth, rng)])
        columns = (*columns, Column("proxy", "proxy"))
    if short:
        x = np.column_stack([x, full.astype(float)])
        columns = (*columns, Column("fidelity", "fidelity", 2))
    return Sample(columns, x, truth[:, None], outcome[:, None], (noise_std**2)[:, None])


def _proxy(kind: ProxyKind, truth: Array, rng: np.random.Generator) -> Array:
    noise = rng.standard_normal(len(truth))
    scaled = (truth - truth.mean()) / (truth.std() or 1.0)
    if kind == "useless":
        return noise
    sign = 1.0 if kind == "useful" else -1.0
    return np.asarray(50.0 + 10.0 * sign * (np.tanh(0.7 * scaled) + 0.25 * noise))


def _columns(d: int) -> tuple[Column, ...]:
    kinds = ("ordinal", "ordinal", "categorical")
    return tuple(Column(f"v{i}", kinds[i % 3], LEVELS) for i in range(d))  # type: ignore[arg-type]


_CODE = np.array([0.0, 0.9, 0.2, -0.6])
"""Effect of each category: no order in it."""


def _effects(levels: NDArray[np.int64]) -> Array:
    ordinal = levels / (LEVELS - 1)
    categorical = np.arange(levels.shape[1]) % 3 == 2
    return np.where(categorical, _CODE[levels], ordinal)


def _weights(d: int, decay: float) -> Array:
    return np.asarray(np.random.default_rng(d).choice([-1.0, 1.0], d) * np.exp(-np.arange(d) / decay))


def _smooth(levels: NDArray[np.int64]) -> Array:
    e = _effects(levels)
    return np.asarray(3.0 * np.tanh(0.6 * e @ _weights(e.shape[1], 6.0)) + 0.4 * (e[:, 0] - 0.4) ** 2)


def _interacting(levels: NDArray[np.int64]) -> Array:
    e = _effects(levels)
    pairs = e[:, :-1] * e[:, 1:]
    return np.asarray(e @ _weights(e.shape[1], 8.0) + 1.5 * pairs @ _weights(e.shape[1] - 1, 4.0))


def _treelike(levels: NDArray[np.int64]) -> Array:
    gate = np.where(levels[:, 0] >= 2, 2.0, 0.0) + np.where(
        (levels[:, 2] == 1) | (levels[:, 2] == 3), 1.0, 0.0
    )
    inner = np.where(levels[:, 0] >= 2, levels[:, 3] >= 1, levels[:, 4] >= 2) * 1.2
    rest = (levels[:, 5:] >= 2) @ _weights(levels.shape[1] - 5, 5.0) * 0.5
    return np.asarray(gate + inner + rest)


def _wide(levels: NDArray[np.int64]) -> Array:
    e = _effects(levels)
    return np.asarray(np.log1p(np.exp(e @ _weights(e.shape[1], 12.0))) + 0.8 * e[:, 1] * e[:, 2])


def _constant_noise(std: float) -> Callable[[NDArray[np.int64]], Array]:
    return lambda levels: np.full(len(levels), std)


def _fragile(levels: NDArray[np.int64]) -> Array:
    return np.asarray(0.03 + 0.5 * (levels[:, 3] == 0))


PROBLEMS: dict[str, Problem] = {
    p.name: p
    for p in (
        Problem("smooth16", _columns(16), _smooth, _constant_noise(0.03)),
        Problem("interacting24", _columns(24), _interacting, _constant_noise(0.05)),
        Problem("treelike20", _columns(20), _treelike, _constant_noise(0.05)),
        Problem("fragile32", _columns(32), _interacting, _fragile),
        Problem("wide64", _columns(64), _wide, _constant_noise(0.03)),
    )
}
