"""Joint spaces: every design decodes, and the vectorised workload equals the decoded one."""

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware.workload import Workload
from nax_bo.systems import load_system, system_names

SHAPES = [(1, 8, 8), (3, 32, 32)]
FIELDS = [name for name in Workload.__dataclass_fields__ if name not in ("devices", "device")]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", system_names())
def test_vectorised_workload_equals_decoded_designs(name: str, shape: tuple[int, int, int]) -> None:
    system = load_system(name, shape, 10)
    rows = system.space.sample(60, 0)
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
    names = [np.array(w.devices)[w.device.ravel()] for w in (vectorised, decoded)]
    assert np.array_equal(*names)


@pytest.mark.parametrize("name", system_names())
def test_space_is_large_and_hides_what_cannot_change_accuracy(name: str) -> None:
    space = load_system(name, (1, 8, 8), 10).space
    assert space.size > 1e9
    assert {v.name for v in space.variables if v.affects == "cost"} == {"adc_type", "mux"}


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
