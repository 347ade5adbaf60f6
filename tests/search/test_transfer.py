"""Earlier searches as proxies of which the worth is learned."""

from dataclasses import replace

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem, with_earlier
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.space import Space, categorical, ordinal
from nax_bo.surrogate.quality import explained

BED = synthetic_problem("chip16")


def searched(count: int, seed: int, change=lambda error: error) -> Optimizer:
    """A search of chip16 that was told random designs, on data where errors are changed ones."""
    optimizer = Optimizer(BED.problem, seed=seed, initial=0)
    for design in BED.problem.space.designs(BED.problem.space.sample(count, seed)):
        error = BED.evaluate(design, seed)[0]["error"]
        optimizer.tell(design, {"error": float(change(error))})
    return optimizer


def quality(problem: Problem, told: int = 25) -> float:
    """Share of the variance of unseen designs that is predicted after few results."""
    optimizer = Optimizer(problem, seed=0, initial=0)
    for design in problem.space.designs(problem.space.sample(told, 77)):
        optimizer.tell(design, *BED.evaluate(design, 0))
    unseen = optimizer.state.unseen(problem.space.sample(400, 78))
    mean, _ = Naxbo().models(optimizer.state).predict(unseen)["error"]
    return explained(BED.problem.scale_of("error").to_model(BED.truth(unseen)["error"]), mean)


def test_a_related_search_helps_whatever_its_scale_and_an_unrelated_one_hardly_hurts():
    alone = quality(BED.problem)
    harder = searched(120, 5, lambda error: 0.3 + 0.6 * error**2)
    assert quality(with_earlier(BED.problem, harder)) > alone + 0.1
    rng = np.random.default_rng(0)
    unrelated = searched(120, 5, lambda _: rng.uniform(0.1, 0.9))
    assert quality(with_earlier(BED.problem, unrelated)) > alone - 0.08


def test_a_search_with_an_earlier_one_is_repeatable_and_resumes():
    problem = with_earlier(BED.problem, searched(30, 5))
    assert [p.name for p in problem.proxies] == ["earlier_error"]
    one, other = (Optimizer(problem, seed=3) for _ in range(2))
    for step in range(10):
        design = one.ask(1)[0].design
        if step == 9:
            other = Optimizer.from_dict(problem, other.to_dict(), seed=3)
        assert other.ask(1)[0].design == design
        for optimizer in (one, other):
            optimizer.tell(design, *BED.evaluate(design, 3))


SMALL = Space([ordinal("width", [8, 16]), categorical("device", ["a", "b"])])
WIDE = Space([categorical("device", ["b", "a", "c"]), ordinal("width", [4, 8, 16]), ordinal("more", [1, 2])])


def test_searches_that_say_nothing_here_are_refused():
    wider = Problem(WIDE, [Objective("y")], reference_point={"y": 9.0})
    earlier = Optimizer(Problem(SMALL, [Objective("y")], reference_point={"y": 9.0}), initial=0)
    for design in SMALL.designs(SMALL.enumerate()):
        earlier.tell(design, {"y": design["width"]})
    with pytest.raises(InputError, match="told 4 results"):
        with_earlier(wider, earlier)
    harder = replace(wider, space=Space([ordinal("width", [8, 16])]))
    with pytest.raises(InputError, match="the earlier search chose device, this one does not"):
        with_earlier(harder, earlier)


def test_designs_that_the_earlier_space_does_not_hold_have_no_score():
    space = Space([ordinal("width", [8, 16, 32]), categorical("device", ["a", "b"])])
    optimizer = Optimizer(Problem(space, [Objective("y")], reference_point={"y": 99.0}), initial=0)
    for design in space.designs(space.enumerate()):
        optimizer.tell(design, {"y": design["width"] + (5.0 if design["device"] == "b" else 0.0)})
    wider = Problem(WIDE, [Objective("y")], reference_point={"y": 99.0})
    problem = with_earlier(wider, optimizer, "before")
    with pytest.raises(InputError, match="a proxy before_y already"):
        with_earlier(problem, optimizer, "before")
    rows = WIDE.enumerate()
    columns, (scores,) = WIDE.columns(rows), problem.scores(rows).T
    held = np.isin(columns["width"], [8, 16]) & np.isin(columns["device"], ["a", "b"])
    assert np.isfinite(scores[held]).all()
    assert np.isnan(scores[~held]).all()
    expected = columns["width"] + np.where(columns["device"] == "b", 5.0, 0.0)
    np.testing.assert_allclose(scores[held], expected[held], atol=3.0)
    assert np.corrcoef(scores[held], expected[held])[0, 1] > 0.95
