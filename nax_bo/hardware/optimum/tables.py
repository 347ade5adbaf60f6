"""Prices of the options of cost-only variables, block by block, and the best selection from them.

The logarithm of a product of totals is concave: weighing area, latency, energy and leakage by its gradient at the
present totals, and taking the best option of every block, does not make it worse (majorisation, Hunter and Lange 2004,
doi:10.1198/0003130042836; exact but for leakage times latency, and for the latency of pipelined chips, which is
searched as if it added up and judged as what it is). Descents start between small and quick chips, at the quickest and
at the slowest clock, and end with the best single change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.optimum.blocks import Ints
from nax_bo.hardware.optimum.goal import Goal, SlotPricing
from nax_bo.hardware.optimum.multiple_choice import choose
from nax_bo.hardware.optimum.objective import AREA, ENERGY, LATENCY, LEAKAGE, Objective
from nax_bo.hardware.report import CostBatch
from nax_bo.hardware.tables import Floats
from nax_bo.hardware.workload import Workload

_DESCENTS = 2
_CHANGES = 1


@dataclass(frozen=True)
class OptionTables:
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
    def read(
        cls,
        pricing: SlotPricing,
        works: Sequence[Workload],
        places: Ints,
        sizes: Ints,
        every_clock: bool = False,
    ) -> OptionTables:
        """Prices of all options.

        Args:
            pricing: Prices slots.
            works: The designs with all blocks at their first, second, ... option.
            places: The block of every slot, from 1, n x L; 0 for none.
            sizes: Options of each block; those beyond are left out.
            every_clock: All clocks that make a difference, for a single design.
        """
        options, count = len(works), len(places)
        member = (places[:, :, None] == np.arange(1, len(sizes) + 1)).astype(float)
        alone = (places == 0).astype(float)
        needs = np.stack([(pricing.slot_clocks(w)[:, :, None] * member).max(axis=1) for w in works], axis=2)
        fixed_ns = (pricing.slot_clocks(works[0]) * alone).max(axis=1)
        base_ns = np.maximum(1.0 / works[0].clock_ghz[:, 0], fixed_ns)
        clocks = _clocks(needs, base_ns, every_clock)
        terms = np.empty((clocks.shape[1], count, 4, len(sizes), options))
        rest = np.zeros((clocks.shape[1], count, 4))
        for k, w in enumerate(works):
            found = pricing.slot_terms(w, clocks)
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
        beyond = np.arange(options) >= sizes[:, None]
        for c in range(clocks.shape[1]):
            slow = needs > clocks[:, c, None, None] * (1 + 1e-12)
            terms[c][np.broadcast_to((slow | beyond)[:, None], terms[c].shape)] = np.inf
        w = works[0]
        macs = (w.matrix_rows * w.matrix_cols * w.groups * w.vectors * (w.kind > 0)).sum(axis=1)
        pipelined = np.broadcast_to(w.pipelined[:, 0] != 0, count)
        return cls(tuple(terms), tuple(rest), np.broadcast_to(macs, count), pipelined)

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
