"""Area and latency as XPert's first search phase prices them: fitted look-up formulas, exact constants.

Moitra, Bhattacharjee, Kim, Panda: XPert, DAC 2023, arXiv:2303.17646; constants and accounting from its public code,
``Phase1_CoSearch/Phase1_VGG16_backbone.py`` at commit ad5db32. The formulas were fitted there to a NeuroSim
derivative at 32 nm for arrays of 64 x 64 cells, two cells per weight, 64 arrays per tile. Tiles are never shared
between layers; arrays left over in a layer's tiles hold further copies of its weights.

Not modelled: energy, ADC and input bits (both enter no formula), buffers and links as parts of their own, digital
operations. The unit of the latency is not stated by the authors; it is kept as "LUT units".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, ChipSpec
from nax_bo.hardware.reads import Reads
from nax_bo.hardware.report import CostBatch, CostReport, LayerCost
from nax_bo.hardware.workload import ABSENT, CROSSBAR, Workload, slot_names
from nax_bo.network.spec import NetworkSpec

ARRAY_SIDE = 64
"""Rows and columns of an array for which the formulas hold."""
CELLS_PER_WEIGHT = 2
"""8-bit weights in 4-bit cells."""
ARRAYS_PER_TILE = 64
NODE_NM = 32.0
_READ = frozenset(
    ("rows", "cols", "bits_per_cell", "weight_bits", "encoding", "mux", "adc_type", "duplication", "pes_per_tile",
     "arrays_per_pe", "technology_nm", "tiles", "dataflow", "input_bits", "adc_bits")
)  # fmt: skip
MUX_RANGE = (2, 32)
"""Column sharing covered by the fit (2, 4, 8, 16, 32)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One ADC type: ``(a m + e) T + b exp(c T / m) + d`` and ``(a T e + b m^2 + d) f^2 / speedup``."""

    area: tuple[float, float, float, float, float]
    latency: tuple[float, float, float, float]


_FLASH = _Fit(
    area=(2557.166495434807, 1325750339.0150185, 0.0037802706563706337, -1325744426.1570153, 355177.96577219985),
    latency=(0.08836970306542265, 8.466777271635184e-05, 0.10469741426869324, 0.12532326984887984),
)  # fmt: skip
_SAR = _Fit(
    area=(1662.1420546233026, 1647434588.0067654, 0.0011610296696243961, -1647433897.2349775, 328615.0508042259),
    latency=(0.24051026469311507, 0.000432503086158724, 0.4050948974138533, 0.16033299026875378),
)  # fmt: skip


def tiles_and_speedup(rows: ArrayLike, cols: ArrayLike) -> tuple[Floats, Floats]:
    """Tiles that layers occupy, and how many vectors their spare arrays let them process at once.

    Args:
        rows: Rows of each weight matrix, ``K = C_in k^2``.
        cols: Columns of each weight matrix in weights, ``C_out``.

    Returns:
        (tiles, speedup), each of the broadcast shape. The speedup may be fractional, as in the original.
    """
    cells = np.asarray(cols, dtype=float) * CELLS_PER_WEIGHT
    arrays = np.ceil(np.asarray(rows, dtype=float) / ARRAY_SIDE) * np.ceil(cells / ARRAY_SIDE)
    tiles = np.ceil(arrays / ARRAYS_PER_TILE)
    copies_in_an_array = np.maximum(1.0, ARRAY_SIDE / cells)
    return tiles, tiles * ARRAYS_PER_TILE / arrays * copies_in_an_array


def tile_area_um2(flash: ArrayLike, mux: ArrayLike, tiles: ArrayLike) -> Floats:
    """Area of layers' tiles, um^2.

    Args:
        flash: Whether the converters are flash (else SAR).
        mux: Columns per converter, 2 to 32.
        tiles: Tiles of the layer.
    """
    m, t = np.asarray(mux, dtype=float), np.asarray(tiles, dtype=float)
    return np.where(flash, _area(_FLASH.area, m, t), _area(_SAR.area, m, t))


def layer_latency(
    flash: ArrayLike, mux: ArrayLike, tiles: ArrayLike, speedup: ArrayLike, positions: ArrayLike
) -> Floats:
    """Latency of layers in LUT units.

    Args:
        flash: Whether the converters are flash (else SAR).
        mux: Columns per converter, 2 to 32.
        tiles: Tiles of the layer.
        speedup: Vectors processed at once, from :func:`tiles_and_speedup`.
        positions: Output positions of the layer (the square of the original's feature size).
    """
    m, t = np.asarray(mux, dtype=float), np.asarray(tiles, dtype=float)
    per_vector = np.where(flash, _latency(_FLASH.latency, m, t), _latency(_SAR.latency, m, t))
    return np.asarray(per_vector * np.asarray(positions, dtype=float) / np.asarray(speedup, dtype=float))


def _area(fit: tuple[float, float, float, float, float], mux: Floats, tiles: Floats) -> Floats:
    a, b, c, d, e = fit
    # b and d almost cancel: expm1 keeps the digits
    return (a * mux + e) * tiles + b * np.expm1(c * tiles / mux) + (b + d)


def _latency(fit: tuple[float, float, float, float], mux: Floats, tiles: Floats) -> Floats:
    a, b, d, e = fit
    return a * tiles * e + b * mux**2 + d


class XpertLutCostModel:
    """XPert's look-up formulas as a cost model; ``latency_ns`` holds LUT units, energies are NaN.

    Energy is not defined by these formulas, so everything derived from it is NaN too: use them for area against
    latency. Ratios to a design priced the same way are meaningful, absolute latencies are not.

    Args:
        complete: Price every layer with its own settings. By default the accounting is the released code's: the
            last convolution is not priced, fully connected layers cost area only, with the converters of the last
            convolution.
    """

    name = "xpert-lut"
    note = "latencies are in units of the authors' tables: compare them with each other only; no energy is defined"

    @property
    def reads(self) -> Reads:
        """What the formulas hold for; the precision of inputs and converters enters none of them, by their authors."""
        return Reads(self.name, XPERT_CHIP, _READ)

    def __init__(self, complete: bool = False) -> None:
        self.complete = complete

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design.

        Raises:
            InputError: The design lies outside what the formulas were fitted to.
        """
        workload = Workload.from_designs([network], [chip])
        area, latency, tiles = (values[0] for values in self._price(workload))
        batch = self.evaluate_batch(workload)
        layers = tuple(
            LayerCost(name, np.nan, float(latency[i]), float(area[i]), tiles=int(tiles[i]))
            for i, name in enumerate(slot_names(network))
        )
        return CostReport(
            energy_pj=np.nan,
            latency_ns=float(batch.latency_ns[0]),
            area_um2=float(batch.area_um2[0]),
            response_ns=float(batch.response_ns[0]),
            macs=float(batch.macs[0]),
            utilisation=float(batch.utilisation[0]),
            layers=layers,
            model=self.name,
        )

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Price n designs; raises InputError if one lies outside what the formulas were fitted to."""
        area, latency, tiles = self._price(workload)
        n = len(workload)
        unknown, zero = np.full(n, np.nan), np.zeros(n)
        macs = workload.matrix_rows * workload.matrix_cols * workload.groups * workload.vectors
        macs = np.broadcast_to(macs * (workload.kind != ABSENT), latency.shape).sum(axis=1)
        weights = (workload.matrix_rows * workload.matrix_cols * (tiles > 0)).sum(axis=1)
        capacity = tiles.sum(axis=1) * (ARRAYS_PER_TILE * ARRAY_SIDE**2 / CELLS_PER_WEIGHT)
        total = latency.sum(axis=1)
        layer = {
            "energy_pj": np.full(latency.shape, np.nan),
            "latency_ns": latency,
            "area_um2": area,
            "tiles": tiles,
        }
        return CostBatch(
            energy_pj=unknown,
            latency_ns=total,
            area_um2=area.sum(axis=1),
            leakage_pj=zero,
            response_ns=total,
            period_ns=zero,
            macs=macs,
            utilisation=weights / capacity,
            unplaced_bits=zero,
            missing_tiles=zero,
            _details=lambda: {"layer": layer, "energy": {}, "area": {"tile": area.sum(axis=1)}},
        )

    def _price(self, w: Workload) -> tuple[Floats, Floats, Floats]:
        """Area, latency and tiles of every slot, n x L."""
        self.reads.check_workload(w)
        _check_fitted(w)
        shape = w.shape
        flash, mux = np.broadcast_to(w.flash != 0, shape), np.broadcast_to(w.mux, shape)
        present = np.broadcast_to(w.kind != ABSENT, shape)
        is_linear = np.broadcast_to((w.vectors == 1) & (w.kernel_area == 1), shape) & present
        timed = present
        if not self.complete:
            order = np.arange(shape[1])
            last_conv = np.where(present & ~is_linear, order, -1).max(axis=1, keepdims=True)
            source = np.where(is_linear, np.maximum(last_conv, 0), order)
            flash, mux = np.take_along_axis(flash, source, axis=1), np.take_along_axis(mux, source, axis=1)
            present = present & (order != last_conv)
            timed = present & ~is_linear
        tiles, speedup = tiles_and_speedup(w.matrix_rows, w.matrix_cols)
        latency = layer_latency(flash, mux, tiles, speedup, w.vectors)
        return tile_area_um2(flash, mux, tiles) * present, latency * timed, tiles * present


def _check_fitted(w: Workload) -> None:
    cells = np.ceil((w.weight_bits - 1 + w.offset) / w.bits_per_cell) * (2 - w.offset)
    on_crossbar = w.kind == CROSSBAR
    needs = {
        f"arrays of {ARRAY_SIDE} x {ARRAY_SIDE}": (w.rows == ARRAY_SIDE) & (w.cols == ARRAY_SIDE),
        f"{CELLS_PER_WEIGHT} cells per weight (8 bits in 4-bit cells, offset encoding)": cells
        == CELLS_PER_WEIGHT,
        f"column sharing from {MUX_RANGE[0]} to {MUX_RANGE[1]}": (w.mux >= MUX_RANGE[0])
        & (w.mux <= MUX_RANGE[1]),
        "ungrouped convolutions": w.groups == 1,
        "duplication 1 (spare arrays are used as copies by themselves)": w.duplication == 1,
    }
    chip_needs = {
        f"{ARRAYS_PER_TILE} arrays per tile": w.pes_per_tile * w.arrays_per_pe == ARRAYS_PER_TILE,
        f"a {NODE_NM:g} nm node": w.technology_nm == NODE_NM,
        "as many tiles as the network needs (tiles = 0)": w.tiles == 0,
        "layer by layer dataflow": w.pipelined == 0,
        "all products in crossbars": (w.kind == CROSSBAR) | (w.kind == ABSENT),
    }
    refused = [text for text, holds in needs.items() if not (holds | ~on_crossbar).all()]
    refused += [text for text, holds in chip_needs.items() if not holds.all()]
    if refused:
        raise InputError(
            f"XPert's look-up formulas hold only for {'; '.join(refused)}",
            "Set them so, or use another cost model: published prices any chip.",
        )


XPERT_CHIP = ChipSpec(
    technology_nm=NODE_NM,
    arrays=(
        ArraySpec(rows=ARRAY_SIDE, cols=ARRAY_SIDE, bits_per_cell=4, weight_bits=8, input_bits=4, encoding="offset",
                  adc_type="flash", adc_bits=6),
    ),
    pes_per_tile=16,
    arrays_per_pe=4,
)  # fmt: skip
"""The setting for which the formulas hold (``--hw_params 16,4,274,64``, 8-bit weights in 4-bit cells)."""
