import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.search import Objective, Problem
from nax_bo.search.strategies.candidates import Effort, Scored, maximise, mutated
from nax_bo.search.strategies.initial import initial_design
from nax_bo.space import Condition, Space, categorical, ordinal

HARD = Effort(starts=60, generations=8, size=40, listed=100)


def rugged_problem():
    """3 x 6^4 designs, more than the effort enumerates, with a conditional part."""
    when = Condition("kind", ("deep", "wide"))
    return Problem(
        Space(
            [
                categorical("kind", ["flat", "deep", "wide"]),
                *[ordinal(f"v{i}", range(6), when=when if i > 1 else ()) for i in range(4)],
            ]
        ),
        [Objective("y")],
    )


@pytest.mark.parametrize("seed", range(6))
def test_finds_the_best_of_everything(seed):
    problem = rugged_problem()
    rng = np.random.default_rng(seed)
    weight, pair = rng.normal(size=5), rng.normal(size=(5, 5)) * 0.3

    def score(x, _floor):
        z = x / 5.0
        return Scored(x, z @ weight + np.einsum("ni,ij,nj->n", z, pair, z), np.zeros(len(x)))

    everything = problem.space.enumerate()
    assert len(everything) > HARD.starts + HARD.generations * HARD.size > HARD.listed
    found = maximise(problem, score, everything[:0], nothing_seen, np.random.default_rng(seed), HARD)
    assert found.score[0] == pytest.approx(score(everything, -np.inf).score.max())


def nothing_seen(x):
    return np.unique(x, axis=0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_no_single_change_improves_on_the_best(seed, ruggedness):
    rng = np.random.default_rng(seed)
    problem = Problem(
        Space(
            [
                categorical("kind", ["flat", "deep", "wide"]),
                *[ordinal(f"o{i}", range(4), when=Condition("kind", ("deep",))) for i in range(4)],
                *[categorical(f"c{i}", [*"abcd"]) for i in range(8)],
            ]
        ),
        [Objective("y")],
    )
    values = rng.normal(size=(13, 4))
    pairs = ruggedness * rng.normal(size=(13, 13))

    def score(x, floor):
        z = values[np.arange(13), x]
        value = z.sum(axis=1) + np.einsum("ni,ij,nj->n", z, pairs, z)
        limit = np.maximum(x[:, 5:].sum(axis=1) - 15.0, 0.0)
        return Scored(x, np.where(value < floor, -np.inf, value), limit)

    found = maximise(problem, score, np.zeros((0, 13), dtype=np.int64), nothing_seen, rng, HARD)
    around = score(problem.space.neighbours(found.x[0]), -np.inf)
    assert found.violation[0] == 0
    assert found.score[0] >= around.score[around.violation == 0].max() - 1e-12


def test_what_adds_up_is_changed_together():
    """80 variables, each with one best value: one at a time, 80 moves would look at 240 neighbours each."""
    problem = Problem(Space([ordinal(f"o{i}", range(4)) for i in range(80)]), [Objective("y")])
    values = np.random.default_rng(0).normal(size=(80, 4))
    looks = []

    def score(x, _floor):
        looks.append(len(x))
        return Scored(x, values[np.arange(80), x].sum(axis=1), np.zeros(len(x)))

    effort = Effort(starts=60, generations=0, size=40, descents=1)
    worst = values.argmin(axis=1)[None]
    found = maximise(problem, score, worst, nothing_seen, np.random.default_rng(0), effort)
    assert found.score[0] == pytest.approx(values.max(axis=1).sum())
    assert sum(looks) < 2500


def test_small_spaces_are_enumerated():
    problem = Problem(Space([ordinal("a", range(5)), ordinal("b", range(5))]), [Objective("y")])

    def score(x, _floor):
        return Scored(x, -(((x - [3, 1]) ** 2).sum(axis=1)).astype(float), np.zeros(len(x)))

    found = maximise(problem, score, np.empty((0, 2), dtype=np.int64), lambda x: x, np.random.default_rng(0))
    assert found.x[0].tolist() == [3, 1]


def test_what_is_known_is_not_returned_and_limits_come_first():
    problem = rugged_problem()
    banned = {tuple(row) for row in problem.space.enumerate().tolist() if row[1] == 5}

    def fresh(x):
        rows = [r for r in dict.fromkeys(map(tuple, x.tolist())) if r not in banned]
        return np.array(rows, dtype=np.int64).reshape(len(rows), 5)

    def score(x, _floor):
        return Scored(x, x.sum(axis=1).astype(float), np.maximum(x[:, 2] - 2.0, 0.0))

    found = maximise(problem, score, problem.space.enumerate()[:0], fresh, np.random.default_rng(0), HARD)
    assert found.violation[0] == 0
    assert found.x[0].tolist() == [2, 4, 2, 5, 5]


def test_mutation_changes_active_variables_only():
    space = rugged_problem().space
    x = space.canonical(np.repeat([[0, 2, 3, 0, 0]], 500, axis=0))
    out = mutated(rugged_problem(), x, np.random.default_rng(0))
    assert np.array_equal(out, space.canonical(out))
    assert (out != x).any(axis=1).all()
    woken = out[out[:, 0] > 0]
    assert len(np.unique(woken[:, 3])) == 6  # what a change activates is drawn anew


def test_initial_designs_differ_and_depend_on_the_seed_alone():
    problem = rugged_problem()
    first = initial_design(problem, 20, 0)
    assert len(np.unique(first, axis=0)) == 20
    assert np.array_equal(first, initial_design(problem, 20, 0))
    assert not np.array_equal(first, initial_design(problem, 20, 1))
