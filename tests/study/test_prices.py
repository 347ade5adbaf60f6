"""How studies price designs: cost models that fit the space, designs that fit the chip, cost-only choices solved."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT
from nax_bo.space import Space, categorical, ordinal
from nax_bo.study import StudyConfig
from nax_bo.study.problem import StudyProblem

IMAGES = (1, 8, 8)


class PerLayer:
    """Two layers with converters of their own on a chip with few tiles."""

    name, summary = "two", "two layers with converters of their own"

    def __init__(self, input_shape: Any, num_classes: int) -> None:
        self.num_classes = num_classes
        self.space = Space(
            [
                ordinal("width", (8, 64)),
                ordinal("tiles", (1, 4)),
                *(ordinal(f"mux_{i}", (2, 8, 32), affects="cost") for i in (1, 2)),
                *(categorical(f"adc_type_{i}", ("sar", "flash"), affects="cost") for i in (1, 2)),
                ordinal("duplication", (1, 2, 16), affects="cost"),
            ]
        )

    def build(self, graph: Graph, choices: Any) -> None:
        x = graph.conv(INPUT, choices["width"], kernel=3, activation="relu", name="l1")
        graph.linear(graph.flatten(graph.global_avgpool(x)), self.num_classes, name="l2")

    def chip(self, choices: Any) -> ChipPlan:
        layers = {f"l{i}": {"mux": choices[f"mux_{i}"], "adc_type": choices[f"adc_type_{i}"]} for i in (1, 2)}
        shared = {"pes_per_tile": 1, "arrays_per_pe": 2, "global_buffer_kb": 32.0}
        return ChipPlan(layers, tiles=choices["tiles"], duplication=choices["duplication"], **shared)


def problem(**settings: Any) -> StudyProblem:
    return StudyProblem(StudyConfig(**settings), IMAGES, 10)


OWN = f"{__file__}:PerLayer"


@pytest.mark.parametrize(
    ("model", "message", "way_out"),
    [
        ("neurosim", "layers arrays of their own", "xpertsim"),
        ("xpert-lut", "varies device", "--system"),
    ],
)
def test_a_model_that_cannot_price_the_space_is_refused_at_once(
    model: str, message: str, way_out: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _ = problem(cost_model=model).reference_point
    assert way_out in caught.value.hint


def test_a_model_with_a_chip_of_its_own_prices_the_shipped_space() -> None:
    study = problem(cost_model="xpertsim")
    space = study.space
    x = space.sobol(16, 1)
    costs = study.costs(space.columns(x))
    priced = np.isfinite(costs["edap_uj_ms_mm2"])
    sram = space.columns(x)["device"] == "sram"
    assert priced[sram].all()
    assert not priced.all()  # access transistors of the least resistive cells do not fit


def test_designs_that_do_not_fit_their_chip_have_no_price() -> None:
    study = problem(system=OWN)
    space = study.space
    designs = [
        space.design({"width": 64, "tiles": t, "mux_1": 8, "mux_2": 8, "adc_type_1": "sar", "adc_type_2": "sar",
                      "duplication": d})
        for t, d in ((1, 1), (1, 16), (4, 1))
    ]  # fmt: skip
    edap = [c["edap_uj_ms_mm2"] for c in study.costs_of(designs)]
    assert np.isfinite(edap).tolist() == [True, False, True]


def test_designs_with_the_same_networks_are_described_alike() -> None:
    """The networks of one call are kept for the next, unless anything else than cost-only choices differs."""
    system = problem(system=OWN).system
    space, describe = system.space, system.describer()
    x = space.sobol(8, 0)
    y, z = x.copy(), x.copy()
    y[:, [i for i, v in enumerate(space.variables) if v.affects == "cost"]] = 0
    z[:, 0] = 1 - z[:, 0]
    for indices in (x, y, z, x[:3], x):
        columns = space.columns(indices)
        mine, expected = describe(columns), system.workload(columns)
        for field in fields(expected):
            assert np.array_equal(getattr(mine, field.name), getattr(expected, field.name)), field.name


@pytest.mark.parametrize("limits", [{}, {"area_mm2": 0.9}])
def test_cost_only_choices_are_solved_as_enumeration_does(limits: dict[str, float]) -> None:
    study = problem(system=OWN, max=limits)
    space, x = study.space, study.space.sobol(4, 0)
    hidden = [i for i, v in enumerate(space.variables) if v.affects == "cost"]
    grid = np.stack([g.ravel() for g in np.meshgrid(*map(np.arange, space.cardinalities[hidden]))], axis=1)
    assert len(grid) > 48
    settled = study.settle(x)
    for row, solved in zip(x, settled, strict=True):
        every = np.tile(row, (len(grid), 1))
        every[:, hidden] = grid
        costs = study.costs(space.columns(every))
        edap, area = costs["edap_uj_ms_mm2"], costs["area_mm2"]
        inside = np.isfinite(edap) & (area <= limits.get("area_mm2", np.inf))
        own = study.costs(space.columns(solved[None]))
        if inside.any():
            assert own["area_mm2"][0] <= limits.get("area_mm2", np.inf)
            assert own["edap_uj_ms_mm2"][0] == pytest.approx(edap[inside].min(), rel=1e-9)
    quick = study.costs(space.columns(study.complete(x)))["edap_uj_ms_mm2"]
    exact = study.costs(space.columns(settled))["edap_uj_ms_mm2"]
    assert np.median(quick / exact) <= 1.01
