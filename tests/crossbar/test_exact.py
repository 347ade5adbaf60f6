"""Exact mode against integer arithmetic written out in loops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic import compiled, exact
from nax_bo.crossbar.arithmetic.adc import Converter, converter
from nax_bo.crossbar.arithmetic.exact import partial_sums
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.quantise import InputRange, largest_code
from nax_bo.crossbar.arithmetic.readout import Arrays
from nax_bo.crossbar.physics.cells import nominal_cells
from nax_bo.crossbar.physics.slicing import row_blocks
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ArraySpec

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WIDE = Converter(1.0, -(2**15), 2**15 - 1, 1.0)
FINE = Converter(1 / 64, -(2**20), 2**20 - 1, 1.0)
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
    compiled._library.cache_clear()
    if sets and not compiled.available():
        pytest.skip(f"no compiler or no {request.param} here")
    yield str(request.param)
    compiled._library.cache_clear()


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


@pytest.mark.parametrize("path", ["avx512", "avx2"], indirect=True)
@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("signed", [False, True])
def test_compiled_kernel_agrees_with_torch_on_analog_levels(path, encoding, signed, monkeypatch):
    array = ArraySpec(rows=64, adc_bits=8, encoding=encoding)
    shape = ((16, 24, 1), (3, 3), (1, 1), (1, 1), (1, 1))
    arrays, _, x = make(array, shape, signed, 0.2, seed=1)
    levels = arrays.levels + 0.05 * torch.randn(arrays.levels.shape, generator=Generator().manual_seed(2))
    analog = Arrays(arrays.geometry, array, arrays.inputs, arrays.converter, levels, False, None)
    assert analog._compiled_tables() is not None
    fast = read(analog, x)
    monkeypatch.setenv("NAXBO_COMPILED", "0")
    reference = read(analog, x)
    # 16-bit tables move a few sums across a rounding threshold: little beside the converters' own rounding
    own = read(Arrays(arrays.geometry, array, arrays.inputs, FINE, levels, False, None), x) - reference
    assert float((fast - reference).square().mean()) < 0.05 * float(own.square().mean())


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
