"""The optimiser's log: looks withdrawn, corrected, forgotten; predictions; the whole of it as plain values."""

import json
import math

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Fidelity, Objective, Optimizer, Problem
from nax_bo.space import Condition, Space, ordinal

SPACE = Space(
    [ordinal("a", range(6)), ordinal("b", range(6)), ordinal("c", range(4), when=Condition("a", (3, 4, 5)))]
)


def cost(columns):
    return 1.0 + columns["a"] + columns["b"]


PROBLEM = Problem(
    SPACE,
    [Objective("error", scale="logit"), Objective("cost", known=cost)],
    reference_point={"error": 0.9, "cost": 12.0},
    fidelities=[Fidelity("short", 0.2), Fidelity("full", 1.0)],
)


def error(design) -> float:
    return 1.0 / (1.0 + math.exp(0.5 * design["a"] + 0.2 * design["b"] - 1.0))


def told(count: int = 14, **settings) -> Optimizer:
    optimizer = Optimizer(PROBLEM, initial=4, **settings)
    for design in SPACE.designs(SPACE.sample(count, 3)):
        optimizer.tell(design, {"error": error(design)}, variance={"error": 1e-5})
    return optimizer


def test_a_withdrawn_look_is_as_if_never_asked() -> None:
    optimizer, other = told(), told()
    first = optimizer.ask(1)[0]
    optimizer.withdraw(first.design, first.fidelity)
    assert optimizer.state.pending == ()
    assert optimizer.ask(1)[0].design == other.ask(1)[0].design
    with pytest.raises(InputError, match="not pending"):
        other.withdraw(SPACE.design([0, 0, 0]))


def test_corrected_results_replace_what_was_told() -> None:
    optimizer = told()
    design = SPACE.design(optimizer.state.observations[2].indices)
    optimizer.correct(design, {"error": 0.25}, variance={"error": 1e-4})
    (found,) = [o for o in optimizer.state.full if o.indices == design.indices]
    assert (found.outcomes["error"], found.variance["error"]) == (0.25, 1e-4)
    before = optimizer.state
    with pytest.raises(InputError, match="is not a fraction"):
        optimizer.correct(design, {"error": 25.0})
    assert optimizer.state is before


def test_forgotten_designs_may_be_proposed_again() -> None:
    optimizer = told()
    design = SPACE.design(optimizer.state.observations[0].indices)
    optimizer.forget(design)
    assert design.indices not in optimizer.state.seen
    with pytest.raises(InputError, match="nothing was told"):
        optimizer.forget(design)
    optimizer.tell_failed(design, "burnt")
    optimizer.forget(design)
    assert optimizer.state.failures == ()


def test_predictions_are_raw_and_exact_where_known() -> None:
    optimizer = told(30)
    designs = SPACE.designs(SPACE.sample(10, 9))
    rows = [dict(d) for d in designs]
    for design, belief in zip(designs, optimizer.predict(rows), strict=True):
        assert belief["cost"].low == belief["cost"].median == 1.0 + design["a"] + design["b"]
        assert belief["error"].low <= belief["error"].median <= belief["error"].high
        assert belief["error"].median == pytest.approx(error(design), abs=0.05)
    with pytest.raises(InputError, match="too little was told"):
        Optimizer(PROBLEM, initial=0).predict(rows)


def test_the_believed_front_is_not_fooled_by_luck() -> None:
    optimizer, rng = Optimizer(PROBLEM, initial=0), np.random.default_rng(0)
    lucky = SPACE.design([2, 2, 0])
    for design in SPACE.designs(SPACE.enumerate()):
        noise = -0.35 if design == lucky else 0.01 * rng.standard_normal()
        value = float(np.clip(error(design) + noise, 0.001, 0.999))
        optimizer.tell(design, {"error": value}, variance={"error": 0.02 if design == lucky else 1e-4})
    cost_of = {p.design: p.outcomes["cost"] for p in optimizer.front()}
    assert lucky in cost_of
    assert all(c <= cost_of[lucky] for c in cost_of.values())  # its luck hides all that is dearer
    believed = [p.outcomes["cost"] for p in optimizer.front(believed=True)]
    assert max(believed) > cost_of[lucky]


def test_a_log_goes_through_json_and_on_as_if_nothing_had_been() -> None:
    optimizer = told(seed=5)
    optimizer.tell_failed(SPACE.design([5, 5, 3]), "burnt", fidelity="short")
    optimizer.ask(1)
    text = json.dumps(optimizer.to_dict(), allow_nan=False)
    other = Optimizer.from_dict(PROBLEM, json.loads(text))
    assert other.to_dict() == optimizer.to_dict()
    assert other.ask(1) == optimizer.ask(1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": 2}, "not the log"),
        ({"space": {}}, "another space"),
        ({"learned": ["loss"]}, r"the log tells \['loss'\]"),
        ({"observations": [{"design": [0, 0, 0]}]}, "damaged"),
        ({"observations": None}, "damaged"),
        ({"pending": [{"design": [9, 9, 9], "level": 1.0}]}, "not an index vector"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(change, match) -> None:
    with pytest.raises(InputError, match=match):
        Optimizer.from_dict(PROBLEM, {**told(3).to_dict(), **change})


@pytest.mark.parametrize(
    ("design", "outcomes", "match"),
    [
        ({"a": 1}, {"error": 0.2}, "b is missing"),
        ({"a": 1, "b": 2, "d": 3}, {"error": 0.2}, "no variable 'd'"),
        ({"a": 1, "b": 2}, [0.2], r"outcomes \[0.2\]"),
        ({"a": 1, "b": 2}, {"eror": 0.2}, "eror"),
    ],
)
def test_what_is_missing_or_misspelt_is_not_guessed(design, outcomes, match) -> None:
    with pytest.raises(InputError, match=match):
        Optimizer(PROBLEM, initial=0).tell(design, outcomes)
