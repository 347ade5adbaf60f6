"""Component prices against published points, exact tables and their own laws."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware.chip import technology
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.pricing.components.adc import adc_table, survey_area_um2, survey_energy_pj
from nax_bo.hardware.pricing.components.array import cell_table
from nax_bo.hardware.pricing.components.buffer import buffer_price
from nax_bo.hardware.pricing.macro import Macro, predict
from nax_bo.hardware.profiles import ADC_MODELS, load_profile

DATA = Path(__file__).parents[1] / "data"
ROOT = Path(__file__).parents[2]

# ISAAC's 8-bit converter rescaled with the capacitor-array model of Saberi et al. 2011 (hwcomponents-library, MIT):
# bits, pJ, um2 at 32 nm
SABERI = [(4, 0.79, 361), (5, 0.99, 477), (6, 1.2, 627), (7, 1.42, 845), (8, 1.667, 1200), (9, 1.969, 1828)]


def _rows(name: str) -> list[dict[str, str]]:
    lines = [x for x in (DATA / name).read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize(("bits", "pj", "um2"), SABERI)
def test_structural_converter_goes_through_the_published_points(bits: int, pj: float, um2: float) -> None:
    table = adc_table(load_profile("published"))
    anchored = pj * 1.5625 / 1.667  # ISAAC Table I: 16 mW for 1,024 conversions in 100 ns
    assert table.energy_pj[bits] + table.thermal_pj[bits] == pytest.approx(anchored, rel=0.01)
    assert table.area_um2[bits] == pytest.approx(um2, rel=0.003)


def test_survey_converter_equals_the_published_regression() -> None:
    rows = _rows("adc_survey_grid.csv")
    assert len(rows) > 60
    for row in rows:
        tech, enob, rate = (float(row[k]) for k in ("tech_nm", "enob", "rate_hz"))
        pj = survey_energy_pj(enob, rate, tech)
        assert pj == pytest.approx(float(row["energy_pj"]), rel=0.005), row
        assert survey_area_um2(pj, rate, tech) == pytest.approx(float(row["area_um2"]), rel=0.005), row


@pytest.mark.parametrize(("enob", "rate"), [(3.9, 1e9), (8, 1.1e10)])
def test_survey_refuses_what_it_was_not_fitted_to(enob: float, rate: float) -> None:
    with pytest.raises(InputError, match="outside the survey regression"):
        survey_energy_pj(enob, rate, 32)


@pytest.mark.parametrize("law", ADC_MODELS)
def test_a_finer_converter_never_costs_less(law: str) -> None:
    table = adc_table(load_profile("published"), law)
    for flash in (0, 1):
        kind = slice(17 * flash + 1, 17 * flash + 17)
        for values in (table.energy_pj[kind] + table.thermal_pj[kind], table.area_um2[kind]):
            assert (np.diff(values) >= 0).all()
        assert (np.diff(table.cycles[kind]) >= 0).all()


def test_flash_decides_in_one_cycle_and_is_smaller_only_at_low_resolution() -> None:
    table = adc_table(load_profile("published"))
    sar, flash = slice(1, 17), slice(18, 34)
    assert (table.cycles[flash] == 1).all()
    assert (table.cycles[sar] == np.arange(1, 17) + 1).all()
    smaller = table.area_um2[flash] < table.area_um2[sar]
    assert smaller[:5].all()
    assert not smaller[7:].any()


def test_zigzag_converter_at_its_own_node() -> None:
    table = adc_table(load_profile("published"), "zigzag")
    to_28 = technology.energy_scale(32, 28)
    volt = technology.nominal_supply_v(28)
    expected = (100 * 6 + 0.001 * 4**6) * 1e-3 * volt**2
    assert table.energy_pj[6] * to_28 + table.thermal_pj[6] == pytest.approx(expected)
    assert table.area_um2[6] * technology.area_scale(32, 28) == pytest.approx(10 ** (1.206 - 0.0369 * 6) * 64)


CACTI = [  # node, KB, read pJ per 256 bit, um2, leakage mW: CACTI 7, one bank, 256-bit port
    (22, 128, 19.1433, 113163.0, 0.01866),
    (32, 512, 94.3072, 909452.0, 0.02092),
    (65, 2, 17.9531, 28162.2, 0.00052),
]


@pytest.mark.parametrize(("nm", "kb", "pj", "um2", "mw"), CACTI)
def test_buffers_reproduce_cacti_at_its_points(
    nm: float, kb: float, pj: float, um2: float, mw: float
) -> None:
    price = buffer_price(np.array([[kb]]), np.array([[nm]], dtype=float))
    assert price.read_pj_per_bit[0, 0] * 256 == pytest.approx(pj, rel=1e-5)
    assert price.area_um2[0, 0] == pytest.approx(um2, rel=1e-6)
    assert price.leakage_mw[0, 0] == pytest.approx(mw, rel=1e-6)


@given(st.floats(7, 130), st.floats(0.25, 1 << 16), st.floats(1.01, 4))
def test_a_larger_buffer_costs_more_at_any_node(nm: float, kb: float, factor: float) -> None:
    price = buffer_price(np.array([[kb, kb * factor]]), np.array([[nm]]))
    for values in (price.read_pj_per_bit, price.area_um2):
        assert 0 < values[0, 0] < values[0, 1]


@given(st.floats(7, 129), st.floats(1.001, 1.5))
def test_older_nodes_cost_more(nm: float, factor: float) -> None:
    older = min(nm * factor, 130.0)
    assert technology.energy_scale(32, nm) < technology.energy_scale(32, older)
    assert technology.area_scale(32, nm) <= technology.area_scale(32, older)


def test_technology_follows_the_polynomials_at_tabulated_nodes() -> None:
    # Stillmaker & Baas 2017 at nominal supplies of 0.9 V (32 nm) and 0.7 V (7 nm)
    at_32 = 0.9559 * 0.9**2 - 0.7823 * 0.9 + 0.471
    at_7 = 0.1776 * 0.7**2 - 0.09097 * 0.7 + 0.02447
    assert technology.energy_scale(32, 7) == pytest.approx(at_7 / at_32)
    assert technology.area_scale(130, 65) == pytest.approx(0.23)
    assert technology.energy_factor(32, 0.8) == pytest.approx(0.9559 * 0.64 - 0.7823 * 0.8 + 0.471)


@given(st.floats(7, 130))
def test_all_factors_at_once_equal_the_single_functions(nm: float) -> None:
    at_once = technology.scaling(32.0, np.array([[nm]]))
    assert at_once.energy[0, 0] == pytest.approx(float(technology.energy_scale(32, nm)), rel=1e-12)
    assert at_once.area[0, 0] == pytest.approx(float(technology.area_scale(32, nm)), rel=1e-12)
    assert at_once.supply_v[0, 0] == pytest.approx(float(technology.nominal_supply_v(nm)), rel=1e-12)


@pytest.mark.parametrize("nm", [5, 180])
def test_nodes_outside_the_tables_are_refused(nm: float) -> None:
    with pytest.raises(InputError, match="7 to 130 nm"):
        technology.check_node(nm)


def test_cell_energy_is_current_times_voltage_times_time() -> None:
    profile, cell = load_profile("published"), device("rram-isaac")
    table = cell_table(profile, ("rram-isaac", "sram"))
    mean = cell.g_off_s + (cell.g_on_s - cell.g_off_s) * profile["array.level_mean"]
    joule = cell.read_voltage_v**2 * mean * 100e-9 * profile["array.input_density"]
    assert table.read_pj[0] == pytest.approx(joule * 1e12)
    assert table.read_pj[1] > table.read_pj[0], "offset codes hold more conductance than one side of a pair"
    assert table.read_pj[2] == 0
    assert table.charge_ff[1] > 0


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="unknown device"):
        cell_table(load_profile("published"), ("memristor",))


def _macros_module(name: str = "silicon_macros") -> object:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_a_publication_that_is_left_out_does_not_predict_itself() -> None:
    _macros_module()
    fit = _macros_module("silicon_fit")
    with (DATA / "silicon_macros.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    changed = [
        {**r, "tops_per_w": str(100 * float(r["tops_per_w"]))} if r["point_id"] == "jia2020_0.85V" else r
        for r in rows
    ]
    before, after = (
        {c.point: c.tops_w for c in fit.leave_out(table, False, "published")}  # type: ignore[attr-defined]
        for table in (rows, changed)
    )
    assert before["jia2020_0.85V"] == after["jia2020_0.85V"]
    assert before["uiuc36_1"] < after["uiuc36_1"], "the other charge-domain macro learns from it"


def test_fitted_constants_lie_where_silicon_and_priors_agree() -> None:
    _macros_module()
    fit = _macros_module("silicon_fit")
    shipped = load_profile("published")
    for priors in fit.PRIORS.values():  # type: ignore[attr-defined]
        for name, (centre, deviation) in priors.items():
            constant = shipped.constants[f"macro.{name}"]
            assert constant.source.startswith(f"fitted; prior {centre:g}")
            assert abs(math.log(constant.value / centre)) < 2 * deviation


def test_silicon_macros_are_predicted_within_a_factor_of_four(capsys: pytest.CaptureFixture[str]) -> None:
    module = _macros_module()
    sys.argv = ["silicon_macros", "--macros", str(DATA / "silicon_macros.csv"), "--json"]
    assert module.main() == 0  # type: ignore[attr-defined]
    result = json.loads(capsys.readouterr().out)
    assert result["summary"]["rows"] == 8
    errors = {row["point"]: row["log2_error_tops_w"] for row in result["rows"]}
    for point in ("neurram_o4i2_1p", "jia2020_0.85V", "wang2022_0.9V", "colonnade_4b_0.8V", "uiuc36_1"):
        assert abs(errors[point]) < 2, point
    assert result["summary"]["tops_per_w"]["median_abs_log2"] < 1.2


def test_macros_without_measurements_are_still_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hidden.csv"
    path.write_text(
        "point_id,memory,compute_model,rows,cols,tech_nm\nblind,SRAM,QR,64,64,3\n", encoding="utf-8"
    )
    module = _macros_module()
    sys.argv = ["silicon_macros", "--macros", str(path), "--json"]
    assert module.main() == 0  # type: ignore[attr-defined]
    result = json.loads(capsys.readouterr().out)
    assert result["summary"]["tops_per_w"] == {"points": 0}
    assert result["rows"][0]["tops_w"] > 0


def test_macro_rows_with_missing_and_unknown_fields_are_predicted_and_counted() -> None:
    row = {
        "point_id": "x",
        "memory": "FeRAM",
        "cell_type": "2T3C",
        "compute_model": "new",
        "tops_per_w": "10",
    }
    result = _macros_module().compare(row)  # type: ignore[attr-defined]
    assert result.tops_w > 0
    assert result.tops_mm2 > 0
    assert {"tech_nm", "vdd", "rows", "cols", "t_cycle_ns"} <= set(result.assumed)


@pytest.mark.parametrize(
    ("memory", "mechanism"),
    [("ReRAM", "current nvm"), ("STT-MRAM", "current nvm"), ("eDRAM", "charge sram"), ("", "charge sram")],
)
def test_memories_fall_into_a_class(memory: str, mechanism: str) -> None:
    row = {"point_id": "x", "memory": memory, "rows": "64", "cols": "64", "tech_nm": "28"}
    assert _macros_module().compare(row).mechanism == mechanism  # type: ignore[attr-defined]


@pytest.mark.parametrize("mechanism", ["charge", "bitline", "current", "digital"])
def test_macro_efficiency_falls_with_supply_and_node(mechanism: str) -> None:
    def tops_w(nm: float, volt: float) -> float:
        return predict(Macro(mechanism, nm, volt, "sram", 8, 256, 64, 256, 16, 6, 1, 1, cycle_ns=10.0)).tops_w  # type: ignore[arg-type]

    assert tops_w(28, 0.7) > tops_w(28, 0.9) > tops_w(65, 0.9)


def test_macro_refuses_impossible_sizes() -> None:
    with pytest.raises(InputError, match="positive"):
        Macro("charge", 28, 0.9, "sram", 8, 0, 64, 256, 16, 6, 1, 1)
    with pytest.raises(InputError, match="500 nm"):
        Macro("charge", 1000, 0.9, "sram", 8, 256, 64, 256, 16, 6, 1, 1)
