"""The array of a configuration, by the rules of its revision."""

from __future__ import annotations

from functools import lru_cache

from nax_bo.hardware.simulators.neurosim.array import ArrayPrices, array13
from nax_bo.hardware.simulators.neurosim.array14 import array14
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig


@lru_cache(maxsize=512)
def array_prices(config: NeuroSimConfig) -> ArrayPrices:
    """Price the array of a configuration.

    Raises:
        EvaluationError: if the access transistor does not fit the cell, or the revision does not know the device at
            the node.
    """
    return array14(config) if config.quirks.revision == 14 else array13(config)
