"""Layer tables and settings for DNN+NeuroSim V1.3."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec
from nax_bo.interop.neurosim_csv import export_neurosim, network_csv, network_from_csv, param_text
from nax_bo.network import named_network, vgg

# The table that ships with the simulator for VGG8 forgets the padding; here are its rows with it.
VGG8 = """\
34,34,3,3,3,128,0,1
34,34,128,3,3,128,1,1
18,18,128,3,3,256,0,1
18,18,256,3,3,256,1,1
10,10,256,3,3,512,0,1
10,10,512,3,3,512,1,1
1,1,8192,1,1,1024,0,1
1,1,1024,1,1,10,0,1
"""
OFFSET = ChipSpec(
    arrays=(ArraySpec(adc_type="flash", adc_bits=5, encoding="offset"),), mapping="kernel_position"
)


def geometry(network):
    return [
        (layer.matrix_rows, layer.matrix_cols, layer.vectors, layer.in_shape, layer.padding)
        for layer in network.static_layers
    ]


def assignments(text):
    return dict(line.rstrip(";").split(" = ") for line in text.splitlines() if not line.startswith("//"))


def test_vgg8():
    assert network_csv(named_network("vgg8", (3, 32, 32), 10)) == VGG8


def test_shortcuts_become_rows_and_sums_do_not():
    rows = network_csv(named_network("resnet18", (3, 224, 224), 1000)).splitlines()
    assert rows[0] == "230,230,3,7,7,64,1,2"
    assert rows[7] == "56,56,64,1,1,128,0,2"
    assert rows[-1] == "1,1,512,1,1,1000,0,1"
    assert len(rows) == 21


def test_round_trip_of_a_chain():
    network = named_network("vgg8", (3, 32, 32), 10)
    assert geometry(network_from_csv(network_csv(network))) == geometry(network)


@given(
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    kernels=st.lists(st.sampled_from([1, 3, 5]), min_size=5, max_size=5),
    pools=st.sets(st.integers(0, 3), max_size=2),
)
@settings(max_examples=40, deadline=None)
def test_round_trip_of_any_chain(widths, kernels, pools):
    network = vgg((3, 16, 16), 10, widths, kernels=kernels[: len(widths)], pool_after=sorted(pools))
    assert geometry(network_from_csv(network_csv(network))) == geometry(network)


def test_tables_without_padding_are_read_as_the_simulator_reads_them():
    # 32 x 32 as shipped: 30 x 30 positions, then 30 + 2 again
    network = network_from_csv("32,32,3,3,3,128,0,1\n32,32,128,3,3,128,1,1\n", input_padding=0)
    assert [layer.vectors for layer in network.static_layers] == [30 * 30, 30 * 30]


def test_parameters_of_the_simulators_default_chip():
    values = assignments(param_text(named_network("vgg8", (3, 32, 32), 10), OFFSET))
    expected = {
        "memcelltype": "2", "novelMapping": "true", "SARADC": "false", "technode": "22", "featuresize": "40e-9",
        "wireWidth": "40", "numRowSubArray": "128", "numColSubArray": "128", "numColMuxed": "8", "levelOutput": "32",
        "cellBit": "2", "clkFreq": "1e+09",
    }  # fmt: skip
    assert expected.items() <= values.items()


def test_bits_and_approximations_are_noted():
    text = param_text(named_network("vgg8", (3, 32, 32), 10), replace(ChipSpec(), device="pcm"))
    assert "synapseBit = 8, numBitInput = 8" in text
    assert "differential" in text
    assert "pcm is set as a resistive cell" in text


def test_files_are_written(tmp_path):
    table, params = export_neurosim(
        named_network("vgg8", (3, 32, 32), 10), OFFSET, tmp_path / "new" / "folder"
    )
    assert table.read_text() == VGG8
    assert "levelOutput = 32;" in params.read_text()


@pytest.mark.parametrize(("name", "reason"), [("vit-tiny", "attention"), ("mobilenet-v2", "groups")])
def test_layers_without_a_row_are_refused(name, reason):
    with pytest.raises(InputError, match=reason):
        network_csv(named_network(name, (3, 32, 32), 10))


@pytest.mark.parametrize(
    ("chip", "reason"),
    [
        (replace(OFFSET, technology_nm=28.0), "technology_nm = 28"),
        (replace(OFFSET, digital_layers=("classifier",)), "digital_layers"),
        (replace(OFFSET, arrays=(replace(OFFSET.arrays[0], dac_bits=2),)), "dac_bits"),
        (replace(OFFSET, arrays=(OFFSET.arrays[0],) * 7 + (replace(OFFSET.arrays[0], mux=4),)), "mux differ"),
    ],
)
def test_chips_that_it_cannot_express_are_refused(chip, reason):
    with pytest.raises(InputError, match=reason):
        param_text(named_network("vgg8", (3, 32, 32), 10), chip)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "without rows"),
        ("32,32,3,3,3,128,0", "line 1 has 7"),
        ("32,32,3,3,3,many,0,1", "whole numbers"),
        (VGG8.replace("18,18,128", "17,17,128"), "row 3"),
        (network_csv(named_network("resnet20", (3, 32, 32), 10)), "branch"),
    ],
)
def test_bad_tables(text, reason):
    with pytest.raises(InputError, match=reason):
        network_from_csv(text)
