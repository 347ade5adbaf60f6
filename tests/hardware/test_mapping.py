"""Placement of weight matrices, against placements made block by block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec, Workload
from nax_bo.hardware.workload import DIGITAL, DYNAMIC, slot_names
from nax_bo.hardware.workload.mapping import map_slots
from nax_bo.network.graph import Graph
from nax_bo.network.named import named_network
from nax_bo.network.spec import INPUT


def _one(**values: float) -> Workload:
    geometry = {"matrix_rows": 1, "matrix_cols": 1, "vectors": 1, "in_elements": 1, "out_elements": 1}
    return Workload.from_arrays(**(geometry | values))


def _place(height: int, width: int, rows: int, cols: int) -> set[tuple[int, int]]:
    """Arrays that a dense block touches when cut into arrays, cell by cell."""
    return {(r // rows, c // cols) for r in range(height) for c in range(width)}


@given(
    st.integers(1, 40), st.integers(1, 12), st.sampled_from([4, 8, 16]), st.sampled_from([4, 8, 16]),
    st.integers(1, 4), st.integers(2, 8),
)  # fmt: skip
def test_dense_layers_take_as_many_arrays_as_their_cells_touch(
    k: int, n: int, rows: int, cols: int, bits_per_cell: int, weight_bits: int
) -> None:
    w = _one(
        matrix_rows=k,
        matrix_cols=n,
        rows=rows,
        cols=cols,
        bits_per_cell=bits_per_cell,
        weight_bits=weight_bits,
        mux=1,
    )
    spec = ArraySpec(rows=rows, cols=cols, bits_per_cell=bits_per_cell, weight_bits=weight_bits, mux=1)
    m = map_slots(w)
    assert m.cells_per_weight[0, 0] == spec.cells_per_weight
    assert m.arrays[0, 0] == len(_place(k, n * spec.cells_per_weight, rows, cols))
    assert m.cells[0, 0] == k * n * spec.cells_per_weight
    assert m.cells[0, 0] == pytest.approx(m.arrays[0, 0] * rows * cols * m.row_use[0, 0] * m.col_use[0, 0])


def _pack_diagonally(groups: int, height: int, width: int, rows: int, cols: int) -> int:
    """Arrays needed when blocks are put one after another along the diagonal of each array."""
    arrays, r, c = 0, rows, cols
    for _ in range(groups):
        if r + height > rows or c + width > cols:
            arrays, r, c = arrays + 1, 0, 0
        r, c = r + height, c + width
    return arrays


@given(st.integers(1, 200), st.integers(1, 9), st.integers(1, 2))
def test_small_groups_share_arrays_along_the_diagonal(groups: int, k: int, n: int) -> None:
    w = _one(
        matrix_rows=k, matrix_cols=n, groups=groups, rows=32, cols=32, weight_bits=5, bits_per_cell=2, mux=1
    )
    assert map_slots(w).arrays[0, 0] == _pack_diagonally(groups, k, n * 4, 32, 32)


def test_offset_encoding_keeps_a_reference_column() -> None:
    full = _one(matrix_rows=8, matrix_cols=8, rows=8, cols=8, weight_bits=2, bits_per_cell=2, offset=1, mux=1)
    assert map_slots(full).arrays[0, 0] == 2, "8 columns of weights and one reference do not fit 8 columns"
    fits = _one(matrix_rows=8, matrix_cols=7, rows=8, cols=8, weight_bits=2, bits_per_cell=2, offset=1, mux=1)
    assert map_slots(fits).arrays[0, 0] == 1


def test_kernel_positions_get_arrays_of_their_own() -> None:
    layer = {"matrix_rows": 9 * 16, "matrix_cols": 8, "kernel_area": 9, "rows": 128, "cols": 128}
    together, apart = map_slots(_one(**layer)), map_slots(_one(**layer, kernel_position=1))
    assert together.arrays[0, 0] == 2
    assert apart.arrays[0, 0] == 9
    assert apart.row_use[0, 0] == pytest.approx(16 / 128)


@given(st.integers(1, 5000), st.integers(1, 600), st.integers(1, 8), st.integers(1, 8), st.integers(1, 4))
def test_layers_fill_whole_tiles_and_copies_are_counted(
    k: int, n: int, pes: int, arrays: int, copies: int
) -> None:
    w = _one(matrix_rows=k, matrix_cols=n, pes_per_tile=pes, arrays_per_pe=arrays, duplication=copies)
    m = map_slots(w)
    assert m.tiles[0, 0] == math.ceil(m.arrays[0, 0] * copies / (pes * arrays))
    assert m.tile_rows[0, 0] * m.tile_cols[0, 0] >= math.ceil(m.arrays[0, 0] / (pes * arrays))
    assert 0 < m.row_use[0, 0] <= 1
    assert 0 < m.col_use[0, 0] <= 1


def test_products_of_activations_take_no_arrays() -> None:
    net = named_network("vit-tiny", (3, 32, 32), 10)
    w = Workload.from_designs([net], [ChipSpec()])
    dynamic = w.kind[0] == DYNAMIC
    assert dynamic.sum() == 24
    assert (map_slots(w).arrays[0, dynamic] == 0).all()
    macs = (w.matrix_rows * w.matrix_cols * w.groups * w.vectors).sum()
    assert macs == net.macs


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "mobilenet-v2", "vit-tiny"])
def test_a_workload_keeps_every_mac_and_element_operation(name: str) -> None:
    net = named_network(name, (3, 32, 32), 10)
    w = Workload.from_designs([net], [ChipSpec()])
    assert (w.matrix_rows * w.matrix_cols * w.groups * w.vectors).sum() == net.macs
    assert w.digital_ops.sum() == sum(layer.digital_ops for layer in net.layers)
    assert len(slot_names(net)) == w.shape[1]


def test_element_wise_layers_are_fused_into_the_product_before_them() -> None:
    g = Graph("tiny", (2, 8, 8))
    x = g.conv(INPUT, 4, kernel=3, activation="relu", name="first")
    y = g.maxpool(g.add(x, g.conv(x, 4, kernel=3, name="second")))
    g.linear(g.flatten(y), 10, name="last")
    w = Workload.from_designs([g.build()], [ChipSpec()])
    assert w.out_elements[0].tolist() == [256, 64, 10], "the second writes what pooling leaves"
    assert w.residual_elements[0].tolist() == [0, 256, 0], "the addition reads its other operand"


def test_digital_layers_leave_the_crossbars() -> None:
    net = named_network("vgg8", (3, 32, 32), 10)
    first = slot_names(net)[0]
    w = Workload.from_designs([net], [ChipSpec(digital_layers=(first,))])
    assert w.kind[0, 0] == DIGITAL
    assert map_slots(w).arrays[0, 0] == 0
    with pytest.raises(InputError, match="no static layer"):
        Workload.from_designs([net], [ChipSpec(digital_layers=("nowhere",))])


def test_per_layer_settings_reach_their_layer_past_attention() -> None:
    net = named_network("vit-tiny", (3, 32, 32), 10)
    count = len(net.static_layers)
    arrays = tuple(ArraySpec(rows=16 + i, cols=64) for i in range(count))
    w = Workload.from_designs([net], [ChipSpec(arrays=arrays)])
    static = w.kind[0] != DYNAMIC
    assert w.rows[0, static].tolist() == [16 + i for i in range(count)]
    dynamic = np.flatnonzero(~static)
    assert all(w.rows[0, i] == w.rows[0, i - 1] for i in dynamic), "precision of the layer before"


def test_per_layer_settings_must_fit_the_network() -> None:
    net = named_network("vgg8", (3, 32, 32), 10)
    with pytest.raises(InputError, match="array settings for 2 layers"):
        Workload.from_designs([net], [ChipSpec(arrays=(ArraySpec(), ArraySpec()))])


@pytest.mark.parametrize(
    ("field", "value"),
    [("rows", 0), ("cols", -1), ("adc_bits", 0), ("adc_bits", 17), ("matrix_rows", 0), ("mux", 0), ("vectors", -1),
     ("technology_nm", 5), ("technology_nm", float("nan")), ("clock_ghz", 0), ("global_buffer_kb", 0),
     ("dram_bandwidth_gb_s", float("inf")), ("duplication", 0), ("groups", 0), ("in_elements", 1e15),
     ("rows", 64.5), ("dram", 60), ("adc_bits", 7.5)],
)  # fmt: skip
def test_absurd_values_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        _one(**{field: value})


def test_workloads_refuse_what_does_not_fit_together() -> None:
    with pytest.raises(InputError, match="mux exceeds"):
        _one(mux=64, cols=32)
    with pytest.raises(InputError, match="has no field"):
        _one(row=3)
    with pytest.raises(InputError, match="needs"):
        Workload.from_arrays(matrix_rows=3)
    with pytest.raises(InputError, match="do not fit together"):
        _one(rows=np.ones((2, 3)) * 64, cols=np.ones((2, 4)) * 64)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Put absent slots last"):
        _one(kind=np.array([[1, 0, 1]]))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="device index"):
        _one(device=1)
    with pytest.raises(InputError, match="one chip per network"):
        Workload.from_designs([], [])
