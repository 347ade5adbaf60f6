"""What cannot be meant is refused at once, in words; what can be meant is taken."""

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Constraint, Fidelity, Objective, Optimizer, Problem
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.space import Space, ordinal

SMALL = Space([ordinal("a", [1, 2, 3])])
F = Objective("f")


def _broken(columns):
    raise KeyError("widht")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Problem(SMALL, ["f"]), "objectives"),
        (lambda: Problem(SMALL, "f"), "objectives"),
        (lambda: Problem(SMALL, [F], constraints=["f"]), "constraints"),
        (lambda: Problem(SMALL, [F], [Constraint("f", upper=1.0, lower=2.0)]), "no value lies"),
        (lambda: Problem(SMALL, [F], [Constraint("f", upper=float("nan"))]), "no value lies"),
        (lambda: Problem(SMALL, [F], reference_point={"f": float("nan")}), "reference point"),
        (lambda: Problem(SMALL, [Objective("f", known=_broken)]), "'f' fails: KeyError"),
        (lambda: Problem(SMALL, [Objective("f", known=lambda c: "text")]), "'f' gave 'text'"),
        (lambda: Problem(SMALL, [F], fidelities=[Fidelity("full", -1.0)]), "costs -1"),
        (lambda: Optimizer(Problem(SMALL, [F]), seed=-1), "seed = -1"),
        (lambda: Optimizer(Problem(SMALL, [F]), seed=None), "seed = None"),
        (lambda: Optimizer(Problem(SMALL, [F]), strategy=3), "3 is not a strategy"),
        (lambda: Optimizer(Problem(SMALL, [F]), surrogate={"g": "gp"}), "surrogates of"),
        (lambda: Optimizer(Problem(SMALL, [F]), options={"on_surogate_error": "raise"}), "on_surogate_error"),
        (lambda: Optimizer(Problem(SMALL, [F])).tell({"a": 1}, {"f": 1.0}, fidelity=None), "fidelity None"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("outcomes", "how", "message"),
    [
        ({}, {}, "error = None"),
        ({"error": float("nan")}, {}, "nan"),
        ({"error": 0.1, "eror": 1.0}, {}, "'eror' is not an outcome"),
        ({"error": 0.1}, {"fidelity": "shrot"}, "no fidelity 'shrot'"),
        ({"error": 0.1}, {"fidelity": 2.0}, "fidelity 2.0"),
        ({"error": 0.1}, {"variance": {"error": -1.0}}, "variance"),
    ],
)
def test_bad_tellings_are_refused(problem, outcomes, how, message):
    optimizer = Optimizer(problem, initial=0)
    with pytest.raises(InputError, match=message):
        optimizer.tell(problem.space.design([0, 0, 0, 0, 0]), outcomes, **how)


def test_bad_problems_are_refused(problem):
    space = problem.space
    with pytest.raises(InputError, match="no limit"):
        Problem(space, [Objective("y")], [Constraint("y")])
    with pytest.raises(InputError, match="one objective"):
        Problem(space, [])
    with pytest.raises(InputError, match="shape"):
        Problem(space, [Objective("y", known=lambda c: 1.0)])
    with pytest.raises(InputError, match="reference point"):
        Problem(space, [Objective("y")], reference_point={"z": 1.0})
    with pytest.raises(InputError, match="there is no strategy"):
        Optimizer(problem, strategy="magic")


def test_a_linear_model_is_not_measured_in_logarithms():
    with pytest.raises(InputError, match="modelled linearly"):
        Problem(Space([ordinal("a", [1, 2])]), [Objective("f", measure="log10")])


def test_a_fraction_is_told_as_one():
    problem = Problem(Space([ordinal("a", [1, 2])]), [Objective("accuracy", scale="logit", maximise=True)])
    with pytest.raises(InputError, match="not a fraction"):
        Optimizer(problem).tell({"a": 1}, {"accuracy": 93.6})


def test_a_suggestion_is_not_a_design_and_a_class_is_a_strategy():
    optimizer = Optimizer(Problem(SMALL, [F]), strategy=Naxbo)
    with pytest.raises(InputError, match="Suggestion is not a design"):
        optimizer.tell(optimizer.ask(1)[0], {"f": 1.0})


def test_numpy_numbers_will_do():
    optimizer = Optimizer(Problem(SMALL, [F]), seed=np.int64(1), initial=np.int64(2))
    optimizer.tell([np.int64(1)], {"f": np.float32(1.0)}, fidelity=np.float32(1.0))
    assert len(optimizer.ask(3)) == 2
