import pytest

from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT, fidelity
from nax_bo.crossbar import MODES
from nax_bo.errors import InputError


@pytest.mark.parametrize("rung", LADDER.values(), ids=LADDER)
def test_rungs_make_sense(rung):
    assert fidelity(rung.name) is rung
    recipe = rung.recipe
    assert recipe.epochs > 0
    assert 0 < recipe.learning_rate < 1
    assert 0 <= recipe.momentum < recipe.variance_memory < 1
    assert 0 <= recipe.label_smoothing < 1
    assert recipe.least_steps > 0
    assert 2 <= rung.min_draws <= rung.max_draws
    assert rung.mode in MODES
    assert 0 < rung.relative_cost <= 1


def test_short_is_shorter_in_every_way():
    assert SHORT.recipe.epochs * 4 < FULL.recipe.epochs
    assert 5 * SHORT.trainings * SHORT.recipe.least_steps < FULL.trainings * FULL.recipe.least_steps
    assert SHORT.min_draws < FULL.min_draws
    assert SHORT.max_draws < FULL.max_draws
    assert SHORT.relative_cost < FULL.relative_cost == 1.0


def test_unknown_rungs_are_refused():
    with pytest.raises(InputError, match="no fidelity 'medium'") as caught:
        fidelity("medium")
    assert caught.value.hint == "Use program, inherit, tune, short or full."
