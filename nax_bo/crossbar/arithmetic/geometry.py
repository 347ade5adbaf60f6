"""Where the vectors of a convolution lie in its input, and where their products go in its output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from nax_bo.crossbar.physics.slicing import RowBlocks


@dataclass(frozen=True)
class Geometry:
    """A convolution on zero-padded images. A linear layer is a 1 x 1 convolution of an image with one row.

    Attributes:
        in_channels, out_channels, groups: As in ``nn.Conv2d``.
        kernel, stride, dilation, padding: (height, width).
        blocks: How the rows of one group's matrix are spread over arrays.
    """

    in_channels: int
    out_channels: int
    groups: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    blocks: RowBlocks

    @property
    def rows(self) -> int:
        """Rows of one group's matrix."""
        return sum(self.blocks.sizes)

    @property
    def cols(self) -> int:
        """Columns of one group's matrix."""
        return self.out_channels // self.groups

    def out_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output."""
        sizes = zip((height, width), self.padding, self.dilation, self.kernel, self.stride, strict=True)
        h, w = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, p, d, k, s in sizes)
        return h, w

    def patches(self, x: Tensor) -> Tensor:
        """Input vectors of ``x: batch x channels x height x width``: ``groups x vectors x rows``, in array order."""
        columns = functional.unfold(x, self.kernel, self.dilation, self.padding, self.stride)
        batch, _, positions = columns.shape
        grouped = columns.reshape(batch, self.groups, -1, positions).permute(1, 0, 3, 2)
        return self.blocks.arrange(grouped.reshape(self.groups, batch * positions, -1), 2)

    def assemble(self, products: Tensor, x: Tensor) -> Tensor:
        """Output image from ``products: groups x vectors x cols`` of the vectors of ``x``."""
        height, width = self.out_size(x.shape[2], x.shape[3])
        out = products.reshape(self.groups, len(x), height, width, -1).permute(1, 0, 4, 2, 3)
        return out.reshape(len(x), self.out_channels, height, width)

    def matrix(self, weight: Tensor) -> Tensor:
        """``weight: out x ...`` as ``groups x rows x cols``, rows in array order."""
        grouped = weight.reshape(self.groups, self.cols, -1)
        return self.blocks.arrange(grouped.transpose(1, 2), 1)

    def weight(self, matrix: Tensor) -> Tensor:
        """Inverse of :meth:`matrix`, as ``out x channels per group x kernel height x kernel width``."""
        if self.blocks.order is not None:
            matrix = matrix.index_select(1, torch.tensor(self.blocks.order, device=matrix.device).argsort())
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel)
        return matrix.transpose(1, 2).reshape(shape)

    def row_offsets(self, padded_height: int, padded_width: int) -> Tensor:
        """Distance of each row of a vector from its first element, in a padded image of one group."""
        return _row_offsets(self, padded_height, padded_width)


@lru_cache(maxsize=1024)
def _row_offsets(g: Geometry, height: int, width: int) -> Tensor:
    c = torch.arange(g.in_channels // g.groups, device="cpu")[:, None, None] * height * width
    i = torch.arange(g.kernel[0], device="cpu")[:, None] * g.dilation[0] * width
    j = torch.arange(g.kernel[1], device="cpu") * g.dilation[1]
    return g.blocks.arrange((c + i + j).flatten(), 0).contiguous()
