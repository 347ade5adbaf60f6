"""Ferroelectric transistors, magnetic junctions and SRAM."""

from __future__ import annotations

import math

from nax_bo.hardware.chip.device import Device, Range, Retention
from nax_bo.hardware.chip.device_noise import RangeNoise, RelativeNoise, ResistanceNoise, StateNoise
from nax_bo.hardware.chip.device_rows.common import CIMLOOP, NVMEXPLORER, STUCK, STUCK_RANGES

_FEFET_ACCESS = Range(
    "read_pulse_ns",
    4.9,
    70,
    "assumed as of RRAM: no FeFET macro states its cycle, and both sum up currents of cells",
)
_FEFET_SPREAD = Range(
    "programming",
    0.7,
    10.3,
    "low: 500 domains, Qin et al. 2025, doi:10.1109/TCAD.2025.3591409; high: the same 4 % counted per "
    "bit of a Gray code",
)
_YEAR_S = 365.25 * 86400

ROWS: tuple[Device, ...] = (
    Device(
        name="fefet-28nm-array",
        kind="fefet",
        r_on_ohm=70_000,
        on_off_ratio=10_000,
        bits_per_cell=2,
        read_voltage_v=0.1,
        read_pulse_ns=11.1,
        write_voltage_v=3,
        write_pulse_ns=1000,
        cell_area_f2=0.025e-12 / 28e-9**2,
        technology_nm=28,
        # four even levels told apart half way between them are mistaken 1.5 Q(1 / (6 sigma)) of the time: 4 %
        programming=RangeNoise(0.086),
        stuck_on_probability=STUCK,
        stuck_off_probability=STUCK,
        source="measured array of multi-level cells, 4 % errors, doi:10.1109/IMW56887.2023.10145940; "
        "cell: Trentzsch et al. "
        f"2016, doi:10.1109/IEDM.2016.7838397; resistances and write: two rows of {NVMEXPLORER}",
        licence="MIT",
        assumed=(
            "r_on_ohm",
            "on_off_ratio",
            "read_voltage_v",
            "read_pulse_ns",
            "write_voltage_v",
            "write_pulse_ns",
            "stuck_on_probability",
            "stuck_off_probability",
        ),
        ranges=(
            _FEFET_SPREAD,
            _FEFET_ACCESS,
            Range("r_on_ohm", 70_000, 100_000, "the two rows"),
            Range("on_off_ratio", 1e4, 2.9e5, "the two rows"),
            Range("cell_area_f2", 10, 32, "survey; this cell"),
            *STUCK_RANGES,
        ),
    ),
    Device(
        name="fefet-nd",
        kind="fefet",
        r_on_ohm=70_000,
        on_off_ratio=290_000,
        bits_per_cell=2,
        read_voltage_v=0.1,
        read_pulse_ns=11.1,
        write_voltage_v=2,
        write_pulse_ns=20,
        write_energy_pj=0.0029,
        cell_area_f2=15,
        # Qin et al.: levels 0, 1/3, 2/3, 1 spread as 1 : s : s : 1, with v / sqrt(0.4 s^2 + 0.6) at the outer ones;
        # "FeFET2" is s = 2, and v = 0.01 gives 0.0067, 0.0135, 0.0135, 0.0067 of the range.
        programming=StateNoise((0.0, 1 / 3, 2 / 3, 1.0), (0.0067420, 0.0134840, 0.0134840, 0.0067420)),
        stuck_on_probability=STUCK,
        stuck_off_probability=STUCK,
        source=f"500-domain FeFET in {NVMEXPLORER}; state-dependent spread: Qin et al. 2025, "
        "doi:10.1109/TCAD.2025.3591409 (arXiv:2305.14561)",
        licence="MIT",
        assumed=("read_voltage_v", "read_pulse_ns", "stuck_on_probability", "stuck_off_probability"),
        ranges=(
            _FEFET_ACCESS,
            Range("programming", 0.7, 8.6, "this source; a measured array, row fefet-28nm-array"),
            *STUCK_RANGES,
        ),
    ),
    Device(
        name="fefet-vlsi2019",
        kind="fefet",
        r_on_ohm=100_000,
        on_off_ratio=10_000,
        bits_per_cell=1,
        read_voltage_v=0.1,
        write_voltage_v=3,
        write_pulse_ns=1000,
        cell_area_f2=10,
        technology_nm=45,
        source=f"doi:10.23919/VLSIT.2019.8776497 as surveyed in {NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v",),
    ),
    Device(
        name="stt-mram-nvsim",
        kind="stt-mram",
        r_on_ohm=3_000,
        on_off_ratio=2,
        bits_per_cell=1,
        read_voltage_v=0.25,
        read_pulse_ns=15,
        write_pulse_ns=10,
        write_energy_pj=1,
        cell_area_f2=54,
        endurance_cycles=1e10,
        retention=Retention(10 * _YEAR_S, 105),
        programming=ResistanceNoise(0.04),
        stuck_on_probability=1e-5,
        stuck_off_probability=1e-5,
        source=f"1T1MTJ sample cell in {NVMEXPLORER}; endurance and retention: 28 nm 1 Gb part, "
        "doi:10.1109/IEDM19573.2019.8993551, same survey; array access: cache-like read, "
        "doi:10.1109/VLSITechnology18217.2020.9265027, same survey",
        licence="MIT",
        assumed=("programming", "stuck_on_probability", "stuck_off_probability"),
        ranges=(
            Range("programming", 3, 10, "assumed: log-normal resistance, in percent of the resistance"),
            Range(
                "read_pulse_ns",
                2.8,
                316,
                "low: digital read, doi:10.1109/ISSCC.2018.8310393; high: the one macro that sums up "
                "currents, 128 rows "
                "with 4-bit conversion, Deaville et al., ESSCIRC 2021",
            ),
            Range("r_on_ohm", 3_000, 6_000, "this cell; others of the survey"),
            Range("stuck_on_probability", 0.0, 1e-3, "assumed: gigabit parts are sold, repaired"),
            Range("stuck_off_probability", 0.0, 1e-3, "assumed: gigabit parts are sold, repaired"),
        ),
    ),
    Device(
        name="sram-charge-domain",
        kind="sram",
        r_on_ohm=10_000,
        on_off_ratio=math.inf,
        bits_per_cell=1,
        read_voltage_v=0.85,
        read_pulse_ns=6.6,
        cell_area_f2=426,
        technology_nm=65,
        endurance_cycles=1e16,
        programming=RelativeNoise(0.066 / math.sqrt(2)),
        source=f"Jia et al. JSSC 2020, 10T1C, as modelled in {CIMLOOP}; endurance: {NVMEXPLORER}; mismatch: 6.6 % of "
        "1 fF in 28 nm, code of arXiv:2507.09776, over the root of the 2 fF of these cells; array "
        "access: the middle one of "
        "Wang VLSI 2022, Wu ISSCC 2022 and Hsieh ISSCC 2023",
        licence="MIT",
        assumed=("r_on_ohm", "on_off_ratio"),
        ranges=(
            Range("programming", 1, 6.6, "mismatch of the cells' capacitors: 45 fF to 1 fF"),
            Range(
                "read_pulse_ns",
                3.6,
                44,
                "cycles of macros at 12 to 28 nm that sum up charge or current; 64 rows: 4.2, 6.6, "
                "9.8; conversion included",
            ),
            Range("cell_area_f2", 250, 426, "6T with logic rules and a read port; this cell"),
        ),
    ),
    Device(
        name="sram-6t",
        kind="sram",
        r_on_ohm=10_000,
        on_off_ratio=math.inf,
        bits_per_cell=1,
        read_voltage_v=1.0,
        read_pulse_ns=17.6,
        cell_area_f2=146,
        endurance_cycles=1e16,
        source=f"6T cell in {NVMEXPLORER}; array access: summed currents, Ueyoshi et al., ISSCC 2022",
        licence="MIT",
        assumed=("r_on_ohm", "on_off_ratio", "read_voltage_v"),
        ranges=(
            Range(
                "read_pulse_ns",
                4.2,
                44,
                "cycles of macros at 22 to 28 nm that sum up current: 4.2, 4.3 (16 rows), 17.6, 20.8, 44.4",
            ),
            Range("cell_area_f2", 146, 250, "this cell; with logic rules"),
        ),
    ),
)
