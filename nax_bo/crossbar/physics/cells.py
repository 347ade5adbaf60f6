"""Cells of one layer: target levels, and what device physics and wires make of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.physics.drift import compensation_gain
from nax_bo.crossbar.physics.ir_drop import effective_conductance, operating_point
from nax_bo.crossbar.physics.read_noise import clamped, read_sigma
from nax_bo.crossbar.physics.realise import Realised, realise
from nax_bo.crossbar.physics.slicing import slice_weights, weight_digits
from nax_bo.crossbar.physics.wires import Wire
from nax_bo.hardware.chip import ArraySpec, Conditions
from nax_bo.hardware.chip.device_noise import NoNoise
from nax_bo.hardware.chip.devices import Device

NOMINAL = Conditions(
    time_s=0.0, programming_noise=False, read_noise=False, faults=False, ir_drop=False, converter_errors=False
)
"""Cells and converters exactly as intended."""


@dataclass(frozen=True)
class Cells:
    """What the arrays of one layer hold, in units of one level, for one or more programmed chips.

    Attributes:
        levels: ``draws x slices x groups x rows x cols``; negative ones come from the negative side.
        integer: Whether all levels are the intended integers.
        gain: ``draws``: factor of the outputs that undoes the mean drift; on the host, where it is asked for.
        read_variance: ``draws x slices x groups x blocks x cols``, squared levels of one read, averaged over the rows
            of a block; ``None`` without read noise.
    """

    levels: Tensor
    integer: bool
    gain: Tensor
    read_variance: Tensor | None = None


def grid(array: ArraySpec) -> float:
    """Spacing of simulated cell levels: 2^-10 of the number of levels, far below any device's noise.

    On a grid, partial sums are exact in whatever order they are added, so that every machine finds the same ones.
    """
    return float(2.0 ** -max(0, 10 - array.bits_per_cell))


def nominal_cells(codes: Tensor, array: ArraySpec) -> Cells:
    """Cells that hold exactly ``codes: groups x rows x cols``."""
    digits = weight_digits(codes, array)
    negative = digits[1] if len(digits) == 2 else _reference(array, codes.device)
    levels = digits[0] - negative
    return Cells(levels.unsqueeze(0), True, codes.new_ones(1))


def program_cells(
    codes: Tensor,
    array: ArraySpec,
    device: Device,
    wire: Wire,
    *,
    blocks: tuple[int, ...],
    conditions: Conditions,
    generators: Sequence[Generator],
    quick: bool = False,
) -> Cells:
    """Write ``codes: groups x rows x cols`` into cells of one chip per generator, age them and add the wires.

    Columns of one array are the slices of consecutive outputs; positive and negative sides stand in separate arrays.
    Each array of offset encoding has a reference column per slice in its middle, which holds the code of weight zero
    and is subtracted before conversion. Arrays are packed towards drivers and converters; unused rows and columns carry
    no current.

    Args:
        codes: Weight codes, rows in array order.
        array: Slicing, encoding, and size of an array.
        device: Cell technology.
        wire: Wire resistance.
        blocks: Rows of each row block.
        conditions: Time, and which effects are simulated.
        generators: Source of all randomness of each chip.
        quick: IR drop by its operating point alone, which is up to a hundred times faster.
    """
    digits = weight_digits(codes, array)
    layout = _layout(codes.shape[-1], array, codes.device)
    if array.encoding == "offset":
        reference = _reference(array, codes.device).expand(*digits.shape[:-1], 1)
        digits = torch.cat([digits, reference], -1).index_select(-1, layout.contents)
    step_s = (device.g_on_s - device.g_off_s) / (2**array.bits_per_cell - 1)
    targets = (device.g_off_s + step_s * digits).unsqueeze(0)
    cells = _joined([realise(targets, device, generator, conditions) for generator in generators])
    g_s, draws, variance = cells.g_s, len(generators), None
    gain = torch.ones(draws, device=g_s.device)
    if conditions.drift_compensation and conditions.time_s > 0 and not isinstance(device.drift, NoNoise):
        before, now = (_weights(g / step_s, layout, array) for g in (cells.g_programmed_s, g_s))
        gain = compensation_gain(before, now, batch_dims=1).reshape(draws)
    if conditions.read_noise:
        sigma = read_sigma(g_s, device, conditions.time_s, cells.g_programmed_s, "fast")
        if bool(sigma.any()):
            g_s, of_cells = clamped(g_s, sigma)
            parts = torch.split(of_cells / step_s**2, list(blocks), dim=-2)
            variance = torch.stack([part.mean(-2) for part in parts], -2)
    if conditions.ir_drop and device.resistive:
        g_s = _with_wires(g_s, layout.outputs_per_array, array, wire, blocks, quick)
    levels = _signed(g_s / step_s, layout, array)
    if variance is not None and array.encoding == "offset":
        variance = variance[:, 0, ..., layout.output] + variance[:, 0, ..., layout.reference]
    elif variance is not None:
        variance = variance.sum(1)
    levels = (levels / grid(array)).round_().mul_(grid(array))
    integer = torch.equal(g_s, targets.expand_as(g_s))
    if integer:
        levels = nominal_cells(codes, array).levels.expand(draws, *levels.shape[1:])
    return Cells(levels, integer, gain.cpu(), variance)


def _signed(levels: Tensor, layout: _Layout, array: ArraySpec) -> Tensor:
    """Levels of both sides as signed ones: ``draws x slices x groups x rows x outputs``."""
    if array.encoding == "offset":
        return levels[:, 0, ..., layout.output] - levels[:, 0, ..., layout.reference]
    return levels[:, 0] - levels[:, 1]


def _weights(levels: Tensor, layout: _Layout, array: ArraySpec) -> Tensor:
    """Weights that the levels of both sides stand for: ``draws x groups x rows x outputs``."""
    places = levels.new_tensor(slice_weights(array))
    return torch.einsum("dsgkn,s->dgkn", _signed(levels, layout, array), places)


def _reference(array: ArraySpec, device: torch.device) -> Tensor:
    """Digits of weight zero in offset encoding, ``slices x 1 x 1 x 1``."""
    return weight_digits(torch.zeros(1, 1, 1, device=device), array)[0]


@dataclass(frozen=True)
class _Layout:
    """Places of outputs and reference columns, each as wide as a weight's slices.

    Attributes:
        outputs_per_array: Places in one array.
        contents: ``places``: output that stands there; the number of outputs for a reference.
        output, reference: ``outputs``: place of the output, and of its array's reference.
    """

    outputs_per_array: int
    contents: Tensor
    output: Tensor
    reference: Tensor


def _layout(outputs: int, array: ArraySpec, device: torch.device) -> _Layout:
    places = max(1, array.cols // array.slices)
    every = torch.arange(outputs, device=device)
    if array.encoding == "differential":
        return _Layout(places, every, every, every)
    own = max(1, places - 1)
    contents: list[int] = []
    reference = torch.empty(outputs, dtype=torch.long, device=device)
    for first in range(0, outputs, own):
        members = list(range(first, min(outputs, first + own)))
        middle = len(members) // 2
        reference[first : first + own] = len(contents) + middle
        contents += [*members[:middle], outputs, *members[middle:]]
    placed = torch.tensor(contents, device=device)
    return _Layout(own + 1, placed, (placed < outputs).nonzero().flatten(), reference)


def _with_wires(
    g_s: Tensor, outputs_per_array: int, array: ArraySpec, wire: Wire, blocks: tuple[int, ...], quick: bool
) -> Tensor:
    """Effective conductances, ``draws x sides x slices x groups x rows x cols`` in and out."""
    draws, sides, slices, groups, _, cols = g_s.shape
    width = min(array.cols, outputs_per_array * slices) if slices <= array.cols else array.cols
    columns = g_s.permute(0, 1, 3, 4, 5, 2).reshape(draws, sides, groups, -1, cols * slices)
    out = torch.empty_like(columns)
    for rows, across in _arrays_by_shape(blocks, cols * slices, width):
        arrays = torch.stack([columns[..., r, c] for r, c in itertools.product(rows, across)])
        solve = operating_point if quick else effective_conductance
        dropped = solve(arrays, wire.r_row_ohm, wire.r_col_ohm)
        for part, (r, c) in zip(dropped, itertools.product(rows, across), strict=True):
            out[..., r, c] = part
    return out.reshape(draws, sides, groups, -1, cols, slices).permute(0, 1, 5, 2, 3, 4)


def _arrays_by_shape(
    blocks: tuple[int, ...], cols: int, width: int
) -> Iterator[tuple[list[slice], list[slice]]]:
    """Rows and columns of the arrays, those of one shape together: they are solved at once."""
    edges = [0, *itertools.accumulate(blocks)]
    rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
    columns = [slice(a, min(cols, a + width)) for a in range(0, cols, width)]

    def extent(part: slice) -> int:
        return int(part.stop - part.start)

    for _, high in itertools.groupby(sorted(rows, key=extent), key=extent):
        alike = list(high)
        for _, wide in itertools.groupby(sorted(columns, key=extent), key=extent):
            yield alike, list(wide)


def _joined(chips: list[Realised]) -> Realised:
    if len(chips) == 1:
        return chips[0]
    return Realised(
        torch.cat([chip.g_s for chip in chips]), torch.cat([chip.g_programmed_s for chip in chips])
    )
