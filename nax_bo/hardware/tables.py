"""Read the small csv tables of :mod:`nax_bo.hardware.data`; parsed once, on first use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Array of float64; shapes are given where it is used."""

DATA = Path(__file__).parent / "data"


@cache
def read_table(name: str) -> dict[str, list[str]]:
    """Columns of ``data/<name>.csv`` as text; lines that start with ``#`` are notes."""
    lines = (DATA / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    return {column: [row[i] for row in rows[1:]] for i, column in enumerate(rows[0])}


@cache
def column(table: str, name: str) -> Floats:
    """One column of a table as numbers."""
    values = np.array([float(text) for text in read_table(table)[name]])
    values.flags.writeable = False
    return values
