"""Cost-only variables of a space, solved for many designs at once: quickly for a search, exactly for what is evaluated.

Given a clock, area, latency, dynamic energy and leakage add up over layers. A block of variables (:mod:`.blocks`) has
one row of these four per option; all blocks take their first, second, ... option together, so one pricing per option
fills the tables of all. The logarithm of a product of totals is concave: weighing the four by its gradient at the
present totals, and taking the best option of every block, does not make it worse (majorisation, Hunter and Lange 2004,
doi:10.1198/0003130042836; exact but for leakage times latency). Six starts between small and quick chips, at the
quickest and at the slowest clock, and then the best single change, nearly always end at the optimum; the results of
both clocks are priced as whole designs. Variables of the chip are taken in turns, each at its best while the others
stay.

:meth:`InnerOptimum.exact` solves the tables by :func:`.multiple_choice.choose`, for every clock and, where there are
few, every combination of the chip's variables.
Not additive, and therefore judged on whole designs only: the way between more tiles, chips with too few tiles, and the
latency of pipelined chips, whose slots are weighed by how near they are to the slowest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.optimum.blocks import Blocks, Describe, Ints, find_blocks
from nax_bo.hardware.optimum.multiple_choice import choose
from nax_bo.hardware.optimum.objective import Objective, ObjectiveName
from nax_bo.hardware.pricing.priced import SlotTerms
from nax_bo.hardware.report import CostBatch
from nax_bo.hardware.workload import Workload

Floats = NDArray[np.float64]
Score = Callable[[CostBatch], Floats]
"""Costs of designs to numbers, less being better; it may use energy, latency, area and what follows from them."""

FEW = 48
"""So many combinations are simply all priced."""
_CHUNK = 1024
_DESCENTS = 2
_CHANGES = 1
_TURNS = 4
_MOST_SHARED = 64
AREA, LATENCY, ENERGY, LEAKAGE = range(4)


@runtime_checkable
class SlotPricing(Protocol):
    """A cost model that prices slots by themselves."""

    def slot_terms(self, workload: Workload, periods_ns: Floats) -> SlotTerms:
        """Terms of every slot at clock periods n x C."""
        ...

    def slot_clocks(self, workload: Workload) -> Floats:
        """Shortest clock period of every slot, n x L."""
        ...


@dataclass(frozen=True)
class Goal:
    """What cost-only variables are solved for.

    Attributes:
        score: Limits included.
        exponents: Of area, latency and energy in the product that the score follows within the limits.
        limited: Whether there are limits.
        max_area_um2: The limit of the area, for the exact solution.
    """

    score: Score
    exponents: tuple[float, float, float] = (1.0, 1.0, 1.0)
    limited: bool = False
    max_area_um2: float = np.inf

    @property
    def objective(self) -> ObjectiveName | None:
        """The name of the product, if it has one."""
        names: dict[tuple[float, float, float], ObjectiveName] = {
            (1, 1, 1): "edap", (0, 1, 1): "edp", (0, 0, 1): "energy", (0, 1, 0): "latency", (1, 0, 0): "area",
        }  # fmt: skip
        return names.get(self.exponents)


@dataclass(frozen=True)
class InnerOptimum:
    """Solves the cost-only variables of index vectors.

    Attributes:
        scores: Scores of whole designs, ``n`` for index vectors ``n x d``; less is better.
        pricing: Prices slots; None if the cost model cannot, and all variables are taken in turns.
        describe: Index vectors to workloads.
        cardinalities: Values of each variable.
        hidden: Columns of the cost-only variables.
        sample: Some designs of the space, to see what variables change.
        goal: What is best.
    """

    scores: Callable[[Ints], Floats]
    pricing: SlotPricing | None
    describe: Describe
    cardinalities: Ints
    hidden: tuple[int, ...]
    sample: Ints
    goal: Goal

    @cached_property
    def blocks(self) -> Blocks:
        """Variables by what they decide; without slot pricing all are the chip's."""
        if self.pricing is None:
            return Blocks((), tuple(self.hidden))
        return find_blocks(self.describe, self.sample, self.cardinalities, self.hidden)

    def solve(self, x: Ints) -> Ints:
        """Index vectors with their cost-only variables at, or very near, the best; these depend on the rest alone."""
        out = x.copy()
        if not self.hidden or not len(x):
            return out
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._solve(x[part])
        return out

    def exact(self, x: Ints) -> Ints:
        """The same solved exactly, one design after another; never worse than :meth:`solve`."""
        out = self.solve(x)
        if self._combinations <= FEW or not self.blocks.blocks:
            return out
        for row in range(len(out)):
            found = [out[row], *self._exact(out[row])]
            whole = np.array(found)
            out[row] = whole[int(np.argmin(self.scores(whole)))]
        return out

    @property
    def _combinations(self) -> int:
        return prod(int(self.cardinalities[c]) for c in self.hidden)

    def _solve(self, x: Ints) -> Ints:
        x = x.copy()
        x[:, list(self.hidden)] = 0
        if self._combinations <= FEW:
            return self._best_of(self._each(x, self.hidden))
        if not self.blocks.blocks:
            return self._turns(x, _TURNS)
        places = self.blocks.place(self.describe, x)
        x = self._layers(x, places)
        if not self.blocks.shared:
            return x
        for _ in range(2):
            turned = self._turns(x, 1)
            moved = (turned != x).any(axis=1)
            x = turned
            if not moved.any():
                break
            again = x.copy()
            again[moved] = self._layers(x[moved], places[moved])
            x = self._best_of([x, again])
        return x

    def _each(self, x: Ints, columns: Sequence[int]) -> Iterator[Ints]:
        """The designs with every combination of some variables."""
        for values in itertools.product(*(range(int(self.cardinalities[c])) for c in columns)):
            y = x.copy()
            y[:, list(columns)] = values
            yield y

    def _best_of(self, candidates: Iterator[Ints] | Sequence[Ints]) -> Ints:
        best, least = None, np.zeros(0)
        for x in candidates:
            scores = self.scores(x)
            if best is None:
                best, least = x, scores
            else:
                better = scores < least
                best, least = np.where(better[:, None], x, best), np.where(better, scores, least)
        assert best is not None
        return best

    def _turns(self, x: Ints, rounds: int) -> Ints:
        """The chip's variables one after another, each at its best while the others stay."""
        for _ in range(rounds):
            before = x
            for column in self.blocks.shared:
                x = self._best_of(self._each(x, (column,)))
            if np.array_equal(before, x):
                break
        return x

    def _layers(self, x: Ints, places: Ints) -> Ints:
        """Every block at its best while the chip's variables stay."""
        tables = _Tables.read(self, x, places)
        return self._best_of([self._with(x, picks) for picks in tables.choices(self.goal)])

    def _with(self, x: Ints, picks: Ints) -> Ints:
        """Designs with the options ``picks``, n x blocks."""
        y = x.copy()
        for i, block in enumerate(self.blocks.blocks):
            y[:, block.columns] = block.options[picks[:, i]]
        return y

    def _exact(self, row: Ints) -> Iterator[Ints]:
        shared = self.blocks.shared
        few = prod(int(self.cardinalities[c]) for c in shared) <= _MOST_SHARED
        name = self.goal.objective
        if name is None:
            return
        for x in self._each(row[None], shared) if few else [row[None]]:
            places = self.blocks.place(self.describe, x)
            tables = _Tables.read(self, x, places, every_clock=True)
            for picks in tables.exact(Objective(name), self.goal.max_area_um2):
                yield self._with(x, picks[None])[0]


@dataclass(frozen=True)
class _Tables:
    """Quantities of options: n designs, B blocks, K options, C clocks.

    Attributes:
        terms: By clock, n x 4 x B x K: area, latency, energy, leakage; infinite where an option is too slow.
        rest: By clock, n x 4: what no block decides.
        macs: n.
        pipelined: n.
    """

    terms: tuple[Floats, ...]
    rest: tuple[Floats, ...]
    macs: Floats
    pipelined: NDArray[np.bool_]

    @classmethod
    def read(cls, inner: InnerOptimum, x: Ints, places: Ints, every_clock: bool = False) -> _Tables:
        """Prices of all options, all blocks taking theirs together."""
        model, blocks = inner.pricing, inner.blocks.blocks
        assert model is not None
        options = max(len(block.options) for block in blocks)
        picks = [np.array([k % len(b.options) for b in blocks]) for k in range(options)]
        works = [inner.describe(inner._with(x, np.tile(row, (len(x), 1)))) for row in picks]
        member = (places[:, :, None] == np.arange(1, len(blocks) + 1)).astype(float)
        alone = (places == 0).astype(float)
        needs = np.stack([(model.slot_clocks(w)[:, :, None] * member).max(axis=1) for w in works], axis=2)
        fixed_ns = (model.slot_clocks(works[0]) * alone).max(axis=1)
        base_ns = np.maximum(1.0 / works[0].clock_ghz[:, 0], fixed_ns)
        clocks = _clocks(needs, base_ns, every_clock)
        terms = np.empty((clocks.shape[1], len(x), 4, len(blocks), options))
        rest = np.zeros((clocks.shape[1], len(x), 4))
        for k, w in enumerate(works):
            found = model.slot_terms(w, clocks)
            static = np.stack([found.area_um2, found.energy_pj, found.leakage_mw], axis=1) @ member
            for c, latency in enumerate(found.latency_ns):
                terms[c, :, AREA, :, k] = static[:, 0]
                terms[c, :, LATENCY, :, k] = (latency[:, None] @ member)[:, 0]
                terms[c, :, ENERGY, :, k] = static[:, 1]
                terms[c, :, LEAKAGE, :, k] = static[:, 2]
                if k == 0:
                    rest[c, :, AREA] = (found.area_um2 * alone).sum(axis=1) + found.shared_um2
                    rest[c, :, LATENCY] = (latency * alone).sum(axis=1)
                    rest[c, :, ENERGY] = (found.energy_pj * alone).sum(axis=1)
                    rest[c, :, LEAKAGE] = (found.leakage_mw * alone).sum(axis=1) + found.shared_mw
        beyond = np.arange(options) >= np.array([len(b.options) for b in blocks])[:, None]
        for c in range(clocks.shape[1]):
            slow = needs > clocks[:, c, None, None] * (1 + 1e-12)
            terms[c][np.broadcast_to((slow | beyond)[:, None], terms[c].shape)] = np.inf
        w = works[0]
        macs = (w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind > 0)).sum(axis=1)
        pipelined = np.broadcast_to(w.pipelined[:, 0] != 0, len(x))
        return cls(tuple(terms), tuple(rest), np.broadcast_to(macs, len(x)), pipelined)

    def choices(self, goal: Goal) -> list[Ints]:
        """The best picks found at each clock, n x B each."""
        return [self._at_clock(c, goal) for c in range(len(self.terms))]

    def exact(self, objective: Objective, max_area_um2: float) -> Iterator[Ints]:
        """The optimal picks of the first design at each clock, B each."""
        for terms, rest in zip(self.terms, self.rest, strict=True):
            groups, kept = [], []
            for block in terms[0].transpose(1, 2, 0):
                rows = np.flatnonzero(np.isfinite(block[:, AREA]))
                groups.append(block[rows])
                kept.append(rows)
            if all(map(len, kept)) and (
                found := choose(groups, objective, base=rest[0], max_area_um2=max_area_um2)
            ):
                yield np.array([rows[i] for rows, i in zip(kept, found.picks, strict=True)])

    def _at_clock(self, clock: int, goal: Goal) -> Ints:
        terms, rest = self.terms[clock], self.rest[clock]
        flat = terms.reshape(len(terms), 4, -1)
        safe = np.where(np.isfinite(flat), flat, 0.0)
        blocked = ~np.isfinite(flat[:, 0]).reshape(len(terms), *terms.shape[2:])
        mean = np.maximum(safe.mean(axis=2), 1e-300)
        best, least = None, np.zeros(0)
        for start, exponents in _starts(goal):
            weights = np.array(start)[None] / mean
            for _ in range(_DESCENTS):
                picks = self._pick(safe, blocked, weights)
                totals = self._totals(safe, rest, picks, blocked.shape)
                weights = _gradient(totals, exponents)
            scores = goal.score(self._batch(totals))
            if best is None:
                best, least = picks, scores
            else:
                better = scores < least
                best, least = np.where(better[:, None], picks, best), np.where(better, scores, least)
        assert best is not None
        return self._refined(safe, rest, blocked, best, least, goal)

    def _refined(
        self, safe: Floats, rest: Floats, blocked: NDArray[np.bool_], picks: Ints, least: Floats, goal: Goal
    ) -> Ints:
        """Picks after their best single changes, one per round: what no weights single out."""
        n, blocks, options = blocked.shape
        rows = np.arange(n)
        for _ in range(_CHANGES):
            totals = self._totals(safe, rest, picks, blocked.shape)
            without = totals[:, :, None] - _chosen(safe, picks, options)
            moved = (without[:, :, :, None] + safe.reshape(n, 4, blocks, options)).reshape(n, 4, -1)
            moved = np.where(blocked.reshape(n, 1, -1), totals[:, :, None], moved)
            batch = self._batch(moved.transpose(0, 2, 1).reshape(-1, 4), blocks * options)
            scores = goal.score(batch).reshape(n, -1)
            scores[blocked.reshape(n, -1)] = np.inf
            change = scores.argmin(axis=1)
            better = np.flatnonzero((scores[rows, change] < least) & ~self.pipelined)
            if not len(better):
                break
            picks = picks.copy()
            picks[better, change[better] // options] = change[better] % options
            least = np.where(scores[rows, change] < least, scores[rows, change], least)
        return picks

    def _pick(self, safe: Floats, blocked: NDArray[np.bool_], weights: Floats) -> Ints:
        costs = (weights[:, None] @ safe).reshape(blocked.shape)
        costs[blocked] = np.inf
        return np.asarray(costs.argmin(axis=2))

    def _totals(self, safe: Floats, rest: Floats, picks: Ints, shape: tuple[int, ...]) -> Floats:
        chosen = _chosen(safe, picks, shape[2])
        totals = rest + chosen.sum(axis=2)
        if self.pipelined.any():
            slowest = chosen[:, LATENCY].max(axis=1)
            totals[:, LATENCY] = np.where(self.pipelined, slowest, totals[:, LATENCY])
        return np.asarray(totals)

    def _batch(self, totals: Floats, repeats: int = 1) -> CostBatch:
        zero = np.zeros(len(totals))
        leakage = totals[:, LEAKAGE] * totals[:, LATENCY]
        return CostBatch(
            energy_pj=totals[:, ENERGY] + leakage,
            latency_ns=totals[:, LATENCY],
            area_um2=totals[:, AREA],
            leakage_pj=leakage,
            response_ns=totals[:, LATENCY],
            period_ns=zero,
            macs=np.repeat(self.macs, repeats),
            utilisation=zero + 1.0,
            unplaced_bits=zero,
            missing_tiles=zero,
        )


def _chosen(flat: Floats, picks: Ints, options: int) -> Floats:
    """Terms of the picked options, n x 4 x B, of all, n x 4 x (B options)."""
    at = picks + np.arange(picks.shape[1]) * options
    chosen: Floats = flat[np.arange(len(flat))[:, None, None], np.arange(4)[None, :, None], at[:, None]]
    return chosen


def _clocks(needs: Floats, base_ns: Floats, every: bool) -> Floats:
    """Clock periods to try, n x C: the quickest possible, and the slowest that an option asks for.

    ``every``: all periods that make a difference, for a single design.
    """
    quickest = np.maximum(base_ns, needs.min(axis=2).max(axis=1))
    slowest = np.maximum(quickest, needs.reshape(len(needs), -1).max(axis=1))
    if every:
        own = needs[0][needs[0] > quickest[0]]
        return np.unique(np.concatenate([quickest[:1], own]))[None]
    return np.stack([quickest, slowest], axis=1)


def _starts(goal: Goal) -> Iterator[tuple[tuple[float, ...], tuple[float, float, float]]]:
    """First weights of area, latency, energy and leakage, and the exponents to descend with.

    Small chips and quick ones, and what lies between, lead to most of the local optima of a product.
    """
    plain = goal.exponents
    for area, latency in ((1.0, 0.05), (1.0, 0.2), (1.0, 0.5), (0.5, 1.0), (0.2, 1.0), (0.05, 1.0)):
        yield (area, latency, 0.1, 0.0), plain
    if goal.limited:
        for tilt, i in itertools.product((4.0, 16.0, 256.0), range(3)):
            tilted = [e + tilt * (j == i) for j, e in enumerate(plain)]
            yield (*tilted, 0.0), (tilted[0], tilted[1], tilted[2])


def _gradient(totals: Floats, exponents: tuple[float, float, float]) -> Floats:
    """Gradient of the logarithm of area^a latency^b energy^c at totals, n x 4."""
    area, latency, energy = exponents
    t, leak = totals[:, LATENCY], totals[:, LEAKAGE]
    whole = np.maximum(totals[:, ENERGY] + leak * t, 1e-300)
    gradient: Floats = np.stack(
        [
            area / np.maximum(totals[:, AREA], 1e-300),
            latency / np.maximum(t, 1e-300) + energy * leak / whole,
            energy / whole,
            energy * t / whole,
        ],
        axis=1,
    )
    return gradient
