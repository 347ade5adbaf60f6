import math
import time
from dataclasses import replace

import numpy as np
import pytest

from nax_bo.accuracy.proxies import noise_to_signal, proxies
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.workload import Workload
from nax_bo.network import vgg
from nax_bo.systems import load_system

NETWORK = vgg((1, 8, 8), 10, widths=[16, 8, 24], pool_after=[1])
ARRAY = ArraySpec(rows=128, cols=128, bits_per_cell=2, weight_bits=5, input_bits=4, adc_bits=5)
CHIP = ChipSpec("rram", arrays=(ARRAY,))


def scores(network=NETWORK, device="rram", **array):
    chip = replace(CHIP, device=device, arrays=(replace(ARRAY, **array),))
    return {k: float(v[0]) for k, v in proxies(Workload.from_designs([network], [chip])).items()}


def test_batches_equal_designs_one_by_one():
    system = load_system("vgg", (1, 8, 8), 10)
    designs = system.space.designs(system.space.sample(12, 0))
    batch = proxies(system.workload(system.space.columns(system.space.indices(designs))))
    for i, design in enumerate(designs):
        alone = proxies(Workload.from_designs(*([part] for part in system.decode(design))))
        for name, values in alone.items():
            assert batch[name][i] == pytest.approx(values[0], rel=1e-9), name


def test_ten_thousand_designs_take_milliseconds():
    system = load_system("vgg", (1, 8, 8), 10)
    workload = system.workload(system.space.columns(system.space.sample(10_000, 0)))
    start = time.process_time()
    found = proxies(workload)
    assert time.process_time() - start < 0.5
    assert all(v.shape == (10_000,) and np.isfinite(v).all() for v in found.values())


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"adc_bits": 3}, {"adc_bits": 6}),
        ({"input_bits": 1}, {"input_bits": 4}),
        ({"weight_bits": 2}, {"weight_bits": 6}),
        ({"bits_per_cell": 4, "adc_bits": 4}, {"bits_per_cell": 1, "adc_bits": 4}),
        ({"device": "stt-mram", "bits_per_cell": 1}, {"device": "sram", "bits_per_cell": 1}),
        (
            {"device": "stt-mram", "bits_per_cell": 1, "rows": 256},
            {"device": "stt-mram", "bits_per_cell": 1, "rows": 32},
        ),
    ],
    ids=["adc", "inputs", "weights", "cells", "device", "wires"],
)
def test_coarser_chips_score_noisier(worse, better):
    assert scores(**worse)["noise_score"] > scores(**better)["noise_score"]
    assert scores(**worse)["log_capacity"] < scores(**better)["log_capacity"]


def test_converters_that_resolve_every_level_add_nothing():
    def noise(bits):
        chip = replace(CHIP, arrays=(replace(ARRAY, adc_bits=bits),))
        return noise_to_signal(Workload.from_designs([NETWORK], [chip]))

    assert np.array_equal(noise(10), noise(16))


def test_size_scores_count_the_network():
    statics = [layer for layer in NETWORK.layers if layer.is_static]
    weights = [layer.out_shape[0] * layer.in_shape[0] * math.prod(layer.kernel) for layer in statics]
    positions = [layer.out_shape[1] * layer.out_shape[2] for layer in statics]
    macs = sum(w * p for w, p in zip(weights, positions, strict=True))
    assert 10 ** scores()["log_weights"] == pytest.approx(sum(weights) + 1)
    assert 10 ** scores()["log_macs"] == pytest.approx(macs + 1)


def test_the_narrowest_layer_limits_capacity():
    def capacity(middle):
        return scores(
            vgg((1, 8, 8), 10, widths=[16, middle, 16], pool_after=[1]), "sram", bits_per_cell=1, adc_bits=8
        )["log_capacity"]

    assert capacity(4) == pytest.approx(capacity(2) + np.log10(2), abs=1e-9)
    assert capacity(64) < capacity(4) + 1.0  # now another layer is the narrowest
