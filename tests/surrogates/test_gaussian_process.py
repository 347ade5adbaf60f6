from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nax_surrogates import GaussianProcess
from nax_surrogates.calibration import log_density
from nax_surrogates.exact_gp import Model, Observations, Prior, condition, extended, neg_log_posterior
from nax_surrogates.kernel import FeatureMap, Pairs, covariance
from nax_surrogates.problems import PROBLEMS, draw
from scipy.optimize import approx_fprime
from scipy.stats import kendalltau, multivariate_normal

from nax_bo.errors import InputError, SurrogateError
from nax_bo.surrogate import Column
from nax_bo.surrogate.encoding import learn_encoding

COLUMNS = (
    Column("a", "ordinal", 4),
    Column("b", "categorical", 3),
    Column("c", "ordinal", 4),
    Column("p", "proxy"),
    Column("t", "fidelity", 2),
)


def _mixed(n, seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.integers(0, 4, n) / 3,
            rng.integers(0, 3, n),
            rng.integers(0, 4, n) / 3,
            rng.normal(size=n),
            rng.integers(0, 2, n),
        ]
    ).astype(float)
    return x, (x[:, 0] + (x[:, 1] == 1) + 0.3 * x[:, 3] + 0.1 * rng.normal(size=n))


def _model(kind, n=15, seed=0):
    x, y = _mixed(n, seed)
    features = FeatureMap(learn_encoding(x, COLUMNS))
    model = Model(kind, features.layout, Prior())
    return features, model, Observations(features(x), y - y.mean(), np.full(n, 0.02))


@pytest.mark.parametrize("kind", ["exponential", "matern32", "matern52", "gaussian"])
def test_gradient_agrees_with_differences(kind):
    _, model, data = _model(kind)
    theta = np.random.default_rng(1).normal(scale=0.5, size=model.layout.size)
    value, gradient = neg_log_posterior(theta, model, data)
    numeric = approx_fprime(theta, lambda t: neg_log_posterior(t, model, data)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=1e-4 * max(1.0, abs(value)))


@pytest.mark.parametrize("kind", ["exponential", "matern32", "matern52", "gaussian"])
def test_likelihood_posterior_and_leave_one_out_agree_with_the_textbook(kind):
    features, model, data = _model(kind)
    theta = np.random.default_rng(2).normal(scale=0.5, size=model.layout.size)
    n = len(data.y)
    kernel = covariance(kind, model.layout, theta, data.pairs)
    noisy = kernel + np.diag(model.layout.noise(theta, data.inputs.u) + data.known_noise)
    mean, std = Prior().moments(model.layout)
    expected = -multivariate_normal(np.zeros(n), noisy).logpdf(data.y) - 0.5 * n * np.log(2 * np.pi)
    expected += 0.5 * (((theta - mean) / std) ** 2).sum()
    assert neg_log_posterior(theta, model, data)[0] == pytest.approx(expected, rel=1e-7)

    at = features(_mixed(6, 9)[0])
    cross = covariance(kind, model.layout, theta, Pairs(data.inputs, at))
    solved = np.linalg.solve(noisy, np.column_stack([data.y, cross]))
    gp = condition(model, theta, data)
    joint_mean, joint_cov = gp.joint(at)
    prior = covariance(kind, model.layout, theta, Pairs(at, at))
    np.testing.assert_allclose(joint_mean, cross.T @ solved[:, 0], atol=1e-8)
    np.testing.assert_allclose(joint_cov, prior - cross.T @ solved[:, 1:], atol=1e-8)
    mean_only, var_only = gp.predict(Pairs(data.inputs, at))
    np.testing.assert_allclose(mean_only, joint_mean, atol=1e-8)
    np.testing.assert_allclose(var_only, np.diagonal(joint_cov), rtol=1e-6)

    left_mean, left_var = gp.leave_one_out()
    rest = np.arange(1, n)
    weights = np.linalg.solve(noisy[np.ix_(rest, rest)], noisy[rest, 0])
    assert left_mean[0] == pytest.approx(weights @ data.y[1:], abs=1e-8)
    assert left_var[0] == pytest.approx(noisy[0, 0] - weights @ noisy[rest, 0], abs=1e-8)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_joint_covariances_are_positive_semidefinite_and_agree_with_std(n, seed):
    x, y = _mixed(n, seed)
    gp = GaussianProcess(COLUMNS, iterations=5).fit(x, y[:, None])
    at = _mixed(9, seed + 1)[0]
    mean, cov = gp.predict_joint(at)
    plain, std = gp.predict(at)
    np.testing.assert_allclose(mean, plain, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(cov[0]), std[:, 0] ** 2, rtol=1e-6, atol=1e-10)
    assert np.linalg.eigvalsh(cov[0]).min() > -1e-8 * np.trace(cov[0])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_intervals_cover_unseen_designs_after_50_points(problem):
    inside = []
    for seed in (0, 1, 2):
        sample, test = draw(PROBLEMS[problem], 50, seed), draw(PROBLEMS[problem], 400, 50 + seed)
        mean, std = GaussianProcess(sample.columns).fit(sample.X, sample.Y, sample.Yvar).predict(test.X)
        inside.append((np.abs(test.truth - mean) <= 1.96 * std).mean())
    assert 0.88 <= np.mean(inside) <= 0.995  # wide after random designs, for what a search chooses is harder


def _r2(surrogate, sample, train, test):
    fitted = surrogate.fit(sample.X[train], sample.Y[train], sample.Yvar[train])
    error = sample.truth[test] - fitted.predict(sample.X[test])[0]
    return 1 - (error**2).mean() / sample.truth[test].var()


def test_a_useless_proxy_does_not_hurt_and_a_useful_or_reversed_one_helps():
    train, test = np.arange(60), np.arange(60, 560)
    r2 = {}
    for proxy in (None, "useless", "useful", "adversarial"):
        samples = [draw(PROBLEMS["wide64"], 560, seed, proxy=proxy) for seed in (0, 1)]
        r2[proxy] = np.mean([_r2(GaussianProcess(s.columns), s, train, test) for s in samples])
    assert r2["useless"] >= 0.95 * r2[None]
    assert r2["useful"] > r2[None] + 0.05
    assert r2["adversarial"] > r2[None] + 0.05


@pytest.mark.parametrize("problem", ["smooth16", "interacting24", "treelike20"])
def test_cheap_evaluations_help_to_predict_full_ones(problem):
    sample = draw(PROBLEMS[problem], 440, 0, short=150)
    full, test, short = np.arange(40), np.arange(40, 440), np.arange(440, 590)
    alone = draw(PROBLEMS[problem], 440, 0, short=150)
    both = _r2(GaussianProcess(sample.columns), sample, np.r_[full, short], test)
    assert both > _r2(GaussianProcess(alone.columns), alone, full, test) + 0.03


def test_failed_trainings_are_discounted():
    sample = draw(PROBLEMS["smooth16"], 460, 3)
    spoiled = sample.Y.copy()
    spoiled[[5, 20]] += 15.0
    gp = GaussianProcess(sample.columns).fit(sample.X[:60], spoiled[:60])
    error = sample.truth[60:] - gp.predict(sample.X[60:])[0]
    assert 1 - (error**2).mean() / sample.truth[60:].var() > 0.85


def test_known_noise_is_believed():
    x = np.linspace(0, 1, 20)[:, None]
    y = np.sin(5 * x)
    y[10] += 1.0
    noise = np.zeros_like(y)
    noise[10] = 25.0
    gp = GaussianProcess((Column("x"),)).fit(x, y, noise)
    assert abs(gp.predict(x[10:11])[0][0, 0] - np.sin(5 * x[10, 0])) < 0.1


def test_imagined_outcomes_act_as_observations():
    x, y = _mixed(30, 4)
    gp = GaussianProcess(COLUMNS).fit(x, y[:, None])
    at = _mixed(3, 5)[0]
    mean, std = gp.predict(at)
    believed = gp.condition(at, mean)
    after, narrower = believed.predict(at)
    np.testing.assert_allclose(after, mean, atol=0.02)  # members differ, their average moves a little
    assert (narrower < std).all()
    np.testing.assert_array_equal(gp.predict(at)[0], mean)


def test_updates_keep_settings_and_add_data():
    x, y = _mixed(40, 6)
    gp = GaussianProcess(COLUMNS).fit(x[:30], y[:30, None])
    before = gp.predict(x[30:])[1]
    gp.update(x[30:], y[30:, None])
    assert gp.predict(x[30:])[1].mean() < before.mean()


def test_settings_from_a_subset_serve_all_points():
    sample, test = draw(PROBLEMS["smooth16"], 400, 0), draw(PROBLEMS["smooth16"], 300, 9)
    fitted = {k: GaussianProcess(sample.columns, max_points=k).fit(sample.X, sample.Y) for k in (100, 400)}
    loss = {k: ((gp.predict(test.X)[0] - test.truth) ** 2).mean() for k, gp in fitted.items()}
    assert loss[100] < 3 * loss[400]


def test_warm_start_finds_settings_as_good():
    sample = draw(PROBLEMS["smooth16"], 80, 0)
    cold = GaussianProcess(sample.columns).fit(sample.X, sample.Y).predict(sample.X)[0]
    warm = (
        GaussianProcess(sample.columns, warm_start=True)
        .fit(sample.X[:70], sample.Y[:70])
        .fit(sample.X, sample.Y)
    )
    np.testing.assert_allclose(warm.predict(sample.X)[0], cold, atol=0.15)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros((2, 1)), "3 rows and Y has 2"),
        (np.zeros((3, 2)), np.array([[0.0], [np.nan], [1.0]]), r"NaN or infinity in rows \[1\]"),
        (np.full((3, 2), np.nan), np.zeros((3, 1)), "Only proxies may be missing"),
        (np.zeros((0, 2)), np.zeros((0, 1)), "0 rows"),
        (np.zeros((3, 3)), np.zeros((3, 1)), "3 columns but 2 are described"),
    ],
)
def test_wrong_data_are_named(x, y, message):
    with pytest.raises(InputError, match=message):
        GaussianProcess((Column("a"), Column("b"))).fit(x, y)


def test_unknown_categories_and_unfitted_use_are_named():
    with pytest.raises(SurrogateError, match="has not been fitted"):
        GaussianProcess().predict(np.zeros((1, 2)))
    gp = GaussianProcess((Column("k", "categorical", 3),)).fit(
        np.array([[0.0], [1.0], [2.0]]), np.arange(3.0)[:, None]
    )
    with pytest.raises(InputError, match=r"outside 0 \.\. 2"):
        gp.predict(np.array([[3.0]]))


@pytest.mark.parametrize("usual", [1.0, 2.197])
def test_what_differs_from_a_plateau_is_no_accident(usual):
    """Two failures among successes, or two networks that learn among many that guess: believed, and so is where."""
    x = np.random.default_rng(0).random((40, 2))
    rare = np.argsort(-x[:, 0])[:2]
    y = np.full((40, 1), usual)
    y[rare] = 0.0
    model = GaussianProcess().fit(x, y)
    assert model.predict(x[rare])[0].max() < 0.65 * usual
    assert model.predict(np.array([[0.05, 0.5]]))[0].item() > 0.9 * usual


def test_what_variables_do_one_by_one_is_learned_from_few_designs():
    """Twelve parabolas and eight categories, 60 designs: too far apart for distances alone (R2 0.02)."""
    rng = np.random.default_rng(0)
    columns = [Column(f"o{i}", "ordinal", 11) for i in range(12)] + [
        Column(f"c{i}", "categorical", 4) for i in range(8)
    ]
    taste = rng.normal(0.0, 0.1, (8, 4))

    def drawn(n):
        x = np.hstack([rng.integers(0, 11, (n, 12)) / 10.0, rng.integers(0, 4, (n, 8))]).astype(float)
        steps = taste[np.arange(8), x[:, 12:].astype(int)].sum(axis=1)
        return x, ((x[:, :12] - 0.5) ** 2).sum(axis=1) + steps

    (x, y), (at, truth) = drawn(60), drawn(400)
    mean = GaussianProcess(columns).fit(x, y[:, None]).predict(at)[0][:, 0]
    assert 1.0 - np.mean((mean - truth) ** 2) / truth.var() > 0.95


def test_noisy_full_looks_do_not_blur_cheap_ones():
    """Full looks at a fifth of the designs teach an offset, not differences where there is noise alone."""
    n, d = 90, 20
    columns = [*(Column(f"o{i}", "ordinal", 4) for i in range(d)), Column("t", "fidelity", 2)]
    fading = np.exp(-np.arange(d) / 5)
    gained = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 4, (n, d)) / 3
        pairs = rng.normal(size=(d, d)) * np.outer(fading, fading)
        truth = x @ (rng.normal(size=d) * fading) + np.einsum("ni,ij,nj->n", x, pairs, x)
        truth = (truth - truth.mean()) / truth.std()
        cheap = 0.9 * truth - 0.5 + 0.1 * rng.normal(size=n)
        looked, rest = np.split(rng.permutation(n), [20])
        full = truth[looked] + 0.3 * rng.normal(size=len(looked))
        told = np.vstack([np.c_[x, np.zeros(n)], np.c_[x[looked], np.ones(len(looked))]])
        gp = GaussianProcess(columns).fit(told, np.concatenate([cheap, full])[:, None])
        believed = gp.predict(np.c_[x[rest], np.ones(len(rest))])[0][:, 0]
        gained.append(
            kendalltau(believed, truth[rest]).statistic - kendalltau(cheap[rest], truth[rest]).statistic
        )
    assert np.mean(gained) > -0.02


@pytest.mark.parametrize("copies", [0, 3])
def test_a_process_that_is_extended_is_that_of_all_data(copies):
    x, y = _mixed(40, 1)
    x[30 : 30 + copies] = x[:copies]
    features = FeatureMap(learn_encoding(x, COLUMNS))
    every = Observations(features(x), y, np.full(40, 0.01))
    model = Model("matern32", features.layout, Prior())
    theta = model.moments[0]
    first = condition(model, theta, every.take(np.arange(30)))
    whole, grown = condition(model, theta, every), extended(first, features(x[30:]), every)
    np.testing.assert_allclose(grown.weights, whole.weights, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(grown.factor, whole.factor, rtol=1e-6, atol=1e-9)


def test_weighted_members_predict_about_as_well_as_the_best_of_them():
    problem, found = "treelike20", {}
    for kernel in ("weighted", "gaussian", "exponential"):
        scores = []
        for seed in (0, 1):
            sample, test = draw(PROBLEMS[problem], 120, seed), draw(PROBLEMS[problem], 400, 50 + seed)
            gp = GaussianProcess(sample.columns, kernel=kernel).fit(sample.X, sample.Y, sample.Yvar)
            scores.append(log_density(test.truth, *gp.predict(test.X)).mean())
        found[kernel] = np.mean(scores)
    assert found["weighted"] > max(found["gaussian"], found["exponential"]) - 0.1


def test_a_length_scale_for_every_category_is_the_same_where_they_are_equal():
    features, model, data = _model("matern52")
    apart = replace(model, layout=model.layout.apart())
    theta = np.random.default_rng(3).normal(scale=0.5, size=model.layout.size)
    wide = model.layout.spread_out(theta)
    assert len(wide) == apart.layout.size > len(theta)
    at = features(_mixed(6, 9)[0])
    one, other = (condition(m, t, data).joint(at) for m, t in ((model, theta), (apart, wide)))
    np.testing.assert_allclose(one[0], other[0], atol=1e-9)
    np.testing.assert_allclose(one[1], other[1], atol=1e-9)
    value, gradient = neg_log_posterior(wide, apart, data)
    numeric = approx_fprime(wide, lambda t: neg_log_posterior(t, apart, data)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=1e-4 * max(1.0, abs(value)))


def test_what_would_have_been_predicted_of_each_observation_from_those_before():
    _, model, data = _model("matern52", n=14)
    theta = np.random.default_rng(4).normal(scale=0.3, size=model.layout.size)
    mean, variance = condition(model, theta, data).ahead(data.inputs, np.arange(14))
    for i in (1, 6, 13):
        before = condition(model, theta, data.take(np.arange(i)))
        at = Pairs(before.data.inputs, data.inputs.take(np.array([i])))
        expected_mean, expected_variance = before.predict(at)
        assert mean[i] == pytest.approx(expected_mean[0], abs=1e-8)
        assert variance[i] == pytest.approx(expected_variance[0], rel=1e-6)
