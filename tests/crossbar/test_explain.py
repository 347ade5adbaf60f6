"""Explanations of layers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Generator, nn

from nax_bo.crossbar import CrossbarNetwork, convert
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.chip.device_noise import RangeNoise
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.effects import EFFECTS


def network(conditions: Conditions | None = None, **settings: object) -> CrossbarNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    array = ArraySpec(rows=32, **settings)  # type: ignore[arg-type]
    made = convert(model, ChipSpec(device="pcm", arrays=(array,), digital_layers=("0",))).eval()
    examples = torch.rand(8, 3, 8, 8, generator=Generator().manual_seed(0))
    made.calibrate(examples, conditions=conditions)
    return made


def test_facts_follow_the_array_settings():
    facts = network(adc_bits=5, bits_per_cell=2, dac_bits=2).explain("2").facts
    assert (facts["matrix_rows"], facts["matrix_cols"], facts["row_blocks"]) == (72, 8, 3)
    assert (facts["slices"], facts["streams"], facts["adc_levels"]) == (4, 4, 32)
    assert not facts["signed_inputs"]
    assert 0 <= facts["partial_sums_clipped"] < 0.5
    assert 0 < facts["adc_range_of_full_scale"] <= 1


def test_nominal_cells_and_lossless_converters_only_quantise():
    budget = network(adc_bits=14).explain("2", NOMINAL).error_budget
    assert budget["quantisation"] > 0
    assert budget["total"] == pytest.approx(budget["quantisation"], rel=1e-4)
    assert set(budget) == {"quantisation", "adc", "total"}  # nothing else acts
    assert budget["adc"] == pytest.approx(0, abs=1e-6)


def test_each_source_shows_when_it_is_on():
    made = network(Conditions(), adc_bits=6)
    budget = made.explain("2", Conditions()).error_budget
    sources = set(EFFECTS)
    assert set(budget) == {"quantisation", "adc", "total", *sources}
    assert all(budget[k] > 0 for k in sources)
    calm = made.explain("2", Conditions(variation_scale=0.1, time_s=0.0)).error_budget
    assert calm["programming_noise"] < 0.3 * budget["programming_noise"]
    assert "drift" not in calm


@pytest.mark.parametrize(
    ("source", "setting", "worse"),
    [
        ("converter_noise", "converter_noise_lsb", 2.0),
        ("converter_offset", "calibrated_offset_lsb", 0.9),
        ("converter_gain", "converter_gain_error", 0.05),
        ("converter_inl", "converter_inl_lsb", 4.0),
    ],
)
def test_worse_converters_have_a_larger_share(source, setting, worse):
    made = network(Conditions(), adc_bits=6)
    usual, more = (made.explain("2", c).error_budget for c in (Conditions(), Conditions(**{setting: worse})))
    assert more[source] > 1.5 * usual[source]
    assert more["total"] > usual["total"]
    others = [k for k in usual if k not in (source, "total") and not k.startswith("converter")]
    assert all(more[k] == usual[k] for k in others)


def test_offsets_that_are_not_calibrated_away_weigh_more():
    made = network(Conditions(), adc_bits=6)
    usual, raw = (made.explain("2", Conditions(offset_calibration=on)).error_budget for on in (True, False))
    assert raw["converter_offset"] > 2 * usual["converter_offset"]


def test_effective_bits_stand_for_noise():
    """A converter of 8 bits and 6 effective ones is as noisy as one of 8 bits with sqrt(15 / 12) LSB."""
    by_bits = network(adc_bits=8, adc_enob=6.0).explain("2", Conditions()).error_budget
    by_noise = network(adc_bits=8).explain("2", Conditions(converter_noise_lsb=(15 / 12) ** 0.5)).error_budget
    assert by_bits == pytest.approx(by_noise)


def test_fewer_converter_bits_cost_more():
    errors = [network(adc_bits=bits).explain("2", NOMINAL).error_budget["adc"] for bits in (2, 4, 6)]
    assert errors[0] > errors[1] > errors[2]


def test_digital_layers_have_no_converters():
    explanation = network().explain("0")
    assert explanation.facts["digital"]
    assert "adc_levels" not in explanation.facts
    assert set(explanation.error_budget) == {"quantisation", "total"}


def test_table_and_dict_say_the_same():
    explanation = network(adc_bits=6).explain("2", seed=3)
    text = explanation.table()
    assert "layer 2" in text
    assert f"{100 * explanation.error_budget['total']:.3g} %" in text
    assert json.loads(json.dumps(explanation.to_dict()))["error_budget"] == explanation.error_budget
    assert network(adc_bits=6).explain("2", seed=3) == explanation


def test_unknown_layer_and_missing_calibration():
    with pytest.raises(InputError, match="no crossbar layer 'conv7'"):
        network().explain("conv7")
    fresh = convert(nn.Linear(3, 2), ChipSpec())
    with pytest.raises(InputError, match="not been calibrated"):
        fresh.explain(next(iter(fresh.layers)))


def share(source: str, conditions: Conditions, **cells: object) -> float:
    """Of a source in the error of a convolution on RRAM, whose row may be changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Conv2d(8, 16, 3)
    chip = ChipSpec(arrays=(ArraySpec(rows=128, adc_bits=7),))
    made = convert(model, chip, device=replace(device("rram"), **cells)).eval()
    made.calibrate(torch.rand(8, 8, 8, 8, generator=Generator().manual_seed(0)), conditions=conditions)
    return made.explain("layer", conditions).error_budget.get(source, 0.0)


@pytest.mark.parametrize(
    ("source", "better", "worse"),
    [
        ("programming_noise", {"time_s": 1.0}, {"time_s": 86_400.0}),
        ("programming_noise", {"variation_scale": 0.5}, {"variation_scale": 1.0}),
        ("adc", {"converter_finest_step": 2.0**-12}, {"converter_finest_step": 2.0**-5}),
    ],
)
def test_worse_conditions_make_a_larger_error(source, better, worse):
    assert share(source, Conditions(**worse)) > 1.2 * share(source, Conditions(**better))


@pytest.mark.parametrize(
    ("source", "better", "worse"),
    [
        ("faults", {"stuck_on_probability": 0.0}, {"stuck_on_probability": 0.01}),
        ("faults", {"stuck_off_probability": 0.0}, {"stuck_off_probability": 0.05}),
        ("read_noise", {"read_noise": RangeNoise(0.01)}, {"read_noise": RangeNoise(0.05)}),
        ("ir_drop", {"cell_area_f2": 48.0}, {"cell_area_f2": 400.0}),
        ("ir_drop", {"r_on_ohm": 100_000.0}, {"r_on_ohm": 10_000.0}),
    ],
)
def test_worse_cells_make_a_larger_error(source, better, worse):
    assert share(source, Conditions(), **worse) > 1.2 * share(source, Conditions(), **better)
