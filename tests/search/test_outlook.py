"""What further designs are expected to gain."""

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Optimizer
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.search.gain.promise import Gains
from nax_bo.search.outlook import FEWEST, foretold


def falling(power: float, seed: int, count: int = 80, start: int = 10) -> np.ndarray:
    """Lumpy gains of designs 1, 2, ... whose mean falls with that power."""
    place = start + 1.0 + np.arange(count)
    return np.random.default_rng(seed).gamma(0.4, place**-power / 0.4)


def seen(gains: np.ndarray, at: int, last: int = 20, start: int = 10) -> Gains:
    return Gains(None, gains[at - last : at], start + at - last, 1.0)


@pytest.mark.parametrize("power", [1.75, 2.5, 3.2])
def test_what_is_foretold_comes_on_average(power):
    pairs = []
    for seed in range(60):
        gains = falling(power, seed)
        pairs.append((foretold(seen(gains, 40), 40)[0], gains[40:].sum()))
    expected, came = np.sum(pairs, axis=0)
    assert 0.6 < expected / came < 1.6


def test_intervals_hold_what_comes_nearly_always():
    inside = []
    for seed in range(100):
        gains = falling(1.75, seed)
        mean, variance = foretold(seen(gains, 40), 20)
        inside.append(abs(gains[40:60].sum() - mean) < 3.0 * np.sqrt(variance))
    assert np.mean(inside) > 0.9


def test_nothing_gained_and_nothing_promised_foretells_nothing():
    assert foretold(Gains(None, np.zeros(20), 10, 1.0), 50) == (0.0, 0.0)
    assert foretold(Gains(np.full(20, 0.1), np.zeros(20), 10, 1.0), 50)[0] > 0


def test_an_outlook_comes_with_an_interval_and_shrinks_where_designs_gain_nothing():
    bed = synthetic_problem("chip16")
    optimizer, found = Optimizer(bed.problem, seed=0), {}
    pool = bed.problem.space.sample(1500, 3)
    broken = bed.problem.violation(bed.problem.known(pool), len(pool))
    pool = pool[broken <= 0]
    poor = pool[30:][np.argsort(-bed.truth(pool[30:])["error"])[:30]]  # these gain nothing
    for count, design in enumerate(bed.problem.space.designs(np.vstack([pool[:30], poor])), start=1):
        optimizer.tell(design, *bed.evaluate(design, 0))
        if count in (5, 30, 60):
            found[count] = optimizer.outlook(20)
    assert found[5] is None
    assert len(optimizer.state.initial) + FEWEST <= 30
    for one in (found[30], found[60]):
        assert one.designs == 20
        assert 0 <= one.low < one.gain < one.high
    assert found[60].gain < 0.5 * found[30].gain
    assert optimizer.outlook(100).gain > found[60].gain
    again = Optimizer.from_dict(bed.problem, optimizer.to_dict(), seed=0)
    assert again.outlook(20) == found[60]


def test_an_outlook_on_nothing_is_refused(problem, told):
    optimizer = Optimizer(problem, seed=0)
    told(optimizer, [s.design for s in optimizer.ask(3)])
    with pytest.raises(InputError, match="an outlook on 0 designs"):
        optimizer.outlook(0)
