"""What a chip is: its settings, the memory devices it may use, and technology nodes."""

from nax_bo.hardware.chip.plan import ChipPlan
from nax_bo.hardware.chip.spec import AdcType, ArraySpec, ChipSpec, Conditions, WeightMapping

__all__ = ["AdcType", "ArraySpec", "ChipPlan", "ChipSpec", "Conditions", "WeightMapping"]
