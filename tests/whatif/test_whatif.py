"""Comparisons, sweeps and sensitivities, against single evaluations and known variance shares."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ChipSpec, CostReport, cost_model
from nax_bo.hardware.protocol import OneByOne
from nax_bo.network import named_network, vgg
from nax_bo.whatif import Setting, apply_settings, compare, one_at_a_time, parse_sweep, sobol, sweep, variants

NETWORK = vgg((3, 16, 16), 10, (16, 32), pool_after=(0,))
CHIP = ChipSpec()
MODEL = cost_model("published")


class Product:
    """log10 of energy, latency and area with known dependence on three settings."""

    def evaluate(self, network, chip):
        array = chip.arrays[0]
        bits, mux, node = array.adc_bits, math.log2(array.mux), chip.technology_nm
        return CostReport(
            energy_pj=10.0 ** (bits + 2 * mux), latency_ns=10.0 ** (bits * mux), area_um2=10.0 ** (0.1 * node)
        )


AXES = [parse_sweep("adc_bits=1:4"), parse_sweep("mux=1:8:*2"), parse_sweep("node=10,20,30")]


def by(result, output):
    return {row["setting"]: row for row in result.rows() if row["output"] == output}


def test_compare_reports_what_the_model_says():
    changes = [
        [Setting.parse("adc_bits=5")],
        [Setting.parse("mux=2"), Setting.parse("layer2.adc_type=flash")],
    ]
    comparison = compare(variants(NETWORK, CHIP, changes))
    rows = comparison.rows()
    assert [row["design"] for row in rows] == ["base", "adc_bits=5", "mux=2 layer2.adc_type=flash"]
    assert rows[0]["edap_ratio"] == 1
    for row, settings in zip(rows, [[], *changes], strict=True):
        report = MODEL.evaluate(NETWORK, apply_settings(NETWORK, CHIP, settings))
        assert row["energy_uj"] == report.energy_pj * 1e-6
        assert row["edap_uj_ms_mm2"] == pytest.approx(report.edap_uj_ms_mm2)
        assert row["tops_w"] == pytest.approx(report.tops_w)


def test_layers_and_components_add_up():
    comparison = compare({"a": (NETWORK, CHIP)})
    report = comparison.reports[0]
    assert sum(row["energy_uj"] for row in comparison.layer_rows()) == pytest.approx(report.energy_pj * 1e-6)
    parts = comparison.component_rows()
    assert sum(row["energy_share"] for row in parts) == pytest.approx(1)
    assert sum(row["area_mm2"] for row in parts) == pytest.approx(report.area_um2 * 1e-6)


def test_networks_may_differ():
    rows = compare({n: (named_network(n, (3, 32, 32), 10), CHIP) for n in ("resnet20", "vgg8")}).rows()
    assert rows[1]["area_mm2"] > rows[0]["area_mm2"]


def test_results_are_json():
    result = sweep(NETWORK, CHIP, [parse_sweep("mux=2,4"), parse_sweep("digital_layers=none,conv1")])
    for answer in (compare({"a": (NETWORK, CHIP)}), result, one_at_a_time(NETWORK, CHIP, AXES[:2])):
        json.dumps(answer.to_dict())


def test_sweep_is_the_grid_of_single_evaluations():
    axes = [parse_sweep("adc_bits=4:6"), parse_sweep("layer1.mux=2,8")]
    result = sweep(NETWORK, CHIP, axes)
    assert [(r["adc_bits"], r["layer1.mux"]) for r in result.rows()] == list(
        itertools.product((4, 5, 6), (2, 8))
    )
    for point, row in zip(result.points, result.rows(), strict=True):
        report = MODEL.evaluate(NETWORK, apply_settings(NETWORK, CHIP, point))
        assert row["edap_uj_ms_mm2"] == pytest.approx(report.edap_uj_ms_mm2)


def test_impossible_combinations_are_listed_with_the_reason():
    rows = sweep(NETWORK, CHIP, [parse_sweep("crossbar=4,64"), parse_sweep("mux=4,16")]).rows()
    assert [bool(row["error"]) for row in rows] == [False, True, False, False]
    assert "an array has 4" in rows[1]["error"]
    assert rows[1]["energy_uj"] is None


def test_a_device_brings_the_bits_that_it_stores_and_says_so():
    changes = [[Setting.parse("device=sram")], [Setting.parse("device=fefet")]]
    comparison = compare(variants(NETWORK, CHIP, changes))
    assert comparison.names == ("base", "device=sram bits_per_cell=1", "device=fefet")
    assert comparison.chips[1].arrays[0].bits_per_cell == 1
    asked = [Setting.parse("device=sram"), Setting.parse("bits_per_cell=2")]
    with pytest.raises(InputError, match="stores 1"):
        apply_settings(NETWORK, CHIP, asked)
    rows = sweep(NETWORK, CHIP, [parse_sweep("device=rram,sram")]).rows()
    assert [row["adjusted"] for row in rows] == ["", "bits_per_cell=1"]
    assert rows[1]["energy_uj"] == comparison.rows()[1]["energy_uj"]


def test_the_interval_of_a_pipeline_is_shown_beside_its_response():
    rows = compare(variants(NETWORK, CHIP, [[Setting.parse("dataflow=pipelined")]])).rows()
    assert rows[0]["latency_ms"] == rows[0]["response_ms"] == rows[1]["response_ms"] > rows[1]["latency_ms"]


def test_cells_that_are_rewritten_wear():
    """One tile is written once for each of the network's three layers; the device endures a million writes."""
    few = [Setting.parse("device=pcm-st-28nm"), Setting.parse("tiles=1")]
    rows = compare(variants(NETWORK, CHIP, [few])).rows()
    assert rows[0]["lifetime_inferences"] is None
    assert rows[1]["lifetime_inferences"] == pytest.approx(1e6 / 3)


def test_sweeps_say_what_designs_wait_for():
    rows = sweep(NETWORK, CHIP, [parse_sweep("tiles=0,1"), parse_sweep("mux=8")]).rows()
    assert [row["bound_by"] for row in rows] == ["compute", "reload"]


def test_all_impossible():
    rows = sweep(NETWORK, CHIP, [parse_sweep("mux=256,512")]).rows()
    assert not any(row["feasible"] for row in rows)


def test_one_at_a_time_swings():
    result = one_at_a_time(NETWORK, CHIP, AXES, OneByOne(Product()))
    energy = by(result, "energy_uj")
    assert energy["adc_bits"]["swing"] == pytest.approx(10**3)
    assert energy["mux"]["swing"] == pytest.approx(10**6)
    assert energy["node"]["swing"] == 1
    assert [r["setting"] for r in result.rows() if r["output"] == "energy_uj"] == ["mux", "adc_bits", "node"]
    # the chip as it is has 8 bits and 8 columns: 4 bits are 10^-4 of its energy
    assert energy["adc_bits"]["highest_ratio"] == pytest.approx(1e-4)


def test_sobol_shares_of_an_additive_output_are_exact():
    result = sobol(NETWORK, CHIP, AXES, OneByOne(Product()))
    assert result.method == "sobol exact"
    assert result.evaluations == 4 * 4 * 3
    energy = by(result, "energy_uj")
    # both settings have variance 5/4; mux enters doubled: shares 1 : 4
    assert energy["adc_bits"]["first_order"] == pytest.approx(0.2)
    assert energy["mux"]["total"] == pytest.approx(0.8)
    assert energy["node"]["total"] == pytest.approx(0, abs=1e-12)


def test_sobol_sees_interactions():
    latency = by(sobol(NETWORK, CHIP, AXES, OneByOne(Product())), "latency_ms")
    # product of bits in 1..4 (mean 5/2) and mux in 0..3 (mean 3/2), each of variance 5/4
    v, x, y = 5 / 4, 5 / 2, 3 / 2
    variance = v * y**2 + v * x**2 + v * v
    assert latency["adc_bits"]["first_order"] == pytest.approx(v * y**2 / variance)
    assert latency["mux"]["first_order"] == pytest.approx(v * x**2 / variance)
    assert latency["mux"]["total"] == pytest.approx((v * x**2 + v * v) / variance)


def test_sampled_indices_agree_with_exact_ones():
    axes = [parse_sweep("adc_bits=3:10"), parse_sweep("mux=1:64:*2"), parse_sweep("crossbar=64,128,256"),
            parse_sweep("node=7:32"), parse_sweep("input_bits=1:8")]  # fmt: skip
    exact = sobol(NETWORK, CHIP, axes[:3], samples=200)
    sampled = sobol(NETWORK, CHIP, axes[:3], samples=32, seed=1)
    assert (exact.method, sampled.method) == ("sobol exact", "sobol sampled")
    many = sobol(NETWORK, CHIP, axes, samples=400, seed=1)
    assert many.evaluations == 400 * 7
    for output in ("energy_uj", "edap_uj_ms_mm2"):
        for name, row in by(exact, output).items():
            other = by(sampled, output)[name]
            for kind in ("first_order", "total"):
                assert abs(row[kind] - other[kind]) < 4 * other[f"{kind}_error"] + 0.05


def test_sampling_is_reproducible():
    axes = [parse_sweep("adc_bits=3:10"), parse_sweep("mux=1:64:*2")]
    same = [sobol(NETWORK, CHIP, axes, samples=8, seed=3).rows() for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != sobol(NETWORK, CHIP, axes, samples=8, seed=4).rows()


def test_constant_outputs_have_no_sensitivities():
    rows = sobol(NETWORK, CHIP, [parse_sweep("mux=8,8")]).rows()
    assert all(row["total"] == 0 for row in rows)


@pytest.mark.parametrize("run", [one_at_a_time, sobol, sweep])
def test_settings_must_be_named_once(run):
    with pytest.raises(InputError, match="once"):
        run(NETWORK, CHIP, [parse_sweep("mux=2,4"), parse_sweep("mux=8")])


def test_impossible_combinations_stop_sobol():
    with pytest.raises(InputError, match="an array has 4"):
        sobol(NETWORK, CHIP, [parse_sweep("crossbar=4,64"), parse_sweep("mux=4,16")])


def test_nothing_to_compare():
    with pytest.raises(InputError, match="no designs"):
        compare({})
    with pytest.raises(InputError, match="twice"):
        variants(NETWORK, CHIP, [[Setting.parse("mux=2")], [Setting.parse("mux=2")]])


def test_unknown_energy_stays_unknown():
    from nax_bo.hardware.simulators.xpert_lut import XPERT_CHIP

    network = named_network("vgg16", (3, 32, 32), 10)
    rows = sweep(network, XPERT_CHIP, [parse_sweep("mux=2,4")], "xpert-lut").rows()
    assert np.isnan(rows[0]["energy_uj"])
    assert rows[0]["area_mm2"] == pytest.approx(290.1, abs=0.1)


def test_a_question_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from nax_bo.hardware import ChipSpec\n"
        "from nax_bo.network import named_network\n"
        "from nax_bo.whatif import parse_sweep, sobol, sweep\n"
        "axes = [parse_sweep('adc_bits=3:8'), parse_sweep('mux=2,4,8')]\n"
        "network = named_network('vgg16', (3, 32, 32), 10)\n"
        "sweep(network, ChipSpec(), axes), sobol(network, ChipSpec(), axes)\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'altair', 'rich', 'pandas'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
