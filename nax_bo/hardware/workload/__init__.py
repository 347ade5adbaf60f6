"""What a design asks of its chip: layer slots as arrays, their mapping onto crossbars, the data that moves."""

from nax_bo.hardware.workload.arrays import Workload
from nax_bo.hardware.workload.geometry import ABSENT, CROSSBAR, DIGITAL, DYNAMIC, slot_names
from nax_bo.hardware.workload.many import on_chips, workload_of
from nax_bo.hardware.workload.slots import dram_code

__all__ = [
    "ABSENT",
    "CROSSBAR",
    "DIGITAL",
    "DYNAMIC",
    "Workload",
    "dram_code",
    "on_chips",
    "slot_names",
    "workload_of",
]
