"""Spreads put right by held-out errors, against errors of known spread."""

import numpy as np
import pytest
from nax_surrogates import GaussianProcess
from nax_surrogates.calibration import fit_spread, log_density, margin, stacked
from nax_surrogates.exact_gp import Model, Observations, Prior, condition
from nax_surrogates.held_out import FEWEST, held_out
from nax_surrogates.kernel import FeatureMap
from nax_surrogates.problems import LEVELS, PROBLEMS, draw

from nax_bo.surrogate.encoding import learn_encoding


@pytest.mark.parametrize(("factor", "power"), [(1.0, 0.0), (1.6, 0.0), (1.3, 0.4), (2.0, -0.15)])
def test_a_wrong_spread_is_put_right_near_and_far(factor, power):
    rng = np.random.default_rng(0)
    std = rng.uniform(0.05, 1.0, 400)
    true = factor * std ** (1.0 + power)
    noise = np.full(400, 0.01**2)
    error = rng.standard_normal(400) * np.sqrt(true**2 + noise)
    spread = fit_spread(error, std**2, noise)
    for at in (0.1, 0.4, 0.9):
        wanted = margin(400) * max(1.0, factor * at**power)
        assert spread.factor(np.array([at]))[0] == pytest.approx(wanted, rel=0.2)


def test_one_outlier_does_not_widen_everything():
    rng = np.random.default_rng(1)
    error = 0.3 * rng.standard_normal(60)
    plain, spoiled = (
        fit_spread(e, np.full(60, 0.09), np.zeros(60)).factor(np.array([0.3]))[0]
        for e in (error, np.where(np.arange(60) == 7, 30.0, error))
    )
    assert spoiled < 1.3 * plain


def test_the_spread_is_never_narrowed():
    spread = fit_spread(np.zeros(300), np.full(300, 0.25), np.zeros(300))
    assert spread.factor(np.array([0.01, 0.5, 2.0])).min() == margin(300) >= 1.0


def test_errors_given_twice_say_no_more_than_once():
    rng = np.random.default_rng(2)
    std, noise = rng.uniform(0.1, 1.0, 40), np.full(40, 1e-4)
    error = 1.8 * std * rng.standard_normal(40)
    once = fit_spread(error, std**2, noise)
    twice = fit_spread(np.tile(error, 2), np.tile(std**2, 2), np.tile(noise, 2), times=2)
    assert twice.log_factor == pytest.approx(once.log_factor, abs=0.02)
    assert twice.power == pytest.approx(once.power, abs=0.02)


@pytest.mark.parametrize("few", [12, 30, 130])
def test_what_is_well_known_stays_so_whatever_held_out_errors_say(few):
    """Errors that once drove the power to its bound: far too small where much is unknown, too large near."""
    rng = np.random.default_rng(few)
    std = np.exp(rng.uniform(np.log(0.02), 0.0, few))
    spread = fit_spread(0.3 * rng.standard_normal(few), std**2, np.full(few, 1e-6))
    near = np.array([0.01, 0.03, 0.1])
    assert (spread.factor(near) * near <= 0.6).all()


def test_the_spread_near_the_data_moves_little_from_one_telling_to_the_next():
    sample = draw(PROBLEMS["interacting24"], 60, 0)
    found = [
        GaussianProcess(sample.columns).fit(sample.X[:n], sample.Y[:n], sample.Yvar[:n])._outcomes[0].spread
        for n in range(40, 60, 2)
    ]
    near = np.log([float(s.factor(np.array([0.05]))[0]) for s in found])
    assert np.abs(np.diff(near)).mean() < 0.3


def _member(n):
    sample = draw(PROBLEMS["smooth16"], n, 0)
    features = FeatureMap(learn_encoding(sample.X, sample.columns))
    data = Observations(features(sample.X), sample.Y[:, 0], np.full(n, 1e-4))
    model = Model("matern32", features.layout, Prior())
    return condition(model, Prior().moments(features.layout)[0], data), data


@pytest.mark.parametrize("n", [FEWEST, 40, 130])
def test_every_point_is_left_out_once_at_random_and_once_with_its_neighbourhood(n):
    member, data = _member(n)
    found = held_out([member, member], data, seed=0)
    assert sorted(found.y.tolist()) == sorted([*data.y.tolist()] * 2)
    assert found.means.shape == found.variances.shape == (2, 2 * n)
    assert found.noise.shape == (2 * n,)
    np.testing.assert_array_equal(found.means[0], found.means[1])
    assert (found.variances > 0).all()
    assert (found.noise > 0).all()


def test_members_weigh_as_much_as_held_out_outcomes_say():
    y = np.random.default_rng(0).standard_normal(200)
    right, wide, off = (log_density(y, m, np.full(200, s)) for m, s in ((0.0, 1.0), (0.0, 4.0), (3.0, 0.3)))
    weights = stacked(np.array([wide, right, off]))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[1] > 0.85
    assert weights.min() > 0.01
    np.testing.assert_allclose(stacked(np.array([right, right, right, right])), 0.25)
    few = stacked(np.array([wide[:5], right[:5], off[:5]]))
    assert 0.33 < few[1] < 0.6


def test_few_points_are_not_divided():
    member, data = _member(FEWEST - 1)
    assert held_out([member], data, seed=0) is None


def _changed(rng, levels, share):
    return np.where(rng.random(levels.shape) < share, rng.integers(0, LEVELS, levels.shape), levels)


@pytest.mark.parametrize("name", ["smooth16", "interacting24", "wide64"])
def test_intervals_hold_far_from_where_a_search_has_crowded(name):
    """As after 50 trials of a search: half of the designs at random, half variations of the best of them."""
    problem, covered, widths = PROBLEMS[name], [], []
    ordinal = np.array([c.kind == "ordinal" for c in problem.columns])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        first = rng.integers(0, LEVELS, (25, len(ordinal)))
        best = first[np.argsort(problem.truth(first))[:3]]
        crowd = _changed(rng, best[rng.integers(0, 3, 25)], 0.12)
        unseen = rng.integers(0, LEVELS, (500, len(ordinal)))
        told, asked = np.vstack([first, crowd]), unseen
        y = problem.truth(told) + problem.noise_std(told) * rng.standard_normal(50)
        x, at = (np.where(ordinal, d / (LEVELS - 1), d).astype(float) for d in (told, asked))
        mean, std = GaussianProcess(problem.columns).fit(x, y[:, None]).predict(at)
        error = problem.truth(asked) - mean[:, 0]
        covered.append(np.mean(np.abs(error) <= 1.96 * std[:, 0]))
        widths.append(std.mean() / np.sqrt(np.mean(error**2)))
    assert np.mean(covered) >= 0.9, covered
    assert np.mean(widths) <= 2.0, widths
