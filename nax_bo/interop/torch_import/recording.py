"""Watch a model run: every torch operation with the module that computes it, and what its tensors come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from nax_bo.errors import InputError


@dataclass(frozen=True, slots=True)
class Map:
    """A feature map, or a part or another arrangement of one: ``source`` computes it (-1: the image)."""

    source: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that no image changes, and the parameters that it is computed from (by ``id``)."""

    parameters: frozenset[int] = frozenset()


Value = Map | Constant


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes:
        func: torch's overload.
        name: Its name without overload and the underscore of in-place forms.
        given: Arguments by the names of its schema, defaults included.
        module: Where it is computed: the innermost module of the model.
        path: That module's name.
    """

    func: Any
    name: str
    given: dict[str, Any]
    module: nn.Module
    path: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.path!r} ({type(self.module).__name__})" if self.path else type(self.module).__name__

    def refused(self, why: str, hint: str = "") -> InputError:
        """The error that this operation cannot be expressed."""
        return InputError(
            f"{self.where} computes {self.name}: {why}",
            hint or "Import a part of the model without it, or compute it outside the network.",
        )


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells ``translate`` of every operation on feature maps, and keeps track of what tensors hold.

    Args:
        model: What is run; modules called in it are found by name.
        translate: Gets a call, and a function that runs it and gives its result; gives the value of all tensors of that
            result, or ``None`` if the operation is to be taken apart.
        claims: Whether a call that no feature map enters is to be translated, too.
    """

    def __init__(
        self,
        model: nn.Module,
        translate: Callable[[Call, Callable[[], Any]], Value | None],
        claims: Callable[[Call], bool],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._translate, self._claims = translate, claims
        self._paths: dict[int, str] = {}
        for path, module in model.named_modules():
            self._paths.setdefault(id(module), path)
        self.stack: list[nn.Module] = [model]
        self._held: dict[int, tuple[Tensor, Value, int]] = {}
        self._versions: dict[int, int] = {}  # of storages: how often they were overwritten
        for parameter in model.parameters():
            self.hold(parameter, Constant(frozenset({id(parameter)})))

    @contextmanager
    def watching(self, entered: Callable[[nn.Module, str], None]) -> Iterator[None]:
        """While the block runs, operations are recorded, and ``entered`` hears of every module that is called."""

        def before(module: nn.Module, _: Any) -> None:
            if id(module) in self._paths:
                self.stack.append(module)
                entered(module, self._paths[id(module)])

        def after(module: nn.Module, _: Any, __: Any) -> None:
            if id(module) in self._paths and len(self.stack) > 1:
                self.stack.pop()

        hooks = [
            register_module_forward_pre_hook(before),
            register_module_forward_hook(after, always_call=True),
        ]
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # kernels of whole layers
        try:
            with torch.inference_mode(), self:
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for hook in hooks:
                hook.remove()

    def hold(self, tensor: Tensor, value: Value) -> None:
        """Remember what a tensor holds."""
        self._held[id(tensor)] = (tensor, value, self._versions.get(_storage(tensor), 0))

    def value(self, tensor: Tensor, call: Call) -> Value:
        """What a tensor holds.

        Raises:
            InputError: Other tensors have written into its memory.
        """
        found = self._held.get(id(tensor))
        now = self._versions.get(_storage(tensor), 0)
        if found is None:
            if now:
                raise call.refused("it reads a map that was overwritten in parts")
            return Constant()
        if found[2] != now:
            raise call.refused(
                "it reads a map that was overwritten, wholly or in parts, through a view of it"
            )
        return found[1]

    def value_of(self, tensor: Tensor) -> Value:
        """What the model's result holds."""
        return self._held[id(tensor)][1] if id(tensor) in self._held else Constant()

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        module = self.stack[-1]
        call = Call(
            func,
            func.overloadpacket.__name__.removesuffix("_") or func.overloadpacket.__name__,
            _bound(func, args, kwargs),
            module,
            self._paths[id(module)],
        )
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        values = [self.value(x, call) for x in inputs]
        maps = [v for v in values if isinstance(v, Map)]
        results: list[Any] = []

        def run() -> Any:
            results.append(func(*args, **kwargs))
            return results[-1]

        if maps or self._claims(call):
            value = self._translate(call, run)
            if value is None:
                with self:
                    apart = func.decompose(*args, **kwargs)
                if apart is not NotImplemented:
                    return apart
                raise call.refused("an operation that naxbo does not know how to price")
        else:
            known = [v.parameters for v in values if isinstance(v, Constant)]
            value = Constant(frozenset().union(*known))
        out = results[-1] if results else run()
        if maps:
            for tensor in _written(call):
                self._versions[_storage(tensor)] = self._versions.get(_storage(tensor), 0) + 1
        tensors = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
        for tensor in tensors:
            self.hold(tensor, value)
        return out


def _written(call: Call) -> list[Tensor]:
    """Tensors that an operation overwrites."""
    described = [a for a in call.func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return [x for a in described if isinstance(x := call.given.get(a.name), Tensor)]


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bound(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    described = func._schema.arguments
    given: dict[str, Any] = {a.name: a.default_value for a in described if a.has_default_value()}
    given |= {a.name: x for a, x in zip(described, args, strict=False)}
    return given | dict(kwargs)
