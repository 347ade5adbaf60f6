"""The ``neurosim`` profile: naxbo's networks and chips priced as DNN+NeuroSim V1.3 would."""

from __future__ import annotations

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.chip.devices import Device, device
from nax_bo.hardware.reads import Reads
from nax_bo.hardware.report import ComponentCost, CostReport, LayerCost
from nax_bo.hardware.simulators.neurosim.config import NeuroSimConfig, NeuroSimLayer
from nax_bo.hardware.simulators.neurosim.cost import NeuroSimReport, evaluate
from nax_bo.network.spec import LayerSpec, NetworkSpec

_KINDS = {"sram": "SRAM", "fefet": "FeFET"}
ARRAY_FIELDS = (
    "rows",
    "cols",
    "bits_per_cell",
    "weight_bits",
    "input_bits",
    "dac_bits",
    "adc_type",
    "adc_bits",
    "mux",
)
CHIP_FIELDS = ("device", "technology_nm", "mapping", "dataflow")

READS = Reads(
    "neurosim",
    ChipSpec(arrays=(ArraySpec(encoding="offset"),)),
    frozenset((*ARRAY_FIELDS, *CHIP_FIELDS)),
    per_layer=False,
)
"""What V1.3 reads of a chip; it decides hierarchy, copies, buffers and links by itself."""


class NeuroSimCostModel:
    """Prices one design at a time; the simulator knows one array setting for the whole chip.

    Weights are offset binary, one input bit per pulse, all layers with weights in crossbars; the hierarchy, the copies
    of weights, buffers and links are the simulator's own choice: settings of them are refused. Of a device its
    resistances and read voltage are read, and whether it is SRAM, FeFET or else (RRAM). Element-wise layers but pooling
    are free.
    """

    name = "neurosim"
    reads = READS

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price a network on a chip.

        Raises:
            InputError: Settings that the simulator does not read, or that differ between layers, several input bits per
                pulse, layers on the digital unit, grouped convolutions or attention, a node that is not tabulated.
            EvaluationError: The simulator cannot build the chip (arrays too large for the network, say).
        """
        self.reads.check(chip)
        array = _one_array(network, chip)
        report = evaluate(_layers(network), chip_config(array, chip, device(chip.device)))
        macs = float(network.macs)
        cells = sum(layer.weights for layer in network.static_layers)
        return CostReport(
            energy_pj=report.total_energy_pj,
            latency_ns=report.latency_ns,
            area_um2=report.area_um2,
            leakage_pj=report.leakage_energy_pj,
            response_ns=float(np.sum(report.layer_latency_ns)),
            period_ns=report.clock_period_ns,
            macs=macs,
            utilisation=report.memory_utilization if cells else 0.0,
            unplaced_bits=0.0,
            layers=_layer_costs(network, report),
            components=_components(report),
            model=self.name,
        )


def _one_array(network: NetworkSpec, chip: ChipSpec) -> ArraySpec:
    count = len(network.static_layers)
    arrays = [chip.array(i, count) for i in range(count)]
    settings = {tuple(getattr(a, name) for name in ARRAY_FIELDS) for a in arrays}
    if len(settings) != 1:
        raise InputError(
            "array settings differ between layers, which NeuroSim V1.3 cannot express",
            "Give all layers the same, or price them one by one with --cost-model xpertsim.",
        )
    check_array(arrays[0])
    if chip.digital_layers:
        raise InputError("layers on the digital unit", "NeuroSim V1.3 puts every layer into crossbars.")
    return arrays[0]


def check_array(array: ArraySpec) -> None:
    """Raise InputError for an array that the simulator cannot build."""
    if array.rows != array.cols:
        raise InputError(f"arrays of {array.rows} x {array.cols}", "NeuroSim V1.3 knows square arrays only.")
    if array.dac_bits != 1:
        raise InputError(f"dac_bits = {array.dac_bits}", "NeuroSim V1.3 applies one input bit at a time.")


def chip_config(array: ArraySpec, chip: ChipSpec, cell: Device) -> NeuroSimConfig:
    """The simulator's settings of a chip with such arrays.

    Raises:
        InputError: A node between whole nanometres.
    """
    if chip.technology_nm != int(chip.technology_nm):
        raise InputError(
            f"technology_nm = {chip.technology_nm:g}", "NeuroSim tabulates whole nodes, such as 22."
        )
    kind = _KINDS.get(cell.kind, "RRAM")
    off = cell.r_off_ohm if np.isfinite(cell.r_off_ohm) else 1e9
    return NeuroSimConfig(
        weight_bits=array.weight_bits,
        input_bits=array.input_bits,
        device=kind,
        bits_per_cell=1 if kind == "SRAM" else array.bits_per_cell,
        xbar_rows_cols=array.rows,
        col_mux=array.mux,
        adc_type="SAR" if array.adc_type == "sar" else "FLASH_MLSA_CSA",
        adc_bits=array.adc_bits,
        tech_node_nm=int(chip.technology_nm),
        r_on_ohm=cell.r_on_ohm,
        r_off_ohm=off,
        read_voltage_v=cell.read_voltage_v,
        mapping="novel" if chip.mapping == "kernel_position" else "conventional",
        dataflow="pipeline" if chip.dataflow == "pipelined" else "layer_by_layer",
    )


def _layers(network: NetworkSpec) -> list[NeuroSimLayer]:
    from nax_bo.hardware.workload import slot_names

    slot_names(network)  # refuses a network without matrix products
    rows = []
    for layer in network.layers:
        check_layer(layer)
        if layer.is_static:
            rows.append(layer_row(layer, layer.name in network.pooled_layers))
    return rows


def check_layer(layer: LayerSpec) -> None:
    """Raise InputError for a layer that the simulator does not know."""
    if layer.op in ("attention", "matmul", "conv_transpose") or layer.groups > 1:
        raise InputError(
            f"layer {layer.name!r} ({layer.op}, {layer.groups} groups)",
            "NeuroSim V1.3 knows dense convolutions and fully connected layers only.",
        )
    if layer.weights_of:
        raise InputError(
            f"layer {layer.name!r} uses the weights of {layer.weights_of!r} once more",
            "NeuroSim V1.3 knows networks whose layers are called once.",
        )
    sizes = zip(layer.in_shape[1:], layer.padding, layer.kernel, layer.stride, strict=True)
    if layer.op == "conv" and layer.out_shape[1:] != tuple((n + 2 * p - k) // s + 1 for n, p, k, s in sizes):
        raise InputError(
            f"layer {layer.name!r}: dilation {layer.dilation}, or padding that differs between sides",
            "NeuroSim V1.3 knows plain kernels with one padding for both sides.",
        )


def layer_row(layer: LayerSpec, pooled: bool) -> NeuroSimLayer:
    """A static layer as a row of the simulator's network table."""
    channels, height, width = layer.in_shape
    return NeuroSimLayer(
        in_h=height + 2 * layer.padding[0],
        in_w=width + 2 * layer.padding[1],
        c_in=channels,
        k_h=layer.kernel[0],
        k_w=layer.kernel[1],
        c_out=layer.out_shape[0],
        maxpool_after=pooled,
        stride=layer.stride[0],
        zero_border=layer.padding[0],
    )


def _layer_costs(network: NetworkSpec, report: NeuroSimReport) -> tuple[LayerCost, ...]:
    tiles = report.layer_tiles
    area = report.area_um2 * tiles / max(int(tiles.sum()), 1)
    return tuple(
        LayerCost(
            name=layer.name,
            energy_pj=float(report.layer_energy_pj[i] + report.layer_leakage_energy_pj[i]),
            latency_ns=float(report.layer_latency_ns[i]),
            area_um2=float(area[i]),
            tiles=int(tiles[i]),
            utilisation=float(report.layer_utilization[i]),
        )
        for i, layer in enumerate(network.static_layers)
    )


def _components(report: NeuroSimReport) -> tuple[ComponentCost, ...]:
    energy, area = report.energy_parts_pj, report.area_parts_um2
    rest = energy["other"] - energy["buffer"] - energy["ic"]
    rows = {
        "array": (0.0, area["array"]),
        "adc": (energy["adc"], area["adc"]),
        "accumulation": (energy["accum"], area["accum"]),
        "buffer": (energy["buffer"], 0.0),
        "interconnect": (energy["ic"], area["ic"]),
        "other": (rest, area["other"]),
        "leakage": (report.leakage_energy_pj, 0.0),
    }
    return tuple(ComponentCost(name, *values) for name, values in rows.items())
