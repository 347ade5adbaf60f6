"""Joint spaces: every design decodes, and the vectorised workload equals the decoded one."""

from pathlib import Path

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware.workload import Workload
from nax_bo.systems import load_system, system_names

SHAPES = [(1, 8, 8), (3, 32, 32)]
EXAMPLE = f"{Path(__file__).parents[2] / 'examples' / 'my_space.py'}:MySpace"
FIELDS = [name for name in Workload.__dataclass_fields__ if name not in ("devices", "device")]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*system_names(), "my_space"])
def test_vectorised_workload_equals_decoded_designs(name: str, shape: tuple[int, int, int]) -> None:
    system = load_system(EXAMPLE if name == "my_space" else name, shape, 10)
    rows = system.space.sample(50, 0)
    vectorised = system.workload(system.space.columns(rows))
    decoded = Workload.from_designs(*zip(*map(system.decode, system.space.designs(rows)), strict=True))
    width = decoded.shape[1]
    present = np.broadcast_to(decoded.kind, decoded.shape) != 0
    kinds = np.broadcast_to(vectorised.kind, vectorised.shape)
    assert np.array_equal(kinds[:, :width] != 0, present)
    assert not kinds[:, width:].any()
    for field in FIELDS:
        a = np.broadcast_to(getattr(vectorised, field), vectorised.shape)[:, :width][present]
        b = np.broadcast_to(getattr(decoded, field), decoded.shape)[present]
        assert np.array_equal(a, b), field
    names = [np.array(w.devices)[np.broadcast_to(w.device.ravel(), len(rows))] for w in (vectorised, decoded)]
    assert np.array_equal(*names)


HIDDEN = {"vgg": {"adc_type", "mux"}, "resnet": {"adc_type", "mux"}, "nax": set(), "saha": set()}


@pytest.mark.parametrize("name", system_names())
def test_space_is_large_and_hides_what_cannot_change_accuracy(name: str) -> None:
    space = load_system(name, (1, 8, 8), 10).space
    assert space.size > 1e9
    hidden = {v.name for v in space.variables if v.affects == "cost"}
    assert hidden == HIDDEN.get(name, hidden)
    assert not hidden & {"device", "crossbar", "weight_bits", "input_bits", "adc_bits", "depth"}


def test_unknown_and_foreign_systems(tmp_path) -> None:
    with pytest.raises(InputError, match="no design space 'vggg'"):
        load_system("vggg", (1, 8, 8), 10)
    (tmp_path / "mine.py").write_text(
        "from nax_bo.systems.vgg import VggSystem\n"
        "def mine(shape, classes) -> VggSystem: return VggSystem(shape, classes, name='mine')\n"
    )
    assert load_system(f"{tmp_path}/mine.py:mine", (1, 8, 8), 10).name == "mine"
    with pytest.raises(InputError, match="has no 'yours'"):
        load_system(f"{tmp_path}/mine.py:yours", (1, 8, 8), 10)
    with pytest.raises(InputError, match="needs at least 4 x 4"):
        load_system("vgg", (1, 2, 2), 10)


def own(build: str = "graph.linear(graph.flatten('input'), 10)", chip: str = "ChipPlan()") -> str:
    return (
        "from nax_bo.hardware.chip import ChipPlan\n"
        "from nax_bo.space import Space, ordinal\n"
        "class Own:\n"
        "    name, summary, space = 'own', 'mine', Space([ordinal('width', (8, 16))])\n"
        "    def __init__(self, shape, classes): pass\n"
        f"    def build(self, graph, choices): {build}\n"
        f"    def chip(self, choices): return {chip}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (own(build="graph.linear('input', 10 if choices['width'] > 8 else 5)"), "for many designs at once"),
        (own(build="graph.linear('input', int(choices['width']))"), "for many designs at once"),
        (own(build="None"), "no matrix product"),
        (own(chip="ChipPlan(columns=3)"), "no setting 'columns'"),
        (own(chip="ChipPlan({'conv1': {'rows': 32}})"), "'conv1', which no network of the space has"),
        (own(chip="ChipPlan(digital_layers=('head',))"), "'head', which no network of the space has"),
        (own(chip="ChipPlan(device='rram', mux=256)"), "mux exceeds"),
        (own().replace("def chip", "def chips"), "Own is no design space"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_before_any_work(text, message, tmp_path) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(InputError, match=message):
        load_system(f"{tmp_path}/own.py:Own", (1, 8, 8), 10)


def test_layers_are_named_alike_in_network_and_chip() -> None:
    system = load_system("resnet", (3, 32, 32), 10)
    design = system.space.design({"stages": 2, "blocks_1": 2, "crossbar_1": 32, "crossbar_2": 256})
    network, chip = system.decode(design)
    names = [layer.name for layer in network.static_layers]
    assert names == ["stem", "s1.b1.conv1", "s1.b1.conv2", "s1.b2.conv1", "s1.b2.conv2",
                     "s2.b1.conv1", "s2.b1.conv2", "s2.b1.shortcut", "classifier"]  # fmt: skip
    assert [array.rows for array in chip.arrays] == [32] * 5 + [256] * 4
