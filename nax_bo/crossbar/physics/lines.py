"""Voltages along many resistive wires at once, each fed at one end and loaded by cells all along.

Kirchhoff's current law on a wire with segments of resistance r, node voltages x and cell conductances g towards nodes
of voltage z reads, after multiplication by r, ``(2 + r g_k) x_k - x_(k-1) - x_(k+1) = r g_k z_k`` (``1 + r g_k`` at the
open end, the supply voltage added at the fed end): symmetric tridiagonal. Elimination runs from the open end with the
ladder admittance ``y_k = g_k + y_(k+1) / (1 + r y_(k+1))`` instead of the pivots, which keeps single precision exact
to its last digits although r g is 1e-5 and less beside 2.

The loop is over the positions of one wire; each step handles that position of all wires of all arrays in one call.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override


class Lines:
    """Equal wires, eliminated once, solved for as many right-hand sides as needed.

    Args:
        rg: ``positions x wires...``, segment resistance times cell conductances.
        near_first: Whether position 0 is the fed end (else the last one is).
    """

    def __init__(self, rg: Tensor, near_first: bool) -> None:
        self.rg = rg
        self.near_first = near_first
        self._factors = _attenuation(rg.detach(), near_first)

    def solve(self, load: Tensor, supply: Tensor | None = None) -> Tensor:
        """Node voltages, ``positions x wires...``, differentiable in ``rg``, ``load`` and ``supply``.

        Args:
            load: Right-hand side r g z, ``positions x wires...``.
            supply: Voltage of the fed ends, ``wires...``; None: 0 V.
        """
        if supply is not None:
            near = torch.tensor([0 if self.near_first else len(load) - 1], device=load.device)
            load = load.index_add(0, near, supply[None])
        return _LineSolve.apply(self.rg, self._factors, load, self.near_first)  # type: ignore[no-any-return, no-untyped-call]


def _attenuation(rg: Tensor, near_first: bool) -> Tensor:
    """Factors ``1 / (1 + r y_k)`` by which a wire's voltage falls per segment if all cells lead to ground."""
    y = torch.empty_like(rg)
    order = _far_to_near(rg.shape[0], near_first)
    rows, cells = y.unbind(0), rg.unbind(0)
    rows[order[0]].copy_(cells[order[0]])
    for previous, k in pairwise(order):
        torch.div(rows[previous], rows[previous] + 1, out=rows[k])
        rows[k].add_(cells[k])
    return y.add_(1).reciprocal_()


class _LineSolve(torch.autograd.Function):
    """``x = A(rg)^-1 b``. A is symmetric, so the gradient is one more solve."""

    @staticmethod
    @override
    def forward(ctx: Any, rg: Tensor, factors: Tensor, load: Tensor, near_first: bool) -> Tensor:
        x = _substitute(factors, load, near_first)
        ctx.save_for_backward(factors, x)
        ctx.near_first = near_first
        return x

    @staticmethod
    @override
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, Tensor, None]:
        factors, x = ctx.saved_tensors
        grad_load = _substitute(factors, grad_outputs[0].contiguous(), ctx.near_first)
        return -grad_load * x, None, grad_load, None


def _substitute(factors: Tensor, load: Tensor, near_first: bool) -> Tensor:
    order = _far_to_near(load.shape[0], near_first)
    x = torch.empty_like(load, memory_format=torch.contiguous_format)
    nodes, loads, factor = x.unbind(0), load.unbind(0), factors.unbind(0)
    nodes[order[0]].copy_(loads[order[0]])
    for previous, k in pairwise(order):
        torch.addcmul(loads[k], factor[previous], nodes[previous], out=nodes[k])
    x.mul_(factors)
    for following, k in pairwise(order[::-1]):
        nodes[k].addcmul_(factor[k], nodes[following])
    return x


def _far_to_near(positions: int, near_first: bool) -> range:
    return range(positions)[::-1] if near_first else range(positions)
