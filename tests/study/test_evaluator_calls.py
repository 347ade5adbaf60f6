"""A user's cost evaluator: asked once per design, and of restricted spaces, whose idle variables show other values."""

import sys

import numpy as np

from nax_bo.study.config import StudyConfig
from nax_bo.study.problem import StudyProblem
from nax_bo.study.proposing import proposal_of

COUNTING = '''
from nax_bo.hardware import cost_model

CALLS = []


class Counting:
    """The published model, counted."""

    def __init__(self):
        self.model = cost_model("published")

    def evaluate(self, network, chip):
        CALLS.append(network)
        return self.model.evaluate(network, chip)
'''


def problem(tmp_path, **settings):
    file = tmp_path / "counting.py"
    file.write_text(COUNTING)
    config = StudyConfig(cost_model=f"{file}:Counting", data="digits", **settings)
    made = StudyProblem(config, (1, 8, 8), 10)
    evaluator = made.cost_model.evaluator
    return made, sys.modules[type(evaluator).__module__].CALLS


def test_a_design_that_is_weighed_and_proposed_is_priced_once(tmp_path):
    made, calls = problem(tmp_path)
    (design,) = made.space.designs(made.space.sobol(1, 3))
    (costs,) = made.costs_of([design])
    proposal = proposal_of(made, design, "short")
    assert len(calls) == 1
    assert proposal.costs == costs
    assert proposal.specs.report["energy_pj"] > 0


def test_restricted_spaces_are_priced_one_by_one(tmp_path):
    """Where a variable is idle, its column shows the whole space's first value, which the part may not have."""
    whole, _ = problem(tmp_path)
    for variable in whole.space.variables:
        if not variable.active_when:
            continue
        part, _ = problem(tmp_path, choose={variable.name: (str(variable.values[-1]),)})
        x = part.space.sobol(min(24, part.space.size), 0)
        costs = part.costs(part.space.columns(x))
        assert np.isfinite(costs["energy_uj"]).all()
        same = whole.costs_of([whole.space.design(dict(d)) for d in part.space.designs(x)])
        assert [c["energy_uj"] for c in same] == costs["energy_uj"].tolist()
        return
    raise AssertionError("the default space has variables that matter for some designs only")
