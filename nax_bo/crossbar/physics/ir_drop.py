"""IR drop: wire resistance turns an array's conductances into smaller effective ones.

With linear cells, rows driven at their left ends and columns held at 0 V at their bottom ends, an array is a linear map
of its inputs: ``I = V @ G_eff``. G_eff is computed once per programmed array; inference stays one matrix product.

Not modelled: non-linear cells and access transistors, driver and sense-amplifier resistance (put it into the first
segment by hand), arrays fed or sensed from both ends, wire capacitance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nax_bo.crossbar.physics.checks import check_arrays, check_nonnegative
from nax_bo.crossbar.physics.elimination import eliminate_columns
from nax_bo.crossbar.physics.lines import Lines
from nax_bo.errors import InputError

LARGEST_DROP = 1.0
"""Up to this much of :func:`drop`, differential sums of :func:`operating_point` are within 2 % of the exact ones, for
every shipped device at 128 rows and columns (``tests/crossbar/test_ir_drop.py``)."""

LARGEST_EXACT = 128 * 128
"""Cells of the largest array that :func:`effective_conductance` solves exactly."""

_CELLS_PER_CHUNK = 1 << 19  # 32 arrays of 128 x 128: long enough vectors, working set still near the cache


def operating_point(
    g_s: Tensor, r_row_ohm: float, r_col_ohm: float, v0: float | Tensor = 1.0, sweeps: int = 4
) -> Tensor:
    """Effective conductances from the voltages across the cells at one typical input.

    All row wires are solved with the column voltages held, then all column wires with the row voltages held, ``sweeps``
    times, with the step lengths of conjugate gradients; then ``G_eff = G (U - V) / v0`` with U, V the row and column
    voltages at each cell. When converged, exact for inputs proportional to ``v0``; for others the error of the outputs
    is small because neighbours share their wires' drop (``benchmarks/ir_drop.py`` measures it). Differentiable in
    ``g_s``.

    Args:
        g_s: ``... x rows x cols`` conductances in siemens, at least two dimensions.
        r_row_ohm: Wire resistance between neighbouring cells of a row, and of its segment to the driver.
        r_col_ohm: The same of a column, to the sense amplifier. Both 0: ``g_s`` is returned as it is.
        v0: Typical input of the rows, in any unit, > 0: one number, or ``rows`` or ``... x rows`` of them.
        sweeps: Alternations; 4 bring 128 x 128 cells of 2 kohm within 4 % of the method's own error, 2 do at 100 kohm.

    Returns:
        ``... x rows x cols`` effective conductances, siemens.

    Raises:
        InputError: NaN, negative or no conductances, negative resistance, ``v0 <= 0`` or not broadcastable, no sweep.
    """
    _check(g_s, r_row_ohm, r_col_ohm)
    if sweeps < 1:
        raise InputError(f"sweeps = {sweeps}", "Use at least one sweep; four are usual.")
    if r_row_ohm == 0 and r_col_ohm == 0:
        return g_s
    rows, cols = g_s.shape[-2:]
    arrays = g_s.reshape(-1, rows, cols)
    drive = _drive(v0, g_s).reshape(-1, rows)
    chunk = max(1, _CELLS_PER_CHUNK // (rows * cols))
    pairs = zip(torch.split(arrays, chunk), torch.split(drive, chunk), strict=True)
    parts = [_relax(g, v, r_row_ohm, r_col_ohm, sweeps) for g, v in pairs]
    return torch.cat(parts).reshape(g_s.shape)


def exact_effective_conductance(g_s: Tensor, r_row_ohm: float, r_col_ohm: float) -> Tensor:
    """G_eff for every input, computed in float64 by eliminating column after column.

    Agrees with the sparse nodal solution of :mod:`nax_bo.crossbar.physics.nodal` to 1e-11 and is several times
    faster, but costs about a hundred times :func:`operating_point` (``benchmarks/ir_drop.py``). Differentiable in
    ``g_s``.

    Args:
        g_s: ``... x rows x cols`` conductances in siemens.
        r_row_ohm: As in :func:`operating_point`.
        r_col_ohm: As in :func:`operating_point`.

    Returns:
        ``... x rows x cols`` effective conductances, siemens, in the dtype of ``g_s``.

    Raises:
        InputError: NaN, negative or no conductances; negative resistance.
    """
    _check(g_s, r_row_ohm, r_col_ohm)
    if r_row_ohm == 0 and r_col_ohm == 0:
        return g_s
    rows, cols = g_s.shape[-2:]
    arrays = g_s.reshape(-1, rows, cols).to(torch.float64)
    chunks = torch.split(arrays, max(1, _CELLS_PER_CHUNK // (rows * max(rows, cols))))
    parts = [eliminate_columns(g, r_row_ohm, r_col_ohm) for g in chunks]
    return torch.cat(parts).to(g_s.dtype).reshape(g_s.shape)


def drop(g_s: Tensor, r_row_ohm: float, r_col_ohm: float) -> float:
    """How much wires weigh in arrays ``... x rows x cols``: twice the largest relative voltage drop of small currents.

    Mean conductance times ``r_row cols^2 + r_col rows^2``, of the array where it is largest.
    """
    rows, cols = g_s.shape[-2:]
    return float(g_s.mean((-2, -1)).max()) * (r_row_ohm * cols**2 + r_col_ohm * rows**2)


def effective_conductance(g_s: Tensor, r_row_ohm: float, r_col_ohm: float) -> Tensor:
    """By :func:`operating_point` where that is good enough for differences of columns, else exactly, up to 128 x 128.

    Columns are converted as differences, in which what both sides share cancels and the operating point's error does
    not: it is up to 30 % of them where wires drop most of the voltage. The exact solution of 128 x 128 cells takes
    about 0.2 s on one core. That of 256 x 256 takes 2 s, too long for a search: larger arrays are left to the operating
    point, and are within 10 % of the exact differences with 25 kohm cells, within 30 % with 3 kohm ones.
    """
    small = g_s.shape[-2] * g_s.shape[-1] <= LARGEST_EXACT
    if not small or drop(g_s, r_row_ohm, r_col_ohm) <= LARGEST_DROP:
        return operating_point(g_s, r_row_ohm, r_col_ohm)
    return exact_effective_conductance(g_s, r_row_ohm, r_col_ohm)


def _check(g_s: Tensor, r_row_ohm: float, r_col_ohm: float) -> None:
    check_arrays(g_s)
    check_nonnegative(r_row_ohm, "r_row_ohm", "ohm")
    check_nonnegative(r_col_ohm, "r_col_ohm", "ohm")


def _drive(v0: float | Tensor, g_s: Tensor) -> Tensor:
    """``v0`` as ``... x rows``."""
    drive = torch.as_tensor(v0, dtype=g_s.dtype, device=g_s.device)
    if not bool((drive > 0).all()) or not bool(drive.isfinite().all()):
        raise InputError(
            "v0 is not positive and finite everywhere", "Give the typical input of each row, > 0."
        )
    try:
        return drive.expand(g_s.shape[:-1])
    except RuntimeError as ex:
        raise InputError(
            f"v0 of shape {tuple(drive.shape)} for arrays {tuple(g_s.shape)}", "Give a number, or ... x rows."
        ) from ex


def _relax(g: Tensor, drive: Tensor, r_row: float, r_col: float, sweeps: int) -> Tensor:
    """``g: arrays x rows x cols``, ``drive: arrays x rows``. Inside, arrays are last: steps along a wire are slabs."""
    by_row = g.permute(2, 1, 0).contiguous()  # cols x rows x arrays: along the rows
    by_col = by_row.transpose(0, 1).contiguous()  # rows x cols x arrays: along the columns
    supply = drive.transpose(0, 1)  # rows x arrays
    row_lines = Lines(r_row * by_row, near_first=True)
    col_lines = Lines(r_col * by_col, near_first=False)
    u = row_lines.solve(torch.zeros_like(by_row), supply) if r_row > 0 else supply.expand_as(by_row)
    v = torch.zeros_like(by_col)
    if r_col > 0:
        if r_row > 0 and sweeps > 1:
            u = _conjugate_gradients(u, row_lines, col_lines, sweeps - 1)
        v = col_lines.solve(col_lines.rg * u.transpose(0, 1))
    seen = (u.transpose(0, 1) - v) / supply[:, None]
    return (by_col * seen).permute(2, 0, 1)


def _conjugate_gradients(u: Tensor, row_lines: Lines, col_lines: Lines, steps: int) -> Tensor:
    """Row voltages after ``steps`` steps from ``u``, those with all columns at 0 V.

    Unknowns are the column voltages v of ``(K_c - G K_r^-1 G) v = G u``, with K_r and K_c the conductance matrices of
    row and column wires; K_c preconditions. Plain alternation is the same iteration without step lengths. All terms
    are multiplied by r_col, as in :mod:`nax_bo.crossbar.physics.lines`.
    """
    residual = col_lines.rg * u.transpose(0, 1)
    direction = col_lines.solve(residual)
    applied = residual  # K_c times direction, kept up by recurrence
    power = (residual * direction).sum((0, 1))
    for step in range(steps):
        u_change = row_lines.solve(row_lines.rg * direction.transpose(0, 1))
        image = applied - col_lines.rg * u_change.transpose(0, 1)
        length = _ratio(power, (direction * image).sum((0, 1)))
        u = u + length * u_change
        if step == steps - 1:
            break
        residual = residual - length * image
        corrected = col_lines.solve(residual)
        new_power = (residual * corrected).sum((0, 1))
        turn = _ratio(new_power, power)
        direction, applied, power = corrected + turn * direction, residual + turn * applied, new_power
    return u


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient, and 0 (with zero gradient) where an array has converged to the last digit or does not conduct."""
    positive = denominator > 0
    return torch.where(positive, numerator / torch.where(positive, denominator, 1.0), 0.0)
