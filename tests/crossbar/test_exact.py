"""Exact mode against integer arithmetic written out in loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic import compiled, exact, readout
from nax_bo.crossbar.arithmetic.adc import Converter, converter
from nax_bo.crossbar.arithmetic.converter_errors import ConverterErrors, draw_errors
from nax_bo.crossbar.arithmetic.exact import partial_sums
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.quantise import InputRange, largest_code
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.physics.cells import grid, nominal_cells
from nax_bo.crossbar.physics.slicing import row_blocks
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec, Conditions

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WIDE = Converter(1.0, -(2**15), 2**15 - 1, 1.0)
ARRAYS = st.builds(
    ArraySpec,
    rows=st.sampled_from([1, 3, 16, 64]),
    bits_per_cell=st.integers(1, 4),
    weight_bits=st.integers(2, 8),
    input_bits=st.integers(1, 8),
    dac_bits=st.integers(1, 3),
    encoding=st.sampled_from(["differential", "offset"]),
    adc_bits=st.integers(1, 10),
)
SHAPES = st.tuples(
    st.sampled_from([(1, 1, 1), (4, 6, 2), (3, 5, 1), (4, 4, 4)]),  # in channels, out channels, groups
    st.sampled_from([(1, 1), (3, 3), (2, 3)]),
    st.sampled_from([(1, 1), (2, 1)]),
    st.sampled_from([(1, 1), (1, 2)]),
    st.sampled_from([(0, 0), (1, 2)]),
)


@pytest.fixture(params=["avx512", "avx2", "eager"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    sets = [names for names in compiled._INSTRUCTION_SETS if names[0].startswith(request.param)]
    monkeypatch.setattr(compiled, "_INSTRUCTION_SETS", sets)
    compiled._found.cache_clear()
    if sets and not compiled.available():
        pytest.skip(f"no compiler or no {request.param} here")
    yield str(request.param)
    compiled._found.cache_clear()


def make(
    array: ArraySpec,
    shape: tuple[tuple[int, int, int], ...],
    signed: bool,
    fraction: float,
    seed: int,
    mapping: str = "conventional",
) -> tuple[Arrays, Tensor, Tensor]:
    """Arrays that hold random weight codes, those codes as a weight, and random input codes."""
    (inputs, outputs, groups), kernel, stride, dilation, padding = shape
    generator = Generator().manual_seed(seed)
    blocks = row_blocks(inputs // groups, kernel[0] * kernel[1], array.rows, mapping)  # type: ignore[arg-type]
    geometry = Geometry(inputs, outputs, groups, kernel, stride, dilation, padding, blocks)
    high = largest_code(array.weight_bits)
    weight = torch.randint(-high, high + 1, (outputs, inputs // groups, *kernel), generator=generator).float()
    limits = InputRange.of(-1.0 if signed else 0.0, 1.0, array.input_bits)
    limits = InputRange(1.0, limits.low, limits.high)
    x = torch.randint(limits.low, limits.high + 1, (2, inputs, 5, 6), generator=generator).float()
    cells = nominal_cells(geometry.matrix(weight), array)
    adc = converter(array, max(blocks.sizes), fraction)
    return Arrays(geometry, array, limits, adc, cells.levels[0], True, None), weight, x


def read(arrays: Arrays, x: Tensor, **options: Tensor) -> Tensor:
    outputs = arrays.geometry.out_channels
    return arrays.read(x, torch.ones(outputs), torch.zeros(outputs), Generator().manual_seed(0), **options)


def in_loops(arrays: Arrays, x: Tensor) -> np.ndarray:
    """Every slice, stream and row block one after the other, in 64-bit integers and Python's round-half-even."""
    g, array, adc = arrays.geometry, arrays.array, arrays.converter
    patches = g.patches(x).long().numpy()
    levels = arrays.levels.long().numpy()
    out = np.zeros((g.groups, patches.shape[1], g.cols))
    for group in range(g.groups):
        first = 0
        for size in g.blocks.sizes:
            rows = slice(first, first + size)
            first += size
            for s in range(array.slices):
                for t in range(array.streams):
                    codes = patches[group][:, rows]
                    digits = np.sign(codes) * (
                        np.abs(codes) >> (t * array.dac_bits) & (2**array.dac_bits - 1)
                    )
                    sums = digits @ levels[s, group, rows]
                    scaled = np.float32(sums) * np.float32(1 / adc.step)
                    code = np.clip(np.rint(scaled), adc.low, adc.high)
                    out[group] += code * 2.0 ** (s * array.bits_per_cell + t * array.dac_bits)
    return g.assemble(torch.tensor(out * adc.step), x).numpy()


def integer_convolution(weight: Tensor, x: Tensor, g: Geometry) -> Tensor:
    return torch.nn.functional.conv2d(
        x.double(), weight.double(), None, g.stride, g.padding, g.dilation, g.groups
    )


def lossless(arrays: Arrays) -> Arrays:
    return Arrays(
        arrays.geometry,
        arrays.array,
        arrays.inputs,
        Converter(1.0, -(2**15), 2**15 - 1, 1.0),
        arrays.levels,
        True,
        None,
    )


@given(
    array=ARRAYS,
    shape=SHAPES,
    signed=st.booleans(),
    seed=st.integers(0, 99),
    mapping=st.sampled_from(["conventional", "kernel_position"]),
)
@FEW
def test_wide_converters_give_the_integer_product_bit_for_bit(path, array, shape, signed, seed, mapping):
    arrays, weight, x = make(array, shape, signed, 1.0, seed, mapping)
    product = integer_convolution(weight, x, arrays.geometry)
    assert torch.equal(read(lossless(arrays), x).double(), product)


@given(
    array=ARRAYS, shape=SHAPES, signed=st.booleans(), fraction=st.floats(0.05, 1.0), seed=st.integers(0, 99)
)
@FEW
def test_every_conversion_agrees_with_a_loop_over_slices_streams_and_blocks(
    path, array, shape, signed, fraction, seed
):
    arrays, _, x = make(array, shape, signed, fraction, seed)
    np.testing.assert_allclose(read(arrays, x).double().numpy(), in_loops(arrays, x), rtol=1e-6, atol=1e-3)


@given(
    array=ARRAYS, shape=SHAPES, signed=st.booleans(), fraction=st.floats(0.05, 1.0), seed=st.integers(0, 99)
)
@FEW
def test_pairs_that_are_chosen_carry_their_own_error_only(path, array, shape, signed, fraction, seed):
    arrays, weight, x = make(array, shape, signed, fraction, seed)
    product = integer_convolution(weight, x, arrays.geometry).float()
    chosen = torch.rand(array.slices, array.streams, generator=Generator().manual_seed(seed)) < 0.5
    everything = read(arrays, x)
    some = read(arrays, x, pairs=chosen, linear=product.clone())
    rest = read(arrays, x, pairs=~chosen, linear=product.clone())
    torch.testing.assert_close(some + rest - product, everything, rtol=1e-5, atol=0.05)


def test_errors_are_added_in_any_memory_layout(path):
    arrays, weight, x = make(
        ArraySpec(rows=16), ((4, 6, 2), (3, 3), (1, 1), (1, 1), (1, 1)), False, 0.3, seed=3
    )
    product = integer_convolution(weight, x, arrays.geometry).float()
    by_channel = product.contiguous(memory_format=torch.channels_last)
    assert not by_channel.is_contiguous()
    added = read(arrays, x, linear=by_channel)
    assert added is by_channel
    assert torch.equal(added, read(arrays, x, linear=product.contiguous()))


def test_read_noise_has_the_variance_of_its_cells(path):
    array = ArraySpec(rows=32, adc_bits=12, input_bits=4, weight_bits=4)
    shape = ((8, 8, 1), (3, 3), (1, 1), (1, 1), (1, 1))
    arrays, _, x = make(array, shape, False, 1.0, seed=3)
    sigma = 3.0  # far above a converter step, so that rounding does not matter
    variance = torch.full((array.slices, 1, len(arrays.geometry.blocks.sizes), 8), sigma**2)
    noisy = Arrays(arrays.geometry, array, arrays.inputs, WIDE, arrays.levels, True, variance)
    big = x.repeat(40, 1, 1, 1)
    error = read(noisy, big) - read(lossless(arrays), big)
    energy = torch.zeros(1)
    patches = arrays.geometry.patches(x).long()
    for t in range(array.streams):
        energy = energy + 4.0**t * (patches >> t & 1).sum(-1).float().mean()
    places = sum(4.0 ** (s * array.bits_per_cell) for s in range(array.slices))
    expected = float(energy * places) * sigma**2
    assert float(error.var()) == pytest.approx(expected, rel=0.1)
    assert abs(float(error.mean())) < 0.05 * expected**0.5


def test_same_seed_gives_the_same_read_noise(path):
    array = ArraySpec(rows=16)
    arrays, _, x = make(array, ((4, 6, 2), (3, 3), (1, 1), (1, 1), (1, 1)), False, 0.5, seed=3)
    variance = torch.ones(array.slices, 2, len(arrays.geometry.blocks.sizes), 3)
    noisy = Arrays(arrays.geometry, array, arrays.inputs, arrays.converter, arrays.levels, True, variance)
    assert torch.equal(read(noisy, x), read(noisy, x))
    assert not torch.equal(read(noisy, x), read(arrays, x))


@pytest.mark.parametrize("fast", [True, False], ids=["in bytes", "in floats"])
def test_eight_bit_products_equal_float_ones(fast, monkeypatch):
    monkeypatch.setattr(exact, "_bytes_are_fast", lambda _: fast)
    generator = Generator().manual_seed(0)
    a = torch.randint(-127, 128, (1, 37, 50), generator=generator).float()
    b = torch.randint(-127, 128, (1, 50, 33), generator=generator).float()
    assert torch.equal(partial_sums(a, b), torch.bmm(a, b))


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5])
def test_converter_range_outside_full_scale_is_an_error(fraction):
    with pytest.raises(InputError, match="full scale"):
        converter(ArraySpec(), 128, fraction)


def test_sharing_of_converters_does_not_change_results():
    results = []
    for mux in (1, 8, 128):
        arrays, _, x = make(
            ArraySpec(mux=mux), ((4, 6, 2), (3, 3), (1, 1), (1, 1), (1, 1)), False, 0.3, seed=5
        )
        results.append(read(arrays, x))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("path", ["avx512", "avx2"], indirect=True)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        ArraySpec(rows=64, adc_bits=8),
        ArraySpec(rows=32, adc_bits=3, input_bits=3, encoding="offset"),
        ArraySpec(rows=256, bits_per_cell=1, adc_bits=4, dac_bits=2),
        ArraySpec(rows=512, bits_per_cell=4, adc_bits=8),
    ],
    ids=["usual", "few bits", "two-bit pulses", "512 rows of 4-bit cells"],
)
def test_kernel_and_torch_read_the_same_from_noisy_cells_with_noisy_converters(
    path, array, signed, monkeypatch, caplog
):
    shape = ((64 if array.rows > 64 else 16, 24, 2), (3, 3), (1, 1), (1, 1), (1, 1))
    arrays, _, x = make(array, shape, signed, 0.2, seed=1)
    generator = Generator().manual_seed(2)
    levels = arrays.levels + 0.1 * torch.randn(arrays.levels.shape, generator=generator)
    levels = (levels / grid(array)).round() * grid(array)
    converters = (array.slices, 2, len(arrays.geometry.blocks.sizes), 12)
    noisy = replace(
        arrays,
        levels=levels,
        integer=False,
        read_variance=0.3 * torch.rand(converters, generator=generator),
        errors=draw_errors(converters, array, Conditions(), generator),
        _tables={},
    )
    pairs = torch.rand(array.slices, array.streams, generator=generator) < 0.5
    assert noisy._compiled_tables() is not None
    ways = ({}, {"pairs": pairs})
    kernel = [read(noisy, x, **way, **_linear(way, noisy, x)) for way in ways]
    monkeypatch.setenv("NAXBO_COMPILED", "0")
    eager = [read(noisy, x, **way, **_linear(way, noisy, x)) for way in ways]
    for one, other in zip(kernel, eager, strict=True):
        assert float((one - other).norm()) <= 1e-6 * float(other.norm())
    assert not caplog.records


def _linear(way: dict[str, Tensor], arrays: Arrays, x: Tensor) -> dict[str, Tensor]:
    """Where errors of chosen pairs are collected."""
    if not way:
        return {}
    return {"linear": torch.zeros(len(x), arrays.geometry.out_channels, *arrays.geometry.out_size(5, 6))}


def test_what_the_kernel_cannot_read_is_said_once(caplog):
    readout._unserved.cache_clear()
    array = ArraySpec(rows=16, dac_bits=8, adc_bits=8)
    arrays, _, x = make(array, ((4, 6, 2), (3, 3), (1, 1), (1, 1), (1, 1)), False, 0.5, seed=3)
    if not compiled.available():
        pytest.skip("no kernel here")
    for _ in range(3):
        read(arrays, x)
    assert [r.message for r in caplog.records if "8 bits per pulse" in r.message] == [
        "the compiled kernel does not take inputs of 8 bits per pulse: such layers are read by torch, more slowly"
    ]


@pytest.mark.parametrize("path", ["avx512", "avx2", "eager"], indirect=True)
def test_converters_err_as_they_are_told(path):
    """Offsets shift, gains stretch, noise spreads: sums far from rounding and clipping."""
    array = ArraySpec(rows=32, adc_bits=12, input_bits=1, weight_bits=2, bits_per_cell=1)
    arrays, _, x = make(array, ((8, 8, 1), (3, 3), (1, 1), (1, 1), (1, 1)), False, 1.0, seed=3)
    arrays = replace(arrays, converter=Converter(1 / 64, -(2**15), 2**15 - 1, 1.0))
    clean = read(arrays, x)
    blocks = len(arrays.geometry.blocks.sizes)
    curve = torch.zeros(1, 1, blocks, 8, 4)
    curve[..., 0], curve[..., 1] = 64.0, 0.25  # one level, a quarter
    curved = read(replace(arrays, errors=ConverterErrors(curve, 0.0)), x)
    torch.testing.assert_close(curved, 1.25 * clean + blocks, rtol=0, atol=blocks / 64)
    noisy = read(replace(arrays, errors=ConverterErrors(None, 64.0)), x.repeat(50, 1, 1, 1))
    noise = noisy - clean.repeat(50, 1, 1, 1)
    assert float(noise.std()) == pytest.approx(blocks**0.5, rel=0.03)
    assert abs(float(noise.mean())) < 0.05


def test_errors_of_converters_are_of_the_stated_size():
    shape, array = (2, 1, 3, 2000), ArraySpec(adc_bits=6)
    conditions = Conditions(converter_gain_error=0.01, converter_inl_lsb=0.0)
    found = draw_errors(shape, array, conditions, Generator().manual_seed(0))
    assert found.noise_lsb == 0.5
    assert float(found.curve[..., 0].std()) == pytest.approx(0.25, rel=0.03)
    assert float(found.curve[..., 1].std()) == pytest.approx(0.01, rel=0.03)
    raw = draw_errors(shape, array, Conditions(offset_calibration=False), Generator().manual_seed(0))
    torch.testing.assert_close(raw.curve[..., 0], 4 * found.curve[..., 0])
    curved = draw_errors(
        shape,
        array,
        Conditions(converter_inl_lsb=0.5, calibrated_offset_lsb=0.0, converter_gain_error=0.0),
        Generator().manual_seed(0),
    )
    codes = torch.arange(-32.0, 33.0)
    powers = torch.stack([codes**k for k in range(4)])
    largest = (curved.curve.reshape(-1, 4) @ powers).abs().amax(1)
    assert 0.4 < float(largest.min()) <= float(largest.max()) < 0.7
    assert draw_errors(shape, array, replace(conditions, converter_errors=False), Generator()) is None
