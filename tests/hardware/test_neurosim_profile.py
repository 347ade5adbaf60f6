"""The neurosim profile: naxbo's own networks reach the simulator's formulas unchanged."""

from dataclasses import replace

import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec, cost_model
from nax_bo.hardware.simulators.neurosim import NeuroSimConfig, NeuroSimLayer, evaluate
from nax_bo.network import vgg
from nax_bo.network.named import named_network

CHIP = ChipSpec(
    device="rram", technology_nm=22, arrays=(ArraySpec(adc_bits=5, adc_type="flash", encoding="offset"),)
)


def test_equals_the_simulators_formulas_on_the_same_layers() -> None:
    network = vgg((3, 32, 32), 10, [64, 64, 128], pool_after=(1, 2))
    rows = [
        NeuroSimLayer(34, 34, 3, 3, 3, 64, zero_border=1),
        NeuroSimLayer(34, 34, 64, 3, 3, 64, maxpool_after=True, zero_border=1),
        NeuroSimLayer(18, 18, 64, 3, 3, 128, maxpool_after=True, zero_border=1),
        NeuroSimLayer(1, 1, 128, 1, 1, 10, zero_border=0),
    ]
    config = NeuroSimConfig(
        adc_bits=5, r_on_ohm=25e3, r_off_ohm=1e6, read_voltage_v=0.5, mapping="conventional"
    )
    expected = evaluate(rows, config)
    report = cost_model("neurosim").evaluate(network, CHIP)
    assert report.energy_pj == pytest.approx(expected.total_energy_pj)
    assert report.latency_ns == pytest.approx(expected.latency_ns)
    assert report.area_um2 == pytest.approx(expected.area_um2)


def test_parts_sum_to_totals() -> None:
    report = cost_model("neurosim").evaluate(named_network("vgg16", (3, 32, 32), 10), CHIP)
    assert sum(c.energy_pj for c in report.components) == pytest.approx(report.energy_pj, rel=1e-6)
    assert sum(x.energy_pj for x in report.layers) == pytest.approx(report.energy_pj, rel=1e-6)
    assert sum(c.area_um2 for c in report.components) == pytest.approx(report.area_um2, rel=1e-3)
    assert sum(x.latency_ns for x in report.layers) == pytest.approx(report.latency_ns, rel=1e-6)


@pytest.mark.parametrize(
    ("chip", "match"),
    [
        (
            replace(CHIP, arrays=tuple(ArraySpec(adc_bits=b, encoding="offset") for b in (4, 5, 6, 7))),
            "differ between layers",
        ),
        (replace(CHIP, arrays=(ArraySpec(rows=64, encoding="offset"),)), "square arrays only"),
        (replace(CHIP, arrays=(ArraySpec(dac_bits=2, encoding="offset"),)), "one input bit at a time"),
        (replace(CHIP, digital_layers=("conv1",)), "every layer into crossbars"),
    ],
)
def test_what_the_simulator_cannot_express_is_refused(chip: ChipSpec, match: str) -> None:
    network = vgg((3, 32, 32), 10, [64, 64, 128])
    with pytest.raises(InputError, match=match):
        cost_model("neurosim").evaluate(network, chip)


def test_grouped_convolutions_are_refused() -> None:
    with pytest.raises(InputError, match="dense convolutions"):
        cost_model("neurosim").evaluate(named_network("mobilenet-v2", (3, 32, 32), 10), CHIP)
