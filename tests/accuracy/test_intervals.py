"""Intervals of accuracy: do they cover, and are they narrower than those of each design by itself?"""

import numpy as np
import pytest
from scipy.special import expit, stdtrit

from nax_bo.accuracy.intervals import accuracy_intervals

IMAGES = 100_000


def outcome(means, images=IMAGES, chips=4):
    draws = [m for _ in range(chips) for m in means]
    return {
        "draws": draws, "clean": 0.9, "test_images": images, "fidelity": "full", "seconds": 1.0, "trainings": len(means)
    }  # fmt: skip


@pytest.mark.parametrize("degrees", [6.0, np.inf])
def test_they_cover_the_truth_as_often_as_they_say_and_are_narrower_than_by_themselves(degrees):
    rng = np.random.default_rng(0)
    inside, narrower = [], []
    for _ in range(60):
        truth = rng.normal(2.5, 0.8, 30)
        sd = 0.15 * (np.ones(30) if np.isinf(degrees) else np.sqrt(degrees / rng.chisquare(degrees, 30)))
        trained = truth[:, None] + sd[:, None] * rng.normal(size=(30, 3))
        found = accuracy_intervals([outcome(expit(row).tolist()) for row in trained])
        for t, row, (low, high) in zip(expit(truth), trained, found, strict=True):
            inside.append(low <= t <= high)
            alone = expit(row.mean() + stdtrit(2, 0.975) * row.std(ddof=1) / np.sqrt(3) * np.array([-1, 1]))
            narrower.append((high - low) - (alone[1] - alone[0]))
    assert 0.93 <= np.mean(inside) <= 0.97
    assert np.mean(narrower) < -0.02


def test_an_interval_holds_its_mean_and_stays_within_none_and_all():
    for means in ([0.5, 0.6, 0.55], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.1, 0.9, 0.5]):
        ((low, high),) = accuracy_intervals([outcome(means, images=100)])
        assert 0 <= low <= high <= 1
        assert low - 0.006 <= np.mean(means) <= high + 0.006  # half an image


def test_what_was_trained_once_has_none():
    assert accuracy_intervals([]) == []
    some = [outcome([0.9]), outcome([0.9, 0.91]), {"mean": 0.9, "standard_error": 0.1}]
    found = accuracy_intervals(some)
    assert [f is None for f in found] == [True, False, True]
