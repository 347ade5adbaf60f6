"""Designs for DNN+NeuroSim V1.3: its layer table ``NetWork.csv`` and what to set in ``Param.cpp``.

Peng et al. 2019, doi:10.1109/IEDM19573.2019.8993491; repository neurosim/DNN_NeuroSim_V1.3 at 388f421. One row per
layer with weights: height, width, input channels, kernel height and width, output channels, whether max-pooling
follows, stride. Height and width are what the kernel slides over, so padding is part of them.

The simulator knows one setting for all arrays, undivided matrices and no links between layers: element-wise layers
leave no trace in the file, and what it cannot express is refused. Copies of weights and the hierarchy are its choice.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from nax_bo.errors import InputError
from nax_bo.files import write_whole
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.chip.devices import Device, device
from nax_bo.hardware.simulators.neurosim.profile import check_layer
from nax_bo.network.graph import Graph
from nax_bo.network.spec import INPUT, Activation, LayerSpec, NetworkSpec

_WIRE_WIDTH_NM = {130: 175, 90: 110, 65: 105, 45: 80, 32: 56, 22: 40, 14: 25, 10: 18, 7: 18}
_CELL_TYPES = {"sram": 1, "fefet": 3}  # others are priced as its resistive cell, 2
_SHARED = ("rows", "cols", "bits_per_cell", "weight_bits", "input_bits", "adc_type", "adc_bits", "mux")
_COLUMNS = 8


def network_csv(network: NetworkSpec) -> str:
    """The layer table of a network.

    Raises:
        InputError: Attention, or grouped convolutions: the format has no such rows.
    """
    pooled = network.pooled_layers
    rows = [_row(layer, layer.name in pooled) for layer in network.layers if _has_row(layer)]
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def network_from_csv(text: str, *, input_padding: int | None = None, name: str = "neurosim") -> NetworkSpec:
    """The chain of layers that a table describes, with ReLU between them.

    Padding is what a row's size exceeds the output before it by. The table does not tell for the first layer; half its
    kernel is assumed unless ``input_padding`` is given. A fully connected row after larger maps flattens them if the
    element counts agree, else averages them.

    Raises:
        InputError: Not a table of eight whole numbers a row, or a row that does not follow from the one before (the
            format does not say where branches, such as shortcuts, begin).
    """
    rows = read_rows(text, _COLUMNS)
    height, width, channels, k_h, k_w = rows[0][:5]
    p_h, p_w = (k_h // 2, k_w // 2) if input_padding is None else (input_padding, input_padding)
    graph = Graph(name, (channels, height - 2 * p_h, width - 2 * p_w))
    x = INPUT
    for number, row in enumerate(rows, 1):
        x = _append(graph, x, row, number, last=number == len(rows))
    return graph.build()


def param_text(network: NetworkSpec, chip: ChipSpec) -> str:
    """Assignments for ``Param.cpp``, one a line, then the bits that the program takes as arguments.

    Raises:
        InputError: Settings differ between layers, arrays that apply several input bits at once, layers on the digital
            unit, or a node the simulator does not know.
    """
    array, cell = _one_array(network, chip), device(chip.device)
    settings: dict[str, str | float] = {
        "operationmode": 2,
        "memcelltype": _CELL_TYPES.get(cell.kind, 2),
        "novelMapping": _flag(chip.mapping == "kernel_position"),
        "SARADC": _flag(array.adc_type == "sar"),
        "currentMode": "true",
        "pipeline": _flag(chip.dataflow == "pipelined"),
        "clkFreq": chip.clock_ghz * 1e9,
        "technode": int(chip.technology_nm),
        "featuresize": f"{_WIRE_WIDTH_NM[int(chip.technology_nm)]}e-9",
        "wireWidth": _WIRE_WIDTH_NM[int(chip.technology_nm)],
        "numRowSubArray": array.rows,
        "numColSubArray": array.cols,
        "numColMuxed": array.mux,
        "levelOutput": 2**array.adc_bits,
        "cellBit": array.bits_per_cell,
        **_cell_settings(cell),
    }
    lines = [
        f"{name} = {value:g};" if isinstance(value, float) else f"{name} = {value};"
        for name, value in settings.items()
    ]
    lines += [f"// program arguments: synapseBit = {array.weight_bits}, numBitInput = {array.input_bits}"]
    return "\n".join([*lines, *(f"// {note}" for note in _notes(array, chip, cell))]) + "\n"


def export_neurosim(network: NetworkSpec, chip: ChipSpec, folder: Path) -> tuple[Path, Path]:
    """Write ``NetWork.csv`` and ``Param.txt`` into a folder, which is made if missing; their paths."""
    table, settings = network_csv(network), param_text(network, chip)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "NetWork.csv", folder / "Param.txt"
    for path, text in zip(paths, (table, settings), strict=True):
        write_whole(path, text)
    return paths


def read_rows(text: str, columns: int) -> list[list[int]]:
    """Rows of whole numbers; raises InputError with line and reason if the text is anything else."""
    rows = []
    for number, cells in enumerate(csv.reader(io.StringIO(text)), 1):
        if not cells or not any(cell.strip() for cell in cells):
            continue
        try:
            row = [int(cell) for cell in cells]
        except ValueError:
            raise InputError(
                f"line {number} is not all whole numbers: {','.join(cells)}", "Check the file."
            ) from None
        if len(row) != columns:
            raise InputError(f"line {number} has {len(row)} numbers", f"This format has {columns} a line.")
        rows.append(row)
    if not rows:
        raise InputError("a layer table without rows", "Check the file.")
    return rows


def _has_row(layer: LayerSpec) -> bool:
    check_layer(layer)
    if layer.is_static and layer.stride[0] != layer.stride[1]:
        raise InputError(
            f"layer {layer.name!r} has strides {layer.stride}", "NeuroSim V1.3 has one stride a layer."
        )
    return layer.is_static


def _row(layer: LayerSpec, pooled: bool) -> list[int]:
    channels, height, width = layer.in_shape
    return [
        height + 2 * layer.padding[0],
        width + 2 * layer.padding[1],
        channels,
        *layer.kernel,
        layer.out_shape[0],
        int(pooled),
        layer.stride[0],
    ]


def _append(graph: Graph, x: str, row: Sequence[int], number: int, *, last: bool) -> str:
    height, width, channels, k_h, k_w, out_channels, pooled, stride = row
    before = graph.shape(x)
    activation: Activation = "none" if last else "relu"
    if (height, width, k_h, k_w) == (1, 1, 1, 1):
        if before[0] * before[1] * before[2] == channels:
            x = graph.flatten(x)
        elif before[0] == channels:
            x = graph.flatten(graph.global_avgpool(x))
        else:
            raise _broken(number, row, before)
        return graph.linear(x, out_channels, activation=activation)
    extra = (height - before[1], width - before[2])
    if before[0] != channels or min(extra) < 0 or extra[0] % 2 or extra[1] % 2:
        raise _broken(number, row, before)
    x = graph.conv(x, out_channels, kernel=(k_h, k_w), stride=stride, padding=(extra[0] // 2, extra[1] // 2),
                   activation=activation)  # fmt: skip
    return graph.maxpool(x) if pooled else x


def _broken(number: int, row: Sequence[int], before: tuple[int, int, int]) -> InputError:
    return InputError(
        f"row {number} ({','.join(map(str, row))}) does not follow from an output of shape {before}",
        "Only chains can be read: the format does not say where a branch begins.",
    )


def _one_array(network: NetworkSpec, chip: ChipSpec) -> ArraySpec:
    count = len(network.static_layers)
    arrays = [chip.array(i, count) for i in range(count)]
    differing = [name for name in _SHARED if len({getattr(a, name) for a in arrays}) > 1]
    if differing:
        raise InputError(
            f"{', '.join(differing)} differ between layers",
            "NeuroSim V1.3 has one setting for all; XPertSim has more.",
        )
    if arrays[0].dac_bits != 1:
        raise InputError(f"dac_bits = {arrays[0].dac_bits}", "NeuroSim V1.3 applies one input bit at a time.")
    if chip.digital_layers:
        raise InputError(
            f"digital_layers = {chip.digital_layers}", "NeuroSim V1.3 puts all layers into arrays."
        )
    if chip.technology_nm not in _WIRE_WIDTH_NM:
        raise InputError(
            f"technology_nm = {chip.technology_nm:g}",
            f"NeuroSim V1.3 knows {', '.join(map(str, _WIRE_WIDTH_NM))}.",
        )
    return arrays[0]


def _cell_settings(cell: Device) -> dict[str, str | float]:
    if not cell.resistive:
        return {}
    return {
        "resistanceOn": cell.r_on_ohm,
        "resistanceOff": min(cell.r_off_ohm, 1e12),
        "readVoltage": cell.read_voltage_v,
    }


def _notes(array: ArraySpec, chip: ChipSpec, cell: Device) -> list[str]:
    notes = []
    if array.encoding == "differential":
        notes.append(
            "differential encoding has no counterpart: the simulator stores offset codes, half the cells"
        )
    if array.duplication > 1:
        notes.append(
            f"duplication {array.duplication} has no counterpart: the simulator copies into spare arrays"
        )
    if cell.kind not in ("rram", "sram", "fefet"):
        notes.append(f"{chip.device} is set as a resistive cell with its own resistances")
    if chip.dataflow == "pipelined":
        notes.append("speedUpDegree is left as it is")
    return notes


def _flag(value: bool) -> str:
    return "true" if value else "false"
