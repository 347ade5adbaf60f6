"""Memory devices that hold weights: electrical facts, noise models, sources. Data only; imports nothing heavy.

Published numbers of one technology differ by 100x in resistance and on/off ratio: every row is one publication or one
openly licensed file, never an average. Rows of NeuroSim (non-commercial) and MNSIM (no licence) are not shipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware.chip.device_noise import (
    NONE,
    Drift,
    FlickerReadNoise,
    LogConductanceReadNoise,
    LogTimeDrift,
    PolynomialNoise,
    PowerLawDrift,
    ProgrammingNoise,
    RangeNoise,
    ReadNoise,
    RelativeNoise,
    ResistanceNoise,
    StateNoise,
)

DeviceKind = Literal["rram", "pcm", "fefet", "stt-mram", "sram"]
_KINDS = ("rram", "pcm", "fefet", "stt-mram", "sram")
_BOLTZMANN_EV_PER_K = 8.617333262e-5  # CODATA 2018


@dataclass(frozen=True, slots=True)
class Retention:
    """Data retention as published: ``seconds`` at ``celsius``."""

    seconds: float
    celsius: float

    def at_celsius(self, celsius: float, activation_energy_ev: float) -> float:
        """Retention in seconds at another temperature, by Arrhenius' law with an activation energy of your choice.

        Raises:
            InputError: Temperature at or below absolute zero, or activation energy not positive.
        """
        if celsius <= -273.15 or activation_energy_ev <= 0:
            raise InputError(
                f"retention at {celsius} C with activation energy {activation_energy_ev} eV",
                "Use a temperature above -273.15 C and a positive activation energy (retention losses: about 1 eV).",
            )
        inverse_kelvin = 1 / (celsius + 273.15) - 1 / (self.celsius + 273.15)
        return self.seconds * math.exp(activation_energy_ev / _BOLTZMANN_EV_PER_K * inverse_kelvin)


@dataclass(frozen=True, slots=True)
class Device:
    """One memory cell type. ``None``: the source does not give it.

    Attributes:
        name, kind: Registry name; technology.
        r_on_ohm, on_off_ratio: Lowest resistance, and highest over lowest (``inf``: cells that do not leak).
        bits_per_cell: Most bits the source stores, or deems storable, in one cell.
        read_voltage_v, read_pulse_ns: Read condition.
        write_voltage_v, write_pulse_ns, write_energy_pj: Of the slower, costlier transition.
        cell_area_f2: Cell area in units of the squared feature size of ``technology_nm``.
        technology_nm: Node at which the cell was built or sized.
        endurance_cycles, retention: Published limits; facts for reports, they do not enter the noise.
        programming, drift, read_noise: Noise models.
        stuck_on_probability, stuck_off_probability: Fraction of cells stuck at g_on / g_off.
        source, licence: Where the row comes from, and on what terms.
        assumed: Fields that the cited source does not give and that are this project's assumption.
    """

    name: str
    kind: DeviceKind
    r_on_ohm: float
    on_off_ratio: float
    bits_per_cell: int
    read_voltage_v: float
    source: str
    licence: str
    read_pulse_ns: float | None = None
    write_voltage_v: float | None = None
    write_pulse_ns: float | None = None
    write_energy_pj: float | None = None
    cell_area_f2: float | None = None
    technology_nm: float | None = None
    endurance_cycles: float | None = None
    retention: Retention | None = None
    programming: ProgrammingNoise = NONE
    drift: Drift = NONE
    read_noise: ReadNoise = NONE
    stuck_on_probability: float = 0.0
    stuck_off_probability: float = 0.0
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"device {self.name!r}"
        if self.kind not in _KINDS:
            raise InputError(f"{where}: kind = {self.kind!r}", f"Use one of {', '.join(_KINDS)}.")
        if not (math.isfinite(self.r_on_ohm) and self.r_on_ohm > 0):
            raise InputError(f"{where}: r_on_ohm = {self.r_on_ohm}", "Give a positive resistance in ohm.")
        if not self.on_off_ratio > 1:
            raise InputError(f"{where}: on_off_ratio = {self.on_off_ratio}", "Give R_off / R_on > 1, or inf.")
        if self.bits_per_cell < 1:
            raise InputError(
                f"{where}: bits_per_cell = {self.bits_per_cell}", "A cell stores at least one bit."
            )
        p_on, p_off = self.stuck_on_probability, self.stuck_off_probability
        if not (p_on >= 0 and p_off >= 0 and p_on + p_off <= 1):
            raise InputError(
                f"{where}: stuck_on_probability = {p_on}, stuck_off_probability = {p_off}",
                "Both are fractions of the cells; together at most 1.",
            )
        if unknown := set(self.assumed) - {f.name for f in fields(self)}:
            raise InputError(f"{where}: assumed names {sorted(unknown)}", "Name fields of Device.")

    @property
    def r_off_ohm(self) -> float:
        """Highest resistance."""
        return self.r_on_ohm * self.on_off_ratio

    @property
    def g_on_s(self) -> float:
        """Largest conductance, siemens."""
        return 1.0 / self.r_on_ohm

    @property
    def g_off_s(self) -> float:
        """Smallest conductance, siemens."""
        return 1.0 / self.r_off_ohm

    @property
    def resistive(self) -> bool:
        """Whether cells draw read current through the wires, so that IR drop applies (SRAM: no)."""
        return self.kind != "sram"


def with_variation(base: Device, sigma: float, form: Literal["range", "relative"] = "range") -> Device:
    """``base`` with Gaussian variation instead of its own programming noise.

    Args:
        base: Any device.
        sigma: Standard deviation as a fraction of the conductance range (``form="range"``: the additive form of NACIM
            and SWIM) or of each conductance (``form="relative"``: the form of DNN+NeuroSim).
        form: Which of the two.

    Raises:
        InputError: Negative or non-finite sigma, or unknown form.
    """
    if not (math.isfinite(sigma) and sigma >= 0):
        raise InputError(f"variation sigma = {sigma}", "Give a fraction >= 0, such as 0.1.")
    models: dict[str, type[RangeNoise] | type[RelativeNoise]] = {
        "range": RangeNoise,
        "relative": RelativeNoise,
    }
    if form not in models:
        raise InputError(f"variation form {form!r}", "Use 'range' or 'relative'.")
    noise = models[form](sigma) if sigma else NONE
    return replace(base, programming=noise, assumed=tuple(sorted({*base.assumed, "programming"})))


_MIT_AIHWKIT = "github.com/IBM/aihwkit@4545f11 inference/noise"
_MIT_NVMEXPLORER = "github.com/lpentecost/NVMExplorer@16eb289 (arXiv:2109.01188)"
_MIT_CIMLOOP = "github.com/mit-emze/cimloop@d6e1390 models/memory_cells"
_PCM_POLYNOMIAL = PolynomialNoise(((0.26348, 1.9650, -1.1731),), g_max_us=25.0)
_YEAR_S = 365.25 * 86400

_ROWS: tuple[Device, ...] = (
    Device(
        name="rram-neurram",
        kind="rram",
        r_on_ohm=25_000,
        on_off_ratio=40,
        bits_per_cell=4,
        read_voltage_v=0.5,
        read_pulse_ns=10,
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
        ),
        read_noise=RangeNoise(0.01),
        source=f"Wan et al. 2022, doi:10.1038/s41586-022-04992-8; polynomials and 1 % read noise: {_MIT_AIHWKIT}; "
        f"cell: {_MIT_CIMLOOP}",
        licence="MIT",
        assumed=("bits_per_cell",),
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
        source=f"CMO/HfOx ReRAM, 9 to 90 uS, 2 % acceptance: {_MIT_AIHWKIT}; over 32 states: arXiv:2502.04524",
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
        source=f"doi:10.23919/VLSIT.2019.8776570 as surveyed in {_MIT_NVMEXPLORER}",
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
        source=f"doi:10.1109/IEDM.2015.7409670 as surveyed in {_MIT_NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v",),
    ),
    Device(
        name="pcm-joshi",
        kind="pcm",
        r_on_ohm=40_000,
        on_off_ratio=100,
        bits_per_cell=4,
        read_voltage_v=0.3,
        read_pulse_ns=250,
        cell_area_f2=25,
        technology_nm=90,
        programming=_PCM_POLYNOMIAL,
        drift=PowerLawDrift(t0_s=20.0),
        read_noise=FlickerReadNoise(t_read_s=250e-9, t0_s=20.0),
        source=f"Joshi et al. 2020, doi:10.1038/s41467-020-16108-9; Nandakumar et al. ICECS 2019; {_MIT_AIHWKIT}",
        licence="MIT",
        assumed=("bits_per_cell", "read_voltage_v", "cell_area_f2"),
    ),
    Device(
        name="pcm-hermes",
        kind="pcm",
        r_on_ohm=1e6 / 20.7,
        on_off_ratio=100,
        bits_per_cell=4,
        read_voltage_v=0.2,
        read_pulse_ns=512,
        technology_nm=14,
        programming=PolynomialNoise(((0.16603222, 4.71806468, -8.48101252, 4.68961419),), g_max_us=20.7),
        drift=PowerLawDrift(t0_s=300.0),
        read_noise=FlickerReadNoise(t_read_s=512e-9, t0_s=300.0),
        source=f"IBM HERMES, 14 nm, two devices per conductance: {_MIT_AIHWKIT}",
        licence="MIT",
        assumed=("on_off_ratio", "bits_per_cell", "read_voltage_v", "drift", "read_noise"),
    ),
    Device(
        name="pcm-st-28nm",
        kind="pcm",
        r_on_ohm=10_000,
        on_off_ratio=100,
        bits_per_cell=1,
        read_voltage_v=0.2,
        cell_area_f2=25,
        technology_nm=28,
        endurance_cycles=1e6,
        retention=Retention(3.15e8, 150),
        drift=PowerLawDrift(t0_s=20.0),
        source=f"doi:10.1109/IEDM.2018.8614595 as surveyed in {_MIT_NVMEXPLORER}",
        licence="MIT",
        assumed=("read_voltage_v", "drift"),
    ),
    Device(
        name="fefet-nd",
        kind="fefet",
        r_on_ohm=70_000,
        on_off_ratio=290_000,
        bits_per_cell=2,
        read_voltage_v=0.1,
        write_voltage_v=2,
        write_pulse_ns=20,
        write_energy_pj=0.0029,
        cell_area_f2=15,
        # Qin et al.: levels 0, 1/3, 2/3, 1 spread as 1 : s : s : 1, with v / sqrt(0.4 s^2 + 0.6) at the outer ones;
        # "FeFET2" is s = 2, and v = 0.01 gives 0.0067, 0.0135, 0.0135, 0.0067 of the range.
        programming=StateNoise((0.0, 1 / 3, 2 / 3, 1.0), (0.0067420, 0.0134840, 0.0134840, 0.0067420)),
        source=f"500-domain FeFET in {_MIT_NVMEXPLORER}; state-dependent spread: Qin et al. 2025, "
        "doi:10.1109/TCAD.2025.3591409 (arXiv:2305.14561)",
        licence="MIT",
        assumed=("read_voltage_v",),
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
        source=f"doi:10.23919/VLSIT.2019.8776497 as surveyed in {_MIT_NVMEXPLORER}",
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
        write_pulse_ns=10,
        write_energy_pj=1,
        cell_area_f2=54,
        endurance_cycles=1e10,
        retention=Retention(10 * _YEAR_S, 105),
        programming=ResistanceNoise(0.04),
        source=f"1T1MTJ sample cell in {_MIT_NVMEXPLORER}; endurance and retention: 28 nm 1 Gb part, "
        "doi:10.1109/IEDM19573.2019.8993551, same survey",
        licence="MIT",
        assumed=("programming",),
    ),
    Device(
        name="sram-charge-domain",
        kind="sram",
        r_on_ohm=10_000,
        on_off_ratio=math.inf,
        bits_per_cell=1,
        read_voltage_v=0.85,
        cell_area_f2=426,
        technology_nm=65,
        endurance_cycles=1e16,
        source=f"Jia et al. JSSC 2020, 10T1C, as modelled in {_MIT_CIMLOOP}; endurance: {_MIT_NVMEXPLORER}",
        licence="MIT",
        assumed=("r_on_ohm", "on_off_ratio"),
    ),
    Device(
        name="sram-6t",
        kind="sram",
        r_on_ohm=10_000,
        on_off_ratio=math.inf,
        bits_per_cell=1,
        read_voltage_v=1.0,
        cell_area_f2=146,
        endurance_cycles=1e16,
        source=f"6T cell in {_MIT_NVMEXPLORER}",
        licence="MIT",
        assumed=("r_on_ohm", "on_off_ratio", "read_voltage_v"),
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

_ALIASES = {
    "rram": "rram-neurram",
    "pcm": "pcm-joshi",
    "fefet": "fefet-nd",
    "stt-mram": "stt-mram-nvsim",
    "sram": "sram-charge-domain",
}
_BY_NAME = {row.name: row for row in _ROWS}

DEVICES: Mapping[str, Device] = MappingProxyType(_BY_NAME | {a: _BY_NAME[row] for a, row in _ALIASES.items()})
"""Every shipped device by name; the names in :data:`_ALIASES` stand for one well-cited row of each technology."""


def device(name: str) -> Device:
    """The shipped device called ``name``.

    Raises:
        InputError: No such device; the hint lists the known names.
    """
    try:
        return DEVICES[name]
    except KeyError:
        raise InputError(f"unknown device {name!r}", f"Known devices: {', '.join(DEVICES)}.") from None
