"""What becomes of one layer on the chip, in numbers: slices, streams, clipping, and an error budget by source."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic.adaptive import sampled_sums
from nax_bo.crossbar.physics.cells import nominal_cells, program_cells
from nax_bo.hardware.chip import Conditions
from nax_bo.hardware.chip.effects import acting

if TYPE_CHECKING:
    from nax_bo.crossbar.layers import CrossbarLayer


@dataclass(frozen=True)
class Explanation:
    """How a layer runs on its arrays.

    Attributes:
        layer: Name.
        facts: What was sliced, streamed, converted and clipped.
        error_budget: Root mean square error of the layer's output by source, relative to the root mean square of its
            unquantised output. ``quantisation``: of weights and inputs. ``adc``: added by converters with cells as
            intended. Every effect of :func:`~nax_bo.hardware.chip.effects.acting`, and no other: added when it alone is
            switched on; ``drift`` with its compensation, programming and read noise at the time of reading; offset,
            gain and curvature of converters beside their noise, which keeps small ones from being rounded away, as the
            difference of squares. ``total``: of all together. Sources interact, so that they do not add up exactly.
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
    facts: dict[str, Any] = {
        "digital": layer.hardware.digital,
        "matrix_rows": geometry.rows,
        "matrix_cols": geometry.cols,
        "groups": geometry.groups,
        "signed_inputs": inputs.signed,
        "input_step": inputs.scale,
        "inputs_clipped": inputs.clipped(x),
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

    found = acting(layer.hardware.device, conditions, layer.hardware.array)
    nominal = _read(layer, x, _only(conditions, None), seed)
    aged = _read(layer, x, _only(conditions, "drift"), seed) if "drift" in found else nominal
    budget["adc"] = error(nominal, ideal)
    noisy = (
        _read(layer, x, _only(conditions, "converter_noise"), seed) if "converter_noise" in found else nominal
    )
    for effect in found:
        if effect in _CURVE:
            both = error(_read(layer, x, _only(conditions, effect), seed), nominal)
            budget[effect] = math.sqrt(max(0.0, both**2 - error(noisy, nominal) ** 2))
        elif effect == "drift":
            budget[effect] = error(aged, nominal)
        else:
            alone = noisy if effect == "converter_noise" else _read(layer, x, _only(conditions, effect), seed)
            budget[effect] = error(alone, aged if effect in _AGED else nominal)
    return budget | {"total": error(_read(layer, x, conditions, seed), true)}


_AGED = ("programming_noise", "read_noise")
"""Effects that depend on time, and are seen beside the drift until then."""

_CURVE = {
    "converter_offset": "converter_offset_lsb",
    "converter_gain": "converter_gain_error",
    "converter_inl": "converter_inl_lsb",
}
"""What bends converters' curves, and its field of :class:`Conditions`."""


def _only(conditions: Conditions, effect: str | None) -> Conditions:
    """``conditions`` with one effect switched on; what bends curves, beside the converters' noise."""
    changes: dict[str, Any] = {
        name: name == effect for name in ("programming_noise", "read_noise", "faults", "ir_drop")
    }
    changes |= {field: 0.0 for name, field in _CURVE.items() if name != effect}
    changes["time_s"] = conditions.time_s if effect == "drift" or effect in _AGED else 0.0
    changes["converter_errors"] = effect in _CURVE or effect == "converter_noise"
    return replace(conditions, **changes)


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
    errors = layer.converter_errors(conditions, generator)
    arrays = layer.arrays_of(cells, 0, errors)
    bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
    y = arrays.read(layer.input_image(x), scale * arrays.inputs.scale, bias, generator)
    return layer.from_image(y, x)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
