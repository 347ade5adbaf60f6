"""What the cost model reads: many designs as plain arrays, one row per design, one column per layer slot.

:mod:`nax_bo.hardware.workload.geometry` says what a slot is and how networks become rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.chip.devices import device
from nax_bo.hardware.chip.spec import check_bits_per_cell
from nax_bo.hardware.tables import read_table
from nax_bo.hardware.workload.geometry import ABSENT, CROSSBAR, DIGITAL, NETWORK_FIELDS, network_slots
from nax_bo.hardware.workload.slots import ARRAY_FIELDS, CHIP_FIELDS, CHIP_NUMBERS, array_rows, chip_row
from nax_bo.network.spec import NetworkSpec

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """n designs of up to L slots. Every array is n x L, or broadcasts to it (n x 1, 1 x L, 1 x 1); absent slots last.

    Attributes:
        kind: :data:`ABSENT`, :data:`CROSSBAR`, :data:`DIGITAL` or :data:`DYNAMIC`.
        matrix_rows, matrix_cols: K and N of one group's weight matrix, in weights; at least 1, also where absent.
        groups: Matrices of that size that work side by side (convolution groups, attention heads).
        vectors: Input vectors per inference (output positions).
        in_elements: Elements of the input feature map.
        out_elements: Elements written to the buffer, after the element-wise layers that follow.
        residual_elements: Elements of second operands (additions, scalings, attention values) read from the buffer.
        kernel_area: Kernel positions; K = kernel_area x input channels of a group.
        digital_ops: Element operations of the element-wise layers attached to the slot.
        rows, cols, bits_per_cell, weight_bits, input_bits, dac_bits, adc_bits, mux, duplication: As in ``ArraySpec``.
            In products of two activations, ``weight_bits`` is the precision of the second.
        offset: 1 for offset encoding, 0 for differential.
        flash: 1 for flash converters, 0 for successive approximation.
        device: Index into ``devices``; n x 1.
        technology_nm, pes_per_tile, arrays_per_pe, global_buffer_kb, tile_buffer_kb, dram_bandwidth_gb_s, clock_ghz:
            As in ``ChipSpec``; n x 1.
        tiles: Tiles of the chip, 0 for as many as the network needs; n x 1.
        kernel_position: 1 for kernel-position mapping, 0 for conventional; n x 1.
        pipelined: 1 for pipelined, 0 for layer by layer; n x 1.
        dram: Row of ``data/off_chip_memory.csv``, 0 for none; n x 1 (:func:`dram_code`).
        shared_tiles: 1 where layers share tiles, 0 where each has tiles of its own; n x 1.
        noc_bits, buffer_port_bits, digital_macs: As in ``ChipSpec``; n x 1.
        devices: Device names that ``device`` points to.
    """

    kind: Array
    matrix_rows: Array
    matrix_cols: Array
    groups: Array
    vectors: Array
    in_elements: Array
    out_elements: Array
    residual_elements: Array
    kernel_area: Array
    digital_ops: Array
    rows: Array
    cols: Array
    bits_per_cell: Array
    weight_bits: Array
    input_bits: Array
    dac_bits: Array
    adc_bits: Array
    mux: Array
    duplication: Array
    offset: Array
    flash: Array
    device: Array
    technology_nm: Array
    pes_per_tile: Array
    arrays_per_pe: Array
    global_buffer_kb: Array
    tile_buffer_kb: Array
    dram_bandwidth_gb_s: Array
    clock_ghz: Array
    tiles: Array
    kernel_position: Array
    pipelined: Array
    dram: Array
    shared_tiles: Array
    noc_bits: Array
    buffer_port_bits: Array
    digital_macs: Array
    devices: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(designs, slots)."""
        n, slots = np.broadcast_shapes(*(getattr(self, name).shape for name in _FIELD_NAMES))
        return n, slots

    @classmethod
    def from_arrays(cls, devices: Sequence[str] = ("rram",), **arrays: ArrayLike) -> Workload:
        """Build from arrays or numbers; fields not given take the defaults of ``ArraySpec`` and ``ChipSpec``.

        Integer fields may be given as floats. 1-d arrays are taken as one value per design (n x 1).

        Raises:
            InputError: Unknown or missing field, shapes that do not fit, or values out of range (:meth:`check`).
        """
        if unknown := sorted(set(arrays) - set(_FIELD_NAMES)):
            raise InputError(
                f"Workload has no field {', '.join(unknown)}", f"It has: {', '.join(_FIELD_NAMES)}."
            )
        if missing := sorted(set(NETWORK_FIELDS) - set(arrays) - set(_DEFAULTS)):
            raise InputError(f"Workload needs {', '.join(missing)}", "Give the geometry of every slot.")
        values = {name: _column(arrays.get(name, _DEFAULTS.get(name))) for name in _FIELD_NAMES}
        workload = cls(**values, devices=tuple(devices))
        workload.check()
        codes: dict[str, Any] = {name: values[name].astype(np.intp) for name in _INDEX}
        return replace(workload, **codes)

    @classmethod
    def from_designs(cls, networks: Sequence[NetworkSpec], chips: Sequence[ChipSpec]) -> Workload:
        """One row per (network, chip); networks of different depth are padded.

        Raises:
            InputError: Lengths differ or are zero, a layer of ``digital_layers`` is unknown, or the number of array
                settings does not fit the network.
        """
        if len(networks) != len(chips) or not networks:
            raise InputError(f"{len(networks)} networks and {len(chips)} chips", "Give one chip per network.")
        names = tuple(dict.fromkeys(chip.device for chip in chips))
        tables = [network_slots(net) for net in networks]
        slots = max(len(t.names) for t in tables)
        geometry = np.ones((len(networks), len(NETWORK_FIELDS), slots))
        geometry[:, _ZERO_WHEN_ABSENT] = 0.0
        arrays = np.ones((len(networks), len(ARRAY_FIELDS) + 2, slots))
        for i, (table, chip) in enumerate(zip(tables, chips, strict=True)):
            width = len(table.names)
            geometry[i, :, :width] = table.values[:, :, 0]
            arrays[i, :, :width] = array_rows(table, chip)
            for name in chip.digital_layers:
                if name not in table.names:
                    raise InputError(
                        f"digital_layers names {name!r}, which is no static layer of the network",
                        f"It has: {', '.join(table.names)}.",
                    )
                geometry[i, 0, table.names.index(name)] = DIGITAL
        values = dict(zip(NETWORK_FIELDS, geometry.swapaxes(0, 1), strict=True))
        values |= dict(zip((*ARRAY_FIELDS, "offset", "flash"), arrays.swapaxes(0, 1), strict=True))
        shared = np.array([chip_row(chip, names) for chip in chips])
        values |= {name: shared[:, i : i + 1] for i, name in enumerate(CHIP_FIELDS)}
        for name in _INDEX:
            values[name] = values[name].astype(np.intp)
        return cls(**values, devices=names)

    def take(self, index: slice | NDArray[np.intp]) -> Workload:
        """The designs at ``index`` (arrays shared by all designs stay shared)."""
        kept = {
            name: a if a.shape[0] == 1 else a[index] for name in _FIELD_NAMES for a in (getattr(self, name),)
        }
        return Workload(**kept, devices=self.devices)

    def check(self) -> None:
        """Raise InputError if shapes do not fit together or a value is out of its range, naming field and value."""
        try:
            shape = self.shape
        except ValueError as ex:
            raise InputError(
                f"arrays of a workload do not fit together: {ex}", "Give n x L, n x 1 or 1 x L."
            ) from ex
        if len(shape) != 2 or 0 in shape:
            raise InputError(f"a workload of shape {shape}", "Give at least one design with one slot.")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value.ndim != 2 or not ((value >= low) & (value <= high)).all():
                bad = value[~((value >= low) & (value <= high))]
                raise InputError(
                    f"{name} = {bad.flat[0] if bad.size else value.shape}", f"Use {low:g} to {high:g}, n x L."
                )
        for name in _WHOLE:
            value = getattr(self, name)
            if (value != np.floor(value)).any():
                bad = value[value != np.floor(value)]
                raise InputError(f"{name} = {bad.flat[0]}", "Use a whole number.")
        if (self.mux > self.cols).any():
            raise InputError("mux exceeds the columns of an array", "Use mux <= cols.")
        if (self.dram >= len(read_table("off_chip_memory")["name"])).any():
            raise InputError(f"dram = {self.dram.max()}", "Use dram_code(name).")
        if (self.device >= len(self.devices)).any():
            raise InputError(
                "device index beyond the list of devices", f"Devices: {', '.join(self.devices)}."
            )
        self._check_devices()
        present = np.broadcast_to(self.kind, shape) != ABSENT
        if not present[:, 0].all() or (present[:, 1:] & ~present[:, :-1]).any():
            raise InputError(
                "absent slots between present ones", "Put absent slots last, and at least one present."
            )

    def _check_devices(self) -> None:
        """Raise InputError for an unknown device, or a crossbar with more bits in a cell than its device stores."""
        stored = np.array([device(name).bits_per_cell for name in self.devices])[self.device.astype(np.intp)]
        over = (self.bits_per_cell > stored) & (self.kind == CROSSBAR)
        if over.any():
            first = tuple(int(i) for i in np.argwhere(over)[0])
            bits, index = (np.broadcast_to(a, over.shape)[first] for a in (self.bits_per_cell, self.device))
            name = self.devices[int(index)]
            check_bits_per_cell(name, device(name).bits_per_cell, float(bits))


def _column(value: Any) -> Array:
    array = np.asarray(value, dtype=float)
    if array.ndim > 2:
        raise InputError(f"an array of shape {array.shape} in a workload", "Give n x L, n x 1 or 1 x L.")
    return array.reshape(-1, 1) if array.ndim < 2 else array


_INDEX = ("adc_bits", "device", "dram", "kind")
_FIELD_NAMES = tuple(f.name for f in fields(Workload) if f.name != "devices")
_ZERO_WHEN_ABSENT = [NETWORK_FIELDS.index(name) for name in ("kind", "residual_elements", "digital_ops", "in_elements",
                                                       "out_elements", "vectors")]  # fmt: skip
_DEFAULTS: dict[str, float] = {
    "residual_elements": 0.0, "groups": 1.0, "kernel_area": 1.0, "digital_ops": 0.0, "kind": float(CROSSBAR),
    "offset": 0.0, "flash": 0.0, "device": 0.0, "tiles": 0.0, "kernel_position": 0.0, "pipelined": 0.0,
    "dram": 1.0, "shared_tiles": 0.0,
    **{name: float(getattr(ChipSpec().arrays[0], name)) for name in ARRAY_FIELDS},
    **{name: float(getattr(ChipSpec(), name)) for name in CHIP_NUMBERS},
}  # fmt: skip
_WHOLE = (
    "matrix_rows", "matrix_cols", "groups", "vectors", "rows", "cols", "bits_per_cell", "weight_bits", "input_bits",
    "dac_bits", "mux", "duplication", "offset", "flash", "pes_per_tile", "arrays_per_pe", "tiles", "kernel_position",
    "pipelined", "adc_bits", "device", "dram", "kind", "shared_tiles", "noc_bits", "buffer_port_bits", "digital_macs",
)  # fmt: skip
_COUNT = (0, 1e12)
_RANGES = {
    "kind": (0, 3), "matrix_rows": (1, 1e9), "matrix_cols": (1, 1e9), "groups": (1, 1e9), "vectors": _COUNT,
    "in_elements": _COUNT, "out_elements": _COUNT, "residual_elements": _COUNT, "kernel_area": (1, 1e6),
    "digital_ops": _COUNT, "rows": (1, 4096), "cols": (1, 4096), "bits_per_cell": (1, 8), "weight_bits": (2, 16),
    "input_bits": (1, 16), "dac_bits": (1, 8), "adc_bits": (1, 16), "mux": (1, 4096), "duplication": (1, 65536),
    "offset": (0, 1), "flash": (0, 1), "device": (0, 1e6), "technology_nm": (7, 130), "pes_per_tile": (1, 1024),
    "arrays_per_pe": (1, 1024), "global_buffer_kb": (1, 1 << 20), "tile_buffer_kb": (0.25, 1 << 16),
    "dram_bandwidth_gb_s": (0.1, 10_000), "clock_ghz": (0.001, 10), "tiles": (0, 1e9), "kernel_position": (0, 1),
    "pipelined": (0, 1), "dram": (0, 64), "shared_tiles": (0, 1), "noc_bits": (8, 4096),
    "buffer_port_bits": (32, 16_384), "digital_macs": (1, 1 << 20),
}  # fmt: skip
