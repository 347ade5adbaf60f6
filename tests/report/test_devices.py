"""Why the front has its devices: the table against the cost model and the surrogate, design by design."""

import numpy as np
import pytest

from nax_bo.report.devices import cells, rivals, said
from nax_bo.study.answers.prediction import fit_accuracy
from nax_bo.study.answers.single import changed_design


@pytest.fixture(scope="module")
def study(tmp_path_factory, simulated_trainings):
    from nax_bo.study import Study, StudyConfig

    settings = StudyConfig(strategy="random", surrogate="gbt", workers=1, budget=16, calibrate_every=2)
    with Study(tmp_path_factory.mktemp("devices") / "study.naxbo", settings) as made:
        made.run(executor=simulated_trainings())
        yield made


def test_every_device_and_its_bits_are_tried_once(study) -> None:
    names = [row.device for row in rivals(study, study.front())]
    assert len(names) == len(set(names)) == 3 + 3 + 2 + 1 + 1
    assert "rram, bits per cell 2" in names
    assert "sram" in names


def test_a_row_is_what_the_cost_model_and_the_surrogate_say(study) -> None:
    front = study.front()
    row = next(r for r in rivals(study, front) if r.device == "pcm, bits per cell 2")
    problem, space = study.study_problem, study.store.space
    model = fit_accuracy(study)
    ratios, points = [], []
    for trial in front:
        moved = changed_design(space, trial.design, {"device": "pcm", "bits_per_cell": "2"})
        best = min(
            problem.cost_model.evaluate(*problem.system.decode(other)).edap_uj_ms_mm2
            for kind in ("sar", "flash")
            for mux in space["mux"].values
            for other in [changed_design(space, moved, {"adc_type": kind, "mux": str(mux)})]
        )
        ratios.append(best / trial.costs["edap_uj_ms_mm2"])
        after, before = (p.accuracy for p in model.predict([moved, trial.design]))
        points.append(100 * (after - before))
    assert row.cost == pytest.approx(np.median(ratios))
    assert (row.cost_low, row.cost_high) == pytest.approx((min(ratios), max(ratios)))
    assert row.points == pytest.approx(np.median(points))


def test_the_sentence_counts_the_front(study) -> None:
    front = study.front()
    text = said(front)
    for name in {str(t.design["device"]) for t in front}:
        assert f"{sum(t.design['device'] == name for t in front)} of {len(front)} designs have {name}" in text
    holds = sum(r.holds for r in rivals(study, front))
    assert holds == len(front)
    assert all(cells(r, len(front))["device"] == r.device for r in rivals(study, front))
