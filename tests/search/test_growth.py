"""Thousands of results, and large batches: bounded work, and the same proposals from the same log."""

import numpy as np
import pytest

from nax_bo.search import Optimizer
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.search.models.learned import fit_models
from nax_bo.search.models.relevant import leading, relevant
from nax_bo.search.pareto import nondominated
from nax_bo.search.strategies import naxbo as naxbo_module


@pytest.fixture
def bed():
    return synthetic_problem("chip16")


@pytest.fixture
def few(monkeypatch):
    for module in ("relevant", "learned"):
        monkeypatch.setattr(f"nax_bo.search.models.{module}.MOST", 120)


def searched(bed, count):
    optimizer = Optimizer(bed.problem, seed=0, initial=0)
    for design in bed.space.designs(bed.space.sample(count, 0)):
        optimizer.tell(design, *bed.evaluate(design, 0))
    return optimizer


def test_of_many_results_the_front_the_latest_and_some_of_all_remain(bed, few):
    state = searched(bed, 600).state
    rows = relevant(state, state.observations)
    assert len(rows) == len(set(rows.tolist())) == 120
    assert set(range(576, 600)) <= set(rows.tolist())
    _, y, violation = state.points()
    allowed = np.flatnonzero(violation <= 0)
    front = allowed[nondominated(y[allowed])]
    assert set(front.tolist()) <= set(rows.tolist())
    told = {o.indices for o in state.observations}
    kept = leading(state)
    assert len(kept) == 120
    assert {tuple(row) for row in kept.tolist()} <= told


def test_few_results_all_remain(bed):
    state = searched(bed, 30).state
    assert relevant(state, state.observations).tolist() == list(range(30))


def test_beyond_the_most_the_log_decides_alone(bed, few):
    optimizer = searched(bed, 149)
    for _ in range(2):  # across a checkpoint
        (suggestion,) = optimizer.ask(1)
        optimizer.tell(suggestion.design, *bed.evaluate(suggestion.design, 0))
    replayed = Optimizer(bed.problem, seed=0, initial=0)
    for o in optimizer.state.observations:
        replayed.tell(o.indices, o.outcomes, o.variance)
    assert replayed.ask(1)[0] == optimizer.ask(1)[0]
    mean, _ = fit_models(optimizer.state).by_name["error"].inner.leave_one_out()
    assert len(mean) <= 120 + 50
    assert optimizer.diagnostics().trust["error"].count == len(mean)


def test_a_batch_searches_from_scratch_once(bed, monkeypatch):
    optimizer, searches = searched(bed, 30), []

    def counted(*arguments):
        searches.append(len(arguments))
        return maximise(*arguments)

    maximise = naxbo_module.maximise
    monkeypatch.setattr(naxbo_module, "maximise", counted)
    batch = [s.design for s in optimizer.ask(6)]
    assert len(set(batch)) == 6
    assert searches == [6, 7, 7, 7, 7, 7]  # the later ones are given what the first found
