"""Cells that cannot be programmed: stuck at their largest or smallest conductance."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.physics.checks import check_conductance
from nax_bo.errors import InputError
from nax_bo.hardware.chip.devices import Device


def stick(
    g_s: Tensor,
    device: Device,
    generator: Generator,
    stuck_on_probability: float | None = None,
    stuck_off_probability: float | None = None,
) -> Tensor:
    """``g_s`` with cells stuck at ``device.g_on_s`` or ``device.g_off_s``, each cell independently.

    One uniform draw decides a cell's fate: with the same generator state, the cells stuck at a lower rate are among
    those stuck at a higher one. Clustered faults and dead lines are not modelled.

    Args:
        g_s: Conductances, siemens, any shape.
        device: Gives the two conductances, and the probabilities unless they are passed.
        generator: Source of all randomness.
        stuck_on_probability: Fraction of cells stuck at g_on; default the device's.
        stuck_off_probability: Fraction of cells stuck at g_off; default the device's.

    Raises:
        InputError: NaN, negative or no conductances; probabilities below 0 or together above 1.
    """
    check_conductance(g_s)
    p_on = device.stuck_on_probability if stuck_on_probability is None else stuck_on_probability
    p_off = device.stuck_off_probability if stuck_off_probability is None else stuck_off_probability
    if not (p_on >= 0 and p_off >= 0 and p_on + p_off <= 1):
        raise InputError(
            f"stuck_on_probability = {p_on}, stuck_off_probability = {p_off}",
            "Both are fractions of the cells; together at most 1.",
        )
    if p_on == p_off == 0:
        return g_s
    fate = torch.rand(g_s.shape, generator=generator, device=generator.device, dtype=torch.float64).to(
        g_s.device
    )
    stuck = torch.where(fate < p_on, device.g_on_s, g_s)
    return torch.where(fate >= 1 - p_off, device.g_off_s, stuck)
