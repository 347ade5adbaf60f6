"""Analog-to-digital conversion of partial sums, in units of one cell level times one input step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec


@dataclass(frozen=True, slots=True)
class Converter:
    """``value = step * clamp(round(p / step), low, high)`` with ``high - low + 1 = 2 ** adc_bits`` codes.

    Ties round to even. What is wrong with a real one stands in :mod:`.converter_errors`.

    Attributes:
        step: Size of a code, in levels.
        low, high: Smallest and largest code.
        largest_sum: Largest possible magnitude of a partial sum, levels.
    """

    step: float
    low: int
    high: int
    largest_sum: float

    @property
    def range_fraction(self) -> float:
        """Upper end of the range as a fraction of the largest possible partial sum."""
        return min(1.0, self.step * max(self.high, -self.low) / self.largest_sum)

    @property
    def lossless(self) -> bool:
        """Whether integer partial sums are converted without any error."""
        return self.step == 1 and self.high >= self.largest_sum

    def convert(self, partial_sums: Tensor) -> Tensor:
        """Codes of ``partial_sums``, which are overwritten."""
        return partial_sums.mul_(1 / self.step).round_().clamp_(self.low, self.high)


def converter(array: ArraySpec, rows: int, fraction: float, finest: float | None = None) -> Converter:
    """The converter whose range reaches ``fraction`` of the largest possible partial sum of ``rows`` rows.

    Partial sums are signed, since a negative side or a reference column is subtracted first; so are the codes, in two's
    complement. The range is wider where its step would be too fine.

    Args:
        array: Converter bits, and what partial sums are made of.
        rows: Rows of a block.
        fraction: Of full scale.
        finest: The smallest step as a fraction of the swing of the sums, from the most negative to the largest;
            ``None``: one level, which loses nothing of integer sums.

    Raises:
        InputError: ``fraction`` outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise InputError(f"ADC range {fraction} of full scale", "Use a fraction in (0, 1].")
    digit = min(2**array.dac_bits, 2**array.input_bits) - 1
    largest = float(rows * digit * (2**array.bits_per_cell - 1))
    low, high = -(2 ** (array.adc_bits - 1)), 2 ** (array.adc_bits - 1) - 1
    least = 1.0 if finest is None else 2.0 * finest * largest
    return Converter(max(least, fraction * largest / max(high, -low)), low, high, largest)
