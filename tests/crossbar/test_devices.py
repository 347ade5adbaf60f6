import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from nax_bo.errors import InputError
from nax_bo.hardware.chip.device_noise import NoNoise, RangeNoise, RelativeNoise
from nax_bo.hardware.chip.devices import DEVICES, Retention, device, with_variation


@pytest.mark.parametrize("row", DEVICES.values(), ids=DEVICES)
def test_every_row_names_its_source_and_licence(row):
    assert re.search(r"doi:10\.\d+/|arXiv:\d{4}\.\d+|github\.com/\S+@[0-9a-f]{7}", row.source)
    assert row.licence in ("MIT", "BSD-3-Clause", "published facts")
    assert not re.search("neurosim|mnsim", row.source, re.IGNORECASE)


@pytest.mark.parametrize("row", DEVICES.values(), ids=DEVICES)
def test_conductances_follow_from_resistances(row):
    assert row.g_on_s == pytest.approx(1 / row.r_on_ohm)
    assert row.g_off_s == pytest.approx(row.g_on_s / row.on_off_ratio)
    assert row.g_off_s < row.g_on_s


@pytest.mark.parametrize("kind", ["rram", "pcm", "fefet", "stt-mram", "sram"])
def test_technology_names_stand_for_one_row_of_that_kind(kind):
    assert device(kind).kind == kind
    assert device(kind) is device(device(kind).name)


def test_published_values():
    assert device("rram-milo").r_off_ohm == pytest.approx(20_000)  # 50 uS
    assert device("nax-geniex").g_off_s == pytest.approx(1 / 600e3)
    assert device("rram-intel-22ffl").r_off_ohm == pytest.approx(30_000)
    assert device("sram").r_off_ohm == math.inf
    assert device("sram").g_off_s == 0
    assert not device("sram").resistive


@pytest.mark.parametrize("kind", ["rram", "pcm", "fefet", "stt-mram", "sram"])
def test_a_search_is_offered_devices_whose_spread_is_known(kind):
    assert device(kind).characterised
    assert not device("sram-6t").characterised


@pytest.mark.parametrize("row", DEVICES.values(), ids=DEVICES)
def test_values_lie_within_the_ranges_of_their_sources(row):
    for known in row.ranges:
        value = getattr(row, known.field)
        assert 0 <= known.low < known.high
        assert len(known.source) > 5
        if isinstance(value, float | int):
            assert known.low <= value <= known.high


@pytest.mark.parametrize("kind", ["rram", "pcm", "fefet", "stt-mram", "sram"])
def test_access_time_and_spread_of_the_usual_rows_have_ranges(kind):
    named = {r.field for r in device(kind).ranges}
    assert {"read_pulse_ns", "programming"} <= named


def test_assumed_values_are_flagged():
    assert "programming" in device("nacim-gaussian").assumed
    assert "programming" in device("stt-mram").assumed
    assert "programming" not in device("pcm").assumed


def test_unknown_device_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown device 'memristor'") as error:
        device("memristor")
    assert all(name in error.value.hint for name in DEVICES)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "flash"),
        ("r_on_ohm", 0.0),
        ("r_on_ohm", math.nan),
        ("on_off_ratio", 1.0),
        ("bits_per_cell", 0),
        ("stuck_on_probability", 1.5),
        ("stuck_off_probability", -0.1),
        ("assumed", ("colour",)),
    ],
)
def test_impossible_devices_are_refused(field, value):
    with pytest.raises(InputError, match=field):
        replace(device("rram"), **{field: value})


def test_variation_replaces_the_programming_noise():
    assert with_variation(device("pcm"), 0.05).programming == RangeNoise(0.05)
    assert with_variation(device("pcm"), 0.05, "relative").programming == RelativeNoise(0.05)
    assert with_variation(device("pcm"), 0.0).programming == NoNoise()
    assert "programming" in with_variation(device("pcm"), 0.05).assumed
    with pytest.raises(InputError, match="sigma"):
        with_variation(device("pcm"), -1)
    with pytest.raises(InputError, match="form"):
        with_variation(device("pcm"), 0.1, "cubic")


def test_retention_follows_arrhenius():
    ten_years = Retention(3.15e8, 85)
    assert ten_years.at_celsius(85, 1.1) == pytest.approx(3.15e8)
    # ln(ratio) = Ea / k (1/T1 - 1/T2): 1.1 eV, 85 C against 125 C
    ratio = math.exp(1.1 * 11604.518 * (1 / 358.15 - 1 / 398.15))
    assert ten_years.at_celsius(125, 1.1) == pytest.approx(3.15e8 / ratio, rel=1e-6)
    with pytest.raises(InputError, match="activation energy"):
        ten_years.at_celsius(25, 0)


def test_importing_devices_loads_neither_torch_nor_scipy():
    code = "import sys, nax_bo.hardware.chip.devices; print(sorted({'torch', 'scipy', 'sklearn'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
