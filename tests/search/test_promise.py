"""Expected beside realised gains."""

from dataclasses import replace

import numpy as np
import pytest

from nax_bo.search import Fidelity, Objective, Optimizer, Problem
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.search.gain.promise import LAST, USUAL_WITHOUT_PROXIES, Promise, promise
from nax_bo.space import Space, ordinal


def test_nothing_is_judged_before_a_search_has_looked_further_than_its_start(problem, told):
    optimizer = Optimizer(problem, seed=0)
    while len(optimizer.state.observations) < len(optimizer.state.initial):
        told(optimizer, [optimizer.ask(1)[0].design])
    assert optimizer.diagnostics().promise == Promise(usual=USUAL_WITHOUT_PROXIES)
    assert Promise(usual=0.5).factor == 0.5
    assert Promise(20, expected=1.0, gained=1.0, usual=0.5).factor > 0.9


def test_expected_gains_are_near_what_is_gained():
    """Over a search, gains as expected before each look add up to about the gain."""
    bed = synthetic_problem("chip16")
    optimizer, expected = Optimizer(bed.problem, seed=1), 0.0
    start = None
    for _ in range(45):
        (suggestion,) = optimizer.ask(1)
        if suggestion.gain is not None:
            start = optimizer.hypervolume() if start is None else start
            expected += suggestion.gain
        optimizer.tell(suggestion.design, *bed.evaluate(suggestion.design, 1))
    kept = optimizer.diagnostics().promise
    assert kept.looks == LAST
    assert 0.2 < kept.factor < 2.0
    assert 0.4 < expected / (optimizer.hypervolume() - start) < 3.0


class Boastful:
    """Promises a great gain everywhere, whatever it is told."""

    def fit(self, X, Y):
        self.n = len(X)
        return self

    def predict(self, X):
        return np.full((len(X), 1), 0.5), np.full((len(X), 1), 0.01)

    def ahead(self, X, after):
        return np.full((len(X), 1), -3.0), np.full((len(X), 1), 0.01)


def test_a_surrogate_that_promises_too_much_is_believed_less():
    space = Space([ordinal(f"x{i}", range(5)) for i in range(4)])
    objectives = [Objective("y"), Objective("cost", known=lambda c: c["x0"] + 1.0)]
    problem = Problem(space, objectives, reference_point={"y": 1.0, "cost": 6.0})
    optimizer = Optimizer(problem, surrogate=Boastful, seed=0, initial=4)
    for design in space.designs(space.sample(30, 0)):
        optimizer.tell(design, {"y": 0.5})
    kept = promise(optimizer.state, optimizer.strategy.models(optimizer.state))
    assert kept.expected > 10 * kept.gained
    assert kept.factor < 0.25


def test_cheap_looks_are_judged_by_what_they_say_of_the_full_ones():
    """Gains are those of full outcomes, so a look that measures a worse number at a lower fidelity loses nothing."""
    bed = synthetic_problem("chip16")
    ladder = replace(bed.problem, fidelities=(Fidelity("short", 0.2, 0.0), Fidelity("full", 1.0, 1.0)))
    rng, kept = np.random.default_rng(0), {}
    for shift in (0.0, 0.1):
        optimizer = Optimizer(ladder, seed=2)
        for row in np.random.default_rng(3).permutation(bed.problem.space.sample(36, 4)):
            design = bed.problem.space.design(row)
            outcomes, variance = bed.evaluate(design, 2)
            optimizer.tell(design, {"error": min(0.99, outcomes["error"] + shift)}, variance, "short")
            if rng.random() < 0.5:
                optimizer.tell(design, outcomes, variance)
        kept[shift] = optimizer.diagnostics().promise
    for found in kept.values():
        assert found.looks == LAST
        assert found.expected > 0
    assert kept[0.1].gained == pytest.approx(kept[0.0].gained, rel=0.5)
