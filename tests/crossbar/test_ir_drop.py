import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.crossbar.physics.ir_drop import (
    effective_conductance,
    exact_effective_conductance,
    operating_point,
)
from nax_bo.crossbar.physics.nodal import solve_nodal
from nax_bo.crossbar.physics.wires import PRESETS, resistivity_ohm_m, wire_of_cell, wire_of_node
from nax_bo.errors import InputError
from nax_bo.hardware.chip.devices import DEVICES

DATA = Path(__file__).parents[1] / "data"
VECTORS = json.loads((DATA / "ir_drop_vectors.json").read_text())["cases"]
REFERENCE = list(csv.DictReader((DATA / "ir_drop_reference.csv").read_text().splitlines()[1:]))


def arrays(*shape, seed=0, g_max_s=1e-4, dtype=torch.float64):
    return g_max_s * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def four_level_case(row, seed=3):
    """Conductances and inputs as the reference table describes them."""
    gen = torch.Generator().manual_seed(seed)
    rows, cols, on_off = int(row["rows"]), int(row["cols"]), float(row["on_off"])
    level = torch.randint(4, (rows, cols), generator=gen) / 3
    g = (1 / on_off + (1 - 1 / on_off) * level) / float(row["r_on_ohm"])
    x = (torch.rand((64, rows), generator=gen) < 0.5).double()
    return g, x


def relative_error(got, want):
    return float((got - want).norm() / want.norm())


@pytest.mark.parametrize("solver", ["elimination", "sparse"])
@pytest.mark.parametrize("case", VECTORS, ids=lambda c: f"{c['rows']}x{c['cols']}")
def test_exact_solvers_reproduce_the_reference_vectors_to_their_last_digit(case, solver):
    g = torch.tensor(case["G_siemens"], dtype=torch.float64)
    want = torch.tensor(case["G_eff_siemens"], dtype=torch.float64)
    r = case["r_row_ohm"], case["r_col_ohm"]
    got = (
        exact_effective_conductance(g, *r)
        if solver == "elimination"
        else torch.from_numpy(solve_nodal(g.numpy(), *r))
    )
    # nine printed digits: half a unit of the last one is at most 5e-9 of the value, in input and output
    torch.testing.assert_close(got, want, rtol=6e-9, atol=0)
    current = torch.tensor(case["input_V"], dtype=torch.float64) @ got
    torch.testing.assert_close(current, torch.tensor(case["I_out_A"], dtype=torch.float64), rtol=1e-8, atol=0)


resistances = st.sampled_from([0.0, 0.1, 3.0, 50.0, 1000.0])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
    r_row=resistances,
    r_col=resistances,
    seed=st.integers(0, 99),
)
def test_elimination_equals_sparse_nodal_analysis(rows, cols, r_row, r_col, seed):
    g = arrays(rows, cols, seed=seed)
    want = torch.from_numpy(solve_nodal(g.numpy(), r_row, r_col))
    torch.testing.assert_close(exact_effective_conductance(g, r_row, r_col), want, rtol=1e-9, atol=1e-20)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
    r_row=resistances,
    r_col=resistances,
    seed=st.integers(0, 99),
)
def test_converged_operating_point_is_exact_for_its_own_input(rows, cols, r_row, r_col, seed):
    g = arrays(rows, cols, seed=seed)
    v0 = 0.1 + torch.rand(rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    got = v0 @ operating_point(g, r_row, r_col, v0=v0, sweeps=200)
    torch.testing.assert_close(got, v0 @ exact_effective_conductance(g, r_row, r_col), rtol=1e-6, atol=1e-20)


@pytest.mark.parametrize(
    "row", REFERENCE, ids=lambda r: f"{r['rows']}x{r['cols']}-{int(r['r_on_ohm']) // 1000}k"
)
def test_operating_point_error_is_that_of_the_reference_table(row):
    g, x = four_level_case(row)
    r = float(row["r_row_ohm"]), float(row["r_col_ohm"])
    want = x @ exact_effective_conductance(g.double(), *r)
    error_pct = 100 * relative_error(x @ operating_point(g, *r).double(), want)
    assert error_pct < 1.15 * float(row["operating_point_pct"])
    assert error_pct < 1
    assert 100 * relative_error(x @ g.double(), want) == pytest.approx(float(row["ignore_pct"]), rel=0.1)


def test_four_sweeps_suffice_for_cells_that_load_the_wires_heavily():
    g, x = four_level_case({"rows": 128, "cols": 128, "r_on_ohm": 2000, "on_off": 50})
    converged = operating_point(g, 1.5, 4.4, sweeps=12)
    want = x @ exact_effective_conductance(g.double(), 1.5, 4.4)
    assert (
        relative_error(x @ converged.double(), want) < 0.025
    )  # ignoring IR drop: six times the true current
    assert relative_error(x @ operating_point(g, 1.5, 4.4).double(), want) < 0.026


def test_converged_and_idle_arrays_give_finite_gradients():
    g = torch.stack([arrays(4, 3), torch.zeros(4, 3, dtype=torch.float64)]).requires_grad_()
    effective = operating_point(g, 1e-6, 1e-6, sweeps=30)  # far more sweeps than these wires need
    torch.testing.assert_close(effective.detach(), g.detach(), rtol=1e-6, atol=0)
    effective.sum().backward()
    torch.testing.assert_close(g.grad, torch.ones_like(g), rtol=1e-6, atol=0)


def test_operating_point_solved_at_half_activity_serves_sparse_inputs():
    g, _ = four_level_case(REFERENCE[2])
    x = (torch.rand((64, 128), generator=torch.Generator().manual_seed(5)) < 0.15).double()
    want = x @ exact_effective_conductance(g.double(), 2.8, 2.8)
    assert relative_error(x @ operating_point(g, 2.8, 2.8).double(), want) < 0.005


def test_single_precision_is_enough():
    g = arrays(40, 30, seed=1)
    got = operating_point(g.float(), 2.0, 3.0)
    torch.testing.assert_close(got.double(), operating_point(g, 2.0, 3.0), rtol=2e-5, atol=0)


@pytest.mark.parametrize("solve", [operating_point, exact_effective_conductance])
def test_wires_without_resistance_leave_the_array_as_it_is(solve):
    g = arrays(3, 5, 7)
    assert torch.equal(solve(g, 0.0, 0.0), g)


@pytest.mark.parametrize("solve", [operating_point, exact_effective_conductance])
def test_leading_dimensions_are_independent_arrays(solve):
    g = arrays(2, 3, 6, 5)
    each = torch.stack([torch.stack([solve(a, 5.0, 9.0) for a in pair]) for pair in g])
    torch.testing.assert_close(solve(g, 5.0, 9.0), each)


def test_many_arrays_are_solved_in_chunks_alike():
    g = arrays(70, 128, 64, dtype=torch.float32)  # more cells than one chunk holds
    torch.testing.assert_close(operating_point(g, 1.0, 1.0)[-1], operating_point(g[-1], 1.0, 1.0))


@settings(max_examples=25, deadline=None)
@given(r=st.floats(0.01, 500), seed=st.integers(0, 99))
def test_more_wire_resistance_means_less_current(r, seed):
    g, ones = arrays(6, 4, seed=seed), torch.ones(6, dtype=torch.float64)
    less, more = (ones @ exact_effective_conductance(g, k * r, k * r) for k in (1, 2))
    assert (more < less).all()
    assert (less < ones @ g).all()
    assert (operating_point(g, r, r) > 0).all()


@pytest.mark.parametrize("solve", [operating_point, exact_effective_conductance])
@pytest.mark.parametrize("r", [(20.0, 30.0), (20.0, 0.0), (0.0, 30.0)])
def test_gradients_match_finite_differences(solve, r):
    g = (1e3 * arrays(2, 4, 3)).requires_grad_()  # in mS, so that finite differences resolve
    assert torch.autograd.gradcheck(lambda g_ms: 1e3 * solve(1e-3 * g_ms, *r), (g,))


BAD_ARRAYS = [
    (torch.tensor([[1e-6, float("nan")]]), "NaN"),
    (torch.tensor([[1e-6, float("inf")]]), "NaN or infinite"),
    (torch.tensor([[1e-6, -1e-6]]), "negative conductance"),
    (torch.zeros(0, 4), "empty"),
    (torch.ones(4), "shape"),
    (torch.ones(2, 2, dtype=torch.int64), "floating-point"),
]


@pytest.mark.parametrize("solve", [operating_point, exact_effective_conductance])
@pytest.mark.parametrize(("g", "message"), BAD_ARRAYS, ids=[m for _, m in BAD_ARRAYS])
def test_bad_arrays_are_refused(solve, g, message):
    with pytest.raises(InputError, match=message):
        solve(g, 1.0, 1.0)


@pytest.mark.parametrize("solve", [operating_point, exact_effective_conductance])
@pytest.mark.parametrize("r", [(-1.0, 1.0), (1.0, float("nan"))])
def test_bad_resistances_are_refused(solve, r):
    with pytest.raises(InputError, match=r"r_(row|col)_ohm"):
        solve(arrays(2, 2), *r)


@pytest.mark.parametrize("settings_", [{"v0": 0.0}, {"v0": torch.ones(3)}, {"sweeps": 0}])
def test_bad_operating_points_are_refused(settings_):
    with pytest.raises(InputError, match=r"v0|sweeps"):
        operating_point(arrays(2, 2), 1.0, 1.0, **settings_)


def test_wire_resistance_of_32_nm_is_that_of_published_models():
    # Steinhögl's law at 56 nm gives the 3.7e-8 ohm m and 1.5 / 4.4 ohm per cell that array models use at 32 nm.
    wire = wire_of_node(32)
    assert resistivity_ohm_m(56.25, 1.8) == pytest.approx(3.7e-8, rel=0.02)
    assert (wire.r_row_ohm, wire.r_col_ohm) == (pytest.approx(1.47, rel=0.02), pytest.approx(4.4, rel=0.02))


def test_narrow_wires_resist_more_and_wide_ones_are_bulk_copper():
    rho = [resistivity_ohm_m(w, 2.0) for w in (1e6, 100, 50, 20)]
    assert rho[0] == pytest.approx(1.712e-8, rel=1e-3)
    assert np.all(np.diff(rho) > 0)
    per_cell = [wire_of_node(n).r_row_ohm for n in (130, 90, 65, 45, 32, 22, 14, 7)]
    assert np.all(np.diff(per_cell) > 0)


def test_ideal_wire_preset_and_bad_geometry():
    assert (PRESETS["ideal"].r_row_ohm, PRESETS["ideal"].r_col_ohm) == (0, 0)
    with pytest.raises(InputError, match="Known nodes"):
        wire_of_node(33)
    with pytest.raises(InputError, match="pitch"):
        wire_of_node(32, row_pitch=0)
    with pytest.raises(InputError, match="width_nm"):
        resistivity_ohm_m(-1, 2)


@pytest.mark.parametrize("name", sorted({d.name for d in DEVICES.values() if d.resistive}))
def test_differences_of_columns_are_within_two_percent_of_the_exact_ones(name):
    """Columns are converted as differences, which lose what both sides share."""
    row, n = DEVICES[name], 128
    generator = torch.Generator().manual_seed(0)
    top = 2 ** min(2, row.bits_per_cell) - 1
    weights = ((0.35 * torch.randn(n, n, generator=generator)).clamp(-1, 1) * top).round() / top
    sides = torch.stack([weights.clamp(min=0), (-weights).clamp(min=0)])
    g = row.g_off_s + (row.g_on_s - row.g_off_s) * sides
    wire = wire_of_cell(22.0, row.cell_area_f2)
    found, exact = (
        solve(g, wire.r_row_ohm, wire.r_col_ohm)
        for solve in (effective_conductance, exact_effective_conductance)
    )
    x = (torch.rand(400, n, generator=generator) < 0.2).float()
    sums, true = (x @ (side[0] - side[1]) for side in (found, exact))
    assert float((sums - true).norm()) < 0.02 * float(true.norm())


def test_larger_cells_have_longer_wires():
    small, usual, large = (wire_of_cell(22.0, area) for area in (10.0, None, 120.0))
    assert small.r_col_ohm < usual.r_col_ohm < large.r_col_ohm
    assert small.r_row_ohm <= usual.r_row_ohm < large.r_row_ohm
    assert usual.r_col_ohm == pytest.approx(3 * usual.r_row_ohm, rel=0.35)  # the row's is at least a pitch
    between = wire_of_cell(28.0, 48.0)
    assert wire_of_cell(32.0, 48.0).r_col_ohm < between.r_col_ohm < usual.r_col_ohm
    with pytest.raises(InputError, match="5 nm"):
        wire_of_cell(5.0, 48.0)
    with pytest.raises(InputError, match="cell of -1"):
        wire_of_cell(22.0, -1.0)
