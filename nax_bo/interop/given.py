"""Networks of one's own by reference: ``file.py:make``, ``package.module:Class``, ``model.onnx``, ``timm:NAME``.

A file's or module's name is a class of ``nn.Module``, or a function that declares to return one
(``def make() -> nn.Module``); both are called without arguments, or with ``(input_shape, num_classes)`` if they take
two. They come with their weights, if they load any. ``timm:NAME`` and ``torchvision:NAME`` have random ones:
nothing is downloaded. ``weights`` is a safetensors file with the module's own names
(``save_file(model.state_dict(), path)``).
"""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from nax_bo.errors import InputError
from nax_bo.interop.torch_import import from_torch
from nax_bo.network import NetworkSpec
from nax_bo.network.spec import Shape
from nax_bo.references import load_factory, source_of

_LIBRARIES = ("timm", "torchvision")


@dataclass(frozen=True)
class GivenNetwork:
    """A network that was named.

    Attributes:
        reference: As it was named.
        spec: What it computes; layers are called as its modules.
        trained: Whether it comes with weights of its own.
        fingerprint: SHA-256 of its code, as far as it is a file, and weights.
    """

    reference: str
    spec: NetworkSpec
    trained: bool
    fingerprint: str
    _build: Callable[[int], nn.Module] = field(repr=False)

    def make(self, seed: int) -> nn.Module:
        """The module, anew; random weights are drawn from ``seed``."""
        return self._build(seed)


def load_network(reference: str, input_shape: Shape, num_classes: int, weights: str = "") -> GivenNetwork:
    """Load a network by reference. Runs the code of ``file.py:make`` and ``module:Name``; only for who named it.

    Args:
        reference: See above.
        input_shape: (channels, height, width) of the images.
        num_classes: Outputs that it must have.
        weights: A safetensors file; empty: the weights that it comes with.

    Raises:
        InputError: It cannot be loaded, does not fit the images, classes or weights, or computes something that
            cannot be priced.
    """
    place, _, name = reference.partition(":")
    seen = _content(Path(weights)) if weights else b""
    values = _read_weights(Path(weights), seen) if weights else None
    if place in _LIBRARIES:
        code = f"{reference} {_version(place)}"
        create = _from_library(place, name, input_shape, num_classes)
    elif reference.endswith(".onnx"):
        from nax_bo.interop.onnx_import import from_onnx

        code = hashlib.sha256(_content(Path(reference))).hexdigest()
        imported = from_onnx(Path(reference))
        _check_batch(imported, input_shape, reference)
        create = partial(copy.deepcopy, imported)
    else:
        factory = load_factory(reference, "network", ("forward",))
        code, create = source_of(factory), _from_factory(factory, reference, input_shape, num_classes)

    def build(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = create()
        if values is not None:
            _put(module, values, weights, reference)
        return module.float()

    module = _checked(build(0), reference)
    spec = from_torch(module, input_shape, name=_label(reference))
    if spec.output_shape != (num_classes, 1, 1):
        raise InputError(
            f"{reference} has outputs of shape {spec.output_shape}, the data {num_classes} classes",
            f"Make it with {num_classes} outputs.",
        )
    trained = bool(weights) or place not in _LIBRARIES
    return GivenNetwork(reference, spec, trained, hashlib.sha256(code.encode() + seen).hexdigest(), build)


def remembered_network(reference: str, input_shape: Shape, num_classes: int, weights: str) -> GivenNetwork:
    """:func:`load_network`, once in this process, and again when its files have changed."""
    place = reference.rpartition(":")[0]
    files = (
        [place] * place.endswith(".py")
        + [reference] * reference.endswith(".onnx")
        + [weights] * bool(weights)
    )
    return _remembered(reference, input_shape, num_classes, weights, tuple(map(_stamp, files)))


@lru_cache(maxsize=4)
def _remembered(
    reference: str, input_shape: Shape, num_classes: int, weights: str, _: tuple[tuple[int, int], ...]
) -> GivenNetwork:
    return load_network(reference, input_shape, num_classes, weights)


def _stamp(path: str) -> tuple[int, int]:
    try:
        facts = Path(path).expanduser().stat()
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_size)


def _check_batch(module: nn.Module, shape: Shape, reference: str) -> None:
    try:
        with torch.no_grad():
            out = module.eval()(torch.zeros(2, *shape))
    except InputError:
        raise
    except Exception as ex:
        raise InputError(
            f"{reference} does not take two images of {shape} at once: {type(ex).__name__}: {ex}",
            "Check the image size, and export it with a batch axis of any length.",
        ) from ex
    if len(out) != 2:
        raise InputError(
            f"{reference} gives {len(out)} results for two images", "Export it with a batch axis."
        )


def _label(reference: str) -> str:
    place, _, name = reference.rpartition(":")
    return Path(reference).stem if reference.endswith(".onnx") else name or place


def _checked(module: Any, reference: str) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise InputError(f"{reference} makes a {type(module).__name__}", "Return an nn.Module.")
    return module


def _from_library(library: str, name: str, shape: Shape, classes: int) -> Callable[[], nn.Module]:
    try:
        if library == "timm":
            import timm

            return _timm(timm, name, shape, classes)
        import torchvision
    except ModuleNotFoundError as ex:
        raise InputError(f"{library} is not installed ({ex})", "pip install 'naxbo[zoo]'") from ex
    if name not in torchvision.models.list_models():
        raise InputError(f"torchvision has no model {name!r}", _near(name, torchvision.models.list_models()))
    if shape[0] != 3:
        raise InputError(f"torchvision's models take 3 channels, the images have {shape[0]}", "Use timm's.")
    return lambda: _called(
        lambda: torchvision.models.get_model(name, weights=None, num_classes=classes), f"torchvision:{name}"
    )


def _timm(timm: Any, name: str, shape: Shape, classes: int) -> Callable[[], nn.Module]:
    if not timm.is_model(name):
        raise InputError(f"timm has no model {name!r}", _near(name, timm.list_models()))
    settings: dict[str, Any] = {"num_classes": classes, "in_chans": shape[0]}
    settings_sized = settings | {"img_size": shape[1:]}

    def make() -> nn.Module:
        try:
            sized: nn.Module = timm.create_model(name, pretrained=False, **settings_sized)
            return sized
        except TypeError:  # networks for images of any size take no size
            plain: nn.Module = timm.create_model(name, pretrained=False, **settings)
            return plain

    return lambda: _called(make, f"timm:{name}")


def _called(make: Callable[[], Any], reference: str) -> Any:
    try:
        return make()
    except InputError:
        raise
    except Exception as ex:
        raise InputError(
            f"{reference} cannot be made: {type(ex).__name__}: {ex}", "Make it in python to see where."
        ) from ex


def _near(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(close)}?" if close else "See its documentation for names."


def _from_factory(factory: Any, reference: str, shape: Shape, classes: int) -> Callable[[], nn.Module]:
    required = [
        p
        for p in inspect.signature(factory).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) not in (0, 2):
        raise InputError(
            f"{reference} takes {len(required)} arguments", "Take none, or (input_shape, num_classes)."
        )
    return lambda: _called(lambda: factory(shape, classes) if required else factory(), reference)


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _content(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as ex:
        raise InputError(f"cannot read {path}: {ex.strerror}", "Check the path.") from ex


def _read_weights(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        values: dict[str, Tensor] = load(content)
    except SafetensorError as ex:
        raise InputError(
            f"{path} is no safetensors file: {ex}",
            "Write one with safetensors.torch.save_file(model.state_dict(), path).",
        ) from ex
    return values


def _put(module: nn.Module, values: dict[str, Tensor], path: str, reference: str) -> None:
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - values.keys())
    unknown = sorted(values.keys() - wanted.keys())
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has {unknown[0]!r}, which the network does not"
        raise InputError(
            f"{path} does not fit {reference}: it {what} ({len(missing)} lacking, {len(unknown)} too many)",
            "Save the state_dict of this very network.",
        )
    for key, value in values.items():
        if value.shape != wanted[key].shape:
            raise InputError(
                f"{path} does not fit {reference}: {key!r} has the shape {tuple(value.shape)}, "
                f"not {tuple(wanted[key].shape)}",
                "Save the state_dict of this very network, with as many classes.",
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(
                f"{path}: {key!r} holds NaN or infinite values", "Check that its training converged."
            )
    module.load_state_dict(values)
