"""Profiles: published chips reproduced, constants documented, users' files, references, light imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ChipSpec, CostModel, Workload, cost_model, cost_model_names
from nax_bo.hardware.pricing.components.adc import adc_table
from nax_bo.hardware.pricing.peak import peak
from nax_bo.hardware.profiles import SHIPPED, Constant, load_profile
from nax_bo.network.named import named_network

NETWORK = named_network("vgg8", (3, 32, 32), 10)


def test_isaac_tile_and_chip_within_one_percent() -> None:
    # Shafiee et al., ISCA 2016, Table I
    chip = peak("isaac")
    assert chip.tile_power_mw == pytest.approx(330, rel=0.01)
    assert chip.tile_area_mm2 == pytest.approx(0.372, rel=0.01)
    assert chip.chip_power_w == pytest.approx(65.8, rel=0.01)
    assert chip.chip_area_mm2 == pytest.approx(85.4, rel=0.01)
    assert chip.power_mw["adc"] == pytest.approx(12 * 16, rel=0.01)
    assert chip.power_mw["driver"] == pytest.approx(12 * 4, rel=0.01)
    assert chip.power_mw["array"] == pytest.approx(12 * 2.4, rel=0.01)
    assert chip.area_um2["tile_buffer"] == pytest.approx(83_000, rel=0.01)
    assert sum(chip.power_mw.values()) == pytest.approx(chip.tile_power_mw)


PUMA_ADC_MW = [(1, 0.225), (4, 0.9), (8, 1.8), (9, 2.025), (16, 3.6)]


@pytest.mark.parametrize(("bits", "mw"), PUMA_ADC_MW)
def test_puma_converter_has_the_power_and_time_of_its_simulator(bits: int, mw: float) -> None:
    # puma-simulator@a206f75 include/constants.py: 12.5 ns per bit for 128 columns at 1 GHz
    table = adc_table(load_profile("puma"))
    cycles = 128 * table.cycles[bits]
    assert cycles == pytest.approx(12.5 * bits)
    assert 128 * table.energy_pj[bits] / cycles == pytest.approx(mw)
    assert table.area_um2[bits] == 1200


def test_puma_parts_of_a_tile() -> None:
    tile = peak("puma")
    arrays = 8 * 16
    assert tile.power_mw["array"] == pytest.approx(0.3 * arrays, rel=1e-3)
    assert tile.area_um2["array"] == pytest.approx(25 * arrays, rel=1e-3)
    assert tile.area_um2["adc"] == pytest.approx(1200 * arrays)
    assert tile.area_um2["tile_buffer"] == pytest.approx(86_000)
    assert tile.area_um2["interconnect"] == pytest.approx(90_000 + 47_000 / 4)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_constant_names_unit_and_source(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.constants) == set(load_profile("published").constants)
    for key, constant in profile.constants.items():
        assert constant.unit, key
        assert len(constant.source) > 8 or key.startswith("reference_chip") or name == "puma", key
        assert np.isfinite(profile[key]), key
        assert "neurosim" not in constant.source.lower(), f"{key}: non-commercial data must not ship"
        assert "mnsim" not in constant.source.lower(), f"{key}: data without a licence must not ship"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_prices_designs(name: str) -> None:
    report = cost_model(name).evaluate(NETWORK, ChipSpec())
    assert report.model == name
    assert report.energy_pj > report.leakage_pj >= 0


def test_constants_move_to_the_reference_node() -> None:
    assert Constant(1.0, "pJ", "x", at_nm=65).at_reference == pytest.approx(0.5414 / 1.681, rel=1e-3)
    assert Constant(1.0, "um2", "x", at_nm=65).at_reference == pytest.approx(0.072 / 0.23)
    assert Constant(1.0, "ns", "x", at_nm=16).at_reference == pytest.approx(2.0)
    assert Constant(1.0, "pJ", "x").at_reference == 1.0


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_profile_changes_constants_of_its_base(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        'base = "published"\nname = "cheap adc"\n[adc]\n'
        'sar_energy_per_bit_pj = { value = 0.01, unit = "pJ", source = "our lab", at_nm = 32 }\n',
    )
    mine, base = cost_model(path), cost_model("published")
    w = Workload.from_designs([NETWORK], [ChipSpec()])
    assert mine.evaluate_batch(w).energy_pj[0] < base.evaluate_batch(w).energy_pj[0]
    assert mine.evaluate_batch(w).area_um2[0] == base.evaluate_batch(w).area_um2[0]


def test_other_converter_laws_can_be_chosen(tmp_path: Path) -> None:
    reports = {}
    for law in ("structural", "silicon", "survey", "zigzag"):
        path = _write(tmp_path, f'base = "published"\n[models]\nadc = "{law}"\n')
        reports[law] = cost_model(path).evaluate(NETWORK, ChipSpec())
    assert reports["survey"].area_um2 > 2 * reports["structural"].area_um2, (
        "survey areas are stand-alone converters"
    )
    assert len({r.energy_pj for r in reports.values()}) == 4
    band = reports["structural"]
    for other in reports.values():
        factor = other.edap_uj_ms_mm2 / band.edap_uj_ms_mm2
        assert band.spread.edap[0] * 0.99 <= factor <= band.spread.edap[1] * 1.01, "the band spans the laws"


BAD = [
    ("[adc]\n", "no base profile"),
    ('base = "nowhere"\n', "no cost profile"),
    (
        'base = "published"\n[adc]\nmagic = { value = 1, unit = "pJ", source = "x" }\n',
        "unknown constant adc.magic",
    ),
    ('base = "published"\n[adc]\nsar_area_um2 = 3\n', "sar_area_um2 is incomplete"),
    ('base = "published"\n[adc]\nsar_area_um2 = { value = 3, unit = "um2" }\n', "incomplete"),
    ('base = "published"\n[adc]\nsar_area_um2 = { value = 3, unit = "mm2", source = "x" }\n', "is in 'mm2'"),
    (
        'base = "published"\n[adc]\nsar_area_um2 = { value = -3, unit = "um2", source = "x" }\n',
        "sar_area_um2 = -3",
    ),
    (
        'base = "published"\n[adc]\nsar_area_um2 = { value = nan, unit = "um2", source = "x" }\n',
        "sar_area_um2 = nan",
    ),
    (
        'base = "published"\n[adc]\nsar_area_um2 = { value = 3, unit = "um2", source = "x", at_nm = 3 }\n',
        "node 3 nm",
    ),
    ('base = "published"\n[models]\nadc = "magic"\n', "adc model 'magic'"),
    ("base = published\n", "cannot be read"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_mistakes_in_a_profile_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cost_model(_write(tmp_path, text))


def test_references_resolve_or_say_what_is_known() -> None:
    assert cost_model_names() == ("published", "isaac", "puma", "neurosim", "xpertsim", "xpert-lut")
    with pytest.raises(InputError, match="no cost model 'cheap'"):
        cost_model("cheap")
    with pytest.raises(InputError, match="collections:Counter is no cost model"):
        cost_model("collections:Counter")
    assert isinstance(cost_model("published"), CostModel)


def test_importing_and_pricing_load_nothing_heavy() -> None:
    code = (
        "import sys; import nax_bo.hardware as h; "
        "heavy = {'torch', 'scipy', 'sklearn', 'tomllib', 'pandas'} & set(sys.modules); assert not heavy, heavy; "
        "from nax_bo.network.named import named_network; "
        "h.cost_model().evaluate(named_network('vgg8', (3, 32, 32), 10), h.ChipSpec()); "
        "heavy = {'torch', 'scipy', 'sklearn'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
