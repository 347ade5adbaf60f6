"""NAX's search as a procedure: budgets, gates, expected cost, non-ideal architecture steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nax_bo.accuracy.data import load
from nax_bo.accuracy.supernet.family import Family
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan, Conditions
from nax_bo.search.strategies.gates import Gates, NaxGates, expected_cost
from nax_bo.space import Condition, Space, ordinal
from nax_bo.systems import System

QUIET = Conditions(time_s=0.0, converter_errors=False, faults=False)


class Tiny:
    name, summary = "tiny", "one or two convolutions"
    space = Space(
        [
            ordinal("depth", (1, 2)),
            ordinal("kernel_1", (1, 3)),
            ordinal("kernel_2", (1, 3), when=Condition("depth", (2,))),
            ordinal("crossbar", (16, 32)),
        ]
    )

    def build(self, graph, choices) -> None:
        x = graph.conv("input", 4, kernel=choices["kernel_1"], norm="batch", activation="relu", name="conv1")
        with graph.present(choices["depth"] == 2):
            x = graph.conv(x, 4, kernel=choices["kernel_2"], norm="batch", activation="relu", name="conv2")
        graph.linear(graph.flatten(graph.avgpool(x)), 10, name="classifier")

    def chip(self, choices) -> ChipPlan:
        return ChipPlan(device="nax-geniex", rows=choices["crossbar"], cols=choices["crossbar"], mux=8)


SYSTEM = System(Tiny(), (1, 8, 8))
FAMILY = Family(SYSTEM.space, SYSTEM.decode)


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    return replace(data, train_images=data.train_images[:200], train_labels=data.train_labels[:200])


def dear(rows) -> np.ndarray:
    """Depth, kernels and small crossbars cost."""
    return np.asarray(rows)[:, :3].sum(axis=1) + (1.0 - np.asarray(rows)[:, 3])


def test_a_heavy_cost_ends_with_the_cheapest_design_within_the_budget(digits) -> None:
    how = NaxGates(cost_weight=50.0, gate_rate=0.3, batch=16, calibration=8, weight_steps=1, warm_up=0.1)
    found = how.run(FAMILY, digits, dear, images=700, seed=0, conditions=QUIET)
    assert dict(found.design) == {"depth": 1, "kernel_1": 1, "crossbar": 32}
    assert 700 - how.images_of_a_turn < found.images_seen <= 700
    assert found.certainty > 0.7
    again = how.run(FAMILY, digits, dear, images=700, seed=0, conditions=QUIET)
    assert again == found


def test_gates_follow_the_loss_where_nothing_costs(digits) -> None:
    how = NaxGates(
        cost_weight=0.0,
        gate_rate=0.3,
        batch=64,
        weight_steps=1,
        warm_up=0.6,
        non_ideal=False,
        weight_rate=0.02,
    )
    found = how.run(FAMILY, digits, lambda rows: np.zeros(len(rows)), images=16_000, seed=1, conditions=QUIET)
    assert found.design["kernel_1"] == 3


def test_too_small_a_budget_is_refused(digits) -> None:
    with pytest.raises(InputError, match="a budget of 10 images"):
        NaxGates().run(FAMILY, digits, dear, images=10)


def test_expected_cost_has_the_gradient_of_the_exact_expectation() -> None:
    gates = Gates(SYSTEM.space)
    with torch.no_grad():
        gates.logits += torch.randn(gates.logits.shape, generator=torch.Generator().manual_seed(0))
    rows = SYSTEM.space.enumerate()
    p = gates.log_probability(rows).exp()
    assert float(p.detach().sum()) == pytest.approx(1.0, abs=1e-5)
    (exact,) = torch.autograd.grad((p * torch.from_numpy(dear(rows)).float()).sum(), gates.logits)
    estimate = expected_cost(gates, dear, np.random.default_rng(0), count=20_000)
    (found,) = torch.autograd.grad(estimate, gates.logits)
    assert torch.allclose(found, exact, atol=0.02)
