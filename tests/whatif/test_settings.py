"""Names, values and errors of hardware settings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec
from nax_bo.network import vgg
from nax_bo.whatif import Setting, apply_settings, parse_sweep

NETWORK = vgg((3, 16, 16), 10, (16, 32), pool_after=(0,))
CHIP = ChipSpec()


def applied(*texts: str, chip: ChipSpec = CHIP) -> ChipSpec:
    return apply_settings(NETWORK, chip, [Setting.parse(text) for text in texts])


def values(text: str):
    return [setting.value for setting in parse_sweep(text).settings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adc_bits=5", replace(CHIP, arrays=(ArraySpec(adc_bits=5),))),
        ("crossbar=64", replace(CHIP, arrays=(ArraySpec(rows=64, cols=64),))),
        ("column_sharing=4", replace(CHIP, arrays=(ArraySpec(mux=4),))),
        ("adc_type=flash", replace(CHIP, arrays=(ArraySpec(adc_type="flash"),))),
        ("adc_range=0.5", replace(CHIP, arrays=(ArraySpec(adc_range=0.5),))),
        ("device=pcm", replace(CHIP, device="pcm")),
        ("technology_nm=7", replace(CHIP, technology_nm=7.0)),
        ("node=32", replace(CHIP, technology_nm=32.0)),
        ("digital_layers=conv1+classifier", replace(CHIP, digital_layers=("conv1", "classifier"))),
        ("digital_layers=none", CHIP),
    ],
)
def test_one_setting(text, expected):
    assert applied(text) == expected


@pytest.mark.parametrize("address", ["layer2", "conv2"])
def test_one_layer(address):
    chip = applied("mux=4", f"{address}.adc_bits=6")
    assert [(a.adc_bits, a.mux) for a in chip.arrays] == [(8, 4), (6, 4), (8, 4)]


def test_a_layer_wins_over_all_layers_in_any_order():
    assert applied("layer1.adc_bits=6", "adc_bits=4") == applied("adc_bits=4", "layer1.adc_bits=6")


def test_settings_are_applied_together():
    small = replace(CHIP, arrays=(ArraySpec(rows=32, cols=32),))
    assert applied("mux=64", "crossbar=64", chip=small).arrays[0].mux == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adc_bits=3:8", [3, 4, 5, 6, 7, 8]),
        ("mux=2,4,8", [2, 4, 8]),
        ("mux=1:32:*2", [1, 2, 4, 8, 16, 32]),
        ("node=10:40:10", [10.0, 20.0, 30.0, 40.0]),
        ("mux=8,1:4:*2,8", [8, 1, 2, 4]),
        ("device=rram,pcm", ["rram", "pcm"]),
        ("clock_ghz=0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("digital_layers=none,conv1+conv2", [(), ("conv1", "conv2")]),
    ],
)
def test_sweeps(text, expected):
    assert values(text) == expected


@given(st.sampled_from(["adc_bits", "mux", "layer2.input_bits"]), st.integers(1, 16))
def test_label_is_the_text_form(address, number):
    setting = Setting.parse(f"{address}={number}")
    assert setting.label == f"{address}={number}"
    assert Setting.parse(setting.label) == setting


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("adc_bit=5", "adc_bits"),
        ("devise=pcm", "device"),
        ("adc_bits", "name=value"),
        ("adc_bits=five", "whole number"),
        ("technology_nm=small", "number"),
        ("adc_range=wide", "calibrated"),
        ("layer1.device=pcm", "device=pcm"),
    ],
)
def test_wrong_settings_say_what_to_do(text, hint):
    with pytest.raises(InputError, match=hint):
        Setting.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer4.adc_bits=5", "layer1 to layer3"),
        ("conv22.adc_bits=5", "conv2"),
        ("mux=256", "an array has 128"),
        ("adc_bits=40", "from 1 to 16"),
    ],
)
def test_values_must_fit_network_and_chip(text, message):
    with pytest.raises(InputError, match=message):
        applied(text)


@pytest.mark.parametrize(
    "text", ["mux=8:2", "mux=1:8:*1", "mux=1:8:0", "mux=0:8:*2", "device=rram:pcm", "mux=1:2:3:4"]
)
def test_bad_ranges(text):
    with pytest.raises(InputError, match="range"):
        parse_sweep(text)


def test_too_many_values():
    with pytest.raises(InputError, match="10000"):
        parse_sweep("duplication=1:60000")
