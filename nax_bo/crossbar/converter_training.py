"""Converters in the training loop: each row block's sum of whole weights is rounded and clipped, straight through.

The chip converts every slice and stream apart; here one conversion per row block, in code units, with as many levels,
stands for them, so that a step costs one product per row block. Read noise and IR drop stay outside.

No gain was measured: a small network on scikit-learn's digits, 2 to 4 converter bits, three seeds each, was at exact
read-out within three points of the same network trained without, above or below. Compare both before relying on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.quantise import InputRange, largest_code
from nax_bo.hardware.chip import ArraySpec

_EAGER_STEPS = 8
_FIT_EVERY = 16


@dataclass
class SumRange:
    """Range of a layer's converters while it is trained, in code units: input step times weight step.

    Attributes:
        present: Present range; a step is at least one code unit, because sums of codes are integers.
        steps: Training steps so far.
    """

    present: InputRange | None = None
    steps: int = 0

    def convert(self, sums: list[Tensor], array: ArraySpec, rows: int, inputs: InputRange) -> list[Tensor]:
        """Converted sums of the blocks; the gradient passes where a sum is not clipped.

        A calibrated range is the one of least squared error on the sums. It is fitted anew at each of the first steps
        and then at every 16th, and moves half way to the new fit.

        Args:
            sums: Partial sums of each block, in code units.
            array: Converter bits and range.
            rows: Rows of the largest block.
            inputs: Input quantisation.
        """
        if array.adc_range != "calibrated":
            largest = rows * max(inputs.high, -inputs.low) * largest_code(array.weight_bits)
            reach = float(array.adc_range) * largest
            self.present = _with_step(reach / max(1, 2 ** (array.adc_bits - 1) - 1), array)
        elif self.present is None or self.steps < _EAGER_STEPS or self.steps % _FIT_EVERY == 0:
            found = InputRange.fitted(torch.cat([s.detach().flatten() for s in sums]), array.adc_bits)
            step = found.scale * found.high / max(1, 2 ** (array.adc_bits - 1) - 1)
            before = self.present
            self.present = _with_step(step if before is None else 0.5 * (before.scale + step), array)
        self.steps += 1
        return [self.present.quantised(s) for s in sums]


def _with_step(step: float, array: ArraySpec) -> InputRange:
    half = int(2 ** (array.adc_bits - 1))
    return InputRange(max(1.0, step), -half, half - 1)


def converted_product(
    image: Tensor,
    weight: Tensor,
    unit: Tensor,
    geometry: Geometry,
    array: ArraySpec,
    inputs: InputRange,
    found: SumRange,
) -> Tensor:
    """Output image of a layer whose row blocks are converted one by one and then summed.

    Args:
        image: ``batch x channels x height x width`` quantised input values.
        weight: ``out x ...`` weights as on the chip.
        unit: ``out``: output value of one code unit.
        geometry: How vectors and products lie.
        array: Converter bits and range.
        inputs: Input quantisation.
        found: Range of the converters; follows the sums.
    """
    blocks = list(geometry.blocks.sizes)
    columns = unit.reshape(geometry.groups, 1, geometry.cols)
    # scaled before the product: the product then is in code units without another pass over it
    matrix = geometry.matrix(weight) / columns
    patches = torch.split(geometry.patches(image), blocks, 2)
    sums = [torch.bmm(x, w) for x, w in zip(patches, torch.split(matrix, blocks, 1), strict=True)]
    converted = found.convert(sums, array, max(blocks), inputs)
    return geometry.assemble(torch.stack(converted).sum(0) * columns, image)
