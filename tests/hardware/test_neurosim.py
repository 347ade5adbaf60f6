"""The `neurosim` cost model against figures printed by the simulator, and its own consistency."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import DataError, EvaluationError, InputError
from nax_bo.hardware.simulators.neurosim import V13, V14, NeuroSimConfig, NeuroSimLayer, Quirks, evaluate
from nax_bo.hardware.simulators.neurosim.tables import config_of_row, layer_of_row

DATA = Path(__file__).parents[1] / "data"
ROOT = Path(__file__).parents[2]


def conv(
    size: int, c_in: int, c_out: int, pool: bool = False, stride: int = 1, kernel: int = 3
) -> NeuroSimLayer:
    return NeuroSimLayer(size, size, c_in, kernel, kernel, c_out, pool, stride)


VGG16 = (
    conv(34, 3, 64),
    conv(34, 64, 64, True),
    conv(18, 64, 128),
    conv(18, 128, 128, True),
    conv(10, 128, 256),
    conv(10, 256, 256),
    conv(10, 256, 256, True),
    conv(6, 256, 512),
    conv(6, 512, 512),
    conv(6, 512, 512, True),
    conv(4, 512, 512),
    conv(4, 512, 512),
    conv(4, 512, 512, True),
    conv(1, 512, 10, kernel=1),
)
VGG8 = (
    conv(32, 3, 128),
    conv(32, 128, 128, True),
    conv(16, 128, 256),
    conv(16, 256, 256, True),
    conv(8, 256, 512),
    conv(8, 512, 512, True),
    conv(1, 8192, 1024, kernel=1),
    conv(1, 1024, 10, kernel=1),
)
RESNET20 = (
    conv(34, 3, 16),
    *(conv(34, 16, 16) for _ in range(6)),
    conv(34, 16, 32, stride=2),
    conv(18, 32, 32),
    conv(32, 16, 32, stride=2, kernel=1),
    *(conv(18, 32, 32) for _ in range(4)),
    conv(18, 32, 64, stride=2),
    conv(10, 64, 64),
    conv(16, 32, 64, stride=2, kernel=1),
    *(conv(10, 64, 64) for _ in range(4)),
    conv(1, 64, 10, kernel=1),
)
NETWORKS = {"vgg16": VGG16, "vgg8": VGG8, "resnet20": RESNET20}


def reference_rows() -> list[dict[str, str]]:
    with (DATA / "neurosim_rows.csv").open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.mark.parametrize("row", reference_rows(), ids=lambda row: f"{row['run_id']}-{row['network']}")
def test_chip_totals_agree_with_the_simulator(row: dict[str, str]) -> None:
    quirks = V14 if row["simulator"] == "NeuroSim_V1.4" else V13
    report = evaluate(NETWORKS[row["network"]], config_of_row(row, quirks))

    def ref(name: str) -> float:
        return float(row[name])

    # exact bookkeeping: area, floor plan, leakage power, data movement
    assert report.area_um2 == pytest.approx(ref("area_um2"), rel=2e-5)
    for part in ("adc", "accum", "other", "ic"):
        assert report.area_parts_um2[part] == pytest.approx(ref(f"{part}_area_um2"), rel=2e-5)
    assert report.num_tiles == int(row["num_tiles"])
    assert report.memory_utilization * 100 == pytest.approx(ref("memory_utilization_pct"), rel=1e-5)
    assert report.leakage_power_uw == pytest.approx(ref("leakage_power_uw"), rel=2e-5)
    for part in ("buffer", "ic", "accum"):
        assert report.energy_parts_pj[part] == pytest.approx(ref(f"{part}_energy_pj"), rel=2e-5)
    # data dependent: converters
    assert report.clock_period_ns == pytest.approx(ref("clock_period_ns"), rel=0.005)
    assert report.latency_ns == pytest.approx(ref("latency_ns"), rel=0.005)
    assert report.energy_pj == pytest.approx(ref("dynamic_energy_pj"), rel=0.02)
    assert report.energy_parts_pj["adc"] == pytest.approx(ref("adc_energy_pj"), rel=0.03)
    assert report.leakage_energy_pj == pytest.approx(ref("leakage_energy_pj"), rel=0.005)


@pytest.mark.parametrize("mapping", ["novel", "conventional"])
@pytest.mark.parametrize("dataflow", ["layer_by_layer", "pipeline"])
def test_layers_and_parts_add_up(mapping: str, dataflow: str) -> None:
    report = evaluate(VGG16, NeuroSimConfig(mapping=mapping, dataflow=dataflow))
    parts = report.energy_parts_pj
    assert report.energy_pj == pytest.approx(parts["adc"] + parts["accum"] + parts["other"])
    assert report.energy_pj == pytest.approx(report.layer_energy_pj.sum())
    assert parts["buffer"] + parts["ic"] < parts["other"]
    assert report.area_um2 == pytest.approx(sum(report.area_parts_um2.values()))
    whole = report.layer_latency_ns.max() if dataflow == "pipeline" else report.layer_latency_ns.sum()
    assert report.latency_ns == pytest.approx(whole)


def test_quirks_change_what_they_name() -> None:
    config = NeuroSimConfig(mapping="conventional", col_mux=2)
    plain = evaluate(VGG16, config)
    exact_reads = evaluate(VGG16, replace(config, quirks=Quirks(floor_mux_per_weight=False)))
    assert exact_reads.energy_parts_pj["accum"] > plain.energy_parts_pj["accum"]
    no_phantoms = evaluate(VGG16, replace(config, quirks=Quirks(phantom_processing_elements=False)))
    assert no_phantoms.energy_pj < plain.energy_pj
    assert no_phantoms.latency_ns == pytest.approx(plain.latency_ns)
    slow = NeuroSimConfig(adc_type="SAR", adc_bits=8)
    real_clock = evaluate(VGG16, replace(slow, quirks=Quirks(unit_clock_in_wires=False)))
    assert real_clock.latency_parts_ns["ic"] < evaluate(VGG16, slow).latency_parts_ns["ic"]


def test_input_density_moves_energy_not_time() -> None:
    config = NeuroSimConfig()
    dense = evaluate(VGG16, replace(config, activity=replace(config.activity, activation_std=0.7)))
    plain = evaluate(VGG16, config)
    assert dense.energy_parts_pj["adc"] > plain.energy_parts_pj["adc"]
    assert dense.latency_ns == pytest.approx(plain.latency_ns)


@settings(max_examples=40, deadline=None)
@given(
    node=st.sampled_from([130, 90, 65, 45, 32, 22, 14, 10, 7]),
    roadmap=st.sampled_from(["LSTP", "HP"]),
    device=st.sampled_from(["RRAM", "FeFET", "SRAM"]),
    adc=st.sampled_from(["SAR", "FLASH_MLSA_CSA", "FLASH_MLSA_VSA"]),
    bits=st.integers(1, 8),
    side=st.sampled_from([32, 64, 128]),
    mux=st.sampled_from([1, 2, 4, 8, 16, 32]),
    mapping=st.sampled_from(["novel", "conventional"]),
    dataflow=st.sampled_from(["layer_by_layer", "pipeline"]),
    weight_bits=st.integers(2, 8),
    cell_bits=st.sampled_from([1, 2, 3, 4]),
    input_bits=st.integers(1, 8),
)
def test_every_setting_gives_finite_positive_costs(
    node: int,
    roadmap: str,
    device: str,
    adc: str,
    bits: int,
    side: int,
    mux: int,
    mapping: str,
    dataflow: str,
    weight_bits: int,
    cell_bits: int,
    input_bits: int,
) -> None:
    config = NeuroSimConfig(
        weight_bits=weight_bits,
        input_bits=input_bits,
        device=device,
        bits_per_cell=cell_bits,
        xbar_rows_cols=side,
        col_mux=mux,
        adc_type=adc,
        adc_bits=bits,
        tech_node_nm=node,
        roadmap=roadmap,
        r_on_ohm=1e5,
        r_off_ohm=1e7,
        mapping=mapping,
        dataflow=dataflow,
    )
    report = evaluate(VGG16, config)
    for values in (report.layer_energy_pj, report.layer_latency_ns, report.layer_leakage_power_uw):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert (report.layer_leakage_energy_pj >= 0).all()
    assert report.area_um2 > 0


def test_unusual_layer_shapes_are_priced() -> None:
    layers = (
        conv(11, 5, 96, kernel=5),
        NeuroSimLayer(9, 5, 96, 3, 1, 200, False, 2),
        conv(4, 200, 333),
        conv(1, 1332, 130, kernel=1),
    )
    for mapping in ("novel", "conventional"):
        report = evaluate(layers, NeuroSimConfig(xbar_rows_cols=32, mapping=mapping))
        assert np.isfinite(report.layer_energy_pj).all()
        assert (report.layer_latency_ns > 0).all()


def test_impossible_chips_are_refused_with_a_reason() -> None:
    with pytest.raises(EvaluationError, match="subarray too large"):
        evaluate(RESNET20, NeuroSimConfig(xbar_rows_cols=256))
    with pytest.raises(EvaluationError, match="access transistor"):
        evaluate(VGG16, NeuroSimConfig(r_on_ohm=1e3, r_off_ohm=1e5))
    with pytest.raises(EvaluationError, match="access transistor"):
        evaluate(VGG16, NeuroSimConfig(temp_k=350))


@pytest.mark.parametrize(
    "settings_of",
    [
        {"tech_node_nm": 14, "device": "RRAM"},
        {"tech_node_nm": 7, "device": "SRAM", "roadmap": "HP"},
        {"tech_node_nm": 5, "device": "SRAM", "temp_k": 350},
    ],
)
def test_v14_refuses_what_it_cannot_price(settings_of: dict[str, Any]) -> None:
    with pytest.raises((EvaluationError, InputError)):
        evaluate(VGG8, NeuroSimConfig(quirks=V14, **settings_of))


@pytest.mark.parametrize("device", ["SRAM", "RRAM", "FeFET"])
@pytest.mark.parametrize("dataflow", ["layer_by_layer", "pipeline"])
@pytest.mark.parametrize("adc_type", ["SAR", "FLASH_MLSA_CSA", "FLASH_MLSA_VSA"])
def test_v14_gives_finite_positive_costs(device: str, dataflow: str, adc_type: str) -> None:
    for node in (130, 65, 22) if device == "RRAM" else (45, 14, 10, 7, 5, 3):
        config = NeuroSimConfig(
            device=device,
            dataflow=dataflow,
            adc_type=adc_type,
            tech_node_nm=node,
            r_on_ohm=1e5,
            r_off_ohm=1.7e6,
            quirks=V14,
        )
        report = evaluate(VGG8, config)
        values = (report.energy_pj, report.latency_ns, report.area_um2, report.leakage_energy_pj)
        assert all(np.isfinite(value) and value > 0 for value in values)
        # the chip also covers what bounding boxes leave empty
        assert report.area_um2 > sum(report.area_parts_um2.values())


def test_v14_reads_in_parts_cost_time_and_energy() -> None:
    whole = evaluate(VGG8, NeuroSimConfig(device="SRAM", quirks=V14, adc_type="SAR"))
    halves = evaluate(VGG8, NeuroSimConfig(device="SRAM", quirks=V14, adc_type="SAR", rows_parallel=64))
    assert halves.energy_parts_pj["adc"] > 1.5 * whole.energy_parts_pj["adc"]
    assert halves.latency_parts_ns["adc"] > 1.5 * whole.latency_parts_ns["adc"]


def test_wrong_settings_name_the_setting() -> None:
    with pytest.raises(InputError, match="device"):
        NeuroSimConfig(device="DRAM")
    with pytest.raises(InputError, match="col_mux"):
        NeuroSimConfig(col_mux=256)
    with pytest.raises(InputError, match="not ordered"):
        NeuroSimConfig(r_on_ohm=1e6, r_off_ohm=1e5)
    with pytest.raises(InputError, match="tech_node_nm"):
        evaluate(VGG16, NeuroSimConfig(tech_node_nm=28, feature_size_nm=50))
    with pytest.raises(InputError, match="at least one layer"):
        evaluate((), NeuroSimConfig())
    with pytest.raises(InputError, match="larger than its input"):
        NeuroSimLayer(2, 2, 3, 3, 3, 8)
    with pytest.raises(DataError, match="in_h"):
        layer_of_row({"in_h": "wide"})


def test_benchmark_prints_one_json_line(tmp_path: Path) -> None:
    lines = (DATA / "neurosim_rows.csv").read_text().splitlines()[1:3]
    (tmp_path / "neurosim13_chip.csv").write_text("\n".join(lines) + "\n")
    header = "run_id,network,layer_index,in_h,in_w,c_in,k_h,k_w,c_out,maxpool_after,stride,num_input_vectors"
    run, network = lines[1].split(",")[:2]
    rows = [
        f"{run},{network},{index},{layer.in_h},{layer.in_w},{layer.c_in},{layer.k_h},{layer.k_w},{layer.c_out},"
        f"{int(layer.maxpool_after)},{layer.stride},{layer.num_input_vectors}"
        for index, layer in enumerate(NETWORKS[network], start=1)
    ]
    (tmp_path / "neurosim13_layers.csv").write_text("\n".join([header, *rows]) + "\n")
    script = ROOT / "benchmarks" / "neurosim_agreement.py"
    done = subprocess.run(
        [sys.executable, str(script), "--reference", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.count("\n") == 1
    answer = json.loads(done.stdout)
    records = {record["quantity"]: record for record in answer["agreement"] if record["network"] == "all"}
    assert records["area_um2"]["median"] < 2e-5
    assert records["energy_pj"]["median"] < 0.02
    assert answer["unpriced"] == []
