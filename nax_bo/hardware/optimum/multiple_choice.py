"""Exact choice of one option per group when quantities add up: a multiple-choice knapsack with product objectives.

Branch and bound over boxes of totals: within a box the objective has a linear lower bound, whose minimum separates
by group; a Lagrange multiplier prices the area cap. Options that no better solution can contain are fixed away, and
a dynamic programme over non-dominated partial sums settles what is left. The result is optimal up to a relative
rounding of 1e-12. Background: Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004, chapter 11,
doi:10.1007/978-3-540-24777-7.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.optimum.objective import AREA, Floats, Objective

_TOLERANCE = 1e-12
_FEW_STATES = 100
_MORE_STATES = 10
_NARROW = 0.02
_BLOCK = 256
_BISECTIONS = 20

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """An optimal selection.

    Attributes:
        picks: Option of each group.
        totals: Sums of area, latency, energy, leakage, with the base.
        value: The objective there.
    """

    picks: tuple[int, ...]
    totals: Floats
    value: float


def choose(
    groups: Sequence[Floats],
    objective: Objective,
    *,
    base: Floats | None = None,
    max_area_um2: float = np.inf,
    at_most: float = np.inf,
) -> Choice | None:
    """The options, one per group, whose totals minimise the objective; ties go to the first found.

    Args:
        groups: One array ``options x 4`` per group (columns of :mod:`.objective`), none negative.
        objective: What to minimise.
        base: Totals that are there whatever is chosen, length 4.
        max_area_um2: Upper limit of the total area.
        at_most: Only values below this are of interest; stops early when there are none.

    Returns:
        The optimum, or None if no selection meets the limits.

    Raises:
        InputError: A group is empty or has negative or non-finite quantities, or a factor of a product objective may
            be zero.
    """
    for i, rows in enumerate(groups):
        if (
            rows.ndim != 2
            or rows.shape[1] != 4
            or not len(rows)
            or not (rows >= 0).all()
            or np.isinf(rows).any()
        ):
            raise InputError(
                f"group {i} of shape {rows.shape} is not a table of options",
                "Give rows of (area, latency, energy, leakage), finite and not negative.",
            )
    fixed = np.zeros(4) if base is None else base
    least = fixed + sum((rows.min(axis=0) for rows in groups), np.zeros(4))
    if objective.is_product and not objective.value(least) > 0:
        raise InputError(
            f"{objective.name!r} of totals that may be zero: {least.tolist()}",
            "Minimise the quantities that are positive.",
        )
    search = _Search(groups, objective, fixed, max_area_um2, at_most)
    return search.run()


@dataclass
class _Search:
    groups: Sequence[Floats]
    objective: Objective
    base: Floats
    cap: float
    at_most: float
    matters: tuple[int, ...] = field(init=False)  # columns that can make one sum better than another
    table: Floats = field(init=False)  # groups x options x 4, padded with inf
    best_value: float = field(init=False)
    examined: int = 0
    best: Choice | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.matters = self.objective.columns
        if np.isfinite(self.cap):
            self.matters = tuple(sorted({*self.matters, AREA}))
        width = max(map(len, self.groups), default=0)
        self.table = np.full((len(self.groups), width, 4), np.inf)
        for rows, slot in zip(self.groups, self.table, strict=True):
            keep = non_dominated(rows[:, self.matters])
            slot[keep] = rows[keep]
        self.best_value = self.at_most

    def run(self) -> Choice | None:
        low = self.base + self.table.min(axis=1).sum(axis=0)
        finite = np.where(np.isinf(self.table), -np.inf, self.table)
        high = self.base + finite.max(axis=1).sum(axis=0)
        self._offer(np.argmin(self.table[:, :, AREA], axis=1))
        high[AREA] = min(high[AREA], self.cap)
        if low[AREA] > self.cap * (1 + _TOLERANCE):
            return None
        counter = itertools.count()
        boxes = [(-np.inf, next(counter), low, np.maximum(high, low))]
        while boxes:
            bound, _, low, high = heapq.heappop(boxes)
            if self._beaten(bound):
                break
            for part in self._halves(low, high) if np.isfinite(bound) else [(low, high)]:
                node = self._examine(*part)
                if node is not None:
                    heapq.heappush(boxes, (node, next(counter), *part))
        return self.best

    def _beaten(self, bound: float) -> bool:
        if not np.isfinite(self.best_value):
            return False
        limit = float(self.objective.score_of(np.asarray(self.best_value)))
        return bound >= limit - _TOLERANCE * max(1.0, abs(limit))

    def _offer(self, picks: Ints) -> None:
        totals = self._totals(picks)
        value = float(self.objective.value(totals))
        if totals[AREA] <= self.cap * (1 + _TOLERANCE) and value < self.best_value:
            self.best_value = value
            self.best = Choice(tuple(int(p) for p in picks), totals, value)

    def _totals(self, picks: Ints) -> Floats:
        return np.asarray(self.base + self.table[np.arange(len(picks)), picks].sum(axis=0))

    def _halves(self, low: Floats, high: Floats) -> list[tuple[Floats, Floats]]:
        column = int(np.argmax(self.objective.spread(low, high)))
        middle = np.sqrt(max(low[column], 1e-3 * high[column]) * high[column])
        upper_low, lower_high = low.copy(), high.copy()
        upper_low[column] = lower_high[column] = middle
        return [(low, lower_high), (upper_low, high)]

    def _examine(self, low: Floats, high: Floats) -> float | None:
        """Lower bound of the box if it must be split further; None once it is settled."""
        bounds = self.objective.lower_bounds(low, high)
        prices, bound = max(
            (self._prices(slopes, constant + float(slopes @ self.base)) for constant, slopes in bounds),
            key=lambda pair: pair[1],
        )
        if self._beaten(bound):
            return None
        costs = np.where(np.isinf(self.table[:, :, 0]), np.inf, _dot(self.table, prices))
        self._improve(np.argmin(costs, axis=1))
        if self._beaten(bound):
            return None
        slack = self._limit() - bound
        excess = costs - costs.min(axis=1, keepdims=True)
        alive = (
            excess <= slack + _TOLERANCE * max(1.0, abs(bound)) if np.isfinite(slack) else np.isfinite(costs)
        )
        self.examined += 1
        few = _FEW_STATES + _MORE_STATES * self.examined  # boxes that keep coming ask for more work in each
        most = np.inf if self.objective.spread(low, high).max() <= _NARROW else few
        settled = self._settle(alive, costs, bound - float(costs.min(axis=1).sum()), most, low, high)
        return None if settled else bound

    def _limit(self) -> float:
        return (
            float(self.objective.score_of(np.asarray(self.best_value)))
            if np.isfinite(self.best_value)
            else np.inf
        )

    def _prices(self, slopes: Floats, constant: float) -> tuple[Floats, float]:
        """Slopes plus the area multiplier that gives the best bound, and that bound."""
        room = self.cap - self.base[AREA]

        def at(multiplier: float) -> tuple[Floats, float, float]:
            prices = slopes.copy()
            prices[AREA] += multiplier
            costs = np.where(np.isinf(self.table[:, :, 0]), np.inf, _dot(self.table, prices))
            picks = np.argmin(costs, axis=1)
            rows = np.arange(len(picks))
            area = float(self.table[rows, picks, AREA].sum())
            return (
                prices,
                constant + float(costs[rows, picks].sum()) - multiplier * (room if multiplier else 0.0),
                area,
            )

        prices, bound, area = at(0.0)
        if not np.isfinite(room) or area <= room:
            return prices, bound
        small, large = 0.0, max(float(slopes.max()), 1e-12)
        best = (prices, bound)
        for _ in range(200):
            prices, bound, area = at(large)
            best = max(best, (prices, bound), key=lambda pair: pair[1])
            if area <= room:
                break
            small, large = large, 4 * large
        for _ in range(_BISECTIONS):
            middle = (small + large) / 2
            prices, bound, area = at(middle)
            best = max(best, (prices, bound), key=lambda pair: pair[1])
            small, large = (middle, large) if area > room else (small, middle)
        return best

    def _improve(self, picks: Ints) -> None:
        """Offer ``picks`` after the best single changes, feasible ones first."""
        rows = np.arange(len(picks))
        totals = self._totals(picks)
        for _ in range(4 * len(picks)):
            moved = totals + self.table - self.table[rows, picks][:, None]
            with np.errstate(invalid="ignore"):
                over = np.maximum(moved[:, :, AREA] - self.cap, 0.0) if np.isfinite(self.cap) else 0.0
                values = np.where(np.isinf(self.table[:, :, 0]), np.inf, self.objective.value(moved))
                values = (
                    np.where(over > self.cap * _TOLERANCE, np.inf, values)
                    if np.isfinite(self.cap)
                    else values
                )
            group, option = np.unravel_index(int(np.argmin(values)), values.shape)
            now = (
                float(self.objective.value(totals)) if totals[AREA] <= self.cap * (1 + _TOLERANCE) else np.inf
            )
            if not values[group, option] < now:
                break
            totals = moved[group, option]
            picks = picks.copy()
            picks[group] = option
        self._offer(picks)

    def _settle(
        self, alive: NDArray[np.bool_], costs: Floats, offset: float, most: float, low: Floats, high: Floats
    ) -> bool:
        """Dynamic programme over the options that are left; False if it would need more than ``most`` states.

        Sums that cannot end in the box are dropped: they end in another one.
        """
        order = np.argsort(alive.sum(axis=1), kind="stable")
        rest_cost = _rests(costs.min(axis=1)[order])
        left = np.where(alive[:, :, None], self.table, np.nan)[order]
        least, greatest = _rests(np.nanmin(left, axis=1)), _rests(np.nanmax(left, axis=1))
        low, high = low - 1e-9 * high, high * (1 + 1e-9)
        # equal sums in another order differ in the last digits only: compare on a fine grid
        grid = np.maximum(
            1e-13 * (self.base + self.table.min(axis=1).sum(axis=0))[list(self.matters)], 1e-300
        )
        totals, spent = self.base[None].copy(), np.zeros(1)
        trail: list[tuple[Ints, Ints]] = []
        for step, group in enumerate(order):
            options = np.flatnonzero(alive[group])
            if len(totals) * len(options) > 10 * most:
                return False
            parents = np.repeat(np.arange(len(totals)), len(options))
            picked = np.tile(options, len(totals))
            totals = totals[parents] + self.table[group, picked]
            spent = spent[parents] + costs[group, picked]
            good = totals[:, AREA] + least[step, AREA] <= self.cap * (1 + _TOLERANCE)
            good &= (totals + least[step] <= high)[:, self.matters].all(axis=1)
            good &= (totals + greatest[step] >= low)[:, self.matters].all(axis=1)
            good &= self._promising(spent + rest_cost[step] + offset, totals + least[step])
            kept = np.flatnonzero(good)
            kept = kept[non_dominated(np.round(totals[kept][:, self.matters] / grid))]
            if not len(kept):
                return True
            if len(kept) > most:
                return False
            totals, spent = totals[kept], spent[kept]
            trail.append((parents[kept], picked[kept]))
        self._walk_back(int(np.argmin(self.objective.value(totals))), order, trail)
        return True

    def _promising(self, bounds: Floats, at_least: Floats) -> NDArray[np.bool_]:
        limit = self._limit()
        if not np.isfinite(limit):
            return np.ones(len(bounds), dtype=bool)
        margin = _TOLERANCE * max(1.0, abs(limit))
        return np.asarray((bounds < limit + margin) & (self.objective.value(at_least) < self.best_value))

    def _walk_back(self, state: int, order: Ints, trail: list[tuple[Ints, Ints]]) -> None:
        picks = np.zeros(len(order), dtype=np.int64)
        for group, (parents, options) in zip(order[::-1], trail[::-1], strict=True):
            picks[group] = options[state]
            state = int(parents[state])
        self._offer(picks)


def _rests(terms: Floats) -> Floats:
    """Sums of the terms after each step."""
    return np.asarray(terms.sum(axis=0) - np.cumsum(terms, axis=0))


def non_dominated(rows: Floats) -> Ints:
    """Indices of rows that no other row equals or beats in all columns; of equal rows the first stays."""
    order = np.lexsort(rows.T[::-1])
    points = rows[order]
    varying: list[int] = list(np.flatnonzero(np.ptp(points, axis=0))) if len(points) else []
    if len(varying) <= 2:
        # sorted by the first varying column, a row stays when it improves on all before it in the second
        last = points[:, varying[-1]] if len(varying) else np.zeros(len(points))
        before = np.concatenate([[np.inf], np.minimum.accumulate(last)[:-1]])
        return np.sort(order[last < before]) if len(points) else order
    front = np.zeros((0, rows.shape[1]))
    alive = np.zeros(len(points), dtype=bool)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        good = np.flatnonzero(~_covered(block, front).any(axis=0))
        earlier = np.tri(len(good), k=-1, dtype=bool).T  # a row can only be covered by one sorted before it
        good = good[~(_covered(block[good], block[good]) & earlier).any(axis=0)]
        alive[start + good] = True
        front = np.concatenate([front, block[good]])
    return np.sort(order[alive])


def _covered(rows: Floats, by: Floats) -> NDArray[np.bool_]:
    """Whether each of ``by`` (first axis) equals or beats each of ``rows`` (second axis) in all columns."""
    out = np.ones((len(by), len(rows)), dtype=bool)
    for column in range(rows.shape[1]):
        out &= by[:, None, column] <= rows[None, :, column]
    return out


def _dot(table: Floats, prices: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(table @ prices)
