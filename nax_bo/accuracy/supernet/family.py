"""The networks of a space, and on which of them, on which chips, a step of the super-network's training is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware.chip import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.space import Space

Pair = tuple[NetworkSpec, ChipSpec]
Row = NDArray[np.int64]

_PASSES = 2
_SAMPLE = 64
_OF_USUAL = 2.0
_LEAST_PART = 4
"""Networks of more than twice the usual operations see a part of each batch, at least a quarter."""


@dataclass(frozen=True)
class Family:
    """All designs of a space.

    Attributes:
        space: The designs.
        decode: Network and chip of one.
    """

    space: Space
    decode: Callable[[Mapping[str, Any]], Pair]

    def networks(self) -> list[NetworkSpec]:
        """Networks that show every size at its largest: the largest one with each choice changed, and random ones."""
        around = [row for position in self._of_network for row in self._values(self._largest, position)]
        rows = [self._largest, self._smallest, *around, *self.space.sample(min(_SAMPLE, self.space.size), 0)]
        return [self._network(row) for row in rows]

    def images(self, network: NetworkSpec, batch: int) -> int:
        """Images of a batch that ``network`` learns from: a part of it where it is far larger than most of the space.

        Else the largest network of a space, tens of times the usual one, would take nearly all the time.
        """
        part = _OF_USUAL * self._usual_macs / max(1, network.macs)
        return min(batch, max(2, batch // _LEAST_PART, round(part * batch)))

    def sandwich(self, random: np.random.Generator, between: int = 2) -> list[Pair]:
        """The largest network, the smallest, and ``between`` random designs, each on a random chip of the space.

        Sandwich rule: Yu and Huang 2019, arXiv:1903.05134.
        """
        rows = self.space.sample(min(2 + between, self.space.size), random)
        for row, extreme in zip(rows, (self._largest, self._smallest), strict=False):
            row[self._of_network] = extreme[self._of_network]
        return [self.decode(design) for design in self.space.designs(self.space.canonical(rows))]

    @cached_property
    def _largest(self) -> Row:
        return self._extreme(1)

    @cached_property
    def _smallest(self) -> Row:
        return self._extreme(-1)

    @cached_property
    def _usual_macs(self) -> float:
        rows = self.space.sample(min(_SAMPLE, self.space.size), 0)
        return float(np.median([self._network(row).macs for row in rows]))

    @cached_property
    def _of_network(self) -> list[int]:
        """Positions of the variables that change the network."""
        base = self._network(self._largest)
        return [
            i
            for i in range(len(self.space))
            if any(self._network(row) != base for row in self._values(self._largest, i))
        ]

    def _extreme(self, sign: int) -> Row:
        """The design with the most (or the fewest) operations that changing one choice after the other leads to."""
        best: Row = self.space.sample(1, 0)[0]
        for _ in range(_PASSES):
            for position in range(len(best)):
                best = max((best, *self._values(best, position)), key=lambda row: sign * self._size(row))
        return best

    def _size(self, row: Row) -> int:
        network = self._network(row)
        return network.macs + network.parameters

    def _network(self, row: Row) -> NetworkSpec:
        return self.decode(self.space.designs(row[None])[0])[0]

    def _values(self, row: Row, position: int) -> list[Row]:
        """The design with every value of one variable."""
        rows = np.repeat(row[None], self.space.cardinalities[position], axis=0)
        rows[:, position] = np.arange(len(rows))
        return list(self.space.canonical(rows))
