"""Designs for XPertSim: the layer table ``NetWork_custom.csv`` with converter settings per layer.

Moitra et al. 2023, arXiv:2303.17646; repository Intelligent-Computing-Lab-Yale/XPert at ad5db32. Twelve numbers per
convolution: padded height and width, input channels, kernel height and width, output channels, pooling flag (always 0
there), stride, column sharing, converter type (1 flash, 2 SAR), input bits, ADC bits. After each comes a filler row
with the same settings that makes the simulator's floor plan land on 64 arrays per tile. Maps below 6 x 6 are written
as 6 x 6 (the simulator then computes too many vectors for them); the filler keeps the true size. Fully connected
layers have no row.

XPertSim takes the last column as a number of *levels*, the paper as bits: the released file holds bits, and so do we.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.hardware.chip import AdcType, ChipSpec
from nax_bo.hardware.simulators.xpert_lut import XPERT_CHIP
from nax_bo.interop.neurosim_csv import read_rows
from nax_bo.network.families import vgg
from nax_bo.network.spec import LayerSpec, NetworkSpec

_COLUMNS = 12
_SMALLEST_SIDE = 6
_FLASH, _SAR = 1, 2
_FILLER = (64, 3, 3, 512)
_OTHER_FILLER = (512, 3, 3, 64)


def xpert_csv(network: NetworkSpec, chip: ChipSpec) -> str:
    """The table of a network's convolutions, as the released file is laid out.

    Raises:
        InputError: A convolution that is not 3 x 3 with stride 1, padding 1 and one group, on square maps, or a
            network with attention.
    """
    static = network.static_layers
    lines = []
    for i, layer in enumerate(static):
        if layer.op != "conv":
            continue
        _check(layer)
        array, side = chip.array(i, len(static)), layer.out_shape[1]
        settings = (
            0,
            1,
            array.mux,
            _FLASH if array.adc_type == "flash" else _SAR,
            array.input_bits,
            array.adc_bits,
        )
        own = (layer.in_shape[0], 3, 3, layer.out_shape[0])
        written = max(side, _SMALLEST_SIDE) + 2
        lines.append((written, written, *own, *settings))
        lines.append((side + 2, side + 2, *(_OTHER_FILLER if own == _FILLER else _FILLER), *settings))
    if not lines or any(
        x.is_product and (x.op not in ("conv", "linear") or x.weights_of) for x in network.layers
    ):
        raise InputError(
            f"network {network.name!r} is no plain convolutional network", "XPertSim knows those only."
        )
    return "\n".join(", ".join(map(str, line)) for line in lines)


def from_xpert_csv(text: str, num_classes: int = 10) -> tuple[NetworkSpec, ChipSpec]:
    """Network and chip of a table; poolings are where maps shrink, a classifier with the last settings is added.

    Raises:
        InputError: Not such a table, or layers that do not follow from each other.
    """
    rows = read_rows(text, _COLUMNS)
    if len(rows) % 2:
        raise InputError(f"{len(rows)} rows", "Every layer has a row and a filler row.")
    layers, fillers = rows[::2], rows[1::2]
    sides = [filler[0] - 2 for filler in fillers]
    widths = [row[5] for row in layers]
    for i, (row, filler) in enumerate(zip(layers, fillers, strict=True)):
        expected = widths[i - 1] if i else row[2]
        follows = row[2] == expected and row[3:5] == [3, 3]
        if not follows or row[8:] != filler[8:] or row[9] not in (0, _FLASH, _SAR):
            raise InputError(
                f"rows {2 * i + 1} and {2 * i + 2} are no 3 x 3 layer with {expected} input channels and its filler",
                "Write the table with xpert_csv.",
            )
    pools = [i for i in range(len(sides) - 1) if sides[i + 1] != sides[i]]
    if any(sides[i + 1] != sides[i] // 2 for i in pools):
        raise InputError(f"map sizes {sides}", "Only 2 x 2 poolings can lie between layers.")
    network = vgg((layers[0][2], sides[0], sides[0]), num_classes, widths, pool_after=pools, name="xpert")
    arrays = [
        replace(XPERT_CHIP.arrays[0], mux=mux, adc_type=_adc_type(code), input_bits=inputs, adc_bits=bits)
        for *_, mux, code, inputs, bits in layers
    ]
    return network, replace(XPERT_CHIP, arrays=(*arrays, arrays[-1]))


def export_xpert(network: NetworkSpec, chip: ChipSpec, path: Path) -> Path:
    """Write the table to a file; its path."""
    return write_whole(path, xpert_csv(network, chip))


def _adc_type(code: int) -> AdcType:
    return "flash" if code == _FLASH else "sar"


def _check(layer: LayerSpec) -> None:
    plain = (
        layer.kernel == (3, 3)
        and layer.stride == layer.padding == layer.dilation == (1, 1)
        and layer.groups == 1
    )
    if not plain or layer.out_shape[1] != layer.out_shape[2]:
        raise InputError(
            f"layer {layer.name!r}: kernel {layer.kernel}, stride {layer.stride}, padding {layer.padding}, "
            f"{layer.groups} groups, maps {layer.out_shape[1:]}",
            "XPertSim's tables hold plain 3 x 3 convolutions on square maps.",
        )
