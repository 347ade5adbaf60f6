"""Exact effective conductances of resistive arrays by eliminating one column after another.

Seen from its row wires, what lies from column j to the open end of the rows is a symmetric admittance matrix Y_j
(rows x rows). With P_j that of column j alone, h_j the row voltages' effect on its output current, and r the resistance
of a row segment::

    M_j = (1 + r Y_j)^-1            row voltages at column j from those one segment before
    Y_j = P_j + Y_(j+1) M_(j+1)     beginning with Y = P at the last column
    G_eff[:, j] = M_0 M_1 ... M_j h_j

All terms are sums of products of non-negative numbers apart from the inverses of well-conditioned matrices. The work is
dense: about 5 rows^3 per column. Plain torch, hence batched, differentiable, and on any torch device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def eliminate_columns(g_s: Tensor, r_row_ohm: float, r_col_ohm: float) -> Tensor:
    """G_eff of ``g_s: arrays x rows x cols``, same shape and dtype; resistances >= 0."""
    rows, cols = g_s.shape[-2:]
    unit = torch.eye(rows, dtype=g_s.dtype, device=g_s.device)
    wire = _grounded_wire(rows).to(unit)
    beyond = torch.zeros_like(unit)  # Y_(j+1) M_(j+1)
    outputs = g_s.new_empty((*g_s.shape[:-1], 0))  # M_(j+1) ... M_k h_k of the columns k > j
    for j in reversed(range(cols)):
        g = g_s[..., j]
        column = _spd_inverse(
            wire + torch.diag_embed(r_col_ohm * g)
        )  # column voltages from cell currents times r_col
        h = column[..., -1, :] * g
        alone = torch.diag_embed(g) - r_col_ohm * g[..., :, None] * column * g[..., None, :]
        admittance = alone + beyond
        transfer = _spd_inverse(unit + r_row_ohm * admittance)
        beyond = admittance @ transfer
        outputs = transfer @ torch.cat([h[..., None], outputs], dim=-1)
    return outputs


def _grounded_wire(nodes: int) -> Tensor:
    """Laplacian of a chain of unit resistors whose last node leads to ground through one more."""
    wire = 2 * torch.eye(nodes, dtype=torch.float64)
    wire[0, 0] -= 1
    off = -torch.ones(nodes - 1, dtype=torch.float64)
    return wire + torch.diag(off, 1) + torch.diag(off, -1)


def _spd_inverse(matrix: Tensor) -> Tensor:
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix))
