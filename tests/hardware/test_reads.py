"""Cost models by name: each starts from its own chip, and refuses by name what it does not read."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec, Workload, cost_model, cost_model_names, evaluate_designs
from nax_bo.hardware.protocol import base_chip, fitted
from nax_bo.hardware.reads import COST_FREE
from nax_bo.hardware.simulators.neurosim import XPERTSIM, NeuroSimConfig, NeuroSimLayer, evaluate
from nax_bo.hardware.simulators.neurosim.per_layer import beside_pad
from nax_bo.hardware.workload.slots import CODES
from nax_bo.network import vgg
from nax_bo.network.named import named_network

VGG = named_network("vgg8", (3, 32, 32), 10)
CHANGES: dict[str, Any] = {
    "pes_per_tile": 4, "arrays_per_pe": 2, "global_buffer_kb": 64.0, "tile_buffer_kb": 16.0, "dram": "hbm2",
    "dram_bandwidth_gb_s": 10.0, "clock_ghz": 0.5, "tiles": 1000, "tile_use": "shared", "noc_bits": 64,
    "buffer_port_bits": 256, "digital_macs": 64,
}  # fmt: skip


@pytest.mark.parametrize("name", cost_model_names())
def test_every_model_prices_a_network_on_its_own_chip(name: str) -> None:
    model = cost_model(name)
    report = model.evaluate(VGG, base_chip(model))
    assert report.area_um2 > 0
    assert report.latency_ns > 0


@pytest.mark.parametrize("setting", CHANGES)
@pytest.mark.parametrize("name", ["neurosim", "xpertsim", "xpert-lut"])
def test_a_setting_that_is_not_read_is_refused_by_name(name: str, setting: str) -> None:
    model = cost_model(name)
    chip = replace(base_chip(model), **{setting: CHANGES[setting]})
    with pytest.raises(InputError, match=rf"{setting}|tiles = 0|arrays per tile"):
        model.evaluate(VGG, chip)


@pytest.mark.parametrize("name", ["neurosim", "xpertsim"])
@pytest.mark.parametrize("array", [{"duplication": 2}, {"encoding": "differential"}])
def test_array_settings_that_are_not_read_are_refused_by_name(name: str, array: dict[str, Any]) -> None:
    model = cost_model(name)
    base = base_chip(model)
    chip = replace(base, arrays=(replace(base.arrays[0], **array),))
    with pytest.raises(InputError, match=f"{name} does not read {next(iter(array))}"):
        model.evaluate(VGG, chip)


def test_a_node_between_those_tabulated_is_not_rounded() -> None:
    model = cost_model("neurosim")
    with pytest.raises(InputError, match=r"22\.5"):
        model.evaluate(VGG, replace(base_chip(model), technology_nm=22.5))


def test_what_a_space_fixes_is_the_models_own_and_what_it_varies_is_refused() -> None:
    model = cost_model("neurosim")
    base = base_chip(model)
    small = [replace(base, pes_per_tile=4, technology_nm=nm) for nm in (22.0, 45.0)]
    own = fitted(model, small)
    batch = evaluate_designs(own, [VGG, VGG], small)
    assert batch.area_um2[1] == model.evaluate(VGG, replace(base, technology_nm=45.0)).area_um2
    with pytest.raises(InputError, match="the space varies tile_buffer_kb"):
        fitted(model, [base, replace(base, tile_buffer_kb=8.0)])


def test_fixed_settings_of_a_batch_are_the_models_own() -> None:
    model = cost_model("xpert-lut")
    base = base_chip(model)
    chips = [replace(base, tile_buffer_kb=8.0, arrays=(replace(base.arrays[0], mux=m),)) for m in (4, 16)]
    workload = Workload.from_designs([VGG, VGG], chips)
    with pytest.raises(InputError, match="does not read tile_buffer_kb"):
        model.evaluate_batch(workload)
    priced = fitted(model, chips).evaluate_batch(workload)
    alone = model.evaluate(VGG, replace(base, arrays=(replace(base.arrays[0], mux=16),)))
    assert priced.area_um2[1] == alone.area_um2


def test_xpertsim_prices_each_layer_as_the_simulator_does_alone() -> None:
    network = vgg((3, 32, 32), 10, [64, 128], pool_after=(1,))
    arrays = (
        ArraySpec(bits_per_cell=1, encoding="offset", adc_bits=6, mux=8),
        ArraySpec(bits_per_cell=1, encoding="offset", adc_bits=4, mux=16, adc_type="flash", input_bits=4),
        ArraySpec(rows=64, cols=64, bits_per_cell=1, encoding="offset", adc_bits=5),
    )
    model = cost_model("xpertsim")
    report = model.evaluate(network, replace(base_chip(model), arrays=arrays))
    rows = [
        NeuroSimLayer(34, 34, 3, 3, 3, 64, zero_border=1, signed_input=True),
        NeuroSimLayer(34, 34, 64, 3, 3, 128, maxpool_after=True, zero_border=1, signed_input=False),
    ]
    shared: dict[str, Any] = {"device": "SRAM", "bits_per_cell": 1, "tech_node_nm": 32, "mapping": "conventional",
                              "r_on_ohm": 10e3, "r_off_ohm": 1e9, "read_voltage_v": 0.85,
                              "quirks": XPERTSIM}  # fmt: skip
    configs = [
        NeuroSimConfig(adc_bits=6, adc_type="SAR", col_mux=8, **shared),
        NeuroSimConfig(adc_bits=4, adc_type="FLASH_MLSA_CSA", col_mux=16, input_bits=4, **shared),
    ]
    alone = [evaluate(beside_pad(row), config) for row, config in zip(rows, configs, strict=True)]
    for layer, expected in zip(report.layers, alone, strict=False):
        assert layer.latency_ns == float(expected.layer_latency_ns[0])
        assert layer.tiles == int(expected.layer_tiles[0])
        leakage_pj = float(expected.layer_leakage_power_uw[0]) * 1e-3 * report.latency_ns
        assert layer.energy_pj == pytest.approx(float(expected.layer_energy_pj[0]) + leakage_pj)
    assert report.energy_pj == pytest.approx(sum(layer.energy_pj for layer in report.layers))
    assert report.area_um2 == pytest.approx(sum(layer.area_um2 for layer in report.layers))


def test_layers_of_their_own_are_refused_by_neurosim_with_the_way_out() -> None:
    model = cost_model("neurosim")
    array = base_chip(model).arrays[0]
    arrays = tuple(replace(array, mux=m) for m in (4, 8, 16))
    with pytest.raises(InputError, match="differ between layers") as caught:
        model.evaluate(vgg((3, 32, 32), 10, [64, 64]), ChipSpec(arrays=arrays))
    assert "xpertsim" in caught.value.hint


def test_every_setting_of_an_array_has_a_column_or_is_named_as_free_of_cost() -> None:
    columns = {f.name for f in fields(Workload)}
    of_setting = {name: column for name, (column, _) in CODES.items()}
    for setting in fields(ArraySpec):
        has_column = of_setting.get(setting.name, setting.name) in columns
        assert has_column != (setting.name in COST_FREE), setting.name
