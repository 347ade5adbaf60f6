"""The analytical model: one implementation for one design and for many, sums, directions, limits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec, CostModel, CostReport, Workload, cost_model, evaluate_designs
from nax_bo.hardware.chip.devices import DEVICES, device
from nax_bo.hardware.pricing.cost import AnalyticalCostModel
from nax_bo.network.graph import Graph
from nax_bo.network.named import named_network
from nax_bo.network.spec import INPUT, NetworkSpec

MODEL = cost_model("published")
TOTALS = (
    "energy_pj",
    "latency_ns",
    "area_um2",
    "leakage_pj",
    "response_ns",
    "period_ns",
    "macs",
    "utilisation",
)
NETWORKS = [named_network(name, (3, 32, 32), 10) for name in ("vgg8", "resnet18", "mobilenet-v2", "vit-tiny")]


def _tiny() -> NetworkSpec:
    g = Graph("tiny", (3, 16, 16))
    x = g.conv(INPUT, 32, kernel=3, activation="relu")
    x = g.maxpool(g.conv(x, 64, kernel=3, activation="relu"))
    g.linear(g.flatten(x), 10)
    return g.build()


TINY = _tiny()


def arrays() -> st.SearchStrategy[ArraySpec]:
    def build(side: int, mux: int, **rest: Any) -> ArraySpec:
        return ArraySpec(rows=side, cols=side, mux=min(mux, side), **rest)

    return st.builds(
        build,
        side=st.sampled_from([1, 16, 64, 100, 256]),
        mux=st.sampled_from([1, 3, 8, 64]),
        bits_per_cell=st.integers(1, 4),
        weight_bits=st.integers(2, 9),
        input_bits=st.integers(1, 9),
        dac_bits=st.integers(1, 3),
        adc_bits=st.integers(1, 12),
        adc_type=st.sampled_from(["sar", "flash"]),
        encoding=st.sampled_from(["differential", "offset"]),
        duplication=st.integers(1, 5),
    )


def chips() -> st.SearchStrategy[ChipSpec]:
    def build(device: str, array: ArraySpec, **rest: Any) -> ChipSpec:
        stored = DEVICES[device].bits_per_cell
        return ChipSpec(
            device, arrays=(replace(array, bits_per_cell=min(array.bits_per_cell, stored)),), **rest
        )

    return st.builds(
        build,
        device=st.sampled_from(["rram", "pcm", "fefet", "stt-mram", "sram", "rram-isaac"]),
        technology_nm=st.floats(7, 130),
        array=arrays(),
        pes_per_tile=st.integers(1, 16),
        arrays_per_pe=st.integers(1, 16),
        mapping=st.sampled_from(["conventional", "kernel_position"]),
        dataflow=st.sampled_from(["layer_by_layer", "pipelined"]),
        global_buffer_kb=st.floats(1, 4096),
        tile_buffer_kb=st.floats(0.25, 256),
        dram=st.sampled_from(["none", "lpddr4", "hbm2"]),
        dram_bandwidth_gb_s=st.floats(0.1, 100),
        clock_ghz=st.floats(0.1, 3),
        tiles=st.sampled_from([0, 0, 3]),
        tile_use=st.sampled_from(["whole", "shared"]),
        noc_bits=st.sampled_from([8, 32, 256]),
        buffer_port_bits=st.sampled_from([32, 1024]),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), chips()), min_size=2, max_size=4))
def test_a_batch_equals_single_designs_bit_for_bit(designs: list[tuple[int, ChipSpec]]) -> None:
    networks, specs = [NETWORKS[i] for i, _ in designs], [chip for _, chip in designs]
    batch = MODEL.evaluate_batch(Workload.from_designs(networks, specs))
    for i, (network, chip) in enumerate(zip(networks, specs, strict=True)):
        single = MODEL.evaluate(network, chip)
        assert {t: getattr(single, t) for t in TOTALS} == {t: float(getattr(batch, t)[i]) for t in TOTALS}
        assert single.feasible == batch.feasible[i]


def test_passes_of_a_design_do_not_depend_on_the_others_of_its_batch() -> None:
    slow: dict[str, Any] = {
        "technology_nm": 7.0,
        "noc_bits": 8,
        "buffer_port_bits": 32,
        "dram": "none",
        "tiles": 3,
    }
    small = ChipSpec(
        "rram", arrays=(ArraySpec(rows=1, cols=1, mux=1),), pes_per_tile=1, arrays_per_pe=1, **slow
    )
    array = ArraySpec(rows=256, cols=256, bits_per_cell=1, weight_bits=3, input_bits=3, adc_bits=1, mux=1)
    large = ChipSpec(
        "rram-isaac", arrays=(array,), pes_per_tile=9, arrays_per_pe=16, mapping="kernel_position",
        tile_buffer_kb=1.0, global_buffer_kb=1.0, tile_use="shared", **slow
    )  # fmt: skip
    networks, specs = [NETWORKS[0], NETWORKS[1]], [small, large]
    batch = MODEL.evaluate_batch(Workload.from_designs(networks, specs))
    alone = [MODEL.evaluate(n, c).latency_ns for n, c in zip(networks, specs, strict=True)]
    assert alone == [float(x) for x in batch.latency_ns]


def test_plain_arrays_take_the_defaults_of_a_chip() -> None:
    specs = Workload.from_designs([TINY], [ChipSpec()])
    geometry = {
        name: getattr(specs, name)
        for name in ("kind", "matrix_rows", "matrix_cols", "groups", "vectors", "in_elements", "out_elements",
                     "residual_elements", "kernel_area", "digital_ops")
    }  # fmt: skip
    plain = MODEL.evaluate_batch(Workload.from_arrays(**geometry))
    assert plain.edap_uj_ms_mm2[0] == MODEL.evaluate_batch(specs).edap_uj_ms_mm2[0]


def test_chunks_do_not_change_a_digit() -> None:
    one = Workload.from_designs(NETWORKS[1:2], [ChipSpec()])
    many = Workload.from_designs(NETWORKS[1:2] * 1000, [ChipSpec()] * 1000)
    batch = MODEL.evaluate_batch(many)
    single = MODEL.evaluate_batch(one)
    for name in TOTALS:
        assert (getattr(batch, name) == getattr(single, name)[0]).all()
    details, expected = batch.details(), single.details()
    for kind, columns in expected.items():
        for name, values in columns.items():
            assert details[kind][name].shape[0] == 1000, name
            assert (details[kind][name] == values[0]).all(), name


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), chips())
def test_layers_and_components_sum_to_the_totals(network: int, chip: ChipSpec) -> None:
    report = MODEL.evaluate(NETWORKS[network], chip)
    assert sum(c.energy_pj for c in report.components) == pytest.approx(report.energy_pj, rel=1e-9)
    assert sum(c.area_um2 for c in report.components) == pytest.approx(report.area_um2, rel=1e-9)
    assert sum(x.energy_pj for x in report.layers) == pytest.approx(report.energy_pj, rel=1e-9)
    assert sum(x.latency_ns for x in report.layers) == pytest.approx(report.response_ns, rel=1e-9)
    assert sum(x.area_um2 for x in report.layers) < report.area_um2
    assert all(c.energy_pj >= 0 and c.area_um2 >= 0 for c in report.components)
    assert all(np.isfinite(getattr(report, name)) for name in TOTALS)
    assert 0 < report.utilisation <= 1
    assert all(low <= 1 <= high for low, high in report.spread.factors.values())
    assert report.latency_ns <= report.response_ns * (1 + 1e-12)


def test_derived_figures_follow_from_energy_latency_and_area() -> None:
    report = MODEL.evaluate(TINY, ChipSpec())
    uj, ms, mm2 = report.energy_pj / 1e6, report.latency_ns / 1e6, report.area_um2 / 1e6
    assert report.macs == TINY.macs
    assert report.edap_uj_ms_mm2 == pytest.approx(uj * ms * mm2)
    assert report.tops_w == pytest.approx(2 * TINY.macs / (report.energy_pj * 1e-12) / 1e12)
    assert report.tops_mm2 == pytest.approx(2 * TINY.macs / (report.latency_ns * 1e-9) / 1e12 / mm2)
    assert report.fps == pytest.approx(1 / (report.latency_ns * 1e-9))
    batch = MODEL.evaluate_batch(Workload.from_designs([TINY], [ChipSpec()]))
    for name in ("edap_uj_ms_mm2", "tops_w", "tops_mm2", "fps"):
        assert getattr(batch, name)[0] == pytest.approx(getattr(report, name))
    plain = report.to_dict()
    assert plain["edap_uj_ms_mm2"] == report.edap_uj_ms_mm2
    assert [row["name"] for row in plain["layers"]] == [layer.name for layer in TINY.static_layers]


def _with(chip: ChipSpec, **changes: Any) -> ChipSpec:
    return replace(chip, arrays=(replace(chip.arrays[0], **changes),))


def _component(report: CostReport, name: str) -> Any:
    return next(c for c in report.components if c.name == name)


@settings(max_examples=60, deadline=None)
@given(chips(), st.integers(1, 15))
def test_more_adc_bits_never_cost_less(chip: ChipSpec, bits: int) -> None:
    coarse, fine = (MODEL.evaluate(TINY, _with(chip, adc_bits=b)) for b in (bits, bits + 1))
    assert fine.energy_pj >= coarse.energy_pj * (1 - 1e-12)
    assert fine.latency_ns >= coarse.latency_ns * (1 - 1e-12)
    assert fine.area_um2 >= coarse.area_um2 * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(chips())
def test_sharing_converters_saves_their_area_and_never_time(chip: ChipSpec) -> None:
    few = MODEL.evaluate(TINY, _with(chip, mux=1))
    shared = MODEL.evaluate(TINY, _with(chip, mux=min(8, chip.arrays[0].cols)))
    assert _component(shared, "adc").area_um2 <= _component(few, "adc").area_um2
    assert shared.latency_ns >= few.latency_ns


@settings(max_examples=60, deadline=None)
@given(chips(), st.floats(1.01, 20))
def test_bandwidth_clock_and_buffers_never_hurt_what_they_serve(chip: ChipSpec, factor: float) -> None:
    base = MODEL.evaluate(TINY, chip)
    wide = MODEL.evaluate(TINY, replace(chip, dram_bandwidth_gb_s=chip.dram_bandwidth_gb_s * factor))
    assert wide.latency_ns <= base.latency_ns
    large = MODEL.evaluate(TINY, replace(chip, global_buffer_kb=chip.global_buffer_kb * factor))
    assert _component(large, "off_chip").energy_pj <= _component(base, "off_chip").energy_pj
    assert large.latency_ns <= base.latency_ns
    assert large.unplaced_bits <= base.unplaced_bits
    longer = MODEL.evaluate(TINY, replace(chip, tile_buffer_kb=chip.tile_buffer_kb * factor))
    assert longer.latency_ns <= base.latency_ns


@settings(max_examples=60, deadline=None)
@given(chips())
def test_copies_speed_up_and_take_area(chip: ChipSpec) -> None:
    chip = replace(chip, tiles=0)
    one, four = (MODEL.evaluate(TINY, _with(chip, duplication=d)) for d in (1, 4))
    tiles = sum(layer.tiles for layer in four.layers)
    farther_ns = len(four.layers) * 4 * (1 + math.sqrt(tiles)) * four.period_ns  # hops of 4 cycles
    assert four.latency_ns <= one.latency_ns + farther_ns
    assert four.area_um2 >= one.area_um2


@settings(max_examples=40, deadline=None)
@given(chips(), st.integers(2, 8))
def test_fewer_input_and_weight_bits_never_convert_more(chip: ChipSpec, bits: int) -> None:
    for field in ("input_bits", "weight_bits"):
        less, more = (MODEL.evaluate(TINY, _with(chip, **{field: b})) for b in (bits, bits + 1))
        assert _component(less, "adc").energy_pj <= _component(more, "adc").energy_pj * (1 + 1e-12)


def test_one_clock_for_the_chip_is_set_by_its_slowest_stage() -> None:
    small, tall = ArraySpec(rows=32, cols=32), ArraySpec(rows=512, cols=32)
    quick = MODEL.evaluate(TINY, ChipSpec(arrays=(small,)))
    mixed = MODEL.evaluate(TINY, ChipSpec(arrays=(small, small, tall)))
    assert mixed.period_ns == MODEL.evaluate(TINY, ChipSpec(arrays=(tall,))).period_ns
    assert mixed.period_ns > quick.period_ns
    assert mixed.layers[0].latency_ns > quick.layers[0].latency_ns


def test_successive_approximation_takes_bits_plus_one_cycles_and_flash_one() -> None:
    """A layer that only converts: 64 columns per converter, one input bit, no read pulse longer than a cycle."""
    geometry = {"matrix_rows": 64, "matrix_cols": 16, "vectors": 1000, "in_elements": 64, "out_elements": 1}
    shared = {
        "rows": 64,
        "cols": 64,
        "mux": 64,
        "input_bits": 1,
        "weight_bits": 5,
        "bits_per_cell": 2,
        "clock_ghz": 0.01,
    }
    sar, flash = (
        MODEL.evaluate_batch(Workload.from_arrays(**geometry, **shared, adc_bits=6, flash=kind))
        for kind in (0, 1)
    )
    fill = flash.latency_ns[0] - 1000 * 64 * 100  # 100 ns clock
    assert 0 <= fill < 10_000
    assert sar.latency_ns[0] == pytest.approx(1000 * 64 * 7 * 100, rel=2e-3)


def test_off_chip_memory_sets_the_pace_when_it_is_slow() -> None:
    g = Graph("wide", (512, 64, 64))
    g.conv(INPUT, 4, kernel=1, name="only")
    slow = ChipSpec(dram_bandwidth_gb_s=0.1, arrays=(ArraySpec(duplication=64),))
    report = MODEL.evaluate(g.build(), slow)
    in_bits, out_bits = 512 * 64 * 64 * 8, 4 * 64 * 64 * 8
    spilled = 2 * (in_bits + out_bits - 512 * 8192)
    seconds = (in_bits + out_bits + spilled) / 8 / 0.1e9
    assert report.latency_ns == pytest.approx(seconds * 1e9, rel=1e-3)


def test_a_chip_without_memory_must_hold_its_feature_maps() -> None:
    closed = ChipSpec(dram="none", global_buffer_kb=4)
    report = MODEL.evaluate(TINY, closed)
    assert not report.feasible
    assert "no off-chip memory" in report.violations[0]
    roomy = MODEL.evaluate(TINY, replace(closed, global_buffer_kb=512))
    assert roomy.feasible
    assert roomy.violations == ()
    assert _component(roomy, "off_chip").energy_pj == 0


def test_too_few_tiles_mean_rewriting_crossbars() -> None:
    enough = MODEL.evaluate(NETWORKS[0], ChipSpec())
    few = MODEL.evaluate(NETWORKS[0], ChipSpec(tiles=4))
    assert _component(enough, "rewrite").energy_pj == 0
    assert _component(few, "rewrite").energy_pj > 0
    assert few.area_um2 < enough.area_um2
    assert few.latency_ns > enough.latency_ns


def test_only_sram_weights_leak() -> None:
    """Charge-domain cells are larger, so peripherals leak alike: the difference is 17.8 pW per installed cell."""
    one_bit = (ArraySpec(bits_per_cell=1),)
    sram, rram = (MODEL.evaluate(TINY, ChipSpec(device=d, arrays=one_bit)) for d in ("sram", "rram"))
    cells = sum(layer.tiles for layer in sram.layers) * 64 * 128 * 128
    power = [r.leakage_pj / r.latency_ns for r in (sram, rram)]
    assert power[0] - power[1] == pytest.approx(cells * 17.8e-9, rel=1e-6)


def test_pipelining_gives_the_pace_of_the_slowest_layer() -> None:
    serial, piped = (MODEL.evaluate(TINY, ChipSpec(dataflow=d)) for d in ("layer_by_layer", "pipelined"))
    assert piped.response_ns == pytest.approx(serial.latency_ns)
    assert piped.latency_ns == pytest.approx(max(x.latency_ns for x in piped.layers))
    assert piped.fps > serial.fps


def test_kernel_position_mapping_reads_each_input_once() -> None:
    chip = ChipSpec(tile_buffer_kb=0.5)
    unrolled = MODEL.evaluate(NETWORKS[0], chip)
    once = MODEL.evaluate(NETWORKS[0], replace(chip, mapping="kernel_position"))
    assert _component(once, "global_buffer").energy_pj < _component(unrolled, "global_buffer").energy_pj
    assert _component(once, "tile_buffer").energy_pj < _component(unrolled, "tile_buffer").energy_pj


@pytest.mark.parametrize(("name", "stored"), [("sram", 1), ("stt-mram", 1), ("fefet", 2), ("rram", 4)])
def test_a_cell_holds_no_more_than_its_device_stores(name: str, stored: int) -> None:
    """Wherever a chip is made: spec, changed spec, plain data, arrays."""
    full, over = ArraySpec(bits_per_cell=stored), ArraySpec(bits_per_cell=stored + 1)
    chip = ChipSpec(name, arrays=(full,))
    makers = [
        lambda: ChipSpec(name, arrays=(full, over)),
        lambda: replace(chip, arrays=(over,)),
        lambda: ChipSpec.from_dict({**chip.to_dict(), "arrays": [{"bits_per_cell": stored + 1}]}),
        lambda: Workload.from_arrays(
            ("rram", name), device=[0, 1], bits_per_cell=[1, stored + 1], matrix_rows=64, matrix_cols=64, vectors=1,
            in_elements=64, out_elements=64,
        ),
    ]  # fmt: skip
    for make in makers:
        with pytest.raises(
            InputError, match=f"bits_per_cell = {stored + 1}, but device '{name}' stores {stored}"
        ):
            make()


@pytest.mark.parametrize(("field", "name"), [("device", "memristor"), ("dram", "core-rope")])
def test_unknown_parts_are_refused(field: str, name: str) -> None:
    with pytest.raises(InputError, match=name):
        MODEL.evaluate(TINY, replace(ChipSpec(), **{field: name}))  # type: ignore[arg-type]


class OnlyEvaluate:
    """A user's evaluator without a batch form."""

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        return CostReport(energy_pj=float(network.macs), latency_ns=chip.technology_nm, area_um2=2.0)


class Broken(OnlyEvaluate):
    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        return CostReport(float("nan"), 1.0, 1.0)


def test_a_users_own_evaluator_is_called_design_by_design() -> None:
    own = cost_model(f"{__file__}:OnlyEvaluate")
    assert isinstance(own, CostModel)
    batch = evaluate_designs(own, [TINY, TINY], [ChipSpec(), ChipSpec(technology_nm=65)])
    assert batch.latency_ns.tolist() == [22.0, 65.0]
    assert batch.details()["layer"] == {}
    with pytest.raises(InputError, match="not arrays"):
        own.evaluate_batch(Workload.from_designs([TINY], [ChipSpec()]))
    with pytest.raises(InputError, match="finite"):
        cost_model(f"{__file__}:Broken").evaluate(TINY, ChipSpec())


def test_designs_in_bulk_equal_the_batch() -> None:
    chips_ = [ChipSpec(), ChipSpec(technology_nm=65)]
    batch = evaluate_designs(MODEL, [TINY, TINY], chips_)
    assert batch.energy_pj.tolist() == [MODEL.evaluate(TINY, c).energy_pj for c in chips_]
    assert set(batch.details()["area"]) <= {c.name for c in MODEL.evaluate(TINY, ChipSpec()).components}


@pytest.mark.parametrize("name", ["pcm", "rram", "sram"])
def test_ranges_hold_what_a_device_would_cost_at_either_end_of_what_sources_say(name: str) -> None:
    chip = ChipSpec(device=name, arrays=(ArraySpec(bits_per_cell=1),))
    report, row = MODEL.evaluate(TINY, chip), device(name)
    ranged = [r for r in row.ranges if r.field in ("read_pulse_ns", "cell_area_f2")]
    assert ranged
    for stated in ranged:
        for end in (stated.low, stated.high):
            other = AnalyticalCostModel(
                MODEL.profile, {**DEVICES, row.name: replace(row, **{stated.field: end})}
            )
            cost = other.evaluate(TINY, chip)
            for field, (low, high) in report.spread.factors.items():
                assert low * 0.999999 <= getattr(cost, field) / getattr(report, field) <= high * 1.000001


def test_no_range_is_given_of_what_no_source_contradicts() -> None:
    report = MODEL.evaluate(TINY, ChipSpec(device="rram-intel-22ffl", arrays=(ArraySpec(bits_per_cell=1),)))
    assert report.ends("latency_ns") is None
    assert report.ends("energy_pj")[0] < report.energy_pj < report.ends("energy_pj")[1]
    assert CostReport(1.0, 1.0, 1.0).ends("edap_uj_ms_mm2") is None
