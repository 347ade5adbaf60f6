"""What every translation of an operation needs: what its tensors hold, what its layer is called, which shape it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nax_bo.interop.torch_import.drafts import IMAGE, Draft, Drafts
from nax_bo.interop.torch_import.recording import Call, Constant, Map, Recorder, Value
from nax_bo.network.spec import Shape

Result = Value | None


class Reading:
    """Calls of a recorder, and the layers that come of them."""

    recorder: Recorder

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts

    def _held(self, call: Call, argument: Any) -> Value:
        return self.recorder.value(argument, call) if isinstance(argument, Tensor) else Constant()

    def _tensors(self, call: Call) -> list[Tensor]:
        found: list[Tensor] = []
        for x in call.given.values():
            found += [y for y in (x if isinstance(x, (list, tuple)) else [x]) if isinstance(y, Tensor)]
        return found

    def _maps(self, call: Call) -> list[Tensor]:
        return [x for x in self._tensors(call) if isinstance(self._held(call, x), Map)]

    def _sources(self, call: Call) -> list[int]:
        held = (self._held(call, x) for x in self._tensors(call))
        return [v.source for v in held if isinstance(v, Map)]

    def _parameters(self, call: Call) -> frozenset[int]:
        held = (self._held(call, x) for x in self._tensors(call))
        return frozenset().union(*(v.parameters for v in held if isinstance(v, Constant)))

    @staticmethod
    def _label(call: Call, suffix: str | None = None) -> str:
        """The module's path; with what is computed, unless the module is one of torch's that does nothing else."""
        module = call.module
        plain = type(module).__module__.startswith("torch.nn.") and not list(module.children())
        if plain and suffix is None and call.path:
            return call.path
        return ".".join(filter(None, (call.path, suffix or call.name)))

    def _shape_of(self, out: Tensor, sources: Sequence[int]) -> Shape:
        """That of the input that has as many elements, or what it usually means."""
        for source in sources:
            shape = self._drafts.shape(source)
            if math.prod(shape) == out.numel():
                return shape
        return channels_last(out.shape) if out.ndim != 4 else images(out.shape)

    def _layer(
        self, call: Call, op: str, out: Any, settings: dict[str, Any], label: str | None = None
    ) -> Result:
        """A layer that reads all maps of the call; it gives all tensors of its result."""
        sources = self._sources(call)
        tensors = [x for x in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(x, Tensor)]
        shape = self._shape_of(tensors[0], sources)
        name = label or self._label(call, "join" if op == "reshape" else None)
        draft = Draft(name, op, sources, shape, shape, self._parameters(call), settings)
        return Map(self._drafts.add(draft))

    def _elementwise(self, call: Call, out: Any, per_output: int, fixed: int = 0) -> Result:
        first = out[0] if isinstance(out, (tuple, list)) else out
        return self._layer(call, "elementwise", out, {"elementwise_ops": per_output * first.numel() + fixed})

    def _source(self, call: Call, x: Tensor, shape: Shape) -> int:
        """What a layer reads; constants are priced as if they came with the image."""
        value = self._held(call, x)
        if isinstance(value, Map):
            return value.source
        name = self._label(call, "constant")
        return self._drafts.add(Draft(name, "reshape", [IMAGE], shape, shape, value.parameters))


def channels_last(shape: Sequence[int]) -> Shape:
    """``... x channels`` as (channels, height, width); all positions in one row unless there are two axes of them."""
    *before, channels = shape or (1,)
    positions = before[1:] if before and before[0] == 1 else before
    if len(positions) == 2:
        return (channels, positions[0], positions[1])
    return (channels, math.prod(positions), 1)


def images(shape: Sequence[int], dims: int = 2) -> Shape:
    """``[N x] channels x height x width`` or ``[N x] channels x length``; several images lie one below the other."""
    *before, channels = shape[: len(shape) - dims]
    height, width = shape[-2:] if dims == 2 else (1, shape[-1])
    return (channels, math.prod(before) * height, width)


def pair(value: Any, dims: int, other: int) -> tuple[int, int]:
    """(height, width) of a setting; ``other`` is the height where there is one dimension only."""
    sizes = (value,) * dims if isinstance(value, int) else tuple(value)
    sizes = sizes * dims if len(sizes) < dims else sizes
    return (other, sizes[0]) if dims == 1 else (sizes[0], sizes[1])
