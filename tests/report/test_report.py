"""Reports of studies of every age: what they hold, what they leave out, what they look like to a browser."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nax_bo.accuracy.report import statistics_of
from nax_bo.errors import InputError
from nax_bo.hardware import CostReport
from nax_bo.report.bench_chart import draw_bench
from nax_bo.report.chosen import choose, knee
from nax_bo.report.collect import collect, describe
from nax_bo.report.gallery import FIGURES, drawable
from nax_bo.report.history import hypervolume_history
from nax_bo.report.page import page, write_report
from nax_bo.search.bench.compare import Curve

PNG = b"\x89PNG\r\n\x1a\n"


class SlowSimulator:
    """A user's cost model: one design at a time, totals only."""

    def evaluate(self, network, chip) -> CostReport:
        return CostReport(
            energy_pj=1.0 + network.macs, latency_ns=100.0, area_um2=1e5 * chip.arrays[0].adc_bits
        )


def test_the_last_hypervolume_is_the_studys(grown, data) -> None:
    assert data.history[-1].hypervolume == pytest.approx(grown.hypervolume(), rel=1e-9)


def test_hypervolume_never_falls_and_counts_every_training(grown, data) -> None:
    values = [h.hypervolume for h in data.history]
    assert values == sorted(values)
    finished = [e for t in grown.trials() for e in t.evaluations if e.order is not None]
    full = [e for e in finished if e.fidelity == "full" and e.state == "done"]
    assert len(data.history) == len(full) + 1
    assert data.history[-1].trainings <= len(finished)


def test_designs_above_a_limit_do_not_count(simulated_study) -> None:
    study = simulated_study(12, calibrate_every=3, max={"area_mm2": 4.0}, min={"accuracy": 0.3})
    history = hypervolume_history(study)
    assert history[-1].hypervolume == pytest.approx(study.hypervolume(), rel=1e-9)


def test_every_trained_design_is_a_point_and_the_front_is_marked(grown, data) -> None:
    assert {p.number for p in data.points} == {
        t.number for t in grown.trials() if t.at("full") or t.at("short")
    }
    assert [p.number for p in data.front] == [t.number for t in grown.front()]


def test_failures_are_grouped_by_reason(grown, data) -> None:
    (row,) = data.failures
    assert row["failures"] == sum(e.state == "failed" for t in grown.trials() for e in t.evaluations)


def test_both_built_in_surrogates_are_judged(data) -> None:
    assert [c.surrogate for c in data.calibration] == ["gp", "gbt"]
    for entry in data.calibration:
        inside = [
            low <= m <= high for m, low, high in zip(entry.measured, entry.low, entry.high, strict=True)
        ]
        assert entry.coverage == pytest.approx(np.mean(inside))


def test_layers_and_components_add_up_to_the_chosen_design(grown, data) -> None:
    number = int(re.match(r"Design (\d+)", data.chosen)[1])
    costs = grown.trial(number).costs
    energy = next(r for r in data.layer_rows if r.name == "energy (nJ)")
    assert sum(energy.values) == pytest.approx(1e3 * costs["energy_uj"], rel=1e-6)
    assert sum(c.energy_pj for c in data.components) == pytest.approx(1e6 * costs["energy_uj"], rel=1e-6)
    assert sum(c.area_um2 for c in data.components) == pytest.approx(1e6 * costs["area_mm2"], rel=1e-6)


def test_the_bend_of_the_front_is_farthest_from_the_line_between_its_ends(grown) -> None:
    front = grown.front()
    assert len(front) >= 3
    y = np.array([[1 - grown.accuracy(t.at("full")), np.log10(t.costs["edap_uj_ms_mm2"])] for t in front])
    y = (y - y.min(axis=0)) / np.ptp(y, axis=0)
    a, b = y[0], y[-1]  # best accuracy, least cost
    towards = (b - a)[0] * (y - a)[:, 1] - (b - a)[1] * (y - a)[:, 0]
    towards *= np.sign((b - a)[0] * -a[1] + (b - a)[1] * a[0])  # positive on the origin's side
    chosen, _ = knee(grown, front)
    assert front.index(chosen) == int(np.argmax(towards))


def test_the_error_budget_covers_every_crossbar_layer_with_the_total_of_all_sources(data) -> None:
    assert set(data.error_layers) <= set(data.layer_names)
    rows = {row.name: row.values for row in data.error_budget}
    assert all(len(values) == len(data.error_layers) for values in rows.values())
    assert all(t >= 0.5 * q for t, q in zip(rows["all together"], rows["quantisation"], strict=True))


def test_accuracy_is_driven_by_what_drives_the_simulated_trainings(data) -> None:
    """Widths, ADC bits and input bits alone enter them; peripherals enter costs only."""
    by_name = {d.setting: d for d in data.drivers}
    ranked = sorted(data.drivers, key=lambda d: -d.accuracy_total)
    assert ranked[0].setting in ("adc_bits", "input_bits", "width_1", "width_2", "depth")
    assert all(by_name[name].accuracy_total == 0 for name in ("mux", "adc_type") if name in by_name)
    assert all(0 <= d.accuracy_first <= 1 and 0 <= d.cost_total <= 1 for d in data.drivers)


def test_a_design_can_be_chosen(grown) -> None:
    chosen, why = choose(grown, 3, grown.front())
    assert (chosen.number, why) == (3, "as asked")
    with pytest.raises(InputError, match="no design 999"):
        collect(grown, 999)


def test_every_figure_is_a_file_in_two_forms(data, tmp_path) -> None:
    target = write_report(data, tmp_path / "report")
    names = sorted(figure.name for figure in FIGURES)
    assert sorted(p.stem for p in target.parent.glob("*.png")) == names
    assert all(p.read_bytes().startswith(PNG) for p in target.parent.glob("*.png"))
    for path in target.parent.glob("*.svg"):
        assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")
    assert sorted(p.stem for p in target.parent.glob("*.svg")) == names


def test_the_same_data_give_the_same_page(data) -> None:
    assert page(data) == page(data)


@pytest.mark.parametrize(
    ("budget", "failing", "figures"),
    [
        (1, 0.0, {"front", "hypervolume", "layers", "error_budget", "components", "survivors"}),
        (4, 1.0, set()),
    ],
    ids=["one result", "only failures"],
)
def test_young_studies_have_reports_too(simulated_study, tmp_path, budget, failing, figures) -> None:
    study = simulated_study(budget, failing)
    found = collect(study)
    assert {figure.name for figure in drawable(found)} == figures
    assert write_report(found, tmp_path / "report").is_file()


def test_a_study_without_any_training(simulated_study, tmp_path) -> None:
    found = collect(simulated_study(1, 1.0))
    text = write_report(found, tmp_path / "report").read_text(encoding="utf-8")
    assert "No design has been trained yet" in text


def test_short_trainings_alone_make_no_front(grown, simulated_study, tmp_path) -> None:
    study = simulated_study(1)
    design = study.store.space.design(study.store.space.sample(1, 5)[0])
    (evaluation,) = study.store.add([study.proposal(design, "short")])
    outcome = dict(next(e for t in grown.trials() for e in t.evaluations if e.state == "done").outcome)
    study.store.finish(evaluation.id, "done", outcome=outcome)
    found = collect(study)
    assert {p.fidelity for p in found.points} == {"full", "short"}


def test_a_cost_model_without_breakdown_and_learned_costs(simulated_study, tmp_path) -> None:
    study = simulated_study(8, cost_model=f"{__file__}:SlowSimulator", learn_costs=True, calibrate_every=2)
    found = collect(study)
    assert found.components == ()
    assert "energy (nJ)" not in [row.name for row in found.layer_rows]
    assert write_report(found, tmp_path / "report").is_file()


def test_accuracy_is_the_one_that_is_maximised(simulated_study) -> None:
    study = simulated_study(6, objectives=("p05", "edap"), calibrate_every=2)
    found = collect(study)
    assert "95 %" in found.accuracy_label
    for p in found.points:
        evaluation = study.trial(p.number).at(p.fidelity)
        assert p.accuracy == statistics_of(evaluation.outcome)["p05"]


def test_an_unwritable_folder_is_named(data, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the report"):
        write_report(data, tmp_path / "file")


def test_designs_in_words() -> None:
    assert (
        describe({"depth": 2, "width_1": 8, "width_2": 16, "adc_bits": 5})
        == "depth 2, width 8-16, adc bits 5"
    )


def test_a_figure_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    old = tmp_path / "curves.png"
    old.write_bytes(b"old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        draw_bench([Curve("a", 0, (0.5, 1.0), (0.0, 0.0))], 1.0, "test", old)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
