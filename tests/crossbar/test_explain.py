"""Explanations of layers."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Generator, nn

from nax_bo.crossbar import CrossbarNetwork, convert
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions


def network(**settings: object) -> CrossbarNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    array = ArraySpec(rows=32, **settings)  # type: ignore[arg-type]
    made = convert(model, ChipSpec(device="pcm", arrays=(array,), digital_layers=("0",))).eval()
    made.calibrate(torch.rand(8, 3, 8, 8, generator=Generator().manual_seed(0)))
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
    for source in ("adc", "programming_noise", "faults", "ir_drop", "drift", "read_noise"):
        assert budget[source] == pytest.approx(0, abs=1e-6)


def test_each_source_shows_when_it_is_on():
    made = network(adc_bits=10)
    day = Conditions(time_s=86_400.0)
    budget = made.explain("2", day).error_budget
    assert all(budget[k] > 0 for k in ("programming_noise", "ir_drop", "drift", "read_noise"))
    assert budget["faults"] == 0  # the device row gives no probability of stuck cells
    calm = made.explain("2", Conditions(variation_scale=0.1)).error_budget
    assert calm["programming_noise"] < 0.3 * budget["programming_noise"]
    assert calm["drift"] == 0


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
