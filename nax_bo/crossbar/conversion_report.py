"""What of a model runs on crossbars, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from typing_extensions import override

_WITH_WEIGHTS = {
    functional.linear, torch.conv1d, torch.conv2d, torch.conv3d, torch.conv_transpose1d, torch.conv_transpose2d,
    torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm, torch.einsum, torch.Tensor.matmul,
    torch.Tensor.__matmul__, torch.Tensor.__rmatmul__, torch.Tensor.mm, torch.Tensor.bmm,
}  # fmt: skip


@dataclass(frozen=True)
class ConversionReport:
    """What became of a model's matrix products.

    Attributes:
        converted: Crossbar layers, as they are computed.
        left_float: What stays in floating point, with the reason. Products that the model computes with a parameter
            outside any layer are known once the network has been calibrated.
        calls: How often each layer is called in one forward pass.
        inputs_clipped: By layer, share of the calibration inputs beyond the range that was chosen, largest of its
            calls.
        weights_clipped: By layer, share of weights beyond the largest code.
    """

    converted: tuple[str, ...]
    left_float: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    inputs_clipped: dict[str, float] = field(default_factory=dict)
    weights_clipped: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self)

    def table(self) -> str:
        """Text for people."""
        lines = [f"{len(self.converted)} layers on crossbars"]
        for name in self.converted:
            facts = [f"{self.calls[name]} calls"] if self.calls.get(name, 1) > 1 else []
            for what, found in (("inputs", self.inputs_clipped), ("weights", self.weights_clipped)):
                if found.get(name):
                    facts.append(f"{100 * found[name]:.2g} % of {what} clipped")
            lines.append(f"  {name}{': ' if facts else ''}{', '.join(facts)}")
        lines += ["in floating point"] * bool(self.left_float)
        return "\n".join([*lines, *(f"  {name}: {why}" for name, why in self.left_float.items())])


@contextmanager
def noting_products(model: nn.Module) -> Iterator[dict[str, str]]:
    """Products with a parameter of ``model`` that are computed outside crossbar layers while the block runs."""
    names = {id(p): name for name, p in model.named_parameters()}
    found: dict[str, str] = {}

    class Noting(TorchFunctionMode):
        @override
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in _WITH_WEIGHTS:
                operands = [*args, *(kwargs or {}).values()]
                operands += [x for a in operands if isinstance(a, (tuple, list)) for x in a]
                for operand in operands:
                    if isinstance(operand, torch.Tensor) and id(operand) in names:
                        kind = getattr(func, "__name__", str(func))
                        found[names[id(operand)]] = f"{kind} outside a layer is not simulated"
            return func(*args, **(kwargs or {}))

    with Noting():
        yield found
