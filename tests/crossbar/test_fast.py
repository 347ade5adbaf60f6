"""The fast and the adaptive mode against the exact one, and the choice of converter ranges."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn

from nax_bo.crossbar import CrossbarNetwork, convert
from nax_bo.crossbar.arithmetic import compiled
from nax_bo.crossbar.arithmetic.adaptive import carrying_pairs, error_energy
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.crossbar.response import fit
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions


def images(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=Generator().manual_seed(seed))


def network(array: ArraySpec, conditions: Conditions, coverage: float | None = None) -> CrossbarNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 12, 3), nn.BatchNorm2d(12)
        )
    made = convert(model, ChipSpec(arrays=(array,))).eval()
    if coverage is not None:
        for layer in made.layers.values():
            layer.hardware = replace(layer.hardware, coverage=coverage)
    made.calibrate(images(32, seed=0))
    made.program(1, conditions)
    return made


def read(made: CrossbarNetwork, mode: str, x: Tensor) -> Tensor:
    made.mode = mode  # type: ignore[assignment]
    with torch.no_grad():
        return made(x)


@pytest.mark.parametrize(
    "array",
    [
        ArraySpec(rows=64, adc_bits=b, encoding=e)
        for b, e in ((4, "differential"), (6, "differential"), (6, "offset"))
    ],
    ids=["4 bits", "6 bits", "offset"],
)
def test_cheap_modes_match_mean_and_spread_of_the_exact_one(array):
    made = network(array, Conditions(ir_drop=False))
    x = images(200, seed=9)
    ideal = read(made, "ideal", x)
    read(made, "fast", x)
    made.program(2, Conditions(ir_drop=False))  # the fit of another chip
    exact = read(made, "exact", x)
    for mode in ("fast", "adaptive"):
        cheap = read(made, mode, x)
        wanted, found = (exact - ideal).movedim(1, 0).flatten(1), (cheap - ideal).movedim(1, 0).flatten(1)
        scale = ideal.movedim(1, 0).flatten(1).std(1)
        assert float(((found.mean(1) - wanted.mean(1)).abs() / scale).max()) < 0.25
        assert 0.6 < float((found.std(1) / wanted.std(1)).mean()) < 1.6


def test_adaptive_with_full_coverage_is_exact():
    quiet = Conditions(read_noise=False, converter_noise_lsb=0.0)
    made = network(ArraySpec(rows=64, adc_bits=4), quiet, coverage=1.0)
    x = images(16, seed=9)
    exact, ideal, adaptive = (read(made, mode, x) for mode in ("exact", "ideal", "adaptive"))
    # pairs without any error on the calibration images may have some on others
    assert float((adaptive - exact).square().mean()) < 1e-3 * float((exact - ideal).square().mean())


def test_adaptive_mode_after_a_fit_of_the_fast_one_alone():
    """The fast fit is the same with and without the adaptive one, which is made up for when it is needed."""
    array, x = ArraySpec(rows=64, adc_bits=4), images(16, seed=9)
    quiet = Conditions(read_noise=False, converter_noise_lsb=0.0)
    both, one = network(array, quiet), network(array, quiet)
    both.fit()
    one.fit(adaptive=False)
    for mode in ("fast", "adaptive"):
        both.program(2, quiet)
        one.program(2, quiet)
        if mode == "fast":
            assert torch.equal(read(one, mode, x), read(both, mode, x))
    ideal, exact, adaptive = (read(one, mode, x) for mode in ("ideal", "exact", "adaptive"))
    assert float((adaptive - exact).square().mean()) < 0.5 * float((exact - ideal).square().mean())


def test_given_input_ranges_are_kept_and_converters_fit_them():
    made = network(ArraySpec(rows=64, adc_bits=4, input_bits=4, dac_bits=4), NOMINAL)
    first, second = made.layers.values()
    chosen, before = second.calibrated_range(), first.converter
    wide = replace(first.calibrated_range(), scale=8 * first.calibrated_range().scale)
    made.calibrate(images(32, seed=0), {first: wide})
    assert first.calibrated_range() == wide
    assert second.calibrated_range() != wide
    assert first.converter.step < before.step  # an eighth of the codes, an eighth of the sums
    made.calibrate(images(32, seed=0))
    assert (first.converter, second.calibrated_range()) == (before, chosen)


def test_adaptive_is_closer_to_exact_than_fast():
    quiet = Conditions(read_noise=False, converter_noise_lsb=0.0)
    made = network(ArraySpec(rows=64, adc_bits=4), quiet)
    x = images(32, seed=9)
    exact = read(made, "exact", x)
    error = {m: float((read(made, m, x) - exact).square().mean()) for m in ("fast", "adaptive")}
    assert error["adaptive"] < 0.25 * error["fast"]


def test_lossless_arrays_make_all_modes_equal():
    made = network(ArraySpec(rows=64, adc_bits=12), NOMINAL)
    x = images(8, seed=9)
    ideal = read(made, "ideal", x)
    for mode in ("exact", "fast", "adaptive"):
        torch.testing.assert_close(read(made, mode, x), ideal, rtol=1e-4, atol=1e-4)


def test_fit_is_kept_for_other_chips_under_the_same_conditions():
    made = network(ArraySpec(rows=64, adc_bits=6), Conditions())
    x = images(4, seed=9)
    read(made, "fast", x)
    before = [layer.fit for layer in made.layers.values()]
    made.program(7, Conditions())
    read(made, "fast", x)
    assert all(a is layer.fit for a, layer in zip(before, made.layers.values(), strict=True))
    made.program(7, Conditions(variation_scale=2.0))
    read(made, "fast", x)
    assert all(a is not layer.fit for a, layer in zip(before, made.layers.values(), strict=True))


def test_pairs_are_the_fewest_that_carry_the_error():
    made = network(ArraySpec(rows=64, adc_bits=3), NOMINAL)
    layer = made.layers["2"]
    x = torch.rand(16, 16, 8, 8, generator=Generator().manual_seed(0))
    energy = error_energy(x, layer.arrays())
    for coverage in (0.5, 0.9, 0.999):
        chosen = carrying_pairs(x, layer.arrays(), coverage)
        carried = energy[chosen].sum()
        assert float(carried) >= coverage * float(energy.sum())
        assert float(carried - energy[chosen].min()) < coverage * float(energy.sum())


def test_calibrated_range_beats_full_scale():
    error = {}
    for fraction in ("calibrated", 1.0, 0.001):
        made = network(ArraySpec(rows=64, adc_bits=4, adc_range=fraction), NOMINAL)
        x = images(32, seed=9)
        ideal = read(made, "ideal", x)
        error[fraction] = float((read(made, "exact", x) - ideal).square().mean())
    assert error["calibrated"] < 0.5 * error[1.0]
    assert error["calibrated"] <= error[0.001]
    reported = [layer.converter for layer in made.layers.values()]
    assert all(c is not None and c.step >= 1 for c in reported)


def test_fit_recovers_a_known_response():
    generator = Generator().manual_seed(0)
    ideal = torch.randn(50, 3, 4, 4, generator=generator)
    errors = 0.3 * torch.randn(50, 3, 4, 4, generator=generator)
    gain, bias = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.1, -0.2, 0.0])
    noise = 0.01 * torch.randn(50, 3, 4, 4, generator=generator)
    exact = gain[:, None, None] * ideal + 0.7 * errors + bias[:, None, None] + noise
    found = fit(ideal, ideal + errors, exact)
    torch.testing.assert_close(found.gain, gain, rtol=0, atol=0.01)
    torch.testing.assert_close(found.bias, bias, rtol=0, atol=0.01)
    assert found.spread == pytest.approx(0.7, abs=0.01)
    assert float(found.residuals.std()) == pytest.approx(0.01, rel=0.1)
    y = torch.zeros(120, 3, 4, 4)
    found.add_residual(y, generator)
    torch.testing.assert_close(y[:50].sort(0).values, found.residuals.sort(0).values)


def test_modes_work_without_the_compiled_kernel(monkeypatch):
    x = images(4, seed=9)
    made = network(ArraySpec(rows=64, adc_bits=5), Conditions())
    found = {}
    read(made, "adaptive", x)  # fitted: later reads draw the same numbers
    for mode in ("exact", "adaptive", "fast"):
        made.program(3, Conditions())
        found[mode] = read(made, mode, x)
    monkeypatch.setenv("NAXBO_COMPILED", "0")
    assert not compiled.available()
    for mode, with_kernel in found.items():
        made.program(3, Conditions())
        torch.testing.assert_close(read(made, mode, x), with_kernel, rtol=1e-4, atol=1e-4)


def test_missing_compiler_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("NAXBO_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("PATH", str(tmp_path))
    compiled._found.cache_clear()
    try:
        assert not compiled.available()
    finally:
        compiled._found.cache_clear()
