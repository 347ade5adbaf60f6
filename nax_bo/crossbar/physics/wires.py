"""Resistance of array wires from their geometry: copper with size-dependent resistivity.

Resistivity after Steinhögl et al., Phys. Rev. B 66, 075414 (2002), doi:10.1103/PhysRevB.66.075414: grain-boundary
scattering (Mayadas and Shatzkes 1970, doi:10.1103/PhysRevB.1.1382) with grains as wide as the wire, plus surface
scattering. Wire widths are half the tightest metal pitch that a manufacturer published for the node.

Not modelled: barrier liners (they raise resistance further, below 30 nm width), vias, temperature, other metals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nax_bo.errors import InputError

_BULK_RESISTIVITY_OHM_M = 1.712e-8  # copper at 300 K
_MEAN_FREE_PATH_NM = 39.0
_SURFACE_SPECULARITY = 0.6  # Steinhögl et al.: p = 0.6 and R = 0.5 describe their wires, 40 to 800 nm
_GRAIN_REFLECTION = 0.5
_CROSS_SECTION_FACTOR = 1.2  # the same paper's C for rectangular wires


@dataclass(frozen=True, slots=True)
class Wire:
    """Wire resistance per cell.

    Attributes:
        r_row_ohm: Along a row, per cell.
        r_col_ohm: Along a column, per cell.
        source: Where the values come from.
    """

    r_row_ohm: float
    r_col_ohm: float
    source: str


@dataclass(frozen=True, slots=True)
class _Metal:
    pitch_nm: float
    aspect_ratio: float
    source: str


_METALS: Mapping[float, _Metal] = {
    130.0: _Metal(350, 1.6, "Tyagi et al., IEDM 2000"),
    90.0: _Metal(220, 1.6, "Thompson et al., IEDM 2002"),
    65.0: _Metal(210, 1.7, "Bai et al., IEDM 2004"),
    45.0: _Metal(160, 1.8, "Mistry et al., IEDM 2007"),
    32.0: _Metal(112.5, 1.8, "Packan et al., IEDM 2009"),
    22.0: _Metal(80, 1.9, "Auth et al., VLSI 2012"),
    14.0: _Metal(52, 2.0, "Natarajan et al., IEDM 2014"),
    7.0: _Metal(40, 2.0, "Wu et al., IEDM 2016"),
}

PRESETS: Mapping[str, Wire] = MappingProxyType(
    {
        "ideal": Wire(0.0, 0.0, "wires without resistance"),
        "mnsim": Wire(2.82, 2.82, "MNSIM-2.0 default, any node (thu-nics/MNSIM-2.0@ca39ccb Crossbar.py)"),
        "aihwkit": Wire(0.35, 0.35, "AIHWKit ir_drop_g_ratio default, 14 nm (IBM/aihwkit@4545f11)"),
    }
)
"""Values that other simulators use."""


def resistivity_ohm_m(width_nm: float, aspect_ratio: float) -> float:
    """Resistivity of a copper wire ``width_nm`` wide and ``aspect_ratio`` times as high.

    Raises:
        InputError: Width or aspect ratio not positive.
    """
    if not (width_nm > 0 and aspect_ratio > 0):
        raise InputError(f"wire {width_nm=}, {aspect_ratio=}", "Both are positive.")
    alpha = _MEAN_FREE_PATH_NM / width_nm * _GRAIN_REFLECTION / (1 - _GRAIN_REFLECTION)
    grains = 1 / (1 - 1.5 * alpha + 3 * alpha**2 - 3 * alpha**3 * math.log1p(1 / alpha))
    roughness = 0.375 * _CROSS_SECTION_FACTOR * (1 - _SURFACE_SPECULARITY)
    surface = roughness * (1 + aspect_ratio) / aspect_ratio * _MEAN_FREE_PATH_NM / width_nm
    return _BULK_RESISTIVITY_OHM_M * (grains + surface)


def wire_of_node(technology_nm: float, row_pitch: float = 4.0, col_pitch: float = 12.0) -> Wire:
    """Wire resistance per cell when both kinds of wire are made in the tightest metal of a node.

    Args:
        technology_nm: 130, 90, 65, 45, 32, 22, 14 or 7.
        row_pitch: Length of a row wire per cell in wire widths; 4 and 12 are those of a 4 F x 12 F one-transistor
            one-resistor cell.
        col_pitch: Length of a column wire per cell in wire widths.

    Raises:
        InputError: Another node, or a pitch that is not positive.
    """
    if technology_nm not in _METALS:
        known = ", ".join(f"{node:g}" for node in _METALS)
        raise InputError(f"no wire geometry for {technology_nm:g} nm", f"Known nodes in nm: {known}.")
    if not (row_pitch > 0 and col_pitch > 0):
        raise InputError(f"cell pitch {row_pitch} x {col_pitch} wire widths", "Both are positive.")
    metal = _METALS[technology_nm]
    width_nm = metal.pitch_nm / 2
    # a square of wire, one width long, has the resistance rho / height
    ohm_per_square = resistivity_ohm_m(width_nm, metal.aspect_ratio) / (metal.aspect_ratio * width_nm * 1e-9)
    source = f"half of {metal.pitch_nm:g} nm pitch ({metal.source}), doi:10.1103/PhysRevB.66.075414"
    return Wire(row_pitch * ohm_per_square, col_pitch * ohm_per_square, source)


_USUAL_AREA_F2 = (
    48.0  # 4 F x 12 F, one transistor and one resistor: where a device names none, as in its price
)
_ASPECT = 3.0
_NARROWEST = 2.0  # wire and space


def wire_of_cell(technology_nm: float, cell_area_f2: float | None) -> Wire:
    """Wire resistance across cells of a size, in the tightest metal of a node; log-log interpolated between nodes.

    Cells are taken as three times as high as wide, like one of 4 F x 12 F; row wires run along the short side;
    neither side is shorter than the pitch of the wires.

    Args:
        technology_nm: 7 to 130.
        cell_area_f2: Area of a cell in squares of the node; ``None``: 48.

    Raises:
        InputError: Another node, or an area that is not positive.
    """
    area = _USUAL_AREA_F2 if cell_area_f2 is None else cell_area_f2
    if not (math.isfinite(area) and area > 0):
        raise InputError(f"a cell of {area} squared feature sizes", "Give a positive area.")
    nodes = sorted(_METALS)
    if not nodes[0] <= technology_nm <= nodes[-1]:
        raise InputError(
            f"no wire geometry for {technology_nm:g} nm", f"Use {nodes[0]:g} to {nodes[-1]:g} nm."
        )
    above = next(node for node in nodes if node >= technology_nm)
    below = max(node for node in nodes if node <= technology_nm)
    t = 0.0 if above == below else math.log(technology_nm / below) / math.log(above / below)

    def mix(x: float, y: float) -> float:
        return float(x ** (1 - t) * y**t)

    width_nm = mix(_METALS[below].pitch_nm, _METALS[above].pitch_nm) / 2
    side = math.sqrt(area / _ASPECT) * technology_nm / width_nm
    pitches = max(side, _NARROWEST), max(_ASPECT * side, _NARROWEST)
    a, b = wire_of_node(below, *pitches), wire_of_node(above, *pitches)
    source = a.source if above == below else f"between {below:g} and {above:g} nm; {a.source}"
    return Wire(mix(a.r_row_ohm, b.r_row_ohm), mix(a.r_col_ohm, b.r_col_ohm), source)
