"""Parts of a reproduction against outside truth: the t interval, the walk of factors, images seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from nax_bo.accuracy.fidelity import FULL, SHORT, Recipe
from nax_bo.errors import InputError
from nax_bo.hardware import cost_model
from nax_bo.reproduce.factors import walk
from nax_bo.reproduce.pairs import paired_difference, trainings_of
from nax_bo.reproduce.scale import images_seen, scale
from nax_bo.systems import load_system, system_names
from nax_bo.systems.groups import ORDER, group_of


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.91, 0.01, 6), rng.normal(0.90, 0.01, 6)
    found = paired_difference(list(ours), list(theirs))
    expected = ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(float((ours - theirs).mean()))
    assert found.count == 6


@pytest.mark.parametrize(("ours", "theirs"), [([0.9], [0.8]), ([0.9, 0.8], [0.9]), ([], [])])
def test_what_makes_no_pairs_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(InputError, match="trainings make no pairs"):
        paired_difference(ours, theirs)


def test_trainings_are_told_apart_in_a_stored_outcome() -> None:
    outcome = {"draws": [0.9, 0.8, 0.7, 0.92, 0.82, 0.72], "trainings": 3, "mean": 0.81}
    assert trainings_of(outcome) == pytest.approx([0.91, 0.81, 0.71])
    assert trainings_of({"mean": 0.5}) == [0.5]


def test_images_seen_follow_epochs_or_least_steps() -> None:
    assert images_seen(1000, 100, Recipe(epochs=3, learning_rate=0.1)) == 3000
    assert images_seen(1000, 100, Recipe(epochs=3, learning_rate=0.1, least_steps=50)) == 5000
    assert images_seen(899, 32, SHORT.recipe) < images_seen(899, 32, FULL.recipe)


XPERT = load_system("xpert", (1, 10, 10), 10)
MODEL = cost_model("xpertsim")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_factors_multiply_to_the_total(seed: int) -> None:
    start, end = XPERT.space.designs(XPERT.space.sample(2, seed))

    def edap(design: object) -> float:
        return MODEL.evaluate(*XPERT.decode(design)).edap_uj_ms_mm2  # type: ignore[arg-type]

    factors, total = walk(XPERT.space, start, end, edap)
    assert total == pytest.approx(edap(start) / edap(end), rel=1e-12)
    assert np.prod([f.gain for f in factors]) == pytest.approx(total, rel=1e-12)
    assert {f.group for f in factors} <= {"network", "bits", "converter type", "sharing"}


def test_one_change_is_one_factor_and_no_change_none() -> None:
    start = XPERT.baselines["paper"]
    flash = XPERT.baselines["homogeneous flash 8"]
    factors, total = walk(
        XPERT.space, start, flash, lambda d: MODEL.evaluate(*XPERT.decode(d)).edap_uj_ms_mm2
    )
    assert [f.group for f in factors] == ["converter type"]
    assert total == pytest.approx(2.78, abs=0.01)
    assert walk(XPERT.space, start, start, lambda _: 1.0) == ([], 1.0)


def test_a_step_without_a_price_goes_with_the_next() -> None:
    start, end = XPERT.baselines["paper"], XPERT.space.designs(XPERT.space.sample(1, 4))[0]
    asked: list[object] = []

    def second_is_unknown(design: object) -> float:
        asked.append(design)
        return float("nan") if len(asked) == 2 else 8.0 / len(asked)

    factors, total = walk(XPERT.space, start, end, second_is_unknown)
    assert factors[0].group == "network, bits"
    assert np.prod([f.gain for f in factors]) == pytest.approx(total)


@pytest.mark.parametrize("name", system_names())
def test_every_variable_of_every_system_has_a_group_that_is_walked(name: str) -> None:
    groups = {v.name: group_of(v) for v in load_system(name, (3, 16, 16), 10).space.variables}
    assert set(groups.values()) <= set(ORDER)
    for variable, group in groups.items():
        assert (group == "converter type") == variable.startswith("adc_type")
        assert (group == "sharing") == variable.startswith("mux")
        assert (group == "crossbar") == ("crossbar" in variable)


def test_an_unknown_scale_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InputError, match="no scale 'huge'") as caught:
        scale("huge")
    assert "small or paper" in caught.value.hint
