"""Cells: energy of one cell per read, area, read pulse and write, per device of a workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nax_bo.hardware.chip.devices import DEVICES, Device, device
from nax_bo.hardware.profiles import Profile
from nax_bo.hardware.tables import Floats


@dataclass(frozen=True, slots=True)
class CellTable:
    """Prices of the cells of D devices.

    Attributes:
        read_pj: Mean energy of a cell per input pulse; 2 D, ``device * 2 + offset``: resistive cells.
        charge_ff: Capacitance charged to the supply per pulse, mean; D: SRAM cells.
        area_f2: Area in squared feature sizes of the node of the chip; D.
        read_pulse_ns, write_pulse_ns, write_pj, leakage_pw: D; only SRAM cells leak.
    """

    read_pj: Floats
    charge_ff: Floats
    area_f2: Floats
    read_pulse_ns: Floats
    write_pulse_ns: Floats
    write_pj: Floats
    leakage_pw: Floats


def cell_table(profile: Profile, devices: tuple[str, ...], rows: Mapping[str, Device] = DEVICES) -> CellTable:
    """Prices of the named devices, with the facts in ``rows``; raises InputError for an unknown one."""
    columns = np.array([_cell(profile, rows[device(name).name]) for name in devices]).T
    return CellTable(columns[:2].T.ravel(), *columns[2:])


def _cell(profile: Profile, cell: Device) -> tuple[float, ...]:
    """Columns of :class:`CellTable` for one device; read energy of differential, then of offset encoding.

    A resistive cell takes ``V^2 G t`` per pulse, an SRAM cell ``C V^2``, averaged over inputs and weights.
    """
    density = profile["array.input_density"]
    area_f2 = cell.cell_area_f2 or profile["array.cell_area_f2"]
    if cell.kind == "sram":
        charge_ff, pulse_ns = density * profile["array.sram_cell_ff"], profile["array.sram_pulse_ns"]
        leakage_pw, read_ns = profile["array.sram_leakage_pw"], cell.read_pulse_ns or pulse_ns
        return 0.0, 0.0, charge_ff, area_f2, read_ns, pulse_ns, charge_ff * 1e-3, leakage_pw
    pulse_ns = cell.read_pulse_ns or profile["array.read_pulse_ns"]
    write_ns = cell.write_pulse_ns or profile["array.write_pulse_ns"]
    write_pj = cell.write_energy_pj or _write_pj(cell, write_ns) or profile["array.write_energy_pj"]
    volt2 = (cell.read_voltage_v * profile["array.read_voltage_scale"]) ** 2
    paired, offset = (
        volt2 * (cell.g_off_s + (cell.g_on_s - cell.g_off_s) * level) * pulse_ns * density * 1e3  # W ns -> pJ
        for level in (profile["array.level_mean"], profile["array.level_mean_offset"])
    )
    return paired, offset, 0.0, area_f2, pulse_ns, write_ns, write_pj, 0.0


def _write_pj(cell: Device, write_ns: float) -> float:
    """``V^2 G t`` at the mean of both states; 0 where the device names no voltage."""
    mean_s = 0.5 * (cell.g_on_s + cell.g_off_s)
    return (cell.write_voltage_v or 0.0) ** 2 * mean_s * write_ns * 1e3
