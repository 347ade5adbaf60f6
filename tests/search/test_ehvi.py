import numpy as np
import pytest
from scipy.stats import norm

from nax_bo.search.gain.ehvi import Improvement, expected_shortfall
from nax_bo.search.pareto import hypervolume
from nax_bo.search.scale import Scale

PLAIN = Scale()
LOGIT = Scale("logit", "linear")


def averaged(front, reference, scales, mean, std, nodes):
    """EHVI of one point as the mean exact improvement over a grid of equally likely outcomes of the learned ones."""
    quantiles = norm.ppf((np.arange(nodes) + 0.5) / nodes)
    learned = [
        s.model_to_measure(m + d * quantiles) if d else [m] for s, m, d in zip(scales, mean, std, strict=True)
    ]
    points = np.stack([g.ravel() for g in np.meshgrid(*learned, indexing="ij")], axis=1)
    plain = [PLAIN] * len(scales)
    return Improvement(front, reference, plain)(points, np.zeros_like(points)).mean()


@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("learned", [PLAIN, LOGIT], ids=["plain", "logit"])
def test_one_learned_objective_agrees_with_quadrature(m, learned):
    rng = np.random.default_rng(m)
    scales = [learned, *[PLAIN] * (m - 1)]
    front = rng.uniform(0.1, 0.9, (6, m))
    reference = np.ones(m)
    improvement = Improvement(front, reference, scales)
    for _ in range(4):
        mean = np.array(
            [rng.normal(-0.5, 1.0) if learned.warped else rng.uniform(0.2, 0.8), *rng.uniform(0, 0.7, m - 1)]
        )
        std = np.array(
            [rng.uniform(0.2, 1.0) if learned.warped else rng.uniform(0.05, 0.4), *np.zeros(m - 1)]
        )
        expected = averaged(front, reference, scales, mean, std, 20_001)
        assert improvement(mean[None], std[None])[0] == pytest.approx(expected, rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("std", [0.003, 0.02, 0.05, 0.1, 0.3, 1.0, 2.0])
@pytest.mark.parametrize(
    ("scale", "rel"),
    [(LOGIT, 5e-3), (Scale("logit", "linear", -1), 5e-3), (Scale("log10", "linear"), 2e-2)],
    ids=["logit", "maximised logit", "log10"],
)
def test_a_warp_is_integrated_as_well_for_small_deviations_as_for_large(scale, rel, std):
    """Beside the mean of the shortfall over a million quantiles of the outcome."""
    rng = np.random.default_rng(3)
    raw = np.array([0.04, 0.1, 0.11, 0.35, 0.6])
    bounds = np.sort(scale.to_measure(raw))
    improvement = [Improvement(np.empty((0, 1)), np.array([b]), [scale]) for b in bounds]
    z = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000)
    for mean in scale.to_model(raw) + std * rng.uniform(-3, 3, len(raw)):
        sample = scale.model_to_measure(mean + std * z)
        for bound, gain in zip(bounds, improvement, strict=True):
            expected = np.maximum(bound - sample, 0).mean()
            assert gain(np.array([[mean]]), np.array([[std]]))[0] == pytest.approx(
                expected, rel=rel, abs=1e-7
            )


@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_that_the_model_clips_to_one_value(sign):
    scale = Scale("logit", "linear", sign)
    bounds = np.sort(sign * np.array([0.0, 0.0005, 0.2, 0.9995, 1.0]))
    front = np.column_stack([bounds[:-1], bounds[::-1][:-1]])
    both = Improvement(front, np.array([bounds[-1], bounds[-1]]), [scale, scale])
    mean, std = (
        np.array([[-3.0, 1.0], [0.0, 0.0], [7.5, -7.5]]),
        np.array([[0.3, 0.5], [1.0, 0.0], [0.1, 2.0]]),
    )
    z = norm.ppf((np.arange(2_001) + 0.5) / 2_001)
    for m, d, found in zip(mean, std, both(mean, std), strict=True):
        grid = np.meshgrid(*(scale.model_to_measure(a + b * z) for a, b in zip(m, d, strict=True)))
        points = np.stack([g.ravel() for g in grid], axis=1)[::97]
        plain = Improvement(front, np.array([bounds[-1], bounds[-1]]), [PLAIN, PLAIN])
        assert found == pytest.approx(
            plain(points, np.zeros_like(points)).mean(), rel=0.03, abs=1e-4
        )  # gains beyond the clip are not seen


@pytest.mark.filterwarnings("error")
def test_tiny_units_and_certainty_beside_doubt():
    front, reference = np.array([[3e-15, 0.3]]), np.array([5e-15, 1.0])
    gain = Improvement(front, reference, [PLAIN, LOGIT])
    mean, std = np.array([[2e-15, 0.0], [2e-15, -1.0]]), np.array([[1e-17, 0.0], [0.0, 1.0]])
    found = gain(mean, std)
    for i in range(2):
        expected = averaged(front, reference, [PLAIN, LOGIT], mean[i], std[i], 1 if i == 0 else 10_001)
        assert found[i] == pytest.approx(expected, rel=1e-2)


def test_two_learned_objectives_agree_with_quadrature():
    rng = np.random.default_rng(5)
    front, reference = rng.uniform(0.2, 0.9, (5, 3)), np.ones(3)
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.15, 0.0])
    expected = averaged(front, reference, [PLAIN] * 3, mean, std, 501)
    assert Improvement(front, reference, [PLAIN] * 3)(mean[None], std[None])[0] == pytest.approx(
        expected, rel=2e-3
    )


def test_certain_outcomes_give_the_exact_improvement():
    rng = np.random.default_rng(0)
    front, reference, x = rng.random((8, 3)), np.ones(3), rng.random((50, 3)) * 1.2
    found = Improvement(front, reference, [PLAIN] * 3)(x, np.zeros_like(x))
    base = hypervolume(front, reference)
    assert found == pytest.approx(
        [hypervolume(np.vstack([front, p]), reference) - base for p in x], abs=1e-12
    )


def test_empty_front_gives_the_box_below_the_reference():
    found = Improvement(np.empty((0, 2)), np.array([1.0, 1.0]), [PLAIN, PLAIN])(
        np.array([[0.25, 0.5]]), np.zeros((1, 2))
    )
    assert found == pytest.approx([0.75 * 0.5])


def test_shortfall_far_below_is_small_but_positive():
    value = expected_shortfall(np.array([0.0]), np.array([8.0]), np.array([1.0]))[0, 0]
    assert 0 < value < 1e-15


def test_improvement_grows_with_doubt_and_falls_with_cost():
    improvement = Improvement(np.array([[0.3, 0.3]]), np.array([1.0, 1.0]), [LOGIT, PLAIN])
    doubt = improvement(np.full((3, 2), [0.0, 0.3]), np.array([[0.1, 0], [0.5, 0], [1.0, 0]]))
    assert np.all(np.diff(doubt) > 0)
    cost = improvement(np.array([[0.0, 0.1], [0.0, 0.2], [0.0, 0.5]]), np.full((3, 2), [0.5, 0.0]))
    assert np.all(np.diff(cost) < 0)


@pytest.mark.parametrize("reference", [0.5, 0.0, -0.5])
@pytest.mark.parametrize("front", [[], [5.0]])
def test_a_reference_below_all_that_has_a_logarithm(reference, front):
    """A maximised outcome, modelled as a logarithm and measured as it is."""
    scale = Scale("log10", "linear", -1)
    best = np.array([[-value] for value in front]).reshape(-1, 1)
    mean, std = np.array([[-np.log10(4.0)], [-np.log10(0.3)]]), np.array([[0.15], [0.3]])
    raw = 10.0 ** (-mean + std * np.random.default_rng(0).standard_normal(400_000))
    expected = np.maximum(raw - max([reference, *front]), 0.0).mean(axis=1)
    found = Improvement(best, np.array([-reference]), [scale])(mean, std)
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=1e-4)
