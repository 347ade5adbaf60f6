"""Transposed convolutions on crossbars: one matrix product per input position, added up where outputs overlap.

The matrix has a column for each output channel and kernel position; the sums of overlapping kernels are digital.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.crossbar.layers import CrossbarConv2d, Hardware, ReadState

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d


class CrossbarConvTranspose(nn.Module):
    """``nn.ConvTranspose2d`` or ``nn.ConvTranspose1d`` whose matrix stands in crossbars.

    Args:
        conv: What to replace; its parameters are shared, not copied.
        hardware: Arrays, cells and wires.
        state: Read state of the network.
    """

    def __init__(self, conv: Transposed, hardware: Hardware, state: ReadState) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._conv = [conv]  # a list: its parameters are registered once, under their own names
        self._state = state
        columns = conv.out_channels * math.prod(conv.kernel_size)
        matrix = nn.Conv2d(conv.in_channels, columns, 1, groups=conv.groups, bias=False, device="meta")
        self._layer = [CrossbarConv2d(matrix, hardware, state, self._matrix)]

    @property
    def layer(self) -> CrossbarConv2d:
        """The matrix product that is read."""
        return self._layer[0]

    def _matrix(self) -> tuple[Tensor, None]:
        groups = self._conv[0].groups
        grouped = self.weight.reshape(groups, self.weight.shape[0] // groups, -1)
        return grouped.transpose(1, 2).reshape(-1, grouped.shape[1], 1, 1), None

    @override
    def train(self, mode: bool = True) -> CrossbarConvTranspose:
        super().train(mode)
        self.layer.train(mode)
        return self

    @override
    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        conv: Any = self._conv[0]
        dims = len(conv.kernel_size)
        if x.ndim == dims + 1:
            return self.forward(x[None], output_size)[0]
        extra = conv._output_padding(
            x, output_size, conv.stride, conv.padding, conv.kernel_size, dims, conv.dilation
        ) if output_size is not None else conv.output_padding  # fmt: skip
        if self._state.mode == "float" and not self.training:
            convolve = functional.conv_transpose1d if dims == 1 else functional.conv_transpose2d
            plain: Tensor = convolve(
                x, self.weight, self.bias, conv.stride, conv.padding, extra, conv.groups, conv.dilation
            )
            return plain
        image = x if dims == 2 else x.unsqueeze(2)
        products = self.layer(image).flatten(2)
        kernel, stride, padding, dilation, extra = (
            tuple(map(int, v)) if dims == 2 else (n, int(v[0]))
            for v, n in (
                (conv.kernel_size, 1),
                (conv.stride, 1),
                (conv.padding, 0),
                (conv.dilation, 1),
                (extra, 0),
            )
        )
        size = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, k, s, p, d, e in zip(
                image.shape[2:], kernel, stride, padding, dilation, extra, strict=True
            )
        )
        y = functional.fold(products, size, kernel, dilation, padding, stride)
        y = y if self.bias is None else y + self.bias.reshape(-1, 1, 1)
        return y if dims == 2 else y.squeeze(2)
