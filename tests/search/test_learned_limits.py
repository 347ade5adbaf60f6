"""Limits that are learned: where outcomes are steps, touch their limit, or are hopeless so far."""

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Constraint, Fidelity, Objective, Optimizer, Problem
from nax_bo.search.strategies.naxbo import Naxbo, trust_radius
from nax_bo.space import Space, ordinal


def problem(variables=8, *constraints, **settings):
    space = Space([ordinal(f"x{i}", range(4)) for i in range(variables)])
    cost = Objective("cost", known=lambda c: c["x0"] + 1.0 * c["x1"])
    return Problem(space, [Objective("loss"), cost], constraints, **settings)


def loss(row):
    return float(np.mean((np.array(row) - 2.0) ** 2))


def told_sample(p, outcomes, n=20, **settings):
    """An optimizer that knows ``n`` random designs; ``outcomes`` gives those of an index vector."""
    optimizer = Optimizer(p, initial=0, **settings)
    for row in p.space.sample(n, 0).tolist():
        optimizer.tell(row, outcomes(row))
    return optimizer


def incumbents(optimizer):
    """Designs that a new one must improve on, and those told that keep all limits."""
    state = optimizer.state
    x, _, violation = state.points()
    _, _, _, feasible = Naxbo().acquisition(state).outcomes(x)
    return set(map(tuple, x[feasible > 0.5].tolist())), set(map(tuple, x[violation <= 0].tolist()))


@pytest.mark.parametrize(
    ("constraint", "outcome"),
    [
        (Constraint("works", lower=1.0), lambda row: float(sum(row[:4]) >= 6)),
        (Constraint("faults", upper=0.0), lambda row: float(max(0, 7 - sum(row[:4])))),
        (Constraint("rate", lower=0.0, upper=0.1, scale="logit"), lambda row: 1e-4 * (1 + row[0])),
        (Constraint("delay", lower=0.0, upper=10.0, scale="log10"), lambda row: 1.0 + sum(row)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_was_told_decides_which_told_designs_are_feasible(constraint, outcome):
    optimizer = told_sample(
        problem(8, constraint), lambda row: {"loss": loss(row), constraint.name: outcome(row)}
    )
    counted, feasible = incumbents(optimizer)
    assert counted == feasible != set()
    (suggestion,) = optimizer.ask()
    assert suggestion.gain is not None
    assert 0 < suggestion.gain < np.inf


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("g", upper=0.0, scale="log10"),
        Constraint("g", upper=-1.0, scale="logit"),
        Constraint("g", lower=1.5, scale="logit"),
    ],
)
def test_limits_that_nothing_can_keep_are_refused(constraint):
    with pytest.raises(InputError, match="no value with scale"):
        problem(4, constraint)


def test_where_nothing_is_feasible_the_search_goes_where_least_is_known():
    """All told alike and all infeasible: a design beside them would be so, too."""
    optimizer = told_sample(
        problem(16, Constraint("works", lower=1.0)), lambda row: {"loss": loss(row), "works": 0.0}
    )
    random = optimizer.state.unseen(optimizer.problem.space.sample(200, 1))

    def nearest(rows):
        told = np.array([o.indices for o in optimizer.state.observations])
        return (np.asarray(rows)[:, None] != told).sum(axis=2).min(axis=1)

    (suggestion,) = optimizer.ask()
    assert nearest([suggestion.design.indices])[0] >= np.quantile(nearest(random), 0.9)


def test_repeated_tellings_do_not_stop_the_cycle_of_trust_regions():
    optimizer = told_sample(problem(16), lambda row: {"loss": loss(row)}, n=1)
    radii = []
    for row in optimizer.problem.space.sample(4, 5).tolist():
        radii.append(trust_radius(optimizer.state))
        for _ in range(2):
            optimizer.tell(row, {"loss": loss(row)})
    assert set(radii) == {3, 16}


def test_few_successes_among_many_failures_are_learned_from():
    p = problem(10)
    optimizer, rows = Optimizer(p, initial=0), p.space.sample(2000, 0)
    works = rows[:, :3].sum(axis=1) >= 7
    for row in rows[~works][:130].tolist():
        optimizer.tell_failed(row)
    for row in rows[works][:9].tolist():
        optimizer.tell(row, {"loss": loss(row)})
    models = Naxbo().models(optimizer.state)
    good, bad = (
        models.success_probability(rows[works][9:40]),
        models.success_probability(rows[~works][130:160]),
    )
    assert good.mean() > 0.6 > 0.3 > bad.mean()


def test_a_full_telling_ends_the_wait_for_lesser_looks():
    p = problem(8, fidelities=[Fidelity("short", 0.1), Fidelity("full", 1.0)])
    optimizer = Optimizer(p)
    (suggestion,) = optimizer.ask()
    assert suggestion.fidelity == "short"
    optimizer.tell(suggestion.design, {"loss": 1.0})
    assert optimizer.state.pending == ()
    (other,) = optimizer.ask()
    optimizer.add_pending(other.design, "full")
    optimizer.tell(other.design, {"loss": 1.0}, fidelity="short")
    assert optimizer.state.pending == ((other.design.indices, 1.0),)


def test_numbers_that_stand_for_failure_are_refused():
    optimizer = Optimizer(problem(4))
    (suggestion,) = optimizer.ask()
    with pytest.raises(InputError, match=r"loss = 1\.79") as caught:
        optimizer.tell(suggestion.design, {"loss": np.finfo(float).max})
    assert "tell_failed" in caught.value.hint


def test_the_reference_waits_for_designs_whose_costs_are_known():
    space = Space([ordinal(f"x{i}", range(4)) for i in range(6)])
    cost = Objective("cost", known=lambda c: np.where(c["x0"] == 0, np.nan, c["x1"] + 1.0))
    optimizer = Optimizer(Problem(space, [Objective("loss"), cost]), initial=0)
    rows = space.sample(400, 0)
    for row in [*rows[rows[:, 0] == 0][:12].tolist(), *rows[rows[:, 0] == 1][:4].tolist()]:
        optimizer.tell(row, {"loss": loss(row)})
    assert np.isfinite(list(optimizer.reference_point.values())).all()
    assert optimizer.hypervolume() > 0


def test_a_maximised_outcome_over_decades_may_be_measured_as_it_is():
    """Its reference point lies below 0, where there is no logarithm."""
    space = Space([ordinal(f"x{i}", range(4)) for i in range(6)])
    speed = Objective("speed", scale="log10", measure="linear", maximise=True)
    cost = Objective("cost", known=lambda c: c["x0"] + 1.0 * c["x1"])
    for reference in ({}, {"speed": 0.0}):
        optimizer = told_sample(
            Problem(space, [speed, cost], reference_point=reference),
            lambda row: {"speed": 10.0 ** sum(row) / 1e9},
        )
        (suggestion,) = optimizer.ask()
        assert suggestion.gain is not None
        assert 0 < suggestion.gain < np.inf
