"""``naxbo reproduce``: a published system's claims, within one simulator and at one budget.

One folder holds everything: a study per search and seed, paired trainings of baselines and winners, the result. What is
finished is kept, and the same command goes on.
"""

from nax_bo.reproduce.result import Result
from nax_bo.reproduce.run import Reproduction, TimeUpError
from nax_bo.reproduce.scale import SCALES, Scale

__all__ = ["SCALES", "Reproduction", "Result", "Scale", "TimeUpError"]
