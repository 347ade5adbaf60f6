"""The closed form against BoTorch's qLogNEHVI."""

import warnings

import numpy as np
import pytest
import torch

from nax_bo.search import Constraint, Objective, Optimizer, Problem
from nax_bo.search.gain.qlognehvi import MonteCarloAcquisition
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.space import Space, ordinal


class Certain:
    """Knows what it has seen, and elsewhere believes a smooth function with a spread of 0.4, independently."""

    def fit(self, X, Y, Yvar=None):
        self.seen = {tuple(x): float(y[0]) for x, y in zip(X, Y, strict=True)}
        return self

    def predict(self, X):
        mean = np.array([self.seen.get(tuple(x), np.sin(3 * x[0]) - x[1:].sum()) for x in X])
        std = np.array([1e-6 if tuple(x) in self.seen else 0.4 for x in X])
        return mean[:, None], std[:, None]

    def condition(self, X, Y):
        other = Certain()
        other.seen = {**self.seen, **{tuple(x): float(y[0]) for x, y in zip(X, Y, strict=True)}}
        return other


def told(problem, n=12, extra=None):
    optimizer = Optimizer(problem, surrogate=Certain(), initial=0)
    for design in problem.space.designs(problem.space.sample(n, 0)):
        z = np.sin(design["a"]) - 0.2 * design["b"] + 0.1 * design["c"]
        outcomes = {"error": 1.0 / (1.0 + np.exp(-z)), **(extra(design) if extra else {})}
        optimizer.tell(design, outcomes)
    return optimizer


def cost(columns):
    return 1.0 + columns["a"] + columns["b"] + columns["c"]


def delay(columns):
    return 1.0 + columns["a"] * 2.0 + (8 - columns["b"])


SPACE = Space([ordinal(name, range(8)) for name in "abc"])
KNOWN = [Objective("cost", known=cost, scale="log10"), Objective("delay", known=delay, scale="log10")]
REFERENCE = {"error": 0.95, "cost": 30.0, "delay": 40.0}


def compare(optimizer, samples, tolerance):
    strategy, state = Naxbo(), optimizer.state
    closed = strategy.acquisition(state)
    general = MonteCarloAcquisition(state, strategy.models(state), closed.incumbents, samples=samples)
    x = state.unseen(state.problem.space.sample(60, 5))
    gain, violation = closed.gain(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BoTorch's own
        log_gain, same = general.log_gain(x)
    assert np.array_equal(violation, same)
    relevant = gain > 0.02 * gain.max()
    assert relevant.sum() >= 10
    assert np.exp(log_gain[relevant]) == pytest.approx(gain[relevant], rel=tolerance, abs=0.01 * gain.max())


@pytest.mark.parametrize("known", [1, 2])
def test_one_learned_objective(known):
    names = ["error", *[o.name for o in KNOWN[:known]]]
    problem = Problem(
        SPACE,
        [Objective("error", scale="logit"), *KNOWN[:known]],
        reference_point={n: REFERENCE[n] for n in names},
    )
    compare(told(problem), 256, 0.08)


def test_two_learned_objectives_one_maximised_and_a_learned_limit():
    problem = Problem(
        SPACE,
        [Objective("error", scale="logit"), Objective("gain", maximise=True), KNOWN[0]],
        constraints=[Constraint("heat", upper=0.0)],
        reference_point={"error": 0.95, "gain": -5.0, "cost": 30.0},
    )
    extra = lambda d: {"gain": np.cos(d["b"]) - 1.0, "heat": 0.3 * d["a"] - 1.5}  # noqa: E731
    compare(told(problem, extra=extra), 1024, 0.1)


def test_the_general_path_proposes_and_respects_pending():
    problem = Problem(
        SPACE, [Objective("error", scale="logit"), KNOWN[0]], reference_point={"error": 0.95, "cost": 30.0}
    )
    optimizer = told(problem)
    general = Optimizer(problem, surrogate=Certain(), initial=0, acquisition="qlognehvi")
    for o in optimizer.state.observations:
        general.tell(o.indices, o.outcomes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = general.ask(2)
    assert first.design != second.design
    assert first.design == optimizer.ask(1)[0].design


def test_the_general_path_leaves_torch_as_it_was_and_does_not_depend_on_it():
    problem = Problem(SPACE, [Objective("error", scale="logit"), *KNOWN], reference_point=REFERENCE)
    optimizer = told(problem, 20)
    state, found = optimizer.state, []
    x = state.unseen(SPACE.sample(40, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(3):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            general = MonteCarloAcquisition(
                state, Naxbo().models(state), Naxbo().acquisition(state).incumbents
            )
            found.append(general.log_gain(x)[0])
            assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_general_path_scores_designs_that_may_not_be_built():
    problem = Problem(
        SPACE,
        [Objective("error", scale="logit"), KNOWN[0]],
        constraints=[Constraint("cost", upper=0.5)],
        reference_point={"error": 0.95, "cost": 30.0},
    )
    state = told(problem).state
    general = MonteCarloAcquisition(state, Naxbo().models(state), Naxbo().acquisition(state).incumbents)
    value, violation = general.log_gain(SPACE.sample(5, 1))
    assert (violation > 0).all()
    assert (value < -600).all()


def test_the_general_path_does_not_depend_on_units():
    def ranking(unit):
        costs = [Objective("cost", known=lambda c: unit * cost(c))]
        problem = Problem(
            SPACE,
            [Objective("loss"), *costs],
            [Constraint("limit", upper=4.0 * unit)],
            reference_point={"loss": 3.0 * unit, "cost": 30.0 * unit},
        )
        optimizer = Optimizer(problem, initial=0)
        for row in SPACE.sample(14, 0).tolist():
            optimizer.tell(row, {"loss": unit * np.sin(sum(row)), "limit": unit * float(row[0])})
        strategy, state = Naxbo(), optimizer.state
        incumbents = strategy.acquisition(state).incumbents
        general = MonteCarloAcquisition(state, strategy.models(state), incumbents)
        return general.log_gain(state.unseen(SPACE.sample(60, 5)))[0] - 2 * np.log(unit)

    plain, small = ranking(1.0), ranking(1e-9)
    likely = plain > plain.max() - 6
    np.testing.assert_allclose(small[likely], plain[likely], atol=0.2)


def test_one_objective_goes_by_the_closed_form():
    optimizer = Optimizer(Problem(SPACE, [Objective("loss")]), initial=0, acquisition="qlognehvi")
    for row in SPACE.sample(6, 0).tolist():
        optimizer.tell(row, {"loss": float(sum(row))})
    assert optimizer.ask()[0].gain > 0


def test_nothing_is_compiled_when_it_is_first_used(monkeypatch):
    with warnings.catch_warnings():  # torch's, when BoTorch is imported for the first time
        warnings.simplefilter("ignore")
        from botorch.acquisition.multi_objective import logei
        from torch.utils import cpp_extension

    built = []
    monkeypatch.setattr(cpp_extension, "load", lambda **options: built.append(options))
    monkeypatch.setattr(logei, "_load_attempted", False)
    monkeypatch.setattr(logei, "_C", None)
    problem = Problem(
        SPACE, [Objective("error", scale="logit"), KNOWN[0]], reference_point={"error": 0.95, "cost": 30.0}
    )
    state = told(problem).state
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        general = MonteCarloAcquisition(
            state, Naxbo().models(state), Naxbo().acquisition(state).incumbents, samples=16
        )
        assert np.isfinite(general.log_gain(SPACE.sample(4, 0))[0]).all()
    assert built == []
