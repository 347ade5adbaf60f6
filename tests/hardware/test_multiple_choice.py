"""The exact solver against enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nax_bo.errors import InputError
from nax_bo.hardware.optimum.multiple_choice import choose, non_dominated
from nax_bo.hardware.optimum.objective import Objective

OBJECTIVES = ("area", "latency", "energy", "edp", "edap")
quantities = st.one_of(st.integers(1, 6).map(float), st.floats(0.01, 100))
group = st.integers(1, 5).flatmap(lambda k: arrays(float, (k, 4), elements=quantities))


def enumerate_best(groups, objective, base, cap):
    values = [np.inf]
    for combination in itertools.product(*(range(len(g)) for g in groups)):
        totals = base + sum(g[i] for g, i in zip(groups, combination, strict=True))
        if totals[0] <= cap * (1 + 1e-12):
            values.append(float(objective.value(totals)))
    return min(values)


@pytest.mark.parametrize("name", OBJECTIVES)
@given(
    groups=st.lists(group, min_size=1, max_size=5),
    tightness=st.one_of(st.none(), st.floats(0, 1)),
    leaky=st.booleans(),
    same=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_equals_enumeration(name, groups, tightness, leaky, same):
    groups = [groups[0]] * len(groups) if same else groups
    groups = [g * [1, 1, 1, leaky] for g in groups]
    least, most = (sum(f(g[:, 0]) for g in groups) for f in (np.min, np.max))
    cap = np.inf if tightness is None else least + tightness * (most - least)
    objective, base = Objective(name), np.array([0.5, 0.0, 1.0, 0.0])
    found = choose(groups, objective, base=base, max_area_um2=cap + 0.5)
    best = enumerate_best(groups, objective, base, cap + 0.5)
    assert found.value == pytest.approx(best, rel=1e-11)
    totals = base + sum(g[i] for g, i in zip(groups, found.picks, strict=True))
    assert totals == pytest.approx(found.totals)
    assert totals[0] <= (cap + 0.5) * (1 + 1e-9)


@given(arrays(float, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.integers(0, 5).map(float)))
def test_non_dominated_rows_are_those_nobody_covers(rows):
    kept = set(non_dominated(rows).tolist())
    for i, row in enumerate(rows):
        beaten = [j for j, other in enumerate(rows) if (other <= row).all() and (other < row).any()]
        equal = [j for j, other in enumerate(rows) if (other == row).all()]
        assert (i in kept) == (not beaten and i == equal[0])


@given(
    st.sampled_from(OBJECTIVES),
    arrays(float, (2, 4), elements=st.floats(0.01, 50)),
    arrays(float, (8, 4), elements=st.floats(0, 1)),
)
def test_linear_bound_holds_within_its_box(name, corners, shares):
    low, high = corners.min(axis=0), corners.max(axis=0)
    points = low + shares * (high - low)
    scores = Objective(name).score(points)
    for constant, slopes in Objective(name).lower_bounds(low, high):
        assert (slopes >= 0).all()
        assert (constant + points @ slopes <= scores + 1e-9 * (1 + np.abs(scores))).all()


def test_nothing_fits():
    assert choose([np.ones((2, 4))] * 3, Objective("latency"), max_area_um2=2.9) is None


def test_stops_when_nothing_is_good_enough():
    groups = [np.array([[1.0, 3, 0, 0], [3.0, 1, 0, 0]])] * 4
    assert choose(groups, Objective("latency"), at_most=4.0) is None
    assert choose(groups, Objective("latency"), at_most=4.1).picks == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "bad", [np.ones((0, 4)), np.ones((2, 3)), np.full((1, 4), -1.0), np.full((1, 4), np.inf)]
)
def test_bad_tables_are_refused(bad):
    with pytest.raises(InputError, match="group 1"):
        choose([np.ones((1, 4)), bad], Objective("area"))


def test_unknown_objective_is_refused():
    with pytest.raises(InputError, match="edap"):
        Objective("speed")


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("seed", range(4))
def test_trade_offs_of_eight_groups_equal_enumeration(name, seed):
    rng = np.random.default_rng(seed)
    effort = rng.random((8, 4, 1))
    slopes = np.array([1.5, -1.5, 0.3, 1.2])  # more effort: larger, faster, leakier
    groups = rng.lognormal(0, 1, (8, 1, 1)) * np.exp(slopes * effort + 0.3 * rng.normal(size=(8, 4, 4)))
    totals = np.zeros((1, 4))
    for rows in groups:
        totals = (totals[:, None] + rows).reshape(-1, 4)
    values = Objective(name).value(totals)
    for share in (0.0, 0.1, 0.4, np.inf):
        cap = totals[:, 0].min() + (share * np.ptp(totals[:, 0]) if share else 0.0)
        best = values[totals[:, 0] <= cap * (1 + 1e-12)].min()
        assert choose(list(groups), Objective(name), max_area_um2=cap).value == pytest.approx(best, rel=1e-11)
