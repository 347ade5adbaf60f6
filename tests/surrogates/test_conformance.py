from pathlib import Path

import pytest
from nax_surrogates.conformance import CASES, Case, check

from nax_bo.errors import InputError
from nax_bo.surrogate import build

HERE = Path(__file__).parent
FOREST = HERE.parents[1] / "examples" / "my_forest.py"

FAULTS = {
    "Raises": ("fits", "boom"),
    "NotFinite": ("finite", "NaN"),
    "WrongShape": ("shape", r"shape \(1, 18\)"),
    "NegativeStd": ("std-not-negative", "negative|down to"),
    "Mutates": ("inputs-unchanged", "Y of fit"),
    "Undetermined": ("deterministic", "differ"),
    "GlobalSeed": ("seed", "global random state"),
    "Leaks": ("no-state-leak", "earlier fit"),
    "ZeroStd": ("std-not-zero", "0 everywhere"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("reference", ["gp", "gbt,bags=4,trees=30", "blend,bags=3"])
def test_built_in_surrogates_keep_the_contract(reference, case):
    case.run(reference)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "name", ["RandomForestRegressor,n_estimators=5", "GradientBoostingRegressor,n_estimators=5"]
)
def test_plain_regressors_keep_the_contract(name, case):
    case.run(f"sklearn.ensemble:{name}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_and_named(fault):
    name, problem = FAULTS[fault]
    case = next(case for case in CASES if case.name == name)
    with pytest.raises(Exception, match=problem):
        case.run(f"{HERE / 'hostile.py'}:{fault}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_honest_base_of_the_hostile_ones_passes(case):
    case.run(f"{HERE / 'hostile.py'}:Base")


def test_a_surrogate_that_never_returns_is_named_and_later_cases_still_run():
    cases = [case for case in CASES if case.name in ("constructs", "fits")]
    report = check(f"{HERE / 'hostile.py'}:Hangs", timeout_s=1.0, cases=[cases[1], cases[0]])
    assert [r.passed for r in report.results] == [False, True]
    assert "did not return within 1 s" in report.failures[0].problem


def test_a_surrogate_that_ends_its_process_is_named():
    cases = [case for case in CASES if case.name == "fits"]
    report = check(f"{HERE / 'hostile.py'}:Dies", cases=cases)
    assert "ended its process with code 3" in report.failures[0].problem


def test_the_example_forest_passes_the_whole_suite_in_its_own_process():
    report = check(f"{FOREST}:Forest,n_trees=10")
    assert report.passed, report.table()
    assert report.to_dict()["passed"] is True
    assert len(report.results) == len(CASES)


def test_a_reference_that_cannot_be_found_is_a_failed_report():
    report = check("no_such_surrogate")
    assert not report.passed
    assert "no_such_surrogate" in report.table()


def test_references_build_fresh_objects():
    assert build("gp").inner is not build("gp").inner


def test_a_file_that_exits_while_it_is_imported_is_a_failed_report(tmp_path):
    file = tmp_path / "exits.py"
    file.write_text("import sys\n\nsys.exit('gone')\n")
    report = check(f"{file}:Model")
    assert not report.passed
    assert "SystemExit: gone" in report.table()


def test_a_case_of_ones_own_is_refused_where_the_other_process_would_not_know_it():
    mine = Case("mine", "is mine", "why not", lambda surrogate: None)
    with pytest.raises(InputError, match="cannot check mine in another process"):
        check("gp", cases=[mine])
