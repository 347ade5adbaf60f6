"""What imports what: the light packages stay light."""

import pkgutil
import subprocess
import sys

import pytest

import nax_bo.hardware
import nax_bo.network
import nax_bo.space
import nax_bo.whatif

HEAVY = ("torch", "botorch", "gpytorch", "sklearn", "scipy", "altair")
TORCH_MODULES = {"nax_bo.network.torch_build"}


def modules(package) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [m.name for m in found if m.name not in TORCH_MODULES]


@pytest.mark.parametrize(
    "package", [nax_bo.hardware, nax_bo.network, nax_bo.space, nax_bo.whatif], ids=lambda p: p.__name__
)
def test_light_packages_import_nothing_heavy(package) -> None:
    code = (
        f"import importlib, sys\nfor name in {modules(package)!r}: importlib.import_module(name)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
