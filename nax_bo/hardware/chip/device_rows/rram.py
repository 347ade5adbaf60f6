"""Resistive RAM."""

from __future__ import annotations

from nax_bo.hardware.chip.device import Device, Range, Retention
from nax_bo.hardware.chip.device_noise import (
    LogConductanceReadNoise,
    LogTimeDrift,
    PolynomialNoise,
    RangeNoise,
)
from nax_bo.hardware.chip.device_rows.common import AIHWKIT, CIMLOOP, NVMEXPLORER, STUCK, STUCK_RANGES

_RRAM_ACCESS = Range(
    "read_pulse_ns",
    4.9,
    70,
    "cycles of current-summing RRAM macros at 22 to 40 nm with one input bit: Xue ISSCC 2021 4.9 (4 "
    "rows) and ISSCC 2020 "
    "9.8, Spetalnick VLSI 2023 11.1 (64 rows, the most: taken) and ISSCC 2022 15.6, Li CICC 2021 70; "
    "conversion included",
)

ROWS: tuple[Device, ...] = (
    Device(
        name="rram-neurram",
        kind="rram",
        r_on_ohm=25_000,
        on_off_ratio=40,
        bits_per_cell=4,
        read_voltage_v=0.5,
        read_pulse_ns=11.1,
        write_voltage_v=1.75,
        write_pulse_ns=8520,
        cell_area_f2=125.7,
        technology_nm=130,
        programming=PolynomialNoise(
            (
                (0.348, 16.030, -43.853, 45.393, -16.815),
                (0.701, 22.086, -50.773, 47.095, -16.458),
                (0.782, 20.274, -43.507, 37.062, -11.934),
            ),
            g_max_us=40.0,
            times_s=(1.0, 86_400.0, 172_800.0),
            least_us=(1.053, 0.2374 * 40, -1.167e-2 * 40**2, 1.536e-4 * 40**3),
        ),
        read_noise=RangeNoise(0.01),
        stuck_on_probability=STUCK,
        stuck_off_probability=STUCK,
        source=f"Wan et al. 2022, doi:10.1038/s41586-022-04992-8; polynomials and 1 % read noise: {AIHWKIT}; "
        f"another fit at 1 s: github.com/sandialabs/cross-sim@0a2eb1e RRAM_Wan (BSD-3-Clause); cell: {CIMLOOP}; "
        "array access: Spetalnick et al., VLSI 2023",
        licence="MIT",
        assumed=("bits_per_cell", "stuck_on_probability", "stuck_off_probability"),
        ranges=(
            _RRAM_ACCESS,
            Range(
                "programming",
                2.6,
                9.2,
                "low: cells at 0; high: the worst level after two days; 2.3 uS of 40 at 1 s",
            ),
            Range("read_noise", 0.5, 5.0, "assumed"),
            Range("r_on_ohm", 2_000, 200_000, "ISAAC's cell; TSMC 16 nm, doi:10.1109/IEDM.2015.7409670"),
            Range("cell_area_f2", 48, 126, "1T1R of NeuroSim-type estimates; this array"),
            *STUCK_RANGES,
        ),
    ),
    Device(
        name="rram-milo",
        kind="rram",
        r_on_ohm=1e6 / 225,
        on_off_ratio=4.5,
        bits_per_cell=4,
        read_voltage_v=0.5,
        programming=PolynomialNoise(((4.782321, -0.009107 * 225),), g_max_us=225.0),
        source="Milo et al. 2021 (HfO2, IGVVA-100), 50 to 225 uS: github.com/sandialabs/cross-sim@0a2eb1e RRAM_Milo",
        licence="BSD-3-Clause",
        assumed=("bits_per_cell",),
    ),
    Device(
        name="rram-cmo",
        kind="rram",
        r_on_ohm=1e6 / 90,
        on_off_ratio=10,
        bits_per_cell=5,
        read_voltage_v=0.2,
        programming=PolynomialNoise(((0.01121854, 0.01129027 * 90),), g_max_us=90.0),
        drift=LogTimeDrift(mean_us=-0.08900206, std_us=(0.04201137, 0.41183342), g_max_us=90.0),
        read_noise=LogConductanceReadNoise(k_us=0.0277316, t_read_s=1e-6),
        source=f"CMO/HfOx ReRAM, 9 to 90 uS, 2 % acceptance: {AIHWKIT}; over 32 states: arXiv:2502.04524",
        licence="MIT",
        assumed=("read_voltage_v",),
    ),
    Device(
        name="rram-isaac",
        kind="rram",
        r_on_ohm=2_000,
        on_off_ratio=1000,
        bits_per_cell=2,
        read_voltage_v=0.2,
        read_pulse_ns=100,
        write_voltage_v=2,
        write_pulse_ns=40,
        cell_area_f2=4,
        technology_nm=32,
        source="ISAAC, Shafiee et al. 2016, doi:10.1109/ISCA.2016.12 (array, 2 bits, 100 ns); resistances: "
        "github.com/sandialabs/cross-sim@0a2eb1e configs/ISAAC.json",
        licence="BSD-3-Clause",
        assumed=("read_voltage_v", "write_voltage_v", "write_pulse_ns"),
    ),
    Device(
        name="rram-intel-22ffl",
        kind="rram",
        r_on_ohm=7_000,
        on_off_ratio=30 / 7,
        bits_per_cell=1,
        read_voltage_v=0.2,
        cell_area_f2=0.0486e-12 / 22e-9**2,
        technology_nm=22,
        endurance_cycles=1e4,
        retention=Retention(3.15e8, 85),
        source=f"doi:10.23919/VLSIT.2019.8776570 as surveyed in {NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v",),
    ),
    Device(
        name="rram-tsmc-16nm",
        kind="rram",
        r_on_ohm=200_000,
        on_off_ratio=20,
        bits_per_cell=1,
        read_voltage_v=0.2,
        write_voltage_v=2.3,
        write_pulse_ns=1000,
        cell_area_f2=0.07632e-12 / 16e-9**2,
        technology_nm=16,
        endurance_cycles=1e6,
        retention=Retention(3.63e6, 150),
        source=f"doi:10.1109/IEDM.2015.7409670 as surveyed in {NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v",),
    ),
    Device(
        name="nax-geniex",
        kind="rram",
        r_on_ohm=100_000,
        on_off_ratio=6,
        bits_per_cell=2,
        read_voltage_v=0.25,
        source="constants of the functional simulator behind NAX (arXiv:2106.12125) and GENIEx (arXiv:2003.06902), "
        "github.com/Aayush-Ankit/puma-functional-model; its non-ideality is IR drop alone",
        licence="published facts",
        assumed=("bits_per_cell",),
    ),
    Device(
        name="nacim-gaussian",
        kind="rram",
        r_on_ohm=25_000,
        on_off_ratio=40,
        bits_per_cell=2,
        read_voltage_v=0.5,
        programming=RangeNoise(0.1),
        source="Gaussian device variation as in NACIM (doi:10.1109/TC.2020.2991575, its sigma is not public); 0.1 is "
        "the default of the same group's SWIM; electrical values of rram-neurram",
        licence="published facts",
        assumed=("r_on_ohm", "on_off_ratio", "bits_per_cell", "read_voltage_v", "programming"),
    ),
)
