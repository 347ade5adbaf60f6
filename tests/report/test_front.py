"""What people read of a front: ranges, ties, picks, units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware.protocol import cost_model
from nax_bo.outcomes import MAIN_COSTS, OUTCOMES
from nax_bo.report.charts import designs
from nax_bo.report.collect import collect
from nax_bo.report.front import Limits, cheapest_within, front_rows, pickable, survivors, ties
from nax_bo.units import percent_places, significant, unit_for


@pytest.fixture(scope="module")
def study(tmp_path_factory, simulated_trainings):
    from nax_bo.study import Study, StudyConfig

    settings = StudyConfig(strategy="random", surrogate="gp", workers=1, budget=16, calibrate_every=2)
    with Study(tmp_path_factory.mktemp("front") / "study.naxbo", settings) as made:
        made.run(executor=simulated_trainings())
        yield made


def test_ranges_are_those_of_the_cost_model_around_what_the_store_holds(study) -> None:
    for row in front_rows(study):
        network, chip = study.study_problem.system.decode(study.trial(row["number"]).design)
        spread = study.study_problem.cost_model.evaluate(network, chip).spread
        for cost in (OUTCOMES[name] for name in MAIN_COSTS):
            low, high = spread.factors[cost.field]
            ends = [row[name] for name in cost.ends]
            if low == high:  # no source says otherwise
                assert ends == [None, None]
            else:
                assert ends == pytest.approx([low * row[cost.name], high * row[cost.name]])
                assert ends[0] <= row[cost.name] <= ends[1]
        assert spread.edap[0] < 1 < spread.edap[1]


def test_intervals_hold_the_accuracies_that_were_trained_more_than_once(study) -> None:
    for row in front_rows(study):
        if study.trial(row["number"]).best.outcome.get("trainings", 1) > 1:
            assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        else:
            assert row["accuracy_low"] is None
            assert row["accuracy_high"] is None


def test_survivors_under_a_cost_model_are_what_brute_force_finds(study) -> None:
    full = [t for t in study.trials() if t.at("full")]
    model = cost_model("puma")
    points = {
        t.number: (
            study.accuracy(t.at("full")),
            model.evaluate(*study.study_problem.system.decode(t.design)).edap_uj_ms_mm2,
        )
        for t in full
    }
    kept = {
        n
        for n, (a, e) in points.items()
        if not any(b >= a and f <= e and (b, f) != (a, e) for b, f in points.values())
    }
    assert survivors(study)["puma"] == kept


def test_the_studys_own_cost_model_keeps_the_whole_front(study) -> None:
    assert all("published" in row["holds_under"] for row in front_rows(study))


def test_limits_pick_what_brute_force_finds(study) -> None:
    areas = sorted(t.costs["area_mm2"] for t in study.trials() if t.at("full"))
    limit = areas[len(areas) // 2]
    found = {t.number for t in pickable(study, Limits.named({"area": limit}, {"accuracy": 0.3}))}
    rows = {
        t.number: (study.accuracy(t.at("full")), t.costs["edap_uj_ms_mm2"])
        for t in study.trials()
        if t.at("full") and t.costs["area_mm2"] <= limit and study.accuracy(t.at("full")) >= 0.3
    }
    assert found == {
        n
        for n, (a, e) in rows.items()
        if not any(b >= a and f <= e and (b, f) != (a, e) for b, f in rows.values())
    }


def test_limits_that_mean_nothing_are_refused(study) -> None:
    with pytest.raises(InputError, match="nothing called 'aera'"):
        Limits.named({"aera": 1.0}, {})
    with pytest.raises(InputError, match="a limit of 98"):
        Limits.named({}, {"accuracy": 98.0})


def _row(number, accuracy, error, edap=1.0):
    return {"number": number, "accuracy": accuracy, "standard_error": error, "edap_uj_ms_mm2": edap}


def test_designs_tie_when_noise_does_not_tell_them_apart() -> None:
    rows = [_row(0, 0.95, 0.003), _row(1, 0.945, 0.003), _row(2, 0.93, 0.003), _row(3, 0.95, None)]
    assert ties(rows) == [0, 1, 3]
    assert ties([]) == []


def test_the_cheapest_within_some_points_of_the_best() -> None:
    rows = [_row(0, 0.95, 0.0, 9.0), _row(1, 0.945, 0.0, 2.0), _row(2, 0.94, 0.0, 1.0)]
    assert [cheapest_within(rows, p)["number"] for p in (0.0, 0.5, 1.0)] == [0, 1, 2]
    assert cheapest_within([], 1.0) is None


@given(st.floats(1e-12, 1e12), st.integers(1, 6))
def test_significant_digits_without_exponents(value, digits) -> None:
    text = significant(value, digits)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits))


@given(st.lists(st.floats(1e-9, 1e9), min_size=1), st.sampled_from(["µJ", "ms", "mm²", "µJ·ms·mm²"]))
def test_a_column_has_one_unit_that_suits_its_middle(values, fixed) -> None:
    unit = unit_for(fixed, values)
    middle = float(np.median(values)) / unit.size
    assert middle >= (0.01 if unit.name == "mm²" else 0.999) or unit == unit_for(fixed, [1e-300])


def test_energies_read_as_people_say_them() -> None:
    assert unit_for("µJ", [0.1446]).show(0.1446) == "145"
    assert unit_for("µJ", [0.1445]).heading("energy") == "energy (nJ)"
    assert unit_for("ms", [0.000158]).show(0.000158) == "158"
    assert unit_for("µJ·ms·mm²", [9.109e-08]).show(9.109e-08, 2) == "91"
    assert unit_for("mm²", [0.00392]).name == "µm²"
    assert (significant(9.996), significant(1234), significant(0)) == ("10.0", "1230", "0")


@pytest.mark.parametrize(
    ("errors", "images", "places"),
    [([0.006], 360, 1), ([0.0004], 10_000, 2), ([0.05], 360, 0), ([None], 360, 1), ([], 1, 0)],
)
def test_decimals_follow_the_standard_error(errors, images, places) -> None:
    assert percent_places(errors, images) == places


def test_a_front_of_three_objectives_survives_its_own_cost_model_and_is_no_line(simulated_study) -> None:
    study = simulated_study(
        20, calibrate_every=2, objectives=["accuracy", "energy_uj", "area_mm2"], within=100.0
    )
    front = {t.number for t in study.front()}
    assert front <= survivors(study)["published"]
    chart = designs.front(collect(study, quick=True)).to_dict()
    (line,) = (x for x in chart["layer"] if x["mark"]["type"] == "line")
    places = [study.values(t) for t in sorted(study.front(), key=lambda t: t.costs["energy_uj"])]
    rises = [v["accuracy"] for v in places] == sorted(v["accuracy"] for v in places)
    assert not rises
    assert chart["datasets"][line["data"]["name"]] == []
