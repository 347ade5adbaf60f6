import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nax_bo.search.gain.boxes import undominated_boxes
from nax_bo.search.pareto import crowding, hypervolume, nondominated, ranks, select

points = st.integers(1, 4).flatmap(
    lambda m: st.integers(0, 9).flatmap(lambda n: arrays(np.int64, (n, m), elements=st.integers(0, 5)))
)


def dominates(a, b):
    return np.all(a <= b) and np.any(a < b)


def cells(y, reference):
    """Hypervolume of integer points by counting unit cells."""
    grid = itertools.product(*(range(int(r)) for r in reference))
    return sum(any(np.all(p <= np.array(c)) for p in y) for c in grid)


@given(points)
@settings(max_examples=60, deadline=None)
def test_front_is_what_nothing_dominates(y):
    expected = [not any(dominates(other, p) for other in y) for p in y]
    assert nondominated(y).tolist() == expected


@given(points)
@settings(max_examples=60, deadline=None)
def test_hypervolume_counts_cells(y):
    reference = np.full(y.shape[1], 5)
    assert hypervolume(y, reference) == pytest.approx(cells(y, reference))


@given(points)
@settings(max_examples=60, deadline=None)
def test_boxes_fill_what_the_front_leaves(y):
    reference = np.full(y.shape[1], 5.0)
    low, high = undominated_boxes(y, reference)
    low = np.maximum(low, 0.0)
    volume = np.prod(np.maximum(high - low, 0.0), axis=1).sum()
    assert volume + hypervolume(y, reference) == pytest.approx(5.0 ** y.shape[1])
    centres = np.array(list(itertools.product(np.arange(5) + 0.5, repeat=y.shape[1])))
    inside = ((low[:, None] < centres) & (centres < high[:, None])).all(axis=2).sum(axis=0)
    free = np.array([not any(np.all(p <= c) for p in y) for c in centres])
    assert np.array_equal(inside, free.astype(int))  # each free cell in exactly one box


@given(points, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_hypervolume_ignores_order_and_dominated_points(y, random):
    reference = np.full(y.shape[1], 5.0)
    shuffled = list(range(len(y)))
    random.shuffle(shuffled)
    assert hypervolume(y[shuffled], reference) == pytest.approx(hypervolume(y, reference))
    assert hypervolume(y[nondominated(y)], reference) == pytest.approx(hypervolume(y, reference))


@pytest.mark.parametrize(("m", "most"), [(2, 1 + 1 / 60), (3, 6), (4, 40), (5, 250)])
def test_boxes_are_few(m, most):
    """Per point of a front of 60 on a sphere; with two objectives the least possible."""
    y = np.abs(np.random.default_rng(0).normal(size=(60, m)))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    low, _ = undominated_boxes(1.0 - y, np.ones(m))
    assert len(y) < len(low) <= most * len(y)


def test_ranks_peel_fronts():
    y = np.array([[0, 2], [2, 0], [1, 3], [3, 1], [4, 4], [0, 2]])
    assert ranks(y).tolist() == [0, 0, 1, 1, 2, 0]


def test_crowding_prefers_ends_and_gaps():
    spread = crowding(np.array([[0.0, 3.0], [1.0, 2.0], [1.1, 1.9], [3.0, 0.0]]))
    assert np.isinf(spread[[0, 3]]).all()
    assert spread[2] > spread[1]


def test_selection_puts_feasibility_first():
    y = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    assert select(y, 2, violation=[5.0, 0.0, 0.0]).tolist() == [1, 2]
