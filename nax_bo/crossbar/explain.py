"""What becomes of one layer on the chip, in numbers: slices, streams, clipping, and an error budget by source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic.adaptive import sampled_sums
from nax_bo.crossbar.physics.cells import nominal_cells, program_cells
from nax_bo.hardware.chip import Conditions

if TYPE_CHECKING:
    from nax_bo.crossbar.layers import CrossbarLayer

_EFFECTS = ("programming_noise", "faults", "ir_drop", "read_noise")


@dataclass(frozen=True)
class Explanation:
    """How a layer runs on its arrays.

    Attributes:
        layer: Name.
        facts: What was sliced, streamed, converted and clipped.
        error_budget: Root mean square error of the layer's output by source, relative to the root mean square of its
            unquantised output. ``quantisation``: of weights and inputs. ``adc``: added by converters with cells as
            intended. Each device effect: added when it alone is switched on; ``drift`` with its compensation,
            ``read_noise`` at the time of reading. ``total``: of all together. Sources interact, so that they do not
            add up exactly.
    """

    layer: str
    facts: dict[str, Any]
    error_budget: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self)

    def table(self) -> str:
        """Text for people."""
        facts = [f"  {key.replace('_', ' '):28s}{_text(value)}" for key, value in self.facts.items()]
        budget = [
            f"  {key.replace('_', ' '):28s}{100 * value:.3g} %" for key, value in self.error_budget.items()
        ]
        return "\n".join((f"layer {self.layer}", *facts, "error, relative to the output", *budget))


def explain(layer: CrossbarLayer, x: Tensor, conditions: Conditions, seed: int) -> Explanation:
    """Explain ``layer`` on inputs ``x``, for a chip programmed with ``seed`` under ``conditions``.

    Raises:
        InputError: The layer has not been calibrated, or has NaN weights.
    """
    with torch.no_grad():
        return Explanation(layer.name, _facts(layer, x), _budget(layer, x, conditions, seed))


def _facts(layer: CrossbarLayer, x: Tensor) -> dict[str, Any]:
    array, geometry, inputs = layer.hardware.array, layer.geometry, layer.calibrated_range()
    limit = inputs.scale * (inputs.high + 0.5)
    facts: dict[str, Any] = {
        "digital": layer.hardware.digital,
        "matrix_rows": geometry.rows,
        "matrix_cols": geometry.cols,
        "groups": geometry.groups,
        "signed_inputs": inputs.signed,
        "input_step": inputs.scale,
        "inputs_clipped": float((x.abs() > limit).float().mean()),
    }
    if layer.hardware.digital or layer.converter is None:
        return facts
    matrix = geometry.matrix(layer.codes()[0])
    arrays = layer.arrays_of(nominal_cells(matrix, array), 0)
    adc = layer.converter
    sums = torch.cat([s.flatten() for s in sampled_sums(layer.input_image(x), arrays)])
    codes = (sums / adc.step).round()
    return facts | {
        "row_blocks": len(geometry.blocks.sizes),
        "encoding": array.encoding,
        "slices": array.slices,
        "streams": array.streams,
        "cells_used": float((arrays.levels != 0).float().mean()),
        "adc_levels": 2**array.adc_bits,
        "adc_step_in_cell_levels": adc.step,
        "adc_range_of_full_scale": adc.range_fraction,
        "adc_lossless": adc.lossless,
        "partial_sums_clipped": float(((codes < adc.low) | (codes > adc.high)).float().mean()),
        "partial_sums_lost_in_first_step": float(((codes == 0) & (sums != 0)).float().mean()),
    }


def _budget(layer: CrossbarLayer, x: Tensor, conditions: Conditions, seed: int) -> dict[str, float]:
    true = layer.linear(x, layer.weight, layer.bias)
    size = float(true.square().mean().sqrt())
    if size == 0:
        size = 1.0
    ideal = layer.read_ideal(x)

    def error(a: Tensor, b: Tensor) -> float:
        return float((a - b).square().mean().sqrt()) / size

    budget = {"quantisation": error(ideal, true)}
    if layer.hardware.digital:
        return budget | {"total": budget["quantisation"]}

    def read(effect: str | None, time_s: float) -> Tensor:
        only = {name: name == effect and getattr(conditions, name) for name in _EFFECTS}
        return _read(layer, x, replace(conditions, **only, time_s=time_s), seed)

    nominal, aged = read(None, 0.0), read(None, conditions.time_s)
    budget["adc"] = error(nominal, ideal)
    for effect in ("programming_noise", "faults", "ir_drop"):
        budget[effect] = error(read(effect, 0.0), nominal)
    budget["drift"] = error(aged, nominal)
    budget["read_noise"] = error(read("read_noise", conditions.time_s), aged)
    return budget | {"total": error(_read(layer, x, conditions, seed), true)}


def _read(layer: CrossbarLayer, x: Tensor, conditions: Conditions, seed: int) -> Tensor:
    h, geometry = layer.hardware, layer.geometry
    generator = Generator("cpu").manual_seed(seed)
    codes, scale = layer.codes()
    cells = program_cells(
        geometry.matrix(codes),
        h.array,
        h.device,
        h.wire,
        blocks=geometry.blocks.sizes,
        conditions=conditions,
        generators=[generator],
    )
    arrays = layer.arrays_of(cells, 0)
    bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
    y = arrays.read(layer.input_image(x), scale * arrays.inputs.scale, bias, generator)
    return layer.from_image(y, x)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
