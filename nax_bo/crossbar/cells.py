"""Cells of one layer: target levels, and what device physics and wires make of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.ir_drop import operating_point
from nax_bo.crossbar.read_noise import read_sigma
from nax_bo.crossbar.realise import Realised, realise
from nax_bo.crossbar.slicing import weight_digits
from nax_bo.crossbar.wires import Wire
from nax_bo.hardware.chip import ArraySpec, Conditions
from nax_bo.hardware.devices import Device

NOMINAL = Conditions(programming_noise=False, read_noise=False, faults=False, ir_drop=False)
"""Cells exactly as intended."""


@dataclass(frozen=True)
class Cells:
    """What the arrays of one layer hold, in units of one level, for one or more programmed chips.

    Attributes:
        levels: ``draws x slices x groups x rows x cols``; negative ones come from the negative side.
        integer: Whether all levels are the intended integers.
        gain: ``draws``: factor of the outputs that undoes the mean drift.
        read_variance: ``draws x slices x groups x blocks x cols``, squared levels of one read, averaged over the rows
            of a block; ``None`` without read noise.
    """

    levels: Tensor
    integer: bool
    gain: Tensor
    read_variance: Tensor | None = None


def nominal_cells(codes: Tensor, array: ArraySpec) -> Cells:
    """Cells that hold exactly ``codes: groups x rows x cols``."""
    digits = weight_digits(codes, array)
    negative = digits[1] if len(digits) == 2 else _reference(array)
    levels = digits[0] - negative
    return Cells(levels.unsqueeze(0), True, torch.ones(1))


def program_cells(
    codes: Tensor,
    array: ArraySpec,
    device: Device,
    wire: Wire,
    *,
    blocks: tuple[int, ...],
    conditions: Conditions,
    generator: Generator,
    draws: int,
) -> Cells:
    """Write ``codes: groups x rows x cols`` into cells of ``draws`` chips, age them and add the wires.

    Columns of one array are the slices of consecutive outputs; positive and negative sides stand in separate arrays.
    Each array of offset encoding has one reference column per slice, which holds the code of weight zero and is
    subtracted before conversion; its IR drop is that of columns next to one another at the end. Arrays are packed
    towards drivers and converters; unused rows and columns carry no current.
    """
    digits = weight_digits(codes, array)
    outputs_per_array = max(1, array.cols // array.slices)
    if array.encoding == "offset":
        digits = _with_reference(digits, array, outputs_per_array)
    step_s = (device.g_on_s - device.g_off_s) / (2**array.bits_per_cell - 1)
    targets = (device.g_off_s + step_s * digits).expand(draws, *digits.shape)
    cells = realise(targets.contiguous(), device, generator, conditions, batch_dims=1)
    g_s = cells.g_s
    if conditions.ir_drop and device.resistive:
        g_s = _with_wires(g_s, array, wire, blocks)
    variance = (
        _read_variance(cells, device, conditions, blocks) / step_s**2 if conditions.read_noise else None
    )
    levels = g_s / step_s
    if array.encoding == "offset":
        levels, variance = _less_reference(levels, variance, codes.shape[-1], outputs_per_array)
    else:
        levels = levels[:, 0] - levels[:, 1]
        variance = None if variance is None else variance.sum(1)
    integer = g_s is targets or bool(torch.equal(g_s, targets))
    if integer:
        levels = nominal_cells(codes, array).levels.expand(draws, *levels.shape[1:])
    if variance is not None and not bool(variance.any()):
        variance = None
    return Cells(levels, integer, cells.gain.reshape(draws), variance)


def _reference(array: ArraySpec) -> Tensor:
    """Digits of weight zero in offset encoding, ``slices x 1 x 1 x 1``."""
    return weight_digits(torch.zeros(1, 1, 1), array)[0]


def _with_reference(digits: Tensor, array: ArraySpec, outputs_per_array: int) -> Tensor:
    """Append one reference column per array."""
    count = -(-digits.shape[-1] // outputs_per_array)
    reference = _reference(array).expand(*digits.shape[:-1], count)
    return torch.cat([digits, reference], -1)


def _less_reference(
    levels: Tensor, variance: Tensor | None, outputs: int, outputs_per_array: int
) -> tuple[Tensor, Tensor | None]:
    reference = torch.arange(outputs) // outputs_per_array + outputs
    own = levels[:, 0, ..., :outputs] - levels[:, 0, ..., reference]
    if variance is None:
        return own, None
    return own, variance[:, 0, ..., :outputs] + variance[:, 0, ..., reference]


def _with_wires(g_s: Tensor, array: ArraySpec, wire: Wire, blocks: tuple[int, ...]) -> Tensor:
    """Effective conductances, ``draws x sides x slices x groups x rows x cols`` in and out."""
    draws, sides, slices, groups, _, cols = g_s.shape
    out = []
    for block in torch.split(g_s, list(blocks), dim=-2):
        rows = block.shape[-2]
        columns = block.permute(0, 1, 3, 4, 5, 2).reshape(draws, sides, groups, rows, cols * slices)
        parts = [
            operating_point(p, wire.r_row_ohm, wire.r_col_ohm)
            for p in torch.split(columns, array.cols, dim=-1)
        ]
        joined = torch.cat(parts, -1).reshape(draws, sides, groups, rows, cols, slices)
        out.append(joined.permute(0, 1, 5, 2, 3, 4))
    return torch.cat(out, -2)


def _read_variance(
    cells: Realised, device: Device, conditions: Conditions, blocks: tuple[int, ...]
) -> Tensor:
    sigma = read_sigma(cells.g_s, device, conditions.time_s, cells.g_programmed_s)
    return torch.stack([part.square().mean(-2) for part in torch.split(sigma, list(blocks), dim=-2)], -2)
