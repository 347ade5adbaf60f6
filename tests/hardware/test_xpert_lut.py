"""XPert's look-up formulas against the figures of its released code (arXiv:2303.17646, repository at ad5db32)."""

from dataclasses import replace

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, Workload, cost_model
from nax_bo.hardware.simulators.xpert_lut import (
    XPERT_CHIP,
    XpertLutCostModel,
    tile_area_um2,
    tiles_and_speedup,
)
from nax_bo.network import named_network, resnet, vgg

VGG16 = named_network("vgg16", (3, 32, 32), 10)
SHARING = (2, 4, 8, 16, 32)
# mm^2 and LUT units of VGG16 with one converter setting in all layers
HOMOGENEOUS = {
    "flash": ((290.1, 162.8, 100.5, 71.1, 59.5), (112.8, 113.6, 117.0, 130.4, 184.2)),
    "sar": ((129.2, 81.5, 58.1, 47.5, 44.2), (426.6, 430.9, 448.1, 516.8, 791.5)),
}
# the design that the release ships (NetWork_custom.csv)
WIDTHS = (128, 128, 256, 64, 64, 256, 512, 64, 256, 512, 512, 128, 128)
MUX = (16, 16, 4, 4, 8, 2, 4, 16, 4, 32, 2, 32, 16)
TYPES = "FFFFFFSFSFSSS"


def array(adc_type: str, mux: int) -> ArraySpec:
    return replace(XPERT_CHIP.arrays[0], adc_type=adc_type, mux=mux)


def shipped():
    network = vgg((3, 32, 32), 10, WIDTHS, pool_after=(1, 3, 6, 9), name="shipped")
    arrays = [array("flash" if t == "F" else "sar", m) for t, m in zip(TYPES, MUX, strict=True)]
    return network, replace(XPERT_CHIP, arrays=(*arrays, arrays[-1]))


@pytest.mark.parametrize("adc_type", ["flash", "sar"])
def test_homogeneous_vgg16_to_all_printed_digits(adc_type):
    areas, latencies = HOMOGENEOUS[adc_type]
    reports = [
        XpertLutCostModel().evaluate(VGG16, replace(XPERT_CHIP, arrays=(array(adc_type, m),)))
        for m in SHARING
    ]
    assert tuple(round(r.area_um2 / 1e6, 1) for r in reports) == areas
    assert tuple(round(r.latency_ns, 1) for r in reports) == latencies


def test_vgg16_tiles_per_layer():
    report = XpertLutCostModel().evaluate(VGG16, XPERT_CHIP)
    assert [layer.tiles for layer in report.layers] == [1, 1, 1, 2, 3, 5, 5, 9, 18, 18, 18, 18, 0, 1]


def test_shipped_design():
    report = XpertLutCostModel().evaluate(*shipped())
    assert round(report.area_um2 / 1e6, 2) == 59.41
    assert round(report.latency_ns, 1) == 214.0
    assert sum(layer.tiles for layer in report.layers[:-1]) == 57


@pytest.mark.parametrize(
    ("flash", "per_tile"),
    [(True, (2.874, 1.625, 1.008, 0.715, 0.600)), (False, (1.289, 0.814, 0.582, 0.475, 0.442))],
)
def test_area_of_one_tile(flash, per_tile):
    assert tuple(np.round(tile_area_um2(flash, SHARING, 1) / 1e6, 3)) == per_tile


def test_spare_arrays_become_copies():
    tiles, speedup = tiles_and_speedup(rows=27, cols=16)  # one array of 64 for 32 columns
    assert (tiles, speedup) == (1, 64 * 2)


def test_one_design_and_a_batch_agree():
    model = XpertLutCostModel()
    small = vgg((3, 32, 32), 10, (64, 128), pool_after=(0,))
    designs = [(VGG16, XPERT_CHIP), shipped(), (small, XPERT_CHIP)]
    batch = model.evaluate_batch(Workload.from_designs(*map(list, zip(*designs, strict=True))))
    for i, design in enumerate(designs):
        report = model.evaluate(*design)
        assert (batch.area_um2[i], batch.latency_ns[i]) == (report.area_um2, report.latency_ns)
        assert batch.macs[i] == design[0].macs


def test_complete_accounting_prices_the_last_layers():
    released, complete = (XpertLutCostModel(c).evaluate(VGG16, XPERT_CHIP) for c in (False, True))
    assert released.layers[12].area_um2 == released.layers[13].latency_ns == 0
    assert [layer.tiles for layer in complete.layers[-2:]] == [18, 1]
    assert complete.area_um2 > released.area_um2
    assert complete.latency_ns > released.latency_ns


def test_energy_is_honestly_unknown():
    report = XpertLutCostModel().evaluate(VGG16, XPERT_CHIP)
    assert np.isnan([report.energy_pj, report.edap_uj_ms_mm2, report.tops_w]).all()


@pytest.mark.parametrize(
    ("chip", "reason"),
    [
        (replace(XPERT_CHIP, arrays=(replace(XPERT_CHIP.arrays[0], rows=128),)), "arrays of 64 x 64"),
        (replace(XPERT_CHIP, arrays=(replace(XPERT_CHIP.arrays[0], mux=64),)), "column sharing from 2 to 32"),
        (replace(XPERT_CHIP, arrays=(replace(XPERT_CHIP.arrays[0], bits_per_cell=2),)), "2 cells per weight"),
        (replace(XPERT_CHIP, technology_nm=22.0), "32 nm node"),
        (replace(XPERT_CHIP, arrays_per_pe=8), "64 arrays per tile"),
    ],
)
def test_designs_outside_the_fit_are_refused(chip, reason):
    with pytest.raises(InputError, match=reason):
        XpertLutCostModel().evaluate(VGG16, chip)


def test_grouped_convolutions_are_refused():
    with pytest.raises(InputError, match="ungrouped"):
        XpertLutCostModel().evaluate(named_network("mobilenet-v2", (3, 32, 32), 10), XPERT_CHIP)


def test_found_by_name():
    model = cost_model("xpert-lut")
    network = resnet((3, 32, 32), 10, widths=(64, 128), blocks=1)
    assert model.evaluate(network, XPERT_CHIP).area_um2 > 0
