"""What a design asks of its chip: layer slots as arrays, their mapping onto crossbars, the data that moves."""

from nax_bo.hardware.workload.arrays import Workload
from nax_bo.hardware.workload.slots import ABSENT, CROSSBAR, DIGITAL, DYNAMIC, dram_code, slot_names

__all__ = ["ABSENT", "CROSSBAR", "DIGITAL", "DYNAMIC", "Workload", "dram_code", "slot_names"]
