"""Which parts of a torch model run on crossbars, under which names and in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from typing_extensions import override

from nax_bo.crossbar.attention import CrossbarAttention
from nax_bo.errors import InputError
from nax_bo.network.spec import NetworkSpec
from nax_bo.network.torch_build import Network

PLAIN = (nn.Conv2d, nn.Conv1d, nn.Linear)
TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose1d)
_NOT_SIMULATED = (
    nn.Conv3d, nn.ConvTranspose3d, nn.Bilinear, nn.RNNBase, nn.RNNCellBase,
)  # fmt: skip
"""Modules of torch with matrix products that are not put on crossbars."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class Place:
    """A module that goes onto crossbars, and wherever the model holds it.

    Attributes:
        module: The module.
        name: Its layer's name; that of an attention is the beginning of its projections' names.
        parents: (owner, attribute) of all places.
        layers: Names of the crossbar layers that it becomes.
    """

    module: nn.Module
    name: str
    parents: tuple[tuple[nn.Module, str], ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What :func:`find` saw.

    Attributes:
        places: What goes onto crossbars, in the order of the model's attributes.
        left: Name and reason of what stays in floating point.
    """

    places: tuple[Place, ...]
    left: dict[str, str]


def find(model: nn.Module, leave_float: Collection[str]) -> Found:
    """Look through a model.

    Args:
        model: The model.
        leave_float: Names of layers, or of modules with all that is in them, that stay in floating point.

    Raises:
        InputError: A module that has no parameters yet, an attention with a forward of its own, or a name that is not
            in the model.
    """
    paths: dict[int, list[str]] = {}
    modules: dict[int, nn.Module] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(id(module), []).append(path)
        modules[id(module)] = module
    built = isinstance(model, Network)
    places: list[Place] = []
    left: dict[str, str] = {}
    asked: set[str] = set()
    inside: set[int] = set()
    for key, module in modules.items():
        name = _name(paths[key][0], built)
        if key in inside or not _has_products(module):
            continue
        if isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():
            raise InputError(
                f"layer {name!r} ({type(module).__name__}) does not know its inputs yet",
                "Run the model once on some images before it is converted.",
            )
        if hits := {a for a in leave_float for path in (*paths[key], name) if _within(path, a)}:
            asked |= hits
            left[name] = "asked for"
            inside |= {id(child) for child in module.modules()}
        elif isinstance(module, _NOT_SIMULATED):
            left[name] = f"{type(module).__name__} is not simulated"
        else:
            parts: tuple[str, ...] = (name,)
            if isinstance(module, nn.MultiheadAttention):
                _check_attention(module, name)
                inside |= {id(child) for child in module.modules()}
                prefix = f"{name}." if paths[key][0] else ""
                parts = tuple(prefix + part for part in CrossbarAttention.parts(module))
            where = tuple(_place(model, path) for path in paths[key])
            places.append(Place(module, name, where, parts))
    if unknown := sorted(set(leave_float) - asked):
        raise InputError(
            f"leave_float names {unknown[0]!r}, where the model has no layer",
            f"Layers: {', '.join(n for p in places for n in p.layers) or 'none'}.",
        )
    return Found(tuple(places), left)


def keeps_forward(module: nn.Module) -> bool:
    """Whether more happens in a convolution or linear layer than torch's own forward on its own parameters."""
    kind = type(module)
    base: Any = next((b for b in (*PLAIN, *TRANSPOSED) if isinstance(module, b)), None)
    own = kind.forward is not base.forward or "forward" in module.__dict__
    own |= getattr(kind, "_conv_forward", None) is not getattr(base, "_conv_forward", None)
    hooked = any(getattr(module, hooks, None) for hooks in _HOOKS)
    return own or hooked or "weight" not in module._parameters or bool(list(module.children()))


def execution_order(model: nn.Module, places: Sequence[Place], spec: NetworkSpec | None) -> list[str]:
    """Names of all layers as they are computed: those of ``spec`` if given, else as ``torch.fx`` traces the model.

    Raises:
        InputError: The names differ from the spec's, or the model cannot be traced.
    """
    names = [name for place in places for name in place.layers]
    if isinstance(model, Network):
        spec = spec or model.spec
    if spec is not None:
        order = [layer.name for layer in spec.static_layers]
        if different := sorted(set(names) ^ set(order)):
            if different[0] in names:
                raise InputError(
                    f"layer {different[0]!r} of the model is no layer of the network: other code reads its weights, "
                    "or the network is another's",
                    "Name such layers in leave_float, here and in from_torch.",
                )
            raise InputError(
                f"layer {different[0]!r} is in the network alone",
                f"Call the network's layers as the model's modules are called: {', '.join(names)}.",
            )
        return order
    try:
        traced = _Tracer(places).trace(model)
    except Exception as ex:
        raise InputError(
            f"the order in which {type(model).__name__} computes its layers cannot be traced: {ex}",
            "Give all layers one setting, or pass convert(..., network=from_torch(model, input_shape)).",
        ) from ex
    found: dict[str, None] = {}
    by_module = {id(place.module): place for place in places}
    for node in traced.nodes:
        if node.op == "call_module" and (place := by_module.get(id(model.get_submodule(str(node.target))))):
            found.update(dict.fromkeys(place.layers))
    return [*found, *(name for name in names if name not in found)]


class _Tracer(fx.Tracer):
    def __init__(self, places: Sequence[Place]) -> None:
        super().__init__()
        self._leaves = {id(place.module) for place in places}

    @override
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if id(m) in self._leaves:
            return True
        return super().is_leaf_module(m, module_qualified_name) and not any(
            id(child) in self._leaves for child in m.modules()
        )


def _has_products(module: nn.Module) -> bool:
    return isinstance(module, (*PLAIN, *TRANSPOSED, nn.MultiheadAttention, *_NOT_SIMULATED))


def _check_attention(module: nn.MultiheadAttention, name: str) -> None:
    if type(module).forward is not nn.MultiheadAttention.forward or "forward" in module.__dict__:
        raise InputError(
            f"attention {name!r} ({type(module).__name__}) has a forward of its own",
            f"Leave it in floating point: convert(..., leave_float=[{name!r}]).",
        )


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")


def _place(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    owner, _, attribute = path.rpartition(".")
    return model.get_submodule(owner), attribute


def _name(path: str, built: bool) -> str:
    """Layers of a nax_bo Network are called as in its spec."""
    if built and path.startswith("blocks.") and path.endswith(".op"):
        return path.removeprefix("blocks.").removesuffix(".op")
    return path or "layer"
