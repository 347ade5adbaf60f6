"""IR drop: wire resistance turns an array's conductances into smaller effective ones.

With linear cells, rows driven at their left ends and columns held at 0 V at their bottom ends, an array is a linear map
of its inputs: ``I = V @ G_eff``. G_eff is computed once per programmed array; inference stays one matrix product.

Not modelled: non-linear cells and access transistors, driver and sense-amplifier resistance (put it into the first
segment by hand), arrays fed or sensed from both ends, wire capacitance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nax_bo.crossbar.checks import check_arrays, check_nonnegative
from nax_bo.crossbar.elimination import eliminate_columns
from nax_bo.crossbar.lines import attenuation, solve_lines
from nax_bo.errors import InputError

_CELLS_PER_CHUNK = 1 << 19  # 32 arrays of 128 x 128: long enough vectors, working set still near the cache


def operating_point(
    g_s: Tensor, r_row_ohm: float, r_col_ohm: float, v0: float | Tensor = 1.0, sweeps: int = 4
) -> Tensor:
    """Effective conductances from the voltages across the cells at one typical input.

    All row wires are solved with the column voltages held, then all column wires with the row voltages held, ``sweeps``
    times; then ``G_eff = G (U - V) / v0`` with U, V the row and column voltages at each cell. Exact for inputs
    proportional to ``v0``; for others the error of the outputs is small because neighbours share their wires' drop
    (measured in ``benchmarks/ir_drop.py``). Differentiable in ``g_s``.

    Args:
        g_s: ``... x rows x cols`` conductances in siemens, at least two dimensions.
        r_row_ohm: Wire resistance between neighbouring cells of a row, and of its segment to the driver.
        r_col_ohm: The same of a column, to the sense amplifier. Both 0: ``g_s`` is returned as it is.
        v0: Typical input of the rows, in any unit, > 0: one number, or ``rows`` or ``... x rows`` of them.
        sweeps: Alternations; 4 reach the method's own error down to 128 x 20 kohm cells; 8 at 128 x 6 kohm.

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

    Agrees with the sparse nodal solution of :mod:`nax_bo.crossbar.nodal` to 1e-11 and is several times faster, but
    costs about a hundred times :func:`operating_point` (``benchmarks/ir_drop.py``). Differentiable in ``g_s``.

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
    row_rg, col_rg = r_row * by_row, r_col * by_col
    row_factors = attenuation(row_rg, near_first=True)
    col_factors = attenuation(col_rg, near_first=False)
    u, v = supply.expand_as(by_row), torch.zeros_like(by_col)
    for _ in range(sweeps):
        if r_row > 0:
            u = solve_lines(row_rg, row_factors, row_rg * v.transpose(0, 1), supply, near_first=True)
        if r_col > 0:
            v = solve_lines(col_rg, col_factors, col_rg * u.transpose(0, 1), None, near_first=False)
        if r_row == 0 or r_col == 0:
            break  # one kind of wire is ideal: nothing to alternate with
    seen = (u.transpose(0, 1) - v) / supply[:, None]
    return (by_col * seen).permute(2, 0, 1)
