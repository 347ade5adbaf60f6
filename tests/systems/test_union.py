"""The union: every baseline of the four systems is one of its designs, with the same network, chip and price."""

from dataclasses import asdict

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import cost_model
from nax_bo.hardware.workload import Workload
from nax_bo.space import restrict
from nax_bo.systems import load_system
from nax_bo.systems.groups import ORDER, group_of

SHAPE = (1, 10, 10)
OF = {"xpert": "union", "nax": "union", "nacim": "union", "cimnet": "union", "cimnet-vit": "union-vit"}
COST_FREE = ("name", "inputs")


@pytest.mark.parametrize("part", OF)
def test_baselines_of_the_systems_are_designs_of_the_union(part: str) -> None:
    own, union = load_system(part, SHAPE, 10), load_system(OF[part], SHAPE, 10)
    model = cost_model("published")
    for design in (own.baselines["paper"], *own.space.designs(own.space.sample(2, 1))):
        network, chip = own.decode(design)
        same, as_chip = union.decode(union.space.design(union.description.express(part, design)))  # type: ignore[attr-defined]
        for a, b in zip(network.layers, same.layers, strict=True):
            assert {k: v for k, v in asdict(a).items() if k not in COST_FREE} == {
                k: v for k, v in asdict(b).items() if k not in COST_FREE
            }
        count = len(network.static_layers)
        assert [chip.array(i, count) for i in range(count)] == [as_chip.array(i, count) for i in range(count)]
        ours, theirs = model.evaluate(same, as_chip), model.evaluate(network, chip)
        assert ours.edap_uj_ms_mm2 == pytest.approx(theirs.edap_uj_ms_mm2, rel=1e-12)


@pytest.mark.parametrize(("part", "name"), OF.items())
def test_every_variable_of_a_system_is_present(part: str, name: str) -> None:
    own, union = load_system(part, SHAPE, 10).space, load_system(name, SHAPE, 10).space
    groups = {group_of(v) for v in union.variables}
    assert groups == set(ORDER)
    for v in own.variables:
        if group_of(v) == "network":
            assert union[f"{part}.{v.name}"].values == v.values
        else:
            assert group_of(v) in groups


def test_every_variable_can_be_fixed() -> None:
    space = load_system("union", SHAPE, 10).space
    fixed = restrict(
        space, {v.name: (str(v.values[0]),) for v in space.variables if v.name != "xpert.width_1"}
    )
    assert fixed.size == 4


def test_designs_of_all_families_are_priced_together() -> None:
    system = load_system("union", SHAPE, 10)
    rows = system.space.sample(24, 0)
    designs = system.space.designs(rows)
    assert {d["family"] for d in designs} == {"xpert", "nax", "nacim", "cimnet"}
    model = cost_model("published")
    many = model.evaluate_batch(system.workload(system.space.columns(rows)))
    alone = model.evaluate_batch(Workload.from_designs(*zip(*map(system.decode, designs), strict=True)))
    assert np.allclose(many.energy_pj, alone.energy_pj, rtol=1e-12)
    assert np.allclose(many.area_um2, alone.area_um2, rtol=1e-12)


def test_another_system_is_refused_by_name() -> None:
    union = load_system("union-vit", SHAPE, 10)
    with pytest.raises(InputError, match="holds no 'xpert'"):
        union.description.express("xpert", {})  # type: ignore[attr-defined]
