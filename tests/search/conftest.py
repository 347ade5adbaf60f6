"""Small problems that can be enumerated."""

import numpy as np
import pytest

from nax_bo.search import Constraint, Objective, Problem
from nax_bo.space import Condition, Space, categorical, ordinal


def small_space():
    return Space(
        [
            ordinal("depth", [1, 2]),
            ordinal("width", [8, 16, 32, 64]),
            categorical("device", ["a", "b", "c"]),
            ordinal("second", [8, 16, 32, 64], when=Condition("depth", (2,))),
            ordinal("bits", [2, 4, 6, 8]),
        ]
    )


def small_error(columns):
    z = 2.0 - 0.5 * np.log2(columns["width"]) - 0.2 * (columns["depth"] == 2) * np.log2(columns["second"])
    return 1.0 / (1.0 + np.exp(-z - 2.0 / columns["bits"] + 0.4 * (columns["device"] == "b")))


def small_cost(columns):
    size = columns["width"] + (columns["depth"] == 2) * columns["second"]
    return size * columns["bits"] * np.where(columns["device"] == "b", 2.0, 1.0)


@pytest.fixture
def problem():
    return Problem(
        small_space(),
        [Objective("error", scale="logit"), Objective("cost", known=small_cost, scale="log10")],
        constraints=[Constraint("size", known=lambda c: c["width"] * c["bits"], upper=400.0)],
        reference_point={"error": 0.9, "cost": 2000.0},
    )


@pytest.fixture
def told():
    """Tells an optimiser the noiseless error of designs."""

    def tell(optimizer, designs, **how):
        space = optimizer.problem.space
        for design in designs:
            optimizer.tell(design, {"error": float(small_error(space.columns([design.indices]))[0])}, **how)

    return tell


@pytest.fixture
def error_of():
    return small_error


@pytest.fixture
def cost_of():
    return small_cost
