import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search.scale import Scale


@pytest.mark.parametrize("name", ["linear", "log10", "logit"])
@pytest.mark.parametrize("maximise", [False, True])
def test_scales_are_monotone_and_invertible(name, maximise):
    scale = Scale.of("y", name, None, maximise)
    raw = np.linspace(0.05, 0.95, 19)
    z, y = scale.to_model(raw), scale.to_measure(raw)
    sign = -1 if maximise else 1
    assert np.all(sign * np.diff(z) > 0)
    assert np.all(sign * np.diff(y) > 0)
    assert scale.model_to_raw(z) == pytest.approx(raw)
    assert scale.model_to_measure(z) == pytest.approx(y)
    assert scale.measure_to_model(y) == pytest.approx(z)


@pytest.mark.parametrize("name", ["linear", "log10", "logit"])
def test_noise_follows_the_slope(name):
    scale = Scale.of("y", name, None, False)
    draws = np.random.default_rng(0).normal(0.4, 0.01, 20_000)
    assert scale.variance_to_model(0.4, 1e-4) == pytest.approx(np.var(scale.to_model(draws)), rel=0.05)


def test_logarithm_of_nothing_is_not_a_number():
    assert np.isnan(Scale("log10", "log10").to_model([0.0, -1.0])).all()


def test_perfect_fractions_stay_finite():
    assert np.isfinite(Scale("logit", "linear").to_model([0.0, 1.0])).all()


def test_unknown_scale():
    with pytest.raises(InputError, match="log2"):
        Scale.of("y", "log2", None, False)
