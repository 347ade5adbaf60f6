"""Scale digital circuits between CMOS nodes, 7 to 130 nm.

Energy follows ``a V^2 + b V + c`` and area a factor per node (Stillmaker & Baas, Integration 58, 2017,
doi:10.1016/j.vlsi.2017.02.002, in ``data/technology.csv``). Between tabulated nodes every quantity is interpolated
linearly in log(quantity) over log(node): 22 and 28 nm lie between 20 and 32. Delay is first order, proportional to
the node (constant-field scaling, Dennard et al. 1974, doi:10.1109/JSSC.1974.1050511).
Not modelled: process flavours (high performance, low power), temperature, and that analogue circuits scale worse;
converters bring their own exponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.tables import Floats, column

SMALLEST_NM, LARGEST_NM = 7.0, 130.0


def nominal_supply_v(tech_nm: Floats | float) -> Floats:
    """Nominal supply voltage of a node, in volt (Predictive Technology Model)."""
    return _interpolate(tech_nm, "supply_v")


def energy_factor(tech_nm: Floats | float, supply_v: Floats | float | None = None) -> Floats:
    """Relative switching energy of a node at a supply (nominal if not given); only ratios have a meaning.

    The polynomial is evaluated at the tabulated nodes on both sides and interpolated.

    Raises:
        InputError: Supply outside 0.4 to 1.8 V, where the polynomials are not fitted.
    """
    if supply_v is None:
        return _interpolate(tech_nm, "energy")
    volt = np.asarray(supply_v, dtype=float)
    if np.any((volt < 0.4) | (volt > 1.8)):
        raise InputError(f"supply voltage {supply_v} V", "The scaling law is fitted from 0.4 to 1.8 V.")
    a, b, c = (column("technology", f"energy_{x}") for x in "abc")
    weight, low = _place(tech_nm)
    below, above = (a[i] * volt * volt + b[i] * volt + c[i] for i in (low, low + 1))
    return np.asarray(below ** (1 - weight) * above**weight)


def energy_scale(from_nm: float, to_nm: Floats | float, supply_v: Floats | float | None = None) -> Floats:
    """Factor by which a switching energy changes from one node (nominal supply) to another."""
    return np.asarray(energy_factor(to_nm, supply_v) / energy_factor(from_nm))


def area_scale(from_nm: float, to_nm: Floats | float) -> Floats:
    """Factor by which a digital area changes from one node to another."""
    return np.asarray(_interpolate(to_nm, "area_factor") / _interpolate(from_nm, "area_factor"))


def delay_scale(from_nm: float, to_nm: Floats | float) -> Floats:
    """Factor by which a gate delay changes from one node to another."""
    return np.asarray(to_nm, dtype=float) / from_nm


@dataclass(frozen=True, slots=True)
class Scaling:
    """Factors from one node to others, each of the shape of the nodes; ``supply_v`` is the nominal supply there."""

    energy: Floats
    area: Floats
    delay: Floats
    supply_v: Floats


def scaling(from_nm: float, to_nm: Floats) -> Scaling:
    """All factors at once; equal to the single functions, and faster."""
    weight, low = _place(to_nm)
    logs, at = _logs(), _reference(from_nm)
    values = np.exp(logs[:, low] * (1 - weight) + logs[:, low + 1] * weight)
    return Scaling(values[0] / at[0], values[1] / at[1], to_nm / from_nm, values[2])


def check_node(tech_nm: Floats | float) -> None:
    """Raise InputError unless every node lies within 7 to 130 nm."""
    values = np.asarray(tech_nm, dtype=float)
    bad = ~((values >= SMALLEST_NM) & (values <= LARGEST_NM))
    if bad.any():
        raise InputError(
            f"technology node {values[bad].flat[0]:g} nm", "The scaling tables cover 7 to 130 nm."
        )


_QUANTITIES = ("energy", "area_factor", "supply_v")


@cache
def _logs() -> Floats:
    """Logarithms of :data:`_QUANTITIES` at the tabulated nodes, 3 x nodes."""
    a, b, c, v = (column("technology", x) for x in ("energy_a", "energy_b", "energy_c", "supply_v"))
    return np.log([a * v * v + b * v + c, column("technology", "area_factor"), v])


@cache
def _reference(nm: float) -> Floats:
    return np.array([_interpolate(nm, name) for name in _QUANTITIES])


def _interpolate(tech_nm: Floats | float, name: str) -> Floats:
    weight, low = _place(tech_nm)
    row = _logs()[_QUANTITIES.index(name)]
    return np.asarray(np.exp(row[low] * (1 - weight) + row[low + 1] * weight))


def _place(tech_nm: Floats | float) -> tuple[Floats, NDArray[np.intp]]:
    """Weight of the upper neighbour among the tabulated nodes, and index of the lower one; clamped at the ends."""
    log_nodes, log_nm = _log_nodes(), np.log(np.asarray(tech_nm, dtype=float))
    low = np.minimum(np.maximum(log_nodes.searchsorted(log_nm) - 1, 0), len(log_nodes) - 2)
    weight = (log_nm - log_nodes[low]) / (log_nodes[low + 1] - log_nodes[low])
    return np.asarray(np.minimum(np.maximum(weight, 0.0), 1.0)), low


@cache
def _log_nodes() -> Floats:
    return np.log(column("technology", "tech_nm"))
