"""Phase-change memory."""

from __future__ import annotations

from nax_bo.hardware.chip.device import Device, Range, Retention
from nax_bo.hardware.chip.device_noise import FlickerReadNoise, PolynomialNoise, PowerLawDrift
from nax_bo.hardware.chip.device_rows.common import AIHWKIT, NVMEXPLORER, STUCK, STUCK_RANGES

_PCM_POLYNOMIAL = PolynomialNoise(((0.26348, 1.9650, -1.1731),), g_max_us=25.0)

ROWS: tuple[Device, ...] = (
    Device(
        name="pcm-joshi",
        kind="pcm",
        r_on_ohm=40_000,
        on_off_ratio=100,
        bits_per_cell=4,
        read_voltage_v=0.3,
        read_pulse_ns=16.3,
        cell_area_f2=0.036e-12 / 28e-9**2,
        technology_nm=90,
        programming=_PCM_POLYNOMIAL,
        drift=PowerLawDrift(t0_s=20.0),
        read_noise=FlickerReadNoise(t_read_s=250e-9, t0_s=20.0),
        stuck_on_probability=STUCK,
        stuck_off_probability=STUCK,
        source=f"Joshi et al. 2020, doi:10.1038/s41467-020-16108-9; Nandakumar et al. ICECS 2019; {AIHWKIT}; array "
        "access: Khaddam-Aljameh et al., VLSI 2021; cell: 28 nm, doi:10.1109/IEDM.2018.8614595",
        licence="MIT",
        assumed=(
            "bits_per_cell",
            "read_voltage_v",
            "cell_area_f2",
            "stuck_on_probability",
            "stuck_off_probability",
        ),
        ranges=(
            Range(
                "read_pulse_ns",
                10,
                250,
                "an eighth of the 130 ns that a 14 nm macro takes for 8-bit inputs; low: CiMLoop's "
                "cell; high: the pulse "
                "of the noise measurement",
            ),
            Range("programming", 1.1, 4.3, "cells at 0; the worst level"),
            Range("cell_area_f2", 19, 50, "NVSim's sample cell; 40 nm 128 Mb, doi:10.1109/IEDM.2018.8614538"),
            Range("r_on_ohm", 1_000, 48_000, "NVSim's sample cell; IBM HERMES, 14 nm"),
            *STUCK_RANGES,
        ),
    ),
    Device(
        name="pcm-hermes",
        kind="pcm",
        r_on_ohm=1e6 / 20.7,
        on_off_ratio=100,
        bits_per_cell=4,
        read_voltage_v=0.2,
        read_pulse_ns=16.3,
        technology_nm=14,
        programming=PolynomialNoise(((0.16603222, 4.71806468, -8.48101252, 4.68961419),), g_max_us=20.7),
        drift=PowerLawDrift(t0_s=300.0),
        read_noise=FlickerReadNoise(t_read_s=512e-9, t0_s=300.0),
        stuck_on_probability=STUCK,
        stuck_off_probability=STUCK,
        source=f"IBM HERMES, 14 nm, two devices per conductance: {AIHWKIT}; array access: an eighth of "
        "130 ns for 8-bit "
        "inputs, Khaddam-Aljameh et al., VLSI 2021",
        licence="MIT",
        assumed=(
            "on_off_ratio",
            "bits_per_cell",
            "read_voltage_v",
            "drift",
            "read_noise",
            "stuck_on_probability",
            "stuck_off_probability",
        ),
        ranges=STUCK_RANGES,
    ),
    Device(
        name="pcm-st-28nm",
        kind="pcm",
        r_on_ohm=10_000,
        on_off_ratio=100,
        bits_per_cell=1,
        read_voltage_v=0.2,
        cell_area_f2=0.036e-12 / 28e-9**2,
        technology_nm=28,
        endurance_cycles=1e6,
        retention=Retention(3.15e8, 150),
        drift=PowerLawDrift(t0_s=20.0),
        source=f"doi:10.1109/IEDM.2018.8614595 as surveyed in {NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v", "drift"),
    ),
)
