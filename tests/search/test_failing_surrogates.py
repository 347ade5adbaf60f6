"""Searches whose surrogate misbehaves go on with another, and say so."""

import numpy as np
import pytest

from nax_bo.errors import SurrogateError
from nax_bo.search import Optimizer


def after(n, problem, told, **settings):
    """An optimiser that was asked and told ``n`` times."""
    optimizer = Optimizer(problem, **settings)
    for _ in range(n):
        told(optimizer, [s.design for s in optimizer.ask(1)])
    return optimizer


class Hostile:
    """A surrogate that misbehaves in the way its name says."""

    def __init__(self, how="raise"):
        self.how = how

    def fit(self, X, Y, Yvar=None):
        self.n = len(Y)
        return self

    def predict(self, X):
        if self.how == "raise":
            raise RuntimeError("out of order")
        if self.how == "exit":
            raise SystemExit(0)
        mean = np.full((len(X), 1), np.nan if self.how == "nan" else 0.0)
        return (mean[:-1] if self.how == "shape" else mean), np.full(
            (len(X), 1), -1.0 if self.how == "negative" else 1.0
        )


@pytest.mark.parametrize("how", ["raise", "exit", "nan", "negative", "shape"])
def test_a_hostile_surrogate_is_replaced_and_said_so(problem, told, how):
    optimizer = after(11, problem, told, seed=0, surrogate=Hostile(how))
    suggestion = optimizer.ask(1)[0]
    assert "used 'gp' instead" in suggestion.reason
    assert "used 'gp' instead" in optimizer.diagnostics().notes[0]


def test_a_hostile_surrogate_can_be_an_error(problem, told):
    with pytest.raises(SurrogateError, match="out of order"):
        after(12, problem, told, surrogate=Hostile(), options={"on_surrogate_error": "raise"})


def test_the_last_resort_is_the_average(problem, told, monkeypatch):
    import nax_bo.search.models.learned as learned

    monkeypatch.setattr(learned, "DEFAULT_SURROGATE", Hostile())
    optimizer = after(12, problem, told, seed=0, surrogate=Hostile())
    assert len(optimizer.state.seen) == 12
    assert "the average of what was seen" in optimizer.ask(1)[0].reason


def test_an_unknown_surrogate_is_refused_at_once(problem):
    with pytest.raises(SurrogateError, match="no-such-thing"):
        Optimizer(problem, surrogate="no-such-thing")


class FailsOnNewDesigns:
    """Predicts what it has been told and nothing else."""

    def fit(self, X, Y, Yvar=None):
        self.known = {row.tobytes(): y for row, y in zip(X, Y, strict=True)}
        return self

    def predict(self, X):
        if any(row.tobytes() not in self.known for row in X):
            raise RuntimeError("never seen that")
        return np.array([self.known[row.tobytes()] for row in X]), np.zeros((len(X), 1))


def test_a_surrogate_that_fails_at_new_designs_only_is_replaced_and_said_so(problem, told):
    optimizer = after(11, problem, told, seed=0, surrogate=FailsOnNewDesigns())
    again = after(11, problem, told, seed=0)
    suggestion, plain = optimizer.ask(1)[0], again.ask(1)[0]
    assert suggestion.design == plain.design
    assert "never seen that" in suggestion.reason
    strict = {"on_surrogate_error": "raise"}
    with pytest.raises(SurrogateError, match="never seen that"):
        after(12, problem, told, seed=0, surrogate=FailsOnNewDesigns(), options=strict)
