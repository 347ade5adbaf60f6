"""One read of a layer's arrays: every selected slice, stream and row block is summed and converted on its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic import compiled
from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.converter_errors import ConverterErrors
from nax_bo.crossbar.arithmetic.exact import array_product, sigma_steps
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.lookup import Tables, digits_of, tables
from nax_bo.crossbar.arithmetic.noise import MOST_STREAMS, bank
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.physics.cells import grid
from nax_bo.crossbar.physics.slicing import slice_weights, stream_weights
from nax_bo.hardware.chip import ArraySpec

_LARGEST_TABLES = 64 << 20  # bytes kept between reads
_log = logging.getLogger(__name__)


@dataclass
class Arrays:
    """The arrays of one layer on one programmed chip, ready to be read.

    Attributes:
        geometry, array, inputs, converter: How vectors are formed, sliced, quantised and converted.
        levels: ``slices x groups x rows x cols``.
        integer: All levels are integers.
        read_variance: ``slices x groups x blocks x cols``, squared levels; ``None``: no read noise.
        gain: Factor of what the arrays return; undoes the mean drift.
        errors: Of the converters; ``None``: ideal ones.
    """

    geometry: Geometry
    array: ArraySpec
    inputs: InputRange
    converter: Converter
    levels: Tensor
    integer: bool
    read_variance: Tensor | None
    gain: float = 1.0
    errors: ConverterErrors | None = None
    _tables: dict[str, Tables | None] = field(default_factory=dict, repr=False)

    @property
    def lossless(self) -> bool:
        """Whether reading returns the exact integer product."""
        return self.integer and self.read_variance is None and self.errors is None and self.converter.lossless

    def quiet(self) -> Arrays:
        """The same without what is drawn anew at each read."""
        still = None if self.errors is None else replace(self.errors, noise_lsb=0.0)
        return replace(self, read_variance=None, errors=still)

    def read(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        generator: Generator | None,
        *,
        pairs: Tensor | None = None,
        linear: Tensor | None = None,
    ) -> Tensor:
        """Layer output: product in code units times ``scale`` plus ``bias``, both per output channel.

        Sums are accumulated in single precision by the compiled kernel: exact while below 2^24 code units.

        Args:
            x: ``batch x channels x height x width`` input values.
            scale: Value of one code unit.
            bias: Added.
            generator: Source of read noise and of the converters'; one number is taken from it if there is any.
            pairs: ``slices x streams`` booleans: which are simulated; needs ``linear``.
            linear: The output without converters, which receives the converters' errors in place.
        """
        if x.numel() == 0:
            size = self.geometry.out_size(x.shape[2], x.shape[3])
            return linear if linear is not None else x.new_empty(len(x), self.geometry.out_channels, *size)
        noisy = self.read_variance is not None or (self.errors is not None and self.errors.noise_lsb > 0)
        seed = int(torch.randint(2**62, (), generator=generator, device="cpu")) if noisy else 0
        found = self._compiled_tables()
        read = self._read_eager if found is None else partial(self._read_compiled, found)
        return read(x, scale * self.gain, bias, seed=seed, pairs=pairs, linear=linear)

    def _read_eager(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        *,
        seed: int,
        pairs: Tensor | None,
        linear: Tensor | None,
    ) -> Tensor:
        total = array_product(
            self.geometry.patches(self.inputs.codes(x)),
            self.levels,
            self.array,
            self.geometry.blocks.sizes,
            self.converter,
            read_variance=self.read_variance,
            errors=self.errors,
            seed=seed,
            pairs=pairs,
            error_only=linear is not None,
        )
        channel = scale.to(total.dtype).reshape(-1, 1, 1)
        out = self.geometry.assemble(total, x) * channel
        if linear is not None:
            return linear.add_(out.to(linear.dtype))
        return (out + bias.reshape(-1, 1, 1)).to(x.dtype)

    def _compiled_tables(self) -> Tables | None:
        """Tables for the compiled kernel; ``None`` if the kernel cannot do this read."""
        if self.levels.device.type != "cpu" or not compiled.available() or self.levels.dtype != torch.float32:
            return None
        signed, entries = self.inputs.signed, compiled.table_entries()
        _, rows = digits_of(self.array, entries, signed)
        if rows == 0:
            return _unserved(f"inputs of {self.array.dac_bits} bits per pulse")
        if self.array.streams > MOST_STREAMS or self.inputs.high > 32767:
            return _unserved(f"{self.array.input_bits}-bit inputs")
        if "tables" not in self._tables:
            level = 1.0 if self.integer else grid(self.array)
            made = tables(
                self.levels,
                self.array,
                self.geometry.blocks.sizes,
                entries=entries,
                signed=signed,
                level=level,
            )
            if made is not None and made.entries.nbytes > _LARGEST_TABLES:
                return made
            self._tables["tables"] = made
        if self._tables["tables"] is None:
            return _unserved(f"sums of {max(self.geometry.blocks.sizes)} rows of such cells")
        return self._tables["tables"]

    def _read_compiled(
        self,
        found: Tables,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        *,
        seed: int,
        pairs: Tensor | None,
        linear: Tensor | None,
    ) -> Tensor:
        g, array, adc = self.geometry, self.array, self.converter
        x, scale, bias = x.contiguous(), scale.float().contiguous(), bias.float().contiguous()
        batch, _, height, width = x.shape
        padded = (height + 2 * g.padding[0], width + 2 * g.padding[1])
        out_height, out_width = g.out_size(height, width)
        offsets = g.row_offsets(*padded)
        block_rows = torch.tensor(g.blocks.sizes, device="cpu")
        stream_place = torch.tensor(stream_weights(array), dtype=torch.float32, device="cpu")
        slice_place = torch.tensor(slice_weights(array), dtype=torch.float32, device="cpu")
        chosen = (
            torch.ones(array.slices, array.streams, dtype=torch.bool, device="cpu")
            if pairs is None
            else pairs
        )
        selected = chosen.to(torch.uint8).contiguous()
        sigma, curve = self._column_sigma(found.entries.shape[2]), self._column_curve(found.entries.shape[2])
        y = (
            x.new_empty(batch, g.out_channels, out_height, out_width)
            if linear is None
            else linear.contiguous()
        )
        radix, rows = digits_of(array, compiled.table_entries(), self.inputs.signed)
        normals = bank()
        problem = compiled.Problem(
            x=x.data_ptr(),
            batch=batch,
            channels=g.in_channels,
            height=height,
            width=width,
            pad_top=g.padding[0],
            pad_left=g.padding[1],
            padded_height=padded[0],
            padded_width=padded[1],
            inverse_scale=1 / self.inputs.scale,
            low=self.inputs.low,
            high=self.inputs.high,
            out_height=out_height,
            out_width=out_width,
            stride_h=g.stride[0],
            stride_w=g.stride[1],
            groups=g.groups,
            group_channels=g.in_channels // g.groups,
            row_offset=offsets.data_ptr(),
            block_rows=block_rows.data_ptr(),
            blocks=len(block_rows),
            dac_bits=array.dac_bits,
            radix=radix,
            rows_per_lookup=rows,
            streams=array.streams,
            stream_place=stream_place.data_ptr(),
            tables=found.entries.data_ptr(),
            lookups=found.entries.shape[1],
            column_stride=found.entries.shape[2],
            cols=g.cols,
            slices=array.slices,
            chunk_lookups=found.chunk,
            slice_place=slice_place.data_ptr(),
            level=found.level,
            selected=selected.data_ptr(),
            one_pass=int(bool(chosen.all())),
            error_only=int(linear is not None),
            step=adc.step,
            inverse_step=1 / adc.step,
            code_low=adc.low,
            code_high=adc.high,
            curve=None if curve is None else curve.data_ptr(),
            read_sigma=None if sigma is None else sigma.data_ptr(),
            noise=0.0 if self.errors is None else self.errors.noise_lsb,
            bank=normals.data_ptr(),
            seed=seed,
            y=y.data_ptr(),
            scale=scale.data_ptr(),
            bias=bias.data_ptr(),
            accumulate=int(linear is not None),
        )
        compiled.run(problem)
        return y if linear is None or linear is y else linear.copy_(y)

    def _column_sigma(self, stride: int) -> Tensor | None:
        """``groups x blocks x stride``, steps."""
        if self.read_variance is None:
            return None
        columns = sigma_steps(self.read_variance, self.converter).permute(1, 2, 0, 3).flatten(2)
        return torch.nn.functional.pad(columns, (0, stride - columns.shape[2])).contiguous()

    def _column_curve(self, stride: int) -> Tensor | None:
        """``groups x blocks x 4 x stride``."""
        if self.errors is None or self.errors.curve is None:
            return None
        columns = self.errors.curve.permute(1, 2, 4, 0, 3).flatten(3)
        return torch.nn.functional.pad(columns, (0, stride - columns.shape[3])).contiguous()


@cache
def _unserved(what: str) -> None:
    """Say once that, and why, reads take the slow path."""
    _log.warning("the compiled kernel does not take %s: such layers are read by torch, more slowly", what)
