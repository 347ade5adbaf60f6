"""A memory device: electrical facts, noise models, sources. Data only; imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from nax_bo.errors import InputError
from nax_bo.hardware.chip.device_noise import (
    NONE,
    Drift,
    NoNoise,
    ProgrammingNoise,
    ReadNoise,
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
class Range:
    """Between which values sources put a field of :class:`Device`.

    Attributes:
        field: Name of the field; of a noise model, its standard deviation in percent of the conductance range.
        low, high: In the field's unit.
        source: Whose values they are, and why the row has the one it has.
    """

    field: str
    low: float
    high: float
    source: str


@dataclass(frozen=True, slots=True)
class Device:
    """One memory cell type. ``None``: the source does not give it.

    Attributes:
        name, kind: Registry name; technology.
        r_on_ohm, on_off_ratio: Lowest resistance, and highest over lowest (``inf``: cells that do not leak).
        bits_per_cell: Most bits the source stores, or deems storable, in one cell.
        read_voltage_v: Across a cell while it is read.
        read_pulse_ns: Time for which an array of such cells is driven to sum up one input pulse, conversion apart.
        write_voltage_v, write_pulse_ns, write_energy_pj: Of the slower, costlier transition.
        cell_area_f2: Cell area in units of the squared feature size of ``technology_nm``.
        technology_nm: Node at which the cell was built or sized.
        endurance_cycles, retention: Published limits; facts for reports, they do not enter the noise.
        programming, drift, read_noise: Noise models.
        stuck_on_probability, stuck_off_probability: Fraction of cells stuck at g_on / g_off.
        source, licence: Where the row comes from, and on what terms.
        assumed: Fields that the cited source does not give and that are this project's assumption.
        ranges: What other sources say of some fields.
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
    ranges: tuple[Range, ...] = ()

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
        named = {*self.assumed, *(r.field for r in self.ranges)}
        if unknown := named - {f.name for f in fields(self)}:
            raise InputError(f"{where}: assumed or ranges names {sorted(unknown)}", "Name fields of Device.")

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
    def characterised(self) -> bool:
        """Whether the row says how much cells differ from what is written into them; a search needs to know."""
        return not isinstance(self.programming, NoNoise)

    @property
    def resistive(self) -> bool:
        """Whether cells draw read current through the wires, so that IR drop applies (SRAM: no)."""
        return self.kind != "sram"
