"""The inner optimum of whole spaces: blocks, the quick solution and the exact one, against enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nax_bo.hardware import CostBatch, Workload, cost_model
from nax_bo.hardware.chip import ChipPlan
from nax_bo.hardware.optimum.blocks import Describe, find_blocks
from nax_bo.hardware.optimum.goal import Goal, SlotPricing
from nax_bo.hardware.optimum.inner import InnerOptimum
from nax_bo.hardware.optimum.peripherals import PeripheralChoices, solve_peripherals
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT
from nax_bo.space import Condition, Space, Variable, categorical, ordinal
from nax_bo.systems.system import System

MODEL = cost_model("published")


@dataclass(frozen=True)
class PerLayer:
    """A chain of up to ``depth`` convolutions, two at least; later ones may be absent."""

    depth: int = 12
    muxes: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    copies: tuple[int, ...] = ()
    buffers: tuple[float, ...] = ()
    name: str = "per-layer"
    summary: str = "cost-only choices of every layer"

    @property
    def space(self) -> Space:
        variables: list[Variable] = [ordinal("depth", range(2, self.depth + 1))]
        variables += [ordinal("adc_bits", (4, 5, 6, 7, 8)), ordinal("weight_bits", (4, 8))]
        for i in range(1, self.depth + 1):
            when = () if i <= 2 else Condition("depth", tuple(range(i, self.depth + 1)))
            variables += [
                ordinal(f"width_{i}", (16, 32, 64, 128), when=when),
                ordinal(f"side_{i}", (64, 128, 256), when=when),
                categorical(f"adc_type_{i}", ("sar", "flash"), when=when, affects="cost"),
                ordinal(f"mux_{i}", self.muxes, when=when, affects="cost"),
            ]
            if self.copies:
                variables.append(ordinal(f"copies_{i}", self.copies, when=when, affects="cost"))
        if self.buffers:
            variables += [
                ordinal("global_buffer_kb", self.buffers, affects="cost"),
                ordinal("tile_buffer_kb", tuple(b / 8 for b in self.buffers), affects="cost"),
            ]
        return Space(variables)

    def build(self, graph: Graph, choices: Mapping[str, Any]) -> None:
        source = INPUT
        for i in range(1, self.depth + 1):
            with graph.present(choices["depth"] >= i):
                source = graph.conv(source, choices[f"width_{i}"], kernel=3, activation="relu", name=f"c{i}")
        graph.linear(graph.flatten(graph.global_avgpool(source)), 10, name="classifier")

    def chip(self, choices: Mapping[str, Any]) -> ChipPlan:
        layers = {}
        for i in range(1, self.depth + 1):
            side = choices[f"side_{i}"]
            own = {
                "rows": side,
                "cols": side,
                "adc_type": choices[f"adc_type_{i}"],
                "mux": choices[f"mux_{i}"],
            }
            if self.copies:
                own["duplication"] = choices[f"copies_{i}"]
            layers[f"c{i}"] = own
        shared = {k: choices[k] for k in ("global_buffer_kb", "tile_buffer_kb") if self.buffers}
        return ChipPlan(layers, adc_bits=choices["adc_bits"], weight_bits=choices["weight_bits"], **shared)


def system(**settings: Any) -> System:
    """The space for 16 x 16 images."""
    return System(PerLayer(**settings), (3, 16, 16))


def describe(of: System) -> Describe:
    """Index vectors to workloads."""
    return lambda x: of.workload(of.space.columns(x))


def hidden(of: System) -> tuple[int, ...]:
    """Columns of the cost-only variables."""
    return tuple(i for i, v in enumerate(of.space.variables) if v.affects == "cost")


def edap(batch: CostBatch) -> np.ndarray:
    return np.log(batch.edap_uj_ms_mm2)


EDAP = Goal(edap)


def inner(of: System, goal: Goal = EDAP, model: Any = MODEL) -> InnerOptimum:
    show = describe(of)
    return InnerOptimum(
        lambda x: goal.score(model.evaluate_batch(show(x))),
        model if isinstance(model, SlotPricing) else None,
        show,
        of.space.cardinalities,
        hidden(of),
        of.space.sobol(64, 0),
        goal,
    )


def enumerated(problem: InnerOptimum, row: np.ndarray) -> float:
    """Least score over all combinations of the cost-only variables."""
    grid = itertools.product(*(range(int(problem.cardinalities[c])) for c in problem.hidden))
    every = np.array([row] * int(np.prod(problem.cardinalities[list(problem.hidden)])))
    every[:, list(problem.hidden)] = list(grid)
    return float(problem.scores(every).min())


def test_variables_are_sorted_by_what_they_change() -> None:
    of = system(depth=3, copies=(1, 2), buffers=(64.0, 256.0))
    names = [v.name for v in of.space.variables]
    blocks = find_blocks(describe(of), of.space.sobol(64, 0), of.space.cardinalities, hidden(of))
    found = [tuple(names[c] for c in block.columns) for block in blocks.blocks]
    assert found == [(f"adc_type_{i}", f"mux_{i}", f"copies_{i}") for i in (1, 2, 3)]
    assert [len(block.options) for block in blocks.blocks] == [24, 24, 24]
    assert [names[c] for c in blocks.shared] == ["global_buffer_kb", "tile_buffer_kb"]


def test_blocks_are_found_where_layers_are_absent() -> None:
    of = system(depth=4)
    x = of.space.sample(20, np.random.default_rng(0))
    blocks = find_blocks(describe(of), of.space.sobol(64, 0), of.space.cardinalities, hidden(of))
    depth = of.space.columns(x)["depth"]
    for places, layers in zip(blocks.place(describe(of), x), depth, strict=True):
        expected = [*range(1, int(layers) + 1), 0]  # the classifier has no choices
        assert places.tolist() == expected + [0] * (len(places) - len(expected))


@pytest.mark.parametrize(
    "settings",
    [
        {"depth": 3, "muxes": (2, 8, 32)},
        {"depth": 2, "muxes": (2, 16), "copies": (1, 4), "buffers": (32.0, 256.0)},
    ],
)
def test_the_exact_solution_is_that_of_enumeration(settings: dict[str, Any]) -> None:
    problem = inner(system(**settings))
    x = system(**settings).space.sample(12, np.random.default_rng(1))
    solved = problem.exact(x)
    best = [enumerated(problem, row) for row in x]
    assert problem.scores(solved) == pytest.approx(best, abs=1e-9)


def test_the_quick_solution_is_within_one_per_cent_for_nineteen_of_twenty() -> None:
    of = system()
    problem, x = inner(of), of.space.sample(40, np.random.default_rng(2))
    gap = np.exp(problem.scores(problem.solve(x)) - problem.scores(problem.exact(x))) - 1
    assert (gap >= -1e-9).all()
    assert (gap <= 0.01).mean() >= 0.95


def test_the_exact_solution_agrees_with_that_of_single_chips() -> None:
    of = system(depth=3, muxes=(2, 8, 32))
    problem = inner(of)
    x = of.space.sample(3, np.random.default_rng(3))
    solved = problem.exact(x)
    for row, score in zip(solved, problem.scores(solved), strict=True):
        network, chip = of.decode(of.space.designs(row[None])[0])
        choices = PeripheralChoices(mux=(2, 8, 32), adc_type=("sar", "flash"))
        found = np.log(solve_peripherals(network, chip, MODEL, choices).value * 1e-18)
        # there the classifier may choose too, so it is a little better
        assert score - 0.1 < found <= score + 1e-9


def test_what_is_solved_depends_on_the_rest_alone() -> None:
    of = system(depth=4)
    problem, rng = inner(of), np.random.default_rng(4)
    x = of.space.sample(30, rng)
    y = x.copy()
    for column in problem.hidden:
        y[:, column] = rng.integers(0, problem.cardinalities[column], len(y))
    visible = [c for c in range(x.shape[1]) if c not in problem.hidden]
    first = problem.solve(x)
    assert (first[:, visible] == x[:, visible]).all()
    assert (problem.solve(of.space.canonical(y)) == first).all()
    assert (problem.solve(x[7:9]) == first[7:9]).all()


def test_limits_hold_where_they_can() -> None:
    of = system(depth=4)
    x = of.space.sample(30, np.random.default_rng(5))
    free = inner(of)
    least = MODEL.evaluate_batch(
        describe(of)(inner(of, Goal(lambda b: np.log(b.area_um2), (1, 0, 0))).solve(x))
    )
    cap = 1.1 * least.area_um2

    def score(batch: CostBatch) -> np.ndarray:
        limit = np.repeat(cap, len(batch) // len(cap))
        over = np.maximum(batch.area_um2 / limit - 1, 0)
        return np.where(over > 1e-9, 1e6 * (1 + over), 0) + np.log(batch.edap_uj_ms_mm2)

    limited = inner(of, Goal(score, limited=True)).solve(x)
    batch = MODEL.evaluate_batch(describe(of)(limited))
    assert (batch.area_um2 <= cap * (1 + 1e-9)).all()
    assert (np.log(batch.edap_uj_ms_mm2) >= free.scores(free.solve(x)) - 1e-9).all()


class WholeDesignsOnly:
    """A batch model that does not price slots."""

    def evaluate(self, network: Any, chip: Any) -> Any:
        return MODEL.evaluate(network, chip)

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        return MODEL.evaluate_batch(workload)


def test_models_without_prices_of_slots_are_solved_in_turns() -> None:
    of = system(depth=3, muxes=(2, 8, 32))
    problem = inner(of, model=WholeDesignsOnly())
    x = of.space.sample(20, np.random.default_rng(6))
    gap = problem.scores(problem.solve(x)) - inner(of).scores(inner(of).exact(x))
    assert (gap >= -1e-9).all()
    assert np.median(gap) < 0.1


@pytest.mark.parametrize("dataflow", ["layer_by_layer", "pipelined"])
def test_the_shipped_space_is_solved_by_enumeration(dataflow: str) -> None:
    from nax_bo.systems import load_system

    of = load_system("vgg", (1, 8, 8), 10)
    problem = inner(of)
    x = of.space.sample(5, np.random.default_rng(7))
    best = [enumerated(problem, row) for row in x]
    assert problem.scores(problem.solve(x)) == pytest.approx(best, abs=1e-12)
