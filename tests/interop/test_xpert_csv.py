"""XPertSim's layer tables, against rows of the released ``NetWork_custom.csv``."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware.simulators.xpert_lut import XPERT_CHIP
from nax_bo.interop.xpert_csv import export_xpert, from_xpert_csv, xpert_csv
from nax_bo.network import named_network, vgg

# Facts of the released design: channels, column sharing, converter, ADC and input bits per layer.
WIDTHS = (128, 128, 256, 64, 64, 256, 512, 64, 256, 512, 512, 128, 128)
MUX = (16, 16, 4, 4, 8, 2, 4, 16, 4, 32, 2, 32, 16)
TYPES = "FFFFFFSFSFSSS"
ADC_BITS = (6,) * 6 + (5,) * 7
INPUT_BITS = (4, 5) + (4,) * 11
RELEASED_ROWS = {
    0: "34, 34, 3, 3, 3, 128, 0, 1, 16, 1, 4, 6",
    1: "34, 34, 64, 3, 3, 512, 0, 1, 16, 1, 4, 6",
    2: "34, 34, 128, 3, 3, 128, 0, 1, 16, 1, 5, 6",
    12: "10, 10, 256, 3, 3, 512, 0, 1, 4, 2, 4, 5",
    14: "8, 8, 512, 3, 3, 64, 0, 1, 16, 1, 4, 5",
    15: "6, 6, 64, 3, 3, 512, 0, 1, 16, 1, 4, 5",
    22: "8, 8, 512, 3, 3, 128, 0, 1, 32, 2, 4, 5",
    25: "4, 4, 64, 3, 3, 512, 0, 1, 16, 2, 4, 5",
}


def released():
    arrays = [
        replace(
            XPERT_CHIP.arrays[0], mux=m, adc_type="flash" if t == "F" else "sar", adc_bits=a, input_bits=i
        )
        for m, t, a, i in zip(MUX, TYPES, ADC_BITS, INPUT_BITS, strict=True)
    ]
    network = vgg((3, 32, 32), 10, WIDTHS, pool_after=(1, 3, 6, 9), name="xpert")
    return network, replace(XPERT_CHIP, arrays=(*arrays, arrays[-1]))


def test_rows_of_the_released_design():
    lines = xpert_csv(*released()).split("\n")
    assert len(lines) == 26
    assert {i: lines[i] for i in RELEASED_ROWS} == RELEASED_ROWS


def test_round_trip():
    assert from_xpert_csv(xpert_csv(*released())) == released()


@given(
    widths=st.lists(st.sampled_from([64, 128, 256, 512]), min_size=1, max_size=6),
    pools=st.sets(st.integers(0, 4), max_size=3),
    mux=st.sampled_from([2, 4, 8, 16, 32]),
    adc_type=st.sampled_from(["flash", "sar"]),
)
@settings(max_examples=40, deadline=None)
def test_round_trip_of_any_design(widths, pools, mux, adc_type):
    inner = sorted(p for p in pools if p < len(widths) - 1)
    network = vgg((3, 32, 32), 10, widths, pool_after=inner, name="xpert")
    array = replace(XPERT_CHIP.arrays[0], mux=mux, adc_type=adc_type)
    chip = replace(XPERT_CHIP, arrays=(array,) * (len(widths) + 1))
    assert from_xpert_csv(xpert_csv(network, chip)) == (network, chip)


def test_a_layer_like_the_filler_gets_the_other_filler():
    lines = xpert_csv(vgg((3, 32, 32), 10, (64, 512)), XPERT_CHIP).split("\n")
    assert [line.split(", ")[2:6] for line in lines[2:]] == [["64", "3", "3", "512"], ["512", "3", "3", "64"]]


def test_file_is_written(tmp_path):
    path = export_xpert(*released(), tmp_path / "NetWork_custom.csv")
    assert from_xpert_csv(path.read_text()) == released()


@pytest.mark.parametrize("name", ["resnet18", "mobilenet-v2"])
def test_other_layers_are_refused(name):
    with pytest.raises(InputError, match="plain 3 x 3"):
        xpert_csv(named_network(name, (3, 32, 32), 10), XPERT_CHIP)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RELEASED_ROWS[0], "filler"),
        (RELEASED_ROWS[0] + "\n" + RELEASED_ROWS[12], "rows 1 and 2"),
        ("\n".join(RELEASED_ROWS[i] for i in (0, 1, 14, 15)), "rows 3 and 4"),
    ],
)
def test_bad_tables(text, reason):
    with pytest.raises(InputError, match=reason):
        from_xpert_csv(text)
