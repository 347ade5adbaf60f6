"""The table of outcomes: names, reading from costs and reports, limits."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import norm

from nax_bo.errors import InputError
from nax_bo.hardware import CostBatch, CostReport
from nax_bo.outcomes import (
    DEFAULT_OBJECTIVES,
    MAIN_COSTS,
    MEASURED,
    OUTCOMES,
    PRICED,
    QUANTILE_ERROR,
    SUMMARY_COST,
    measured,
    outcome,
    priced,
)

REPORT = CostReport(2e6, 5e5, 3e6, response_ns=1e6, macs=4e6, utilisation=0.5)


def test_priced_outcomes_follow_from_energy_interval_area_and_work() -> None:
    values = priced(REPORT)
    assert values["energy_uj"] == pytest.approx(2.0)
    assert values["latency_ms"] == pytest.approx(0.5)
    assert values["response_ms"] == pytest.approx(1.0)
    assert values["area_mm2"] == pytest.approx(3.0)
    assert values["edap_uj_ms_mm2"] == pytest.approx(2.0 * 0.5 * 3.0)
    assert values["power_mw"] == pytest.approx(2e-6 / 0.5e-3 * 1e3)  # joules over seconds
    assert values["fps"] == pytest.approx(1 / 0.5e-3)
    assert values["tops_w"] == pytest.approx(2 * 4e6 / 2e-6 / 1e12)
    assert values["tops_mm2"] == pytest.approx(2 * 4e6 / 0.5e-3 / 1e12 / 3.0)
    assert values["utilisation"] == 0.5


def test_a_batch_gives_the_same_as_its_reports() -> None:
    other = CostReport(3e6, 7e5, 1e6, response_ns=2e6, macs=9e6, utilisation=0.25)
    batch = priced(CostBatch.stack([REPORT, other]))
    for i, report in enumerate((REPORT, other)):
        assert {k: v[i] for k, v in batch.items()} == pytest.approx(priced(report))


def test_every_outcome_is_found_by_its_name_and_by_its_short_name() -> None:
    for o in OUTCOMES.values():
        assert outcome(o.name) is o
        assert outcome(o.short) is o
    assert len({o.short for o in OUTCOMES.values()}) == len(OUTCOMES)
    assert {*DEFAULT_OBJECTIVES, *MAIN_COSTS, SUMMARY_COST} <= set(OUTCOMES)


@pytest.mark.parametrize(("name", "hint"), [("tops", "tops_w"), ("enrgy", "energy"), ("zzzz", "There are")])
def test_an_unknown_outcome_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InputError, match="is measured or priced") as ex:
        outcome(name)
    assert hint in ex.value.hint


def test_measured_outcomes_are_those_that_a_report_holds() -> None:
    assert measured({"mean": 0.9, "p05": 0.8, "std": 0.1}) == {"accuracy": 0.9, "p05": 0.8}
    assert measured({"mean": 0.9, "p05": None}) == {"accuracy": 0.9}


def test_the_error_of_a_low_quantile_is_that_of_repeated_samples() -> None:
    draws = np.random.default_rng(0).standard_normal((4000, 400))
    found = np.quantile(draws, 0.05, axis=1).std() / draws.mean(axis=1).std()
    assert pytest.approx(found, rel=0.05) == QUANTILE_ERROR
    assert pytest.approx(np.sqrt(0.05 * 0.95) / norm.pdf(norm.ppf(0.05)), rel=1e-3) == QUANTILE_ERROR
    report = {"mean": 0.9, "p05": 0.8, "standard_error": 0.01}
    mean, low = (OUTCOMES[n].variance(report) for n in ("accuracy", "p05"))
    assert low / mean == pytest.approx(QUANTILE_ERROR**2)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "5"])
def test_what_can_be_no_limit_is_refused(limit: object) -> None:
    for o in OUTCOMES.values():
        with pytest.raises(InputError, match=f"on {o.name}"):
            o.check_limit(limit)


def test_percent_is_no_fraction() -> None:
    for o in MEASURED:
        with pytest.raises(InputError, match="fraction"):
            o.check_limit(90)
    for o in PRICED:
        o.check_limit(90)


def test_the_table_needs_no_torch() -> None:
    code = "import json, sys, nax_bo.outcomes; print(json.dumps([m in sys.modules for m in ('torch', 'botorch')]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [False, False]
