import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem
from nax_bo.search.sensitivity import _indices, partial_dependence, sensitivity
from nax_bo.space import Space, ordinal

SPACE = Space([ordinal(name, range(5)) for name in "abcd"])


def additive(columns):
    return 3.0 * columns["a"] + 2.0 * columns["b"] + columns["c"] + 0.0 * columns["d"]


def test_exact_indices_of_an_additive_outcome():
    """Shares of an additive function are those of the squared slopes: 9, 4 and 1 of 14."""
    optimizer = Optimizer(Problem(SPACE, [Objective("y", known=additive)]), initial=0)
    (found,) = sensitivity(optimizer, samples=4096, spread=1.0)
    assert found.known
    expected = {"a": 9 / 14, "b": 4 / 14, "c": 1 / 14, "d": 0.0}
    assert found.first == pytest.approx(expected, abs=0.05)
    assert found.total == pytest.approx(expected, abs=0.05)
    assert found.ranking() == ["a", "b", "c", "d"]


def test_interactions_count_in_the_total_only():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20_000, 2))
    y = np.prod
    mixed = [np.column_stack([b[:, 0], a[:, 1]]), np.column_stack([a[:, 0], b[:, 1]])]
    first, total = _indices(y(a, axis=1), y(b, axis=1), np.array([y(m, axis=1) for m in mixed]))
    assert first == pytest.approx([0.0, 0.0], abs=0.05)
    assert total == pytest.approx([1.0, 1.0], abs=0.08)


@pytest.fixture(scope="module")
def learned():
    problem = Problem(
        SPACE,
        [Objective("y"), Objective("cost", known=lambda c: 10.0 + c["d"] - c["a"])],
        reference_point={"y": 20.0, "cost": 20.0},
    )
    optimizer = Optimizer(problem, strategy="random", initial=0)
    for design in SPACE.designs(SPACE.sample(40, 0)):
        optimizer.tell(design, {"y": float(additive(SPACE.columns([design.indices]))[0])})
    return optimizer


def test_learned_outcomes_go_by_the_surrogate(learned):
    y, cost = sensitivity(learned, samples=512, spread=1.0)
    assert not y.known
    assert cost.known
    assert y.ranking()[0] == "a"
    assert set(cost.ranking()[:2]) == {"a", "d"}


def test_partial_dependence_follows_the_slope(learned):
    y, cost = partial_dependence(learned, "a", spread=1.0)
    assert y.values == (0, 1, 2, 3, 4)
    assert np.diff(y.mean) == pytest.approx(np.full(4, 3.0), abs=0.6)
    assert np.diff(cost.mean) == pytest.approx(np.full(4, -1.0))


def test_nothing_told_nothing_known():
    with pytest.raises(InputError, match="two results"):
        sensitivity(Optimizer(Problem(SPACE, [Objective("y")]), initial=0))


def test_an_outcome_that_is_known_for_some_designs_only():
    """Half of all designs, at random: the slopes are those of the others."""
    space = Space([ordinal(f"x{i}", range(5)) for i in range(20)])

    def cost(columns):
        valid = sum(columns[f"x{i}"] for i in range(2, 20)) % 2 == 0
        return np.where(valid, 3.0 * columns["x0"] + columns["x1"], np.nan)

    optimizer = Optimizer(Problem(space, [Objective("y", known=cost)]), initial=0)
    (found,) = sensitivity(optimizer, samples=2048, spread=1.0)
    assert found.total["x0"] == pytest.approx(0.9, abs=0.1)
    assert found.total["x1"] == pytest.approx(0.1, abs=0.05)
