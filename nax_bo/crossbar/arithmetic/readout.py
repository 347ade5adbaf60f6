"""One read of a layer's arrays: every selected slice, stream and row block is summed and converted on its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.arithmetic import compiled
from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.exact import array_product
from nax_bo.crossbar.arithmetic.geometry import Geometry
from nax_bo.crossbar.arithmetic.lookup import Tables, digits_of, tables
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.physics.slicing import slice_weights, stream_weights
from nax_bo.hardware.chip import ArraySpec

_BANK = 1 << 16  # as in kernel.c
_MOST_STREAMS = 16
_LARGEST_TABLES = 64 << 20  # bytes kept between reads


@dataclass
class Arrays:
    """The arrays of one layer on one programmed chip, ready to be read.

    Attributes:
        geometry, array, inputs, converter: How vectors are formed, sliced, quantised and converted.
        levels: ``slices x groups x rows x cols``.
        integer: All levels are integers.
        read_variance: ``slices x groups x blocks x cols``, squared levels; ``None``: no read noise.
        gain: Factor of what the arrays return; undoes the mean drift.
    """

    geometry: Geometry
    array: ArraySpec
    inputs: InputRange
    converter: Converter
    levels: Tensor
    integer: bool
    read_variance: Tensor | None
    gain: float = 1.0
    _tables: dict[str, Tables | None] = field(default_factory=dict)

    @property
    def lossless(self) -> bool:
        """Whether reading returns the exact integer product."""
        return self.integer and self.read_variance is None and self.converter.lossless

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
            generator: Source of read noise.
            pairs: ``slices x streams`` booleans: which are simulated; needs ``linear``.
            linear: The output without converters, which receives the converters' errors in place.
        """
        if x.numel() == 0:
            size = self.geometry.out_size(x.shape[2], x.shape[3])
            return linear if linear is not None else x.new_empty(len(x), self.geometry.out_channels, *size)
        found = self._compiled_tables()
        read = self._read_eager if found is None else partial(self._read_compiled, found)
        return read(x, scale * self.gain, bias, generator=generator, pairs=pairs, linear=linear)

    def _read_eager(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        *,
        generator: Generator | None,
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
            generator=generator,
            pairs=pairs,
            errors=linear is not None,
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
        if rows == 0 or self.array.streams > _MOST_STREAMS or self.inputs.high > 32767:
            return None
        if "tables" not in self._tables:
            blocks = self.geometry.blocks.sizes
            step = self.converter.step
            made = tables(
                self.levels,
                self.array,
                blocks,
                entries=entries,
                signed=signed,
                step=step,
                integer=self.integer,
            )
            if made is not None and made.entries.nbytes > _LARGEST_TABLES:
                return made
            self._tables["tables"] = made
        return self._tables["tables"]

    def _read_compiled(
        self,
        found: Tables,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        *,
        generator: Generator | None,
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
        sigma = self._column_sigma(found.entries.shape[2])
        noise_seed = 0 if sigma is None else int(torch.randint(2**62, (), generator=generator, device="cpu"))
        y = (
            x.new_empty(batch, g.out_channels, out_height, out_width)
            if linear is None
            else linear.contiguous()
        )
        radix, rows = digits_of(array, compiled.table_entries(), self.inputs.signed)
        bank = noise_bank()
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
            slice_place=slice_place.data_ptr(),
            level=found.level,
            selected=selected.data_ptr(),
            one_pass=int(bool(chosen.all())),
            error_only=int(linear is not None),
            step=adc.step,
            inverse_step=1 / adc.step,
            code_low=adc.low,
            code_high=adc.high,
            read_sigma=None if sigma is None else sigma.data_ptr(),
            bank=bank.data_ptr(),
            seed=noise_seed,
            y=y.data_ptr(),
            scale=scale.data_ptr(),
            bias=bias.data_ptr(),
            accumulate=int(linear is not None),
        )
        compiled.run(problem)
        return y if linear is None or linear is y else linear.copy_(y)

    def _column_sigma(self, stride: int) -> Tensor | None:
        """``groups x blocks x stride``, levels."""
        if self.read_variance is None:
            return None
        columns = self.read_variance.permute(1, 2, 0, 3).flatten(2).sqrt()
        return torch.nn.functional.pad(columns, (0, stride - columns.shape[2])).contiguous()


@lru_cache(maxsize=1)
def noise_bank() -> Tensor:
    """Standard normals from which the kernel reads at random offsets."""
    return torch.randn(_BANK + 512, generator=Generator("cpu").manual_seed(0), device="cpu")
