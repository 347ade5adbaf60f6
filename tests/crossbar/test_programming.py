import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.crossbar.physics.cells import NOMINAL, program_cells
from nax_bo.crossbar.physics.drift import compensation_gain, drift
from nax_bo.crossbar.physics.faults import stick
from nax_bo.crossbar.physics.programming import program, programming_sigma
from nax_bo.crossbar.physics.read_noise import clamped, output_sigma, read_sigma
from nax_bo.crossbar.physics.realise import realise
from nax_bo.crossbar.physics.wires import wire_of_cell
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, Conditions
from nax_bo.hardware.chip.device_noise import NoNoise, ResistanceNoise
from nax_bo.hardware.chip.devices import DEVICES, device, with_variation

DRAWS = 100_000
DAY_S = 86_400.0
ROWS = {row.name: row for row in DEVICES.values()}
NOISY = [name for name, row in ROWS.items() if not isinstance(row.programming, NoNoise)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def cells(row, fraction, shape=(DRAWS,)):
    return torch.full(shape, row.g_off_s + fraction * (row.g_on_s - row.g_off_s), dtype=torch.float64)


def sigma_us(name, fraction_of_on, time_s=0.0):
    row = device(name)
    g = torch.tensor([fraction_of_on * row.g_on_s], dtype=torch.float64)
    return 1e6 * float(programming_sigma(g, row, time_s))


# --- programming -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.4, 0.7, 1.0])
@pytest.mark.parametrize("name", NOISY)
def test_programmed_conductances_have_the_mean_and_spread_of_the_formula(name, fraction):
    row = ROWS[name]
    target = cells(row, fraction)
    g = program(target, row, generator(1))
    sigma = float(programming_sigma(target[:1], row))
    mean = float(target[0])
    if isinstance(row.programming, ResistanceNoise):
        mean *= math.exp(row.programming.log_sigma**2 / 2)
    assert float(g.std()) == pytest.approx(sigma, rel=0.02)
    assert float(g.mean()) == pytest.approx(mean, abs=0.02 * sigma)


@pytest.mark.parametrize(
    ("name", "fraction", "time_s", "expected_us"),
    [
        ("pcm-joshi", 0.5, 0, 0.26348 + 1.9650 * 0.5 - 1.1731 * 0.25),
        ("pcm-hermes", 1.0, 0, 0.16603222 + 4.71806468 - 8.48101252 + 4.68961419),
        ("rram-neurram", 0.3, 1, 0.2374 * 12 - 0.01167 * 12**2 + 1.536e-4 * 12**3 + 1.053),  # the other fit
        ("rram-neurram", 0.0, DAY_S, 1.053),
        ("rram-neurram", 0.3, DAY_S, 0.701 + 22.086 * 0.3 - 50.773 * 0.09 + 47.095 * 0.027 - 16.458 * 0.0081),
        ("rram-neurram", 1.0, 2 * DAY_S, 0.782 + 20.274 - 43.507 + 37.062 - 11.934),
        ("rram-neurram", 1.0, 10 * DAY_S, 0.782 + 20.274 - 43.507 + 37.062 - 11.934),
        ("rram-milo", 1.0, 0, -0.009107 * 225 + 4.782321),
        ("rram-milo", 100 / 225, 0, -0.009107 * 100 + 4.782321),
        ("rram-cmo", 0.5, 0, 0.01129027 * 45 + 0.01121854),
    ],
)
def test_sigma_is_the_published_polynomial(name, fraction, time_s, expected_us):
    assert sigma_us(name, fraction, time_s) == pytest.approx(expected_us, rel=1e-6)


@pytest.mark.parametrize("g_us", [5.0, 12.5, 20.0, 25.0])
def test_pcm_spread_agrees_with_the_independent_fit_to_the_same_devices(g_us):
    # quadratic in microsiemens of CrossSim's PCM_Joshi (BSD-3), fitted to Joshi et al. 2020
    expected_us = -0.00178767 * g_us**2 + 0.07585724 * g_us + 0.28638599
    assert sigma_us("pcm-joshi", g_us / 25) == pytest.approx(expected_us, rel=0.03)


def test_fefet_levels_spread_as_published():
    row = device("fefet-nd")
    levels = torch.stack([cells(row, f, ()) for f in (0, 1 / 3, 2 / 3, 1)])
    relative = programming_sigma(levels, row) / (row.g_on_s - row.g_off_s)
    assert relative.tolist() == pytest.approx([0.0067, 0.0135, 0.0135, 0.0067], abs=6e-5)


def test_relaxation_interpolates_in_log_time():
    row = device("rram-neurram")
    one = replace(row, programming=replace(row.programming, least_us=()))
    g = torch.tensor([0.25 * row.g_on_s], dtype=torch.float64)
    early, middle, late = (float(programming_sigma(g, one, t)) for t in (1, math.sqrt(DAY_S), DAY_S))
    assert middle == pytest.approx((early + late) / 2)


def test_zero_target_is_a_rectified_gaussian():
    row = device("pcm")
    g = program(torch.zeros(DRAWS, dtype=torch.float64), row, generator(2))
    sigma = 0.26348e-6
    assert float(g.min()) == 0
    assert float(g.mean()) == pytest.approx(sigma / math.sqrt(2 * math.pi), rel=0.02)


@pytest.mark.parametrize("form", ["range", "relative"])
def test_gaussian_variation_of_chosen_size(form):
    row = with_variation(device("nacim-gaussian"), 0.05, form)
    target = cells(row, 0.5)
    base = float(target[0]) if form == "relative" else row.g_on_s - row.g_off_s
    assert float(program(target, row, generator(3)).std()) == pytest.approx(0.05 * base, rel=0.02)


def test_larger_range_scales_the_microsiemens_models():
    wide = replace(device("pcm"), r_on_ohm=20_000)
    sigma = float(programming_sigma(torch.tensor([25e-6]), wide))
    assert 1e6 * sigma == pytest.approx(2 * (0.26348 + 1.9650 * 0.5 - 1.1731 * 0.25), rel=1e-5)


def test_measured_fefets_are_mistaken_as_often_as_published():
    """Four even levels, told apart half way: 4 % of the cells of a 28 nm array are read wrong."""
    row = device("fefet")
    level = torch.randint(4, (DRAWS,), generator=generator(5))
    g = program(row.g_off_s + (row.g_on_s - row.g_off_s) * level / 3, row, generator(6))
    read = (3 * (g - row.g_off_s) / (row.g_on_s - row.g_off_s)).round().clamp(0, 3)
    assert float((read != level).double().mean()) == pytest.approx(0.04, rel=0.1)


def test_capacitors_of_sram_cells_differ():
    row = device("sram")
    g = program(cells(row, 1.0), row, generator(7))
    assert float(g.std() / row.g_on_s) == pytest.approx(0.066 / 2**0.5, rel=0.02)
    assert not program(cells(row, 0.0, (9,)), row, generator(7)).any()


@pytest.mark.parametrize("name", ["sram-6t", "rram-isaac", "nax-geniex"])
def test_devices_without_variation_return_the_targets(name):
    target = cells(device(name), 0.3, (4, 5))
    assert torch.equal(program(target, device(name), generator()), target)


def test_zero_variation_scale_returns_the_targets():
    target = cells(device("rram"), 0.3, (4, 5))
    assert torch.equal(program(target, device("rram"), generator(), variation_scale=0.0), target)


def test_infinite_on_off_ratio_programs_a_true_zero():
    row = with_variation(device("sram"), 0.02, "relative")
    assert torch.equal(program(torch.zeros(100), row, generator()), torch.zeros(100))


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(NOISY), seed=st.integers(0, 1000), scale=st.floats(0.01, 3))
def test_same_generator_state_same_errors(name, seed, scale):
    row = ROWS[name]
    target = cells(row, 0.5, (3, 4))
    first, again = (program(target, row, generator(seed), variation_scale=scale) for _ in range(2))
    assert torch.equal(first, again)
    assert (first >= 0).all()


def test_errors_keep_their_sign_as_time_passes():
    row, target = device("rram"), cells(device("rram"), 0.5, (200,))
    soon, late = (program(target, row, generator(4), time_s=t) - target for t in (1, 2 * DAY_S))
    assert torch.equal(soon.sign(), late.sign())
    assert float(late.std()) > float(soon.std())


def test_leading_dimensions_are_independent_draws():
    g = program(cells(device("pcm"), 0.5, (2, 500)), device("pcm"), generator(5))
    assert abs(float(torch.corrcoef(g)[0, 1])) < 0.15


def test_noise_follows_the_dtype_and_is_differentiable():
    target = cells(device("pcm"), 0.5, (6,)).float().requires_grad_()
    g = program(target, device("pcm"), generator())
    assert g.dtype == torch.float32
    g.sum().backward()
    assert target.grad is not None
    assert (target.grad > 0).all()


# --- drift -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("u", "nu_mean", "nu_std"),
    [(1.0, 0.049, 0.008), (0.1, -0.0155 * math.log(0.1) + 0.0244, -0.0125 * math.log(0.1) - 0.0059)],
)
def test_pcm_drift_exponents_have_the_published_distribution(u, nu_mean, nu_std):
    row = device("pcm")
    g = torch.full((DRAWS,), u * row.g_on_s, dtype=torch.float64)
    nu = -(drift(g, row, DAY_S, generator(6)) / g).log() / math.log((DAY_S + 20) / 20)
    assert float(nu.mean()) == pytest.approx(nu_mean, rel=0.02)
    assert float(nu.std()) == pytest.approx(nu_std, rel=0.02)
    assert (nu >= 0).all()


def test_cmo_decay_has_the_published_mean_and_spread():
    row = device("rram-cmo")
    g = cells(row, 0.5)
    moved_us = 1e6 * (drift(g, row, DAY_S, generator(7)) - g)
    spread = 0.04201137 * math.log(DAY_S) + 0.41183342
    assert float(moved_us.mean()) == pytest.approx(-0.08900206 * math.log(DAY_S), abs=0.02 * spread)
    assert float(moved_us.std()) == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_no_time_no_drift(name):
    g = cells(ROWS[name], 0.5, (8,))
    torch.testing.assert_close(drift(g, ROWS[name], 0.0, generator()), g, rtol=0, atol=0)


def test_one_chip_drifts_monotonically():
    row, g = device("pcm"), cells(device("pcm"), 0.5, (100,))
    path = torch.stack([drift(g, row, t, generator(8)) for t in (1.0, 60.0, DAY_S, 365 * DAY_S)])
    assert (path.diff(dim=0) < 0).all()


def test_compensation_undoes_a_factor_and_leaves_what_cancels():
    before = torch.randn((3, 40, 50), generator=generator(9), dtype=torch.float64)
    gain = compensation_gain(before, before * torch.tensor([0.5, 0.8, 1.0])[:, None, None], batch_dims=1)
    torch.testing.assert_close(gain, torch.tensor([2.0, 1.25, 1.0], dtype=torch.float64)[:, None, None])
    assert torch.equal(compensation_gain(torch.zeros(2, 2), torch.zeros(2, 2)), torch.ones(1, 1))


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("name", ["pcm", "rram-cmo"])
def test_compensation_never_worsens_what_drift_left(name, encoding):
    """PCM loses a factor, the RRAM's cells all lose alike, which cancels between the sides of a weight."""
    array = ArraySpec(rows=64, cols=64, weight_bits=6, bits_per_cell=2, encoding=encoding)
    codes = torch.randint(-31, 32, (1, 64, 24), generator=generator(2)).float()
    places = torch.tensor([4.0**s for s in range(array.slices)])

    def errors(compensated: bool, time_s: float) -> float:
        conditions = replace(NOMINAL, time_s=time_s, drift_compensation=compensated)
        held = program_cells(codes, array, device(name), wire_of_cell(22.0, 50.0), blocks=(64,), conditions=conditions,
                             generators=[generator(5)])  # fmt: skip
        weights = torch.einsum("dsgkn,s->gkn", held.levels, places) * held.gain
        return float((weights - codes).norm() / codes.norm())

    for time_s in (1.0, DAY_S, 365 * DAY_S):
        assert errors(True, time_s) <= errors(False, time_s) * 1.001
    if name == "pcm":
        assert errors(True, 365 * DAY_S) < 0.7 * errors(False, 365 * DAY_S)


def test_compensation_of_other_cells_is_refused():
    with pytest.raises(InputError, match="compensation"):
        compensation_gain(torch.ones(2, 3), torch.ones(3, 2))


# --- faults ------------------------------------------------------------------------------------------------------


def test_stuck_cells_appear_at_their_rates_and_values():
    row = device("rram")
    g = stick(cells(row, 0.5, (1_000_000,)), row, generator(11), 0.01, 0.02)
    on, off = (float((g == v).double().mean()) for v in (row.g_on_s, row.g_off_s))
    assert (on, off) == (pytest.approx(0.01, rel=0.05), pytest.approx(0.02, rel=0.05))
    assert float((g == cells(row, 0.5, ())).double().mean()) == pytest.approx(0.97, abs=0.001)


def test_all_or_no_cells_stuck():
    row, g = device("rram"), cells(device("rram"), 0.5, (50,))
    assert torch.equal(stick(g, row, generator(), 0.0, 0.0), g)
    assert (stick(g, row, generator(), 1.0, 0.0) == row.g_on_s).all()
    assert (stick(g, row, generator(), 0.0, 1.0) == row.g_off_s).all()


def test_more_faults_include_fewer_faults():
    row, g = device("rram"), cells(device("rram"), 0.5, (10_000,))
    few, many = (stick(g, row, generator(12), p, p) != g for p in (0.01, 0.05))
    assert (many | ~few).all()


def test_impossible_fault_rates_are_refused():
    with pytest.raises(InputError, match="stuck_on_probability"):
        stick(torch.ones(3), device("rram"), generator(), 0.7, 0.7)


# --- read noise --------------------------------------------------------------------------------------------------


def test_pcm_read_noise_is_the_published_law():
    row = device("pcm")
    g = torch.tensor([1.0, 0.1], dtype=torch.float64) * row.g_on_s
    bandwidth = math.sqrt(math.log((DAY_S + 20 + 250e-9) / 500e-9))
    expected = [0.0088 * bandwidth, 0.1 * 0.0088 / 0.1**0.65 * bandwidth]
    assert (read_sigma(g, row, DAY_S) / row.g_on_s).tolist() == pytest.approx(expected)


def test_pcm_read_noise_amplitude_is_bounded_and_vanishes_with_the_conductance():
    row = device("pcm")
    tiny = torch.tensor([1e-5 * row.g_on_s, 0.0], dtype=torch.float64)
    bandwidth = math.sqrt(math.log((20 + 250e-9) / 500e-9))
    assert read_sigma(tiny, row).tolist() == pytest.approx([0.2 * bandwidth * float(tiny[0]), 0.0])


def test_read_noise_of_the_other_laws():
    wan, cmo = device("rram"), device("rram-cmo")
    assert float(read_sigma(cells(wan, 0.3, (1,)), wan)) == pytest.approx(0.01 * (wan.g_on_s - wan.g_off_s))
    sigma = 0.0277316e-6 * math.log10(45) * math.sqrt(math.log((DAY_S + 1e-6) / 2e-6))
    assert float(read_sigma(torch.tensor([45e-6]), cmo, DAY_S)) == pytest.approx(sigma, rel=1e-5)
    assert torch.equal(read_sigma(torch.ones(3), device("sram")), torch.zeros(3))


def test_output_noise_is_the_sum_of_cell_variances():
    row = device("pcm")
    g = row.g_on_s * torch.rand((16, 3), generator=generator(13), dtype=torch.float64)
    x = torch.rand((2, 16), generator=generator(14), dtype=torch.float64)
    sigma = read_sigma(g, row, DAY_S)
    noise = torch.randn((DRAWS, 16, 3), generator=generator(15), dtype=torch.float64)
    sampled = torch.einsum("bi,nij->nbj", x, g + sigma * noise).std(0)
    torch.testing.assert_close(sampled, output_sigma(x, sigma), rtol=0.02, atol=0)


# --- all together ------------------------------------------------------------------------------------------------


def test_ideal_conditions_leave_the_targets():
    target = cells(device("pcm"), 0.5, (2, 6))
    ideal = Conditions(time_s=0.0, programming_noise=False, read_noise=False, faults=False, ir_drop=False)
    chip = realise(target, device("pcm"), generator(), ideal)
    assert torch.equal(chip.g_s, target)


def test_switching_one_effect_leaves_the_draws_of_the_others():
    row = device("pcm")
    target = cells(row, 0.5, (50, 50))
    still = Conditions(time_s=DAY_S, read_noise=False)  # whose amplitude follows the programmed conductance
    noisy = realise(target, row, generator(2), still)
    clean = realise(target, row, generator(2), replace(still, programming_noise=False))
    torch.testing.assert_close(noisy.g_s / noisy.g_programmed_s, clean.g_s / clean.g_programmed_s)


def test_slow_fluctuations_belong_to_the_chip_and_fast_ones_to_the_read():
    """Together as the source gives them in one; and the longer the window, the less stays with the chip."""
    row = device("pcm")
    g = cells(row, 0.6)
    parts = {part: float(read_sigma(g[:1], row, DAY_S, part=part)) for part in ("all", "slow", "fast")}
    assert parts["slow"] ** 2 + parts["fast"] ** 2 == pytest.approx(parts["all"] ** 2)
    assert 0 < parts["fast"] < parts["slow"]
    later = replace(row, read_noise=replace(row.read_noise, window_s=3600.0))
    assert float(read_sigma(g[:1], later, DAY_S, part="slow")) < parts["slow"]
    alone = Conditions(programming_noise=False, faults=False, time_s=0.0)
    chip = realise(g, row, generator(8), alone)
    expected = float(read_sigma(g[:1], row, 0.0, part="slow"))
    assert float((chip.g_s - g).std()) == pytest.approx(expected, rel=0.02)
    assert torch.equal(realise(g, row, generator(8), replace(alone, read_noise=False)).g_s, g)


def test_cells_that_fluctuate_do_not_conduct_backwards():
    g = torch.tensor([0.0, 1.0, 5.0, 3.0], dtype=torch.float64)
    sigma = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    mean, variance = clamped(g, sigma)
    draws = (g + sigma * torch.randn(DRAWS, 4, generator=generator(9), dtype=torch.float64)).clamp(min=0)
    torch.testing.assert_close(mean, draws.mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(variance, draws.var(0), rtol=0.03, atol=1e-9)
    assert float(variance[0]) == pytest.approx(0.5 - 0.5 / math.pi)


def test_stuck_cells_do_not_drift():
    row = replace(device("pcm"), stuck_on_probability=0.1, stuck_off_probability=0.1)
    chip = realise(cells(row, 0.5, (2000,)), row, generator(3), Conditions(time_s=DAY_S))
    stuck = (chip.g_programmed_s == row.g_on_s) | (chip.g_programmed_s == row.g_off_s)
    assert 0.15 < float(stuck.double().mean()) < 0.25
    assert torch.equal(chip.g_s[stuck], chip.g_programmed_s[stuck])
    assert (chip.g_s[~stuck] < chip.g_programmed_s[~stuck]).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda g: program(g, device("pcm"), generator()),
        lambda g: drift(g, device("pcm"), 1.0, generator()),
        lambda g: stick(g, device("pcm"), generator()),
        lambda g: read_sigma(g, device("pcm")),
        lambda g: realise(g, device("sram"), generator(), Conditions()),
    ],
    ids=["program", "drift", "stick", "read_sigma", "realise"],
)
@pytest.mark.parametrize(
    ("g", "message"),
    [
        (torch.tensor([math.nan]), "NaN"),
        (torch.tensor([-1e-6]), "negative"),
        (torch.zeros(0), "empty"),
        (torch.tensor([1]), "floating"),
    ],
    ids=["nan", "negative", "empty", "integer"],
)
def test_bad_conductances_are_refused(call, g, message):
    with pytest.raises(InputError, match=message):
        call(g)


@pytest.mark.parametrize("time_s", [-1.0, math.nan])
def test_bad_times_are_refused(time_s):
    g = torch.ones(2) * 1e-6
    for call in (
        lambda: programming_sigma(g, device("rram"), time_s),
        lambda: drift(g, device("pcm"), time_s, generator()),
        lambda: read_sigma(g, device("pcm"), time_s),
    ):
        with pytest.raises(InputError, match="time_s"):
            call()
