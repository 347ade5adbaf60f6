"""Width is bought with area and power, and each layer says what it waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nax_bo.hardware import ArraySpec, ChipSpec, CostReport, cost_model
from nax_bo.hardware.workload.geometry import network_slots
from nax_bo.network.graph import Graph
from nax_bo.network.named import named_network
from nax_bo.network.spec import INPUT

MODEL = cost_model("published")
NETWORK = named_network("resnet18", (3, 64, 64), 10)
TRANSFORMER = named_network("vit-tiny", (3, 32, 32), 10)


def part(report: CostReport, name: str) -> tuple[float, float]:
    return next((c.energy_pj, c.area_um2) for c in report.components if c.name == name)


@pytest.mark.parametrize(
    ("field", "values", "component"),
    [
        ("noc_bits", (16, 32, 64, 256), "interconnect"),
        ("buffer_port_bits", (64, 256, 1024, 4096), "global_buffer"),
        ("dram_bandwidth_gb_s", (1.0, 25.6, 256.0), "interconnect"),
    ],
)
def test_width_takes_area_and_leaks(field: str, values: tuple[float, ...], component: str) -> None:
    reports = [MODEL.evaluate(NETWORK, replace(ChipSpec(), **{field: v})) for v in values]  # type: ignore[arg-type]
    areas = [part(r, component)[1] for r in reports]
    power_mw = [r.leakage_pj / r.latency_ns for r in reports]
    latencies = [r.latency_ns for r in reports]
    assert areas == sorted(areas)
    assert areas[0] < areas[-1]
    assert power_mw == sorted(power_mw)
    assert power_mw[0] < power_mw[-1]
    assert latencies == sorted(latencies, reverse=True)
    assert [r.area_um2 for r in reports] == sorted(r.area_um2 for r in reports)


@pytest.mark.parametrize(("field", "values"), [("noc_bits", (32, 256)), ("buffer_port_bits", (256, 4096))])
def test_bits_cross_wider_switches_and_longer_buffers(field: str, values: tuple[int, int]) -> None:
    name = "interconnect" if field == "noc_bits" else "global_buffer"
    narrow, wide = (
        part(MODEL.evaluate(NETWORK, replace(ChipSpec(), **{field: v})), name)[0]
        for v in values  # type: ignore[arg-type]
    )
    assert wide > narrow


def test_the_digital_unit_is_bought_by_its_multipliers() -> None:
    small, large = (MODEL.evaluate(TRANSFORMER, ChipSpec(digital_macs=n)) for n in (64, 4096))
    scores = [next(x for x in r.layers if x.name.endswith("scores")) for r in (small, large)]
    assert scores[0].latency_ns > scores[1].latency_ns
    assert part(large, "digital")[1] > part(small, "digital")[1]
    assert part(MODEL.evaluate(NETWORK, ChipSpec(digital_macs=4096)), "digital") == part(
        MODEL.evaluate(NETWORK, ChipSpec()), "digital"
    )  # no product runs there, so there is none


def test_the_interface_follows_the_bandwidth_and_a_closed_chip_has_none() -> None:
    """124 pins of CACTI-IO at 25.6 GB/s."""
    g = Graph("small", (3, 8, 8))
    g.linear(g.flatten(g.conv(INPUT, 8, kernel=3)), 10)
    closed, narrow, wide = (
        MODEL.evaluate(g.build(), ChipSpec(dram=d, dram_bandwidth_gb_s=b))
        for d, b in (("none", 25.6), ("lpddr4", 12.8), ("lpddr4", 25.6))
    )
    assert wide.area_um2 - closed.area_um2 == pytest.approx(3.07e6)
    assert narrow.area_um2 - closed.area_um2 == pytest.approx(3.07e6 / 2)
    assert wide.leakage_pj / wide.latency_ns - closed.leakage_pj / closed.latency_ns == pytest.approx(6.15)


def test_every_layer_says_what_it_waits_for() -> None:
    quick = ArraySpec(mux=1, adc_type="flash", input_bits=8, dac_bits=8, duplication=64)
    chip = ChipSpec(arrays=(quick,), clock_ghz=1)
    bound = {
        "compute": ChipSpec(),
        "noc": replace(chip, noc_bits=8, dram_bandwidth_gb_s=1000, buffer_port_bits=16_384),
        "buffer": replace(chip, noc_bits=4096, dram_bandwidth_gb_s=1000, buffer_port_bits=32),
        "dram": replace(chip, noc_bits=4096, dram_bandwidth_gb_s=0.1, buffer_port_bits=16_384),
        "reload": ChipSpec(tiles=1, arrays=(ArraySpec(mux=1),)),
    }
    for name, design in bound.items():
        report = MODEL.evaluate(NETWORK, design)
        assert report.bound_by == name, name
        assert report.to_dict()["bound_by"] == name
        assert any(layer.bound_by == name for layer in report.layers)


def test_a_gated_map_is_written_and_read_again() -> None:
    """Squeeze-and-excitation: the map that is squeezed is needed again when the gate is known."""
    g = Graph("gated", (16, 8, 8))
    x = g.conv(INPUT, 32, kernel=3, activation="relu", name="body")
    squeezed = g.global_avgpool(x)
    gate = g.linear(
        g.linear(squeezed, 8, activation="relu", name="down"), 32, activation="hardsigmoid", name="up"
    )
    g.conv(g.scale(x, gate), 24, kernel=1, name="project")
    rows = network_slots(g.build())
    written = dict(zip(rows.names, rows.values[6, :, 0], strict=True))
    read_again = dict(zip(rows.names, rows.values[7, :, 0], strict=True))
    assert written == {"body": 32 * 64 + 32, "down": 8, "up": 32 * 64, "project": 24 * 64}
    assert read_again == {"body": 0, "down": 0, "up": 32 * 64, "project": 0}


def test_a_residual_sum_reads_its_second_operand_once() -> None:
    g = Graph("residual", (16, 8, 8))
    a = g.conv(INPUT, 16, kernel=3, name="a")
    b = g.conv(a, 16, kernel=3, name="b")
    c = g.conv(b, 16, kernel=3, name="c")
    g.conv(g.add(c, a, activation="relu"), 8, kernel=1, name="d")
    rows = network_slots(g.build())
    assert rows.values[6, :, 0].tolist() == [1024, 1024, 1024, 512]
    assert rows.values[7, :, 0].tolist() == [0, 0, 1024, 0]
