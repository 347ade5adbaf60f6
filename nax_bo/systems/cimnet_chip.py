"""The chip of CiMNet: SRAM macros behind a memory hierarchy whose sizes and bandwidths are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from nax_bo.hardware import cost_model
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network.spec import Shape
from nax_bo.space import Value, Variable, ordinal
from nax_bo.systems.claims import Assumed, Baselines
from nax_bo.systems.system import Choices, System

ASSUMED = (
    Assumed("chip variables", "bandwidths of off-chip memory, network and buffer; arrays and PEs; buffers; tiles",
            "the abstract names bandwidths, PE size and memory sizes; lists are not public"),
    Assumed("digital CiM", "6T SRAM, one bit per cell, sums read without loss, no noise",
            "no digital macro is priced: successive approximation of full resolution stands for adder trees, which "
            "are faster and larger"),
    Assumed("weight_bits, input_bits", 8, "not told"),
    Assumed("max area_mm2", "that of the paper baseline", "not told; without a cap the largest chip is best"),
    Assumed("paper baseline", "the largest network, middle of each chip choice", "not told"),
)  # fmt: skip
_HIERARCHY = ("dram_bandwidth_gb_s", "noc_bits", "buffer_port_bits", "arrays_per_pe", "pes_per_tile", "tiles",
              "tile_buffer_kb", "global_buffer_kb")  # fmt: skip
_IDEAL: Mapping[str, Any] = {
    "time_s": 0.0, "programming_noise": False, "read_noise": False, "faults": False, "ir_drop": False,
    "converter_errors": False,
}  # fmt: skip


def large(input_shape: Shape) -> bool:
    """Whether networks have the published size, and the chip sizes for it."""
    return min(input_shape[1:]) >= 128


def variables(input_shape: Shape) -> Iterable[Variable]:
    """Array size, which networks feel where converters err, and what only costs."""
    scale = 16 if large(input_shape) else 1
    yield ordinal("crossbar", (32, 64, 128, 256))
    yield ordinal("dram_bandwidth_gb_s", [scale * b for b in (0.8, 1.6, 3.2, 6.4)], affects="cost")
    yield ordinal("noc_bits", (16, 32, 64, 128), affects="cost")
    yield ordinal("buffer_port_bits", (64, 128, 256, 512, 1024), affects="cost")
    yield ordinal("arrays_per_pe", (1, 2, 4, 8), affects="cost")
    yield ordinal("pes_per_tile", (1, 2, 4, 8), affects="cost")
    yield ordinal("tiles", [scale * t for t in (4, 8, 16, 32, 64)], affects="cost")
    yield ordinal("tile_buffer_kb", (4, 8, 16, 32, 64), affects="cost")
    yield ordinal("global_buffer_kb", [scale * k for k in (16, 32, 64, 128, 256)], affects="cost")


def plan(choices: Choices) -> ChipPlan:
    """SRAM with 8-bit weights and inputs; the converters resolve every sum of a column: ``rows + 1`` values."""
    rows = choices["crossbar"]
    settings: dict[str, Any] = {name: choices[name] for name in _HIERARCHY}
    settings |= {"rows": rows, "cols": rows, "adc_bits": np.asarray(np.log2(rows)).astype(int) + 1}
    return ChipPlan(device="sram-6t", bits_per_cell=1, mux=8, adc_range=1.0, **settings)


def baselines(input_shape: Shape, network: Callable[[float], Mapping[str, Value]]) -> Baselines:
    """Designs by name; ``network`` gives the choices of the smallest (0) to the largest network (1)."""
    middle = {v.name: v.values[v.cardinality // 2] for v in variables(input_shape)}
    alike = {f"homogeneous-{n}": {**network(1.0), **middle, "crossbar": n} for n in (32, 64, 128, 256)}
    scaled = {
        name: {**network(share), **middle} for name, share in (("scaled-low", 0.0), ("scaled-mid", 0.5))
    }
    return {"paper": {**network(1.0), **middle}, **alike, **scaled}


def settings(description: Any, input_shape: Shape) -> Mapping[str, Any]:
    """Accuracy against latency on ideal arrays, on no more area than the baseline ``paper`` of a description takes."""
    system = System(description, input_shape)
    model = "published"
    area_mm2 = cost_model(model).evaluate(*system.decode(system.baselines["paper"])).area_um2 * 1e-6
    return {"cost_model": model, "objectives": ("accuracy", "latency"), "strategy": "dynas", "conditions": dict(_IDEAL),
            "max": {"area_mm2": round(area_mm2, 3)}}  # fmt: skip
