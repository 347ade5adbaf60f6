import numpy as np
import pytest
from nax_surrogates import Blend, GaussianProcess, GradientBoosting
from nax_surrogates.diagnostics import diagnose, diagnostics, diagnostics_table
from nax_surrogates.problems import PROBLEMS, draw

from nax_bo.errors import InputError


def _coverage_and_r2(make, problem):
    out = []
    for seed in (0, 1):
        sample, test = draw(PROBLEMS[problem], 50, seed), draw(PROBLEMS[problem], 300, 70 + seed)
        mean, std = make(sample.columns, seed).fit(sample.X, sample.Y, sample.Yvar).predict(test.X)
        error = test.truth - mean
        out.append(((np.abs(error) <= 1.96 * std).mean(), 1 - (error**2).mean() / test.truth.var()))
    return np.mean(out, axis=0)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("make", [GradientBoosting, Blend])
def test_intervals_cover_unseen_designs_after_50_points(make, problem):
    coverage, r2 = _coverage_and_r2(make, problem)
    assert 0.87 <= coverage <= 0.995
    assert r2 > 0.1


def test_spread_grows_away_from_the_data():
    rng = np.random.default_rng(0)
    x = np.vstack([rng.uniform(0, 0.4, (60, 3)), rng.uniform(0.9, 1.0, (4, 3))])
    y = (np.sin(6 * x[:, :1]) + x[:, 1:2]).reshape(-1, 1)
    model = GradientBoosting(seed=0, bags=6).fit(x, y)
    near, far = model.predict(x[:30])[1].mean(), model.predict(np.full((5, 3), 0.65))[1].mean()
    assert far > 1.3 * near


def test_the_blend_prefers_whichever_predicts_better():
    sample = draw(PROBLEMS["smooth16"], 80, 0)
    blend = Blend(sample.columns, bags=4).fit(sample.X, sample.Y)
    assert blend.weights[0] > 0.7
    at = draw(PROBLEMS["smooth16"], 20, 1).X
    gp = GaussianProcess(sample.columns).fit(sample.X, sample.Y)
    share = blend.weights[0]
    trees = GradientBoosting(sample.columns, bags=4).fit(sample.X, sample.Y)
    expected = share * gp.predict(at)[0] + (1 - share) * trees.predict(at)[0]
    np.testing.assert_allclose(blend.predict(at)[0], expected, rtol=1e-9)


def test_the_blend_does_not_depend_on_the_unit():
    sample = draw(PROBLEMS["smooth16"], 80, 0)
    plain, large = (Blend(sample.columns, bags=4).fit(sample.X, sample.Y * unit) for unit in (1.0, 1e6))
    np.testing.assert_allclose(large.weights, plain.weights, atol=0.02)


def test_wrong_settings_are_named():
    with pytest.raises(InputError, match="bags = 0"):
        GradientBoosting(bags=0)
    with pytest.raises(InputError, match="there is no kernel 'rbf'"):
        GaussianProcess(kernel="rbf")


def test_diagnosis_of_known_predictions():
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    exact = diagnose(y, y.copy(), np.full(4000, 0.1))
    assert (exact.r2, exact.tau, exact.coverage_95) == (1.0, pytest.approx(1.0), 1.0)
    blind = diagnose(y, rng.normal(size=4000) * 1e-9, np.ones(4000))
    assert blind.r2 == pytest.approx(0.0, abs=0.01)
    assert abs(blind.tau) < 0.05
    assert blind.coverage_95 == pytest.approx(0.95, abs=0.01)
    assert blind.nll == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=0.05)


def test_diagnostics_by_fidelity():
    sample = draw(PROBLEMS["smooth16"], 40, 0, short=60)
    found = diagnostics("gp", sample.X, sample.Y, sample.Yvar, sample.columns)
    assert [(d.fidelity, d.n) for d in found] == [(0.0, 60), (1.0, 40)]
    assert found[1].r2 > 0.5
    assert len(diagnostics_table(found).splitlines()) == 3
    with pytest.raises(InputError, match="200 folds of 100 rows"):
        diagnostics("gp", sample.X, sample.Y, folds=200)
