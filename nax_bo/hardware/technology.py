"""Scale digital circuits between CMOS nodes, 7 to 130 nm.

Energy follows ``a V^2 + b V + c`` and area a factor per node (Stillmaker & Baas, Integration 58, 2017,
doi:10.1016/j.vlsi.2017.02.002, in ``data/technology.csv``). Between tabulated nodes every quantity is interpolated
linearly in log(quantity) over log(node): 22 and 28 nm lie between 20 and 32. Delay is first order, proportional to
the node (constant-field scaling, Dennard et al. 1974, doi:10.1109/JSSC.1974.1050511).
Not modelled: process flavours (high performance, low power), temperature, and that analogue circuits scale worse;
converters bring their own exponent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.tables import Floats, column

SMALLEST_NM, LARGEST_NM = 7.0, 130.0


def nominal_supply_v(tech_nm: Floats | float) -> Floats:
    """Nominal supply voltage of a node, in volt (Predictive Technology Model)."""
    return _interpolate(tech_nm, column("technology", "supply_v"))


def energy_factor(tech_nm: Floats | float, supply_v: Floats | float | None = None) -> Floats:
    """Relative switching energy of a node at a supply (nominal if not given); only ratios have a meaning.

    The polynomial is evaluated at the tabulated nodes on both sides and interpolated.
    A supply outside 0.4 to 1.8 V extrapolates the fit, and is refused.
    """
    a, b, c = (column("technology", f"energy_{x}") for x in "abc")
    if supply_v is None:
        v = column("technology", "supply_v")
        return _interpolate(tech_nm, a * v * v + b * v + c)
    volt = np.asarray(supply_v, dtype=float)
    if np.any((volt < 0.4) | (volt > 1.8)):
        raise InputError(f"supply voltage {supply_v} V", "The scaling law is fitted from 0.4 to 1.8 V.")
    low, high, weight = _neighbours(tech_nm)
    below, above = (a[i] * volt * volt + b[i] * volt + c[i] for i in (low, high))
    return np.asarray(below ** (1 - weight) * above**weight)


def energy_scale(from_nm: float, to_nm: Floats | float, supply_v: Floats | float | None = None) -> Floats:
    """Factor by which a switching energy changes from one node (nominal supply) to another."""
    return np.asarray(energy_factor(to_nm, supply_v) / energy_factor(from_nm))


def area_scale(from_nm: float, to_nm: Floats | float) -> Floats:
    """Factor by which a digital area changes from one node to another."""
    factors = column("technology", "area_factor")
    return np.asarray(_interpolate(to_nm, factors) / _interpolate(from_nm, factors))


def delay_scale(from_nm: float, to_nm: Floats | float) -> Floats:
    """Factor by which a gate delay changes from one node to another."""
    return np.asarray(to_nm, dtype=float) / from_nm


def check_node(tech_nm: Floats | float) -> None:
    """Raise InputError unless every node lies within 7 to 130 nm."""
    values = np.asarray(tech_nm, dtype=float)
    bad = ~((values >= SMALLEST_NM) & (values <= LARGEST_NM))
    if bad.any():
        raise InputError(
            f"technology node {values[bad].flat[0]:g} nm", "The scaling tables cover 7 to 130 nm."
        )


def _interpolate(tech_nm: Floats | float, values: Floats) -> Floats:
    log_nodes = np.log(column("technology", "tech_nm"))
    return np.asarray(np.exp(np.interp(np.log(tech_nm), log_nodes, np.log(values))))


def _neighbours(tech_nm: Floats | float) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    nodes = column("technology", "tech_nm")
    nm = np.asarray(tech_nm, dtype=float)
    high = np.asarray(np.clip(np.searchsorted(nodes, nm), 1, len(nodes) - 1))
    low = high - 1
    weight = np.clip(np.log(nm / nodes[low]) / np.log(nodes[high] / nodes[low]), 0.0, 1.0)
    return low, high, weight
