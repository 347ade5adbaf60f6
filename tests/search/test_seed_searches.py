"""The searches of published systems: functions of the log, better than chance, within limits."""

import numpy as np
import pytest
import torch

from nax_bo.search import Constraint, Objective, Optimizer, Problem
from nax_bo.search.strategies.dynas import Dynas, _fitted
from nax_bo.search.strategies.reinforce import Controller, Learning, Reinforce, _Agent
from nax_bo.space import Condition, Space, ordinal

SPACE = Space(
    [
        ordinal("depth", (1, 2, 3)),
        *(
            ordinal(f"w_{i}", range(5), when=Condition("depth", tuple(range(max(i, 1), 4))))
            for i in (1, 2, 3)
        ),
        *(ordinal(f"b_{i}", range(4)) for i in range(6)),
    ]
)


def problem(**more) -> Problem:
    cost = Objective("cost", known=lambda c: 1.0 + sum(c[f"b_{i}"] for i in range(6)))
    return Problem(SPACE, [Objective("error"), cost], reference_point={"error": 30.0, "cost": 20.0}, **more)


def error(design) -> float:
    return sum((3 - v) ** 2 for k, v in design.items() if k.startswith("b")) * 0.4 + 2.0 * design["depth"]


def run(search: Optimizer, count: int) -> list:
    out = []
    for _ in range(count):
        (asked,) = search.ask()
        out.append(asked.design)
        search.tell(asked.design, {"error": error(asked.design)})
    return out


STRATEGIES = {
    "nacim": lambda: Reinforce(Learning(rate=0.03)),
    "dynas": lambda: Dynas(batch=12, generations=15),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_proposals_are_a_function_of_the_log(name: str) -> None:
    went_on = Optimizer(problem(), STRATEGIES[name](), seed=3)
    run(went_on, 20)
    again = Optimizer.from_dict(problem(), went_on.to_dict(), STRATEGIES[name]())
    assert [s.design for s in again.ask(3)] == [s.design for s in went_on.ask(3)]


@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_is_proposed_twice_and_failures_are_left_alone(name: str) -> None:
    search = Optimizer(problem(), STRATEGIES[name](), seed=1)
    seen = []
    for turn in range(25):
        asked = search.ask(2)
        for k, one in enumerate(asked):
            seen.append(one.design)
            if (turn + k) % 5 == 0:
                search.tell_failed(one.design, "broke")
            else:
                search.tell(one.design, {"error": error(one.design)})
    assert len(set(seen)) == len(seen) == 50


@pytest.mark.parametrize("name", STRATEGIES)
def test_infeasible_hardware_is_not_trained(name: str) -> None:
    limited = problem(constraints=[Constraint("cost", upper=6.0)])
    for design in run(Optimizer(limited, STRATEGIES[name](), seed=0), 20):
        assert 1 + sum(design[f"b_{i}"] for i in range(6)) <= 6


@pytest.mark.parametrize("name", STRATEGIES)
def test_designs_without_a_price_are_left_out(name: str) -> None:
    def price(columns) -> np.ndarray:
        return np.where(columns["b_0"] > 0, np.nan, 1.0 + columns["b_1"])

    unpriced = Problem(SPACE, [Objective("error"), Objective("cost", known=price)])
    first = [SPACE.design({"b_0": 1 + i % 3, "b_1": i // 3}) for i in range(12)]
    search = Optimizer(unpriced, STRATEGIES[name](), seed=2, initial=first)
    designs = run(search, 16)
    assert designs[:12] == first
    assert [design["b_0"] for design in designs[12:]] == [0] * 4


def test_the_controller_learns_what_earns_more() -> None:
    one = Problem(SPACE, [Objective("error")])
    agent, rng = _Agent(one, 0, Learning(rate=0.01, episodes=2)), np.random.default_rng(0)
    errors = []
    for _ in range(250):
        row = agent.controller.sample(rng)
        errors.append(error(SPACE.design(row)))
        agent.learn(row, -errors[-1] / 30.0)
    assert np.mean(errors[-40:]) < 0.75 * np.mean(errors[:40])


def test_infeasible_episodes_teach_without_a_training() -> None:
    limited = problem(constraints=[Constraint("cost", upper=4.0)])
    strategy = Reinforce(Learning(rate=0.03))
    search = Optimizer(limited, strategy, seed=0)
    run(search, 20)
    assert strategy._agent is not None
    assert strategy._agent.episodes > len(search.state.observations)


def test_probabilities_of_the_controller_are_those_of_its_samples() -> None:
    small = Problem(
        Space([ordinal("a", (0, 1)), ordinal("b", (0, 1, 2), when=Condition("a", (1,)))]),
        [Objective("error")],
    )
    controller = Controller(small, 8, seed=5)
    rows = small.space.enumerate()
    with torch.no_grad():
        p = np.array([float(controller.log_probability(row).exp()) for row in rows])
    assert p.sum() == pytest.approx(1.0, abs=1e-5)
    rng = np.random.default_rng(0)
    drawn = [tuple(controller.sample(rng)) for _ in range(1500)]
    share = np.array([drawn.count(tuple(row)) / len(drawn) for row in rows])
    assert np.abs(share - p).max() < 0.05


def test_the_predictor_is_chosen_by_held_out_error() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (60, 12)).astype(float)
    linear, curved = 5.0 + x @ np.arange(12.0), 5.0 + 8.0 * (x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3])
    new = rng.integers(0, 2, (200, 12)).astype(float)
    assert np.abs(_fitted(x, linear)(new) - (5.0 + new @ np.arange(12.0))).mean() < 0.5
    truth = 5.0 + 8.0 * (new[:, 0] * new[:, 1] + new[:, 2] * new[:, 3])
    assert np.corrcoef(_fitted(x, curved)(new), truth)[0, 1] > 0.8
