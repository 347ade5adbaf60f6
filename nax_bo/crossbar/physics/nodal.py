"""Exact circuit solution of one resistive array by sparse nodal analysis: the independent reference of the fast paths.

Column j of G_eff is the response of the row drivers to a unit current at the foot of column j (reciprocity): one
factorisation of 2 x rows x cols unknowns and ``cols`` right-hand sides. Imports scipy; the simulator does not need it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse as scipy_sparse
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
sparse: Any = scipy_sparse  # scipy's types depend on whether its stubs are installed


def solve_nodal(g_s: Floats, r_row_ohm: float, r_col_ohm: float) -> Floats:
    """Effective conductances, siemens, of one array ``g_s: rows x cols``; resistances per segment, >= 0, in ohm."""
    if r_row_ohm == 0 and r_col_ohm == 0:
        return g_s.copy()
    if r_row_ohm == 0:
        return _ideal_rows(g_s, r_col_ohm)
    if (
        r_col_ohm == 0
    ):  # columns stay at 0 V: rows do not see each other, one solve with all rows at 1 V serves all
        return _ideal_rows(g_s[::-1, ::-1].T, r_row_ohm).T[::-1, ::-1].copy()
    return _both(g_s, r_row_ohm, r_col_ohm)


def _both(g_s: Floats, r_row: float, r_col: float) -> Floats:
    rows, cols = g_s.shape
    cells = sparse.diags(g_s.ravel())
    row_wires = sparse.kron(sparse.identity(rows), _wire(cols, fed_at=0)) / r_row
    col_wires = sparse.kron(_wire(rows, fed_at=rows - 1), sparse.identity(cols)) / r_col
    system = sparse.block_array([[row_wires + cells, -cells], [-cells, col_wires + cells]], format="csc")
    feet = rows * cols + (rows - 1) * cols + np.arange(cols)
    unit_currents = np.zeros((2 * rows * cols, cols))
    unit_currents[feet, np.arange(cols)] = 1.0
    voltages = splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(unit_currents)
    heads = np.arange(rows) * cols
    return np.asarray(voltages[heads] / (r_row * r_col))


def _ideal_rows(g_s: Floats, r_col: float) -> Floats:
    """Rows at their supply voltage: columns do not see each other; one solve with all feet fed serves all columns."""
    rows, cols = g_s.shape
    col_wires = sparse.kron(_wire(rows, fed_at=rows - 1), sparse.identity(cols)) / r_col
    feet = np.zeros(rows * cols)
    feet[-cols:] = 1.0
    response = splu(sparse.csc_array(col_wires + sparse.diags(g_s.ravel()))).solve(feet)
    return np.asarray(g_s * response.reshape(rows, cols) / r_col)


def _wire(length: int, fed_at: int) -> Any:
    """Laplacian of a chain of unit resistors with one more to a fixed voltage at position ``fed_at``."""
    diagonal = np.full(length, 2.0)
    diagonal[0] -= 1.0
    diagonal[-1] -= 1.0  # a wire of one node has both ends there
    diagonal[fed_at] += 1.0
    off = -np.ones(length - 1)
    return sparse.csr_array(sparse.diags([off, diagonal, off], [-1, 0, 1]))
