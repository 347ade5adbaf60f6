"""Chips with a fixed number of tiles: passes and loads counted by hand, and what more tiles or copies may do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.hardware import ArraySpec, ChipSpec, CostReport, Workload, cost_model
from nax_bo.hardware.chip.devices import device
from nax_bo.network.graph import Graph
from nax_bo.network.named import named_network
from nax_bo.network.spec import INPUT, NetworkSpec

MODEL = cost_model("published")
RESNET = named_network("resnet20", (3, 32, 32), 10)
VGG = named_network("vgg8", (3, 32, 32), 10)
VIT = named_network("vit-tiny", (3, 32, 32), 10)


def single_layer() -> NetworkSpec:
    """One matrix of 2048 x 4096 weights, applied to 512 vectors."""
    g = Graph("single", (2048, 16, 32))
    g.conv(INPUT, 4096, kernel=1, name="only")
    return g.build()


SINGLE = single_layer()


def energy(report: CostReport, name: str) -> float:
    return next(c.energy_pj for c in report.components if c.name == name)


def test_a_layer_of_64_tiles_on_one_tile_takes_64_passes() -> None:
    """8 cells per weight (8 bits, 2 per cell, differential): 16 x 256 arrays of 128 x 128 are 64 tiles of 64."""
    whole, one = (MODEL.evaluate(SINGLE, ChipSpec(tiles=t)) for t in (0, 1))
    assert (whole.layers[0].tiles, whole.layers[0].passes) == (64, 1)
    assert one.layers[0].passes == one.writes == 64
    assert (whole.writes, whole.layers[0].loaded, one.layers[0].loaded) == (0, 0, 1)
    array = ArraySpec()
    pulses = 512 * array.streams
    step_ns = array.mux * (array.adc_bits + 1) * one.period_ns  # longer than the read pulse of 10 ns
    write_ns = 128 * device("rram").write_pulse_ns  # type: ignore[operator]
    fill_ns = 3 * 4 * one.period_ns + step_ns  # 3 hops to 64 tiles at 16 routers
    load_ns = 2048 * 4096 * 8 / (8 * 25.6)
    assert load_ns < 64 * write_ns  # rows are written while weights arrive
    assert one.latency_ns == pytest.approx(64 * (pulses * step_ns + write_ns + fill_ns), rel=1e-9)
    assert one.latency_ns > 60 * whole.latency_ns


def test_loading_weights_costs_writes_and_traffic() -> None:
    whole, one = (MODEL.evaluate(SINGLE, ChipSpec(tiles=t)) for t in (0, 1))
    bits = 2048 * 4096 * 8
    cell = device("rram")
    assert energy(whole, "rewrite") == 0
    mean_s = (cell.g_on_s + cell.g_off_s) / 2
    write_pj = cell.write_voltage_v**2 * mean_s * cell.write_pulse_ns * 1e3  # type: ignore[operator]
    assert energy(one, "rewrite") == pytest.approx(2048 * 4096 * 8 * write_pj)
    spilled = 2 * (2048 + 4096) * 512 * 8 - 2 * 512 * 8192  # feature maps of 3 MB, a buffer of 512 kB
    again = 63 * 2048 * 512 * 8  # inputs that did not fit are read once per pass
    moved = energy(one, "off_chip") - energy(whole, "off_chip")
    assert spilled > 0
    assert moved == pytest.approx((bits + again) * 8.0)  # LPDDR4: 8 pJ/bit


def test_what_stays_is_chosen_by_benefit() -> None:
    """One tile less than needed: only the last tile's worth is loaded, the rest stays."""
    full = MODEL.evaluate(SINGLE, ChipSpec(tiles=64))
    less = MODEL.evaluate(SINGLE, ChipSpec(tiles=63))
    assert less.layers[0].passes == 2
    all_written = energy(MODEL.evaluate(SINGLE, ChipSpec(tiles=1)), "rewrite")
    assert energy(less, "rewrite") <= all_written * 32 / 64
    assert full.latency_ns < less.latency_ns < 3 * full.latency_ns + 2 * 128 * 8520


def chips() -> st.SearchStrategy[ChipSpec]:
    def build(side: int, bits: int, dataflow: str, memory: str, **rest: object) -> ChipSpec:
        array = ArraySpec(rows=side, cols=side, bits_per_cell=bits, mux=8)
        return ChipSpec(arrays=(array,), dataflow=dataflow, dram=memory, **rest)  # type: ignore[arg-type]

    return st.builds(
        build,
        device=st.sampled_from(["rram", "pcm", "rram-isaac"]),
        side=st.sampled_from([32, 64, 128, 256]),
        bits=st.sampled_from([1, 2]),
        dataflow=st.sampled_from(["layer_by_layer", "pipelined"]),
        memory=st.sampled_from(["lpddr4", "hbm2"]),
        pes_per_tile=st.sampled_from([1, 4, 8]),
        digital_macs=st.sampled_from([1, 1024]),
        noc_bits=st.sampled_from([8, 1024]),
        dram_bandwidth_gb_s=st.sampled_from([1.0, 25.6, 400.0]),
        global_buffer_kb=st.sampled_from([1.0, 16.0, 512.0]),
        tile_use=st.sampled_from(["whole", "shared"]),
    )


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([RESNET, VGG, VIT]), chips(), st.sets(st.integers(1, 400), min_size=2, max_size=6))
def test_latency_never_falls_when_tiles_fall(network: NetworkSpec, chip: ChipSpec, tiles: set[int]) -> None:
    sizes = [*sorted(tiles), 100_000, 0]
    designs = [replace(chip, tiles=t) for t in sizes]
    batch = MODEL.evaluate_batch(Workload.from_designs([network] * len(designs), designs))
    # a pipeline may respond later than what it replaces, for its layers share buffers
    serial = chip.dataflow == "layer_by_layer"
    for values in (batch.latency_ns, *([batch.response_ns] if serial else [])):
        assert (np.diff(values) <= 1e-9 * values[:-1]).all(), dict(zip(sizes, values, strict=True))
    assert (np.diff(batch.area_um2[:-1]) > 0).all()


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([RESNET, VGG]), chips(), st.integers(1, 64), st.integers(2, 8))
def test_copies_take_area_or_are_refused(
    network: NetworkSpec, chip: ChipSpec, tiles: int, copies: int
) -> None:
    doubled = replace(chip, arrays=(replace(chip.arrays[0], duplication=copies),))
    one, more = (MODEL.evaluate(network, c) for c in (chip, doubled))
    assert more.area_um2 > one.area_um2 or chip.tile_use == "whole"
    assert more.area_um2 >= one.area_um2
    alone, crowded = (MODEL.evaluate(network, replace(c, tiles=tiles)) for c in (chip, doubled))
    if sum(layer.arrays for layer in more.layers) > tiles * chip.pes_per_tile * chip.arrays_per_pe:
        assert not crowded.feasible
        assert "copies of weights" in crowded.violations[0]
        assert crowded.latency_ns == alone.latency_ns
    if crowded.feasible:
        assert crowded.area_um2 == pytest.approx(alone.area_um2, rel=1e-12)
        assert crowded.leakage_pj <= alone.leakage_pj * 1.5


def test_one_design_in_a_batch_is_priced_as_alone() -> None:
    designs = [ChipSpec(tiles=t, dataflow=d) for t in (0, 3, 40, 5) for d in ("pipelined", "layer_by_layer")]
    networks = [RESNET, VGG] * 4
    batch = MODEL.evaluate_batch(Workload.from_designs(networks, designs))
    for i, (network, chip) in enumerate(zip(networks, designs, strict=True)):
        report = MODEL.evaluate(network, chip)
        assert report.edap_uj_ms_mm2 == batch.edap_uj_ms_mm2[i]
        assert report.bound_by == batch.bound_by()[i]


def test_a_chip_that_loads_weights_is_not_pipelined() -> None:
    serial, piped = (
        MODEL.evaluate(VGG, ChipSpec(tiles=1, dataflow=d)) for d in ("layer_by_layer", "pipelined")
    )
    assert piped.latency_ns == serial.latency_ns == piped.response_ns
    roomy = MODEL.evaluate(VGG, ChipSpec(tiles=1000, dataflow="pipelined"))
    assert roomy.latency_ns < roomy.response_ns


def test_idle_tiles_take_area_and_leak() -> None:
    fits, twice = (MODEL.evaluate(SINGLE, ChipSpec(tiles=t)) for t in (64, 128))
    tiles_um2 = fits.layers[0].area_um2
    assert twice.area_um2 - fits.area_um2 == pytest.approx(tiles_um2)
    assert twice.latency_ns == fits.latency_ns
    assert twice.leakage_pj > fits.leakage_pj
    assert twice.utilisation == pytest.approx(fits.utilisation / 2)


def test_shared_tiles_hold_several_layers() -> None:
    whole, shared = (MODEL.evaluate(RESNET, ChipSpec(tile_use=use)) for use in ("whole", "shared"))
    arrays = sum(layer.arrays for layer in whole.layers)
    tiles = -(-arrays // 64)
    per_tile_um2 = whole.layers[0].area_um2
    assert sum(layer.area_um2 for layer in shared.layers) == pytest.approx(tiles * per_tile_um2)
    assert whole.utilisation < 0.1 < 0.6 < shared.utilisation
    assert shared.latency_ns <= whole.latency_ns
    assert {layer.tiles for layer in shared.layers} == {1}
