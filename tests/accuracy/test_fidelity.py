import pytest

from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT, fidelity
from nax_bo.crossbar import MODES
from nax_bo.errors import InputError


@pytest.mark.parametrize("rung", LADDER.values(), ids=LADDER)
def test_rungs_make_sense(rung):
    assert fidelity(rung.name) is rung
    assert rung.epochs > 0
    assert 2 <= rung.min_draws <= rung.max_draws
    assert rung.mode in MODES
    assert 0 < rung.relative_cost <= 1


def test_short_is_shorter_in_every_way():
    assert SHORT.epochs * 4 < FULL.epochs
    assert SHORT.max_draws < FULL.min_draws
    assert SHORT.relative_cost < FULL.relative_cost == 1.0


def test_unknown_rungs_are_refused():
    with pytest.raises(InputError, match="no fidelity 'medium'") as caught:
        fidelity("medium")
    assert caught.value.hint == "Use short or full."
