"""Layers that compute their own weights or pad their own inputs, and keep doing so on crossbars.

Subclasses of ``nn.Conv2d``, ``nn.Conv1d`` and ``nn.Linear`` with a forward of their own (weight standardisation,
TensorFlow's padding), parametrised and pruned layers, weight norm, and layers with hooks stay where they are; the one
convolution or matrix product that their forward computes is read from arrays that hold the weight it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from nax_bo.crossbar.layers import CrossbarConv2d, CrossbarLayer, CrossbarLinear, Hardware, ReadState
from nax_bo.errors import InputError

_PRODUCTS: dict[Any, str] = {
    torch.conv2d: "conv", torch.conv1d: "conv", functional.conv2d: "conv", functional.conv1d: "conv",
    functional.linear: "linear", torch._C._nn.linear: "linear",
}  # fmt: skip
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_DEFAULTS = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}

Product = dict[str, Any]
"""Arguments of one convolution or matrix product, by name."""


class _Intercepted(TorchFunctionMode):
    """Hands every convolution and matrix product to ``product`` in place of torch."""

    def __init__(self, product: Callable[[Any, Product], Tensor]) -> None:
        super().__init__()
        self.product = product

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            given = dict(zip(_CONVOLUTION, args, strict=False)) | kwargs
            return self.product(func, _DEFAULTS | given)
        return func(*args, **kwargs)


class KeptForward:
    """The forward of a layer that stays in the model: its product is read from :attr:`layer`.

    Args:
        module: The layer.
        name: Its name.
        hardware: Arrays, cells and wires.
        state: Read state of the network.

    Raises:
        InputError: The forward does not compute exactly one product, or its weight depends on the input.
    """

    def __init__(self, module: nn.Module, name: str, hardware: Hardware, state: ReadState) -> None:
        self.module, self.name, self.state = module, name, state
        self.own = module.forward
        first, ones = self._probe(0.0), self._probe(1.0)
        if not torch.equal(first["weight"], ones["weight"]):
            raise self._refusal("its weights depend on its input")
        self.layer = self._layer(first, hardware)
        self.layer.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's forward."""
        self.layer.train(self.module.training)
        if self.state.mode == "float" and not self.module.training:
            return self.own(*args, **kwargs)
        calls = []

        def read(func: Any, product: Product) -> Tensor:
            calls.append(func)
            self._check(product)
            self.layer.source = lambda: (product["weight"], product["bias"])
            try:
                y: Tensor = self.layer(product["input"])
                return y
            finally:
                self.layer.source = self._present

        with _Intercepted(read):
            out = self.own(*args, **kwargs)
        if len(calls) != 1:
            raise self._refusal(f"its forward computes {len(calls)} products")
        return out

    def _present(self) -> tuple[Tensor, Tensor | None]:
        found = self._probe(0.0)
        return found["weight"], found["bias"]

    @torch.no_grad()
    def _probe(self, value: float) -> Product:
        """The product that the forward computes, on a small input."""
        found: list[Product] = []

        def note(func: Any, product: Product) -> Tensor:
            found.append(product)
            arguments = [product[k] for k in _CONVOLUTION[: 3 if _PRODUCTS[func] == "linear" else 7]]
            out: Tensor = func(*arguments)
            return out

        training = self.module.training
        self.module.eval()
        try:
            present = self.module.forward
            self.module.forward = self.own
            try:
                with _Intercepted(note):
                    self.module(self._small(value))  # hooks included: weight norm is one
            finally:
                self.module.forward = present
        except (RuntimeError, TypeError, ValueError) as ex:
            raise self._refusal(f"its forward does not run on a small input ({ex})") from ex
        finally:
            self.module.train(training)
        if len(found) != 1:
            raise self._refusal(f"its forward computes {len(found)} products")
        return found[0]

    def _small(self, value: float) -> Tensor:
        m: Any = self.module
        parameter = next(m.parameters())
        shape: tuple[int, ...] = (1, m.in_features) if isinstance(m, nn.Linear) else (1, m.in_channels)
        if not isinstance(m, nn.Linear):
            shape += tuple(
                max(2 * d * (k - 1) + 1, s)
                for d, k, s in zip(m.dilation, m.kernel_size, m.stride, strict=True)
            )
        return torch.full(shape, value, dtype=parameter.dtype, device=parameter.device)

    def _layer(self, product: Product, hardware: Hardware) -> CrossbarLayer:
        weight, groups = product["weight"], int(product["groups"])
        # on the meta device: a description, without weights of its own
        if isinstance(self.module, nn.Linear):
            plain = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
            return CrossbarLinear(plain, hardware, self.state, self._present)
        made = nn.Conv1d if weight.ndim == 3 else nn.Conv2d
        conv = made(
            weight.shape[1] * groups, weight.shape[0], tuple(weight.shape[2:]), product["stride"], product["padding"],
            product["dilation"], groups, device="meta",
        )  # fmt: skip
        self._fixed = self._settings(product)
        return CrossbarConv2d(conv, hardware, self.state, self._present)

    def _settings(self, product: Product) -> tuple[Any, ...]:
        sizes = [product[k] for k in ("stride", "padding", "dilation", "groups")]
        dims = product["weight"].ndim - 2
        return tuple(
            (s,) * dims if isinstance(s, int) else s if isinstance(s, str) else tuple(s) for s in sizes
        )

    def _check(self, product: Product) -> None:
        if not isinstance(self.module, nn.Linear) and self._settings(product) != self._fixed:
            raise self._refusal("its stride, padding or dilation depends on its input")

    def _refusal(self, why: str) -> InputError:
        kind = type(self.module).__name__
        return InputError(
            f"layer {self.name!r} ({kind}) cannot run on crossbars: {why}",
            f"Leave it in floating point: convert(..., leave_float=[{self.name!r}]).",
        )
