"""Checks of what callers hand to the crossbar's physics: conductances, resistances, times."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nax_bo.errors import InputError


def check_conductance(g_s: Tensor, name: str = "g_s") -> None:
    """Raise InputError unless ``g_s`` is a non-empty floating tensor of finite, non-negative siemens."""
    if not isinstance(g_s, Tensor) or not g_s.is_floating_point():
        kind = g_s.dtype if isinstance(g_s, Tensor) else type(g_s).__name__
        raise InputError(f"{name} is {kind}", "Pass a floating-point tensor of conductances in siemens.")
    if g_s.numel() == 0:
        raise InputError(f"{name} is empty: shape {tuple(g_s.shape)}", "Pass at least one cell.")
    low, high = (float(x) for x in torch.aminmax(g_s.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{name} holds NaN or infinite conductances", "Check the weights and r_on_ohm.")
    if low < 0:
        raise InputError(f"{name} holds a negative conductance, {low:g} S", "Conductances are >= 0 siemens.")


def check_arrays(g_s: Tensor) -> None:
    """Raise InputError unless ``g_s: ... x rows x cols`` are arrays of conductances."""
    check_conductance(g_s)
    if g_s.ndim < 2:
        raise InputError(f"g_s has shape {tuple(g_s.shape)}", "Pass arrays: ... x rows x cols.")


def check_nonnegative(value: float, name: str, unit: str) -> None:
    """Raise InputError unless ``value`` is a finite number >= 0."""
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{name} = {value} {unit}", f"Give a finite {name} >= 0 in {unit}.")
