"""The relaxation's gradient against finite differences; the released gradient, which is zero; XPert's two phases."""

import itertools

import numpy as np
import pytest

from nax_bo.search import Objective, Optimizer, Problem
from nax_bo.search.strategies.relaxation import draw, gradient, most_likely, softmax
from nax_bo.search.strategies.xpert import NEAR, released_gradient
from nax_bo.space import Space, ordinal

SIZES = (3, 2, 4)
ALL = np.array(list(itertools.product(*map(range, SIZES))), dtype=np.int64)
COSTS = np.random.default_rng(5).normal(size=SIZES) ** 3


def cost(x: np.ndarray) -> np.ndarray:
    return COSTS[tuple(x.T)]


def probabilities(theta: list[np.ndarray]) -> np.ndarray:
    return np.prod([softmax(t)[ALL[:, v]] for v, t in enumerate(theta)], axis=0)


def logits(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n) for n in SIZES]


@pytest.mark.parametrize("seed", range(5))
def test_gradient_agrees_with_finite_differences(seed: int) -> None:
    theta, step = logits(seed), 1e-6
    exact = gradient(theta, cost, ALL, probabilities(theta))
    for v, a in [(v, a) for v, n in enumerate(SIZES) for a in range(n)]:
        expected = []
        for sign in (1, -1):
            moved = [t.copy() for t in theta]
            moved[v][a] += sign * step
            expected.append(float(probabilities(moved) @ cost(ALL)))
        assert exact[v][a] == pytest.approx((expected[0] - expected[1]) / (2 * step), rel=1e-6, abs=1e-9)
    assert max(np.abs(g).max() for g in exact) > 1e-3


def test_gradient_from_drawn_designs_is_unbiased() -> None:
    theta, rng = logits(1), np.random.default_rng(0)
    exact = gradient(theta, cost, ALL, probabilities(theta))
    x = draw(theta, 20_000, rng)
    drawn = gradient(theta, cost, x, np.full(len(x), 1 / len(x)))
    for a, b in zip(exact, drawn, strict=True):
        assert np.allclose(a, b, atol=0.03)


def test_descent_on_the_gradient_finds_the_least_cost() -> None:
    theta = [np.zeros(n) for n in SIZES]
    for _ in range(200):
        slopes = gradient(theta, cost, ALL, probabilities(theta))
        theta = [t - g / max(np.abs(g).max(), 1e-12) * 0.2 for t, g in zip(theta, slopes, strict=True)]
    assert cost(most_likely(theta)[None])[0] == COSTS.min()


@pytest.mark.parametrize("loss", [1.0, 214.0, 5e7])
def test_the_released_gradient_is_rounding_of_zero(loss: float) -> None:
    theta = [t.astype(np.float32) for t in logits(3)]
    for slope in released_gradient(theta, loss):
        assert np.abs(slope).max() <= loss * 4 * np.finfo(np.float32).eps


def layered(scores: bool = True) -> Problem:
    """Two layers of width, precision and sharing; area and latency in closed form."""
    widths, names = (
        (8, 16, 32, 64),
        [f"{stem}_{i}" for i in (1, 2) for stem in ("width", "input_bits", "mux")],
    )
    values = {"width": widths, "input_bits": (4, 6, 8), "mux": (2, 4, 8)}
    space = Space([ordinal(name, values[name[:-2]]) for name in names])

    def area(c: dict[str, np.ndarray]) -> np.ndarray:
        return sum(c[f"width_{i}"] * (1.0 + 4.0 / c[f"mux_{i}"]) for i in (1, 2))

    def latency(c: dict[str, np.ndarray]) -> np.ndarray:
        return sum(c[f"mux_{i}"] * c[f"input_bits_{i}"] / c[f"width_{i}"] ** 0.5 for i in (1, 2))

    def score(c: dict[str, np.ndarray]) -> np.ndarray:
        return c["width_1"] + c["width_2"] + 0.0

    return Problem(
        space,
        objectives=[
            Objective("accuracy", scale="logit", maximise=True),
            Objective("edap", lambda c: area(c) * latency(c) ** 2, scale="log10"),
        ],
        reference_point={"accuracy": 0.1, "edap": 1e6},
        extras={"area_mm2": area, "latency_ms": latency, "naswot": score} if scores else {},
    )


@pytest.mark.parametrize("strategy", ["xpert", "xpert-released"])
def test_precision_falls_while_accuracy_holds_then_the_next_area_is_aimed_at(strategy: str) -> None:
    problem = layered()
    optimizer = Optimizer(problem, strategy=strategy, seed=2, initial=0)
    first = problem.space.design({"width_1": 32, "width_2": 32, "input_bits_1": 6, "input_bits_2": 6})
    optimizer.tell(first, {"accuracy": 0.9})
    reasons = []
    for _ in range(8):
        (asked,) = optimizer.ask(1)
        low = min(asked.design["input_bits_1"], asked.design["input_bits_2"])
        optimizer.tell(asked.design, {"accuracy": 0.9 if low > 4 else 0.5})
        reasons.append(asked.reason.partition(":")[0])
        if reasons[-1] == "second phase" and reasons[-2] == "first phase":
            assert (asked.design["input_bits_1"], asked.design["input_bits_2"]) == (6, 6)
    assert reasons[:2] == ["first phase", "second phase"]
    assert reasons.count("first phase") > 1


def test_the_first_phase_meets_its_area() -> None:
    problem = layered()
    optimizer = Optimizer(problem, strategy="xpert", seed=0, initial=0)
    first = problem.space.design({"width_1": 32, "width_2": 32, "mux_1": 4, "mux_2": 4})
    optimizer.tell(first, {"accuracy": 0.9})
    (asked,) = optimizer.ask(1)
    rows = problem.space.indices([first, asked.design])
    area, latency = problem.extra("area_mm2", rows), problem.extra("latency_ms", rows)
    assert abs(area[1] / area[0] - 1) < 3 * NEAR
    assert latency[1] < 2.1 * latency[0]  # at twice the precision


def test_without_the_scores_designs_are_drawn() -> None:
    (asked,) = Optimizer(layered(scores=False), strategy="xpert", seed=0, initial=0).ask(1)
    assert "no area_mm2, latency_ms, naswot is known" in asked.reason
