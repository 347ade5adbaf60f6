"""Questions that a study can be asked: objectives, limits, parts of the space. A formula replaces trainings."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ChipSpec, CostReport, cost_model
from nax_bo.network import NetworkSpec
from nax_bo.outcomes import OUTCOMES, PRICED
from nax_bo.search.pareto import nondominated
from nax_bo.study import Study, StudyConfig
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.job import Job, JobResult

SMALL = {
    "depth": ["2"],
    "width": ["8", "16"],
    "kernel": ["3"],
    "crossbar": ["64"],
    "device": ["sram"],
    "weight_bits": ["4"],
    "input_bits": ["4"],
    "mux": ["4"],
    "adc_type": ["sar"],
}
"""Leaves two widths and six converters: 24 designs."""


class Formula(Executor):
    """Accuracy grows with width and converter bits; every job is kept."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def submit(self, fn: Any, job: Job, /) -> Future[JobResult]:
        self.jobs.append(job)
        width = sum(layer["out_shape"][0] for layer in job.network["layers"] if layer["op"] == "conv")
        mean = 1 - 0.9 / (
            1 + math.exp(0.4 * math.log10(width) + 0.4 * job.chip["arrays"][0]["adc_bits"] - 1.5)
        )
        mean -= 0.02 * (job.fidelity == "short")
        future: Future[JobResult] = Future()
        outcome = {"mean": mean, "p05": mean - 0.002 * width**0.5, "standard_error": 0.003, "clean": 1.0}
        future.set_result(JobResult(outcome))
        return future


def asked(path: Path, **settings: Any) -> tuple[Study, Formula]:
    executor = Formula()
    study = Study(path, StudyConfig(**{"budget": 10, "workers": 1, "calibrate_every": 3, **settings}))
    study.run(executor=executor)
    return study, executor


def test_a_front_of_four_objectives_is_undominated_in_all_of_them(tmp_path: Path) -> None:
    names = ("p05", "accuracy", "energy_uj", "tops_mm2")
    study, _ = asked(
        tmp_path / "s", objectives=("p05", "accuracy", "energy", "tops_mm2"), within=100, budget=7
    )
    with study:
        full = [t for t in study.trials() if t.at("full")]
        y = np.array([[OUTCOMES[n].sign * study.values(t)[n] for n in names] for t in full])
        expected = {t.number for t, keep in zip(full, nondominated(y), strict=True) if keep}
        assert {t.number for t in study.front()} == expected
        assert study.hypervolume() > 0
        assert set(study.reference_point()) == set(names)
        assert set(full[0].costs) == {o.name for o in PRICED}


def test_limits_on_what_is_measured_or_priced_hold(tmp_path: Path) -> None:
    study, _ = asked(tmp_path / "s", max={"latency": 0.02}, min={"tops_w": 2.0, "p05": 0.5})
    with study:
        assert all(t.costs["latency_ms"] <= 0.02 and t.costs["tops_w"] >= 2.0 for t in study.trials())
        assert all(study.values(t)["p05"] >= 0.5 for t in study.front())
        assert study.front()


def test_what_is_fixed_stays_and_what_is_chosen_varies(tmp_path: Path) -> None:
    study, _ = asked(
        tmp_path / "s",
        choose={"device": ["rram"], "crossbar": [64, 128], "crossbar_1": ["128"]},
        strategy="random",
    )
    with study:
        designs = [t.design for t in study.trials()]
        assert {d["device"] for d in designs} == {"rram"}
        assert {d["crossbar_1"] for d in designs} == {128}
        assert {d["crossbar_2"] for d in designs} <= {64, 128}
        assert len({d["adc_bits"] for d in designs}) > 1
        whole = StudyProblem(StudyConfig(), (1, 10, 10), 10)
        (again,) = whole.costs_of([whole.space.design(dict(designs[0]))])
        assert study.trials()[0].costs == pytest.approx(again)


def test_only_accuracies_near_the_best_count_unless_a_limit_says_so(tmp_path: Path) -> None:
    near, _ = asked(tmp_path / "near", budget=12, strategy="random")
    with near:
        best = max(near.accuracy(e) for t in near.trials() if (e := t.at("full")))
        assert near.reference_point()["accuracy"] == pytest.approx(best - 0.1)
        assert all(near.accuracy(t.at("full")) >= best - 0.1 for t in near.front())
    low, _ = asked(tmp_path / "low", strategy="random", min={"accuracy": 0.2})
    with low:
        assert low.reference_point()["accuracy"] == pytest.approx(0.2)


def test_a_budget_beyond_the_space_looks_at_each_design_once_and_trains_the_best(tmp_path: Path) -> None:
    study, executor = asked(tmp_path / "s", choose=SMALL, budget=500)
    with study:
        assert study.store.space.size == 24 == len(study.trials())
        assert len({(str(j.network), str(j.chip)) for j in executor.jobs}) == 24
        newest = max(t.evaluations[0].id for t in study.trials())
        assert 0 < sum(e.id > newest for e in study.store.evaluations()) <= 10  # not all that is left
        assert study.front()
        before = len(executor.jobs)
        study.run(executor=executor)
        assert len(executor.jobs) == before


def test_a_search_ends_where_no_more_designs_meet_the_limits(tmp_path: Path) -> None:
    whole = StudyProblem(StudyConfig(choose=SMALL), (1, 10, 10), 10)
    energies = whole.costs(whole.space.columns(whole.space.enumerate()))["energy_uj"]
    limit = float(np.sort(energies)[8])
    study, _ = asked(tmp_path / "s", choose=SMALL, budget=500, max={"energy_uj": limit * (1 + 1e-9)})
    with study:
        assert len(study.trials()) == 9
        assert all(t.costs["energy_uj"] <= limit * (1 + 1e-9) for t in study.trials())


def test_limits_that_nothing_meets_are_refused_before_there_is_a_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no design was found with energy_uj <= 1e-09") as ex:
        Study(tmp_path / "s", StudyConfig(max={"energy": 1e-9}))
    assert "nearest" in ex.value.hint
    assert not (tmp_path / "s").exists()


class Natural:
    """The evaluator that one writes first: it calls a shipped model and changes what that says."""

    def __init__(self) -> None:
        self.model = cost_model("published")

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        if chip.device == "sram":
            raise ValueError("no SRAM compiler here")
        cost = self.model.evaluate(network, chip)
        energy = math.nan if chip.arrays[0].adc_bits == 8 else 2 * cost.energy_pj
        return CostReport(energy, cost.latency_ns, cost.area_um2, macs=cost.macs)


class Refusing:
    """Prices nothing."""

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        raise RuntimeError("the licence server is away")


def test_the_natural_evaluator_runs_and_what_it_cannot_price_is_not_tried(tmp_path: Path) -> None:
    study, _ = asked(
        tmp_path / "s", cost_model=f"{__file__}:Natural", budget=4, objectives=("accuracy", "energy")
    )
    with study:
        assert study.front()
        for t in study.trials():
            assert t.design["device"] != "sram"
            assert t.design["adc_bits"] != 8
            assert math.isfinite(t.costs["energy_uj"])


def test_an_evaluator_that_prices_nothing_is_refused_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gives no EDAP for any of .* licence server is away"):
        Study(tmp_path / "s", StudyConfig(cost_model=f"{__file__}:Refusing"))
