"""What a study's problem says of a design, as data for the study's file."""

from __future__ import annotations

from typing import Any

from nax_bo.space import Design
from nax_bo.study.file.trial import Proposal, Specs
from nax_bo.study.problem import StudyProblem


def proposal_of(problem: StudyProblem, design: Design, fidelity: str, reason: str = "") -> Proposal:
    """An evaluation to add to a store, with all that reading will need."""
    network, chip = problem.system.decode(design)
    columns = problem.space.columns(problem.space.indices([design]))
    scores = {name: float(values[0]) for name, values in problem.proxies(columns).items()}
    (costs,) = problem.costs_of([design])
    specs = Specs(network.to_dict(), chip.to_dict(), problem_report(problem, design), scores)
    return Proposal(design, costs, fidelity, reason, specs)


def problem_report(problem: StudyProblem, design: Design) -> dict[str, Any]:
    """Plain form of a design's cost with breakdowns; empty if it cannot be priced."""
    report = problem.report(design)
    return {} if report is None else report.to_dict()
