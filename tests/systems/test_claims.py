"""What published systems claim, assume and are measured against: data of the description, shown by ``naxbo spaces``."""

import json
from pathlib import Path

import pytest
from nax_cli.main import app
from typer.testing import CliRunner

from nax_bo.errors import InputError
from nax_bo.systems import Claim, load_system, system_names

SOURCE = """
from nax_bo.systems import Assumed, Claim
from nax_bo.systems.vgg import VggSystem

class Published(VggSystem):
    claims = (Claim("edap_uj_ms_mm2", "paper", 2.5, "a table of 2020"),)
    assumptions = (Assumed("sigma", 0.1, "not stated"),)
    settings = {"objectives": ("accuracy", "edap")}
    baselines = {"paper": {"depth": DEPTH, "width_1": 8, "kernel_1": 3, "crossbar_1": 64, "width_2": 8, "kernel_2": 3,
                 "crossbar_2": 64, "device": "rram", "bits_per_cell": 2, "weight_bits": 8, "input_bits": 8,
                 "adc_bits": 8, "adc_type": "sar", "mux": 8}}
"""


def published(tmp_path: Path, depth: int = 2) -> str:
    (tmp_path / "own.py").write_text(SOURCE.replace("DEPTH", str(depth)))
    return f"{tmp_path / 'own.py'}:Published"


def test_claims_assumptions_and_baselines_are_shown(tmp_path: Path) -> None:
    name = published(tmp_path)
    shown = CliRunner().invoke(app, ["spaces", name])
    assert shown.exit_code == 0, shown.output
    for text in (
        "edap_uj_ms_mm2",
        "2.5",
        "a table of 2020",
        "sigma",
        "not stated",
        "measured against: paper",
    ):
        assert text in shown.stdout
    found = json.loads(CliRunner().invoke(app, ["spaces", name, "--json"]).stdout)
    assert found["claims"][0]["value"] == 2.5
    assert found["assumptions"] == [{"field": "sigma", "value": 0.1, "why": "not stated"}]
    assert found["baselines"]["paper"]["width_1"] == 8


def test_a_baseline_outside_of_the_space_is_refused_by_name(tmp_path: Path) -> None:
    system = load_system(published(tmp_path, depth=99), (1, 8, 8), 10)
    with pytest.raises(InputError, match=r"'paper'.*depth = 99"):
        _ = system.baselines


@pytest.mark.parametrize("name", system_names())
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)], ids=str)
def test_named_systems_tell_what_they_claim_of_whom(name: str, shape: tuple[int, int, int]) -> None:
    system = load_system(name, shape, 10)
    assert all(isinstance(claim, Claim) and claim.source and claim.value > 0 for claim in system.claims)
    assert all(assumed.why for assumed in system.assumptions)
    for design in system.baselines.values():
        system.decode(design)
    if system.claims:
        assert "paper" in system.baselines
