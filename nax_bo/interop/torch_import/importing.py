"""Run a model once and turn what it computed into a network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nax_bo.crossbar.finding import find
from nax_bo.errors import InputError
from nax_bo.interop.torch_import.drafts import IMAGE, Drafts
from nax_bo.interop.torch_import.recording import Map, Recorder
from nax_bo.interop.torch_import.translating import Translator
from nax_bo.network.spec import NetworkSpec
from nax_bo.network.torch_build import Network

_ASKED = "asked for"


def from_torch(
    model: nn.Module,
    input_shape: Sequence[int],
    name: str | None = None,
    *,
    leave_float: Collection[str] = (),
) -> NetworkSpec:
    """The network that a torch model computes.

    Layers with weights are called as :func:`nax_bo.crossbar.convert` calls them: by their module's path, within
    attention ``attn.in_proj`` and so on. A module that is called again is the same layer: the second call is
    ``path#2`` and uses the crossbars of the first. Everything else is called by its module and what it computes
    (``blocks.0.attn.scores``, ``layer1.0.add``). Batch norm behind a product, and one activation behind that, belong to
    the product's layer.

    Products with weights are priced on crossbars, products of two activations (attention) and products with parameters
    outside any layer on the digital unit, and so is everything element-wise; see
    :mod:`nax_bo.interop.torch_import.operations` for what is counted. What the result does not depend on is left out.

    Args:
        model: Takes one batch of images and returns one tensor. It is run once in evaluation mode, on one blank image,
            and left as it was.
        input_shape: Of one image: (channels, height, width), (channels, length) or (features,).
        name: Name of the network; that of the model's class if not given.
        leave_float: As in ``convert``: layers that stay off the crossbars; their products are digital.

    Raises:
        InputError: The model does not run, computes something that cannot be priced (the message names module and
            operation), gives no single tensor, or has parameters that its result does not depend on.
    """
    shape = tuple(input_shape)
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise InputError(
            f"input shape {shape}",
            "Give (channels, height, width), (channels, length) or (features,) of one image.",
        )
    if isinstance(model, Network):
        return model.spec
    found = find(model, leave_float)
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        return _recorded(model, shape, name or type(model).__name__.lower(), found)
    finally:
        for module, was in training.items():
            module.training = was


def _recorded(model: nn.Module, shape: tuple[int, ...], name: str, found: Any) -> NetworkSpec:
    sizes = {id(p): p.numel() for p in model.parameters()}
    canonical = shape if len(shape) == 3 else (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], 1, 1)
    drafts = Drafts(canonical, sizes)
    translator = Translator(drafts, found.places)
    recorder = Recorder(model, translator, translator.claims)
    reasons = {path: why for path, why in found.left.items() if why != _ASKED}

    def entered(_: nn.Module, path: str) -> None:
        if path in reasons:
            raise InputError(
                f"layer {path!r}: {reasons[path]}", "Import and convert the part of the model without it."
            )

    reference = next(model.parameters(), torch.zeros(()))
    image = torch.zeros(1, *shape, dtype=reference.dtype, device=reference.device)
    recorder.hold(image, Map(IMAGE))
    translator.recorder = recorder
    try:
        with recorder.watching(entered):
            out = model(image)
    except InputError:
        raise
    except Exception as ex:
        raise InputError(
            f"{type(model).__name__} does not run on images of shape {shape}: {type(ex).__name__}: {ex}",
            "Check the input shape.",
        ) from ex
    network, read = drafts.finish(name, _result(model, out, recorder, drafts))
    if not network.static_layers:
        raise InputError(
            f"{name} has no layer that runs on crossbars",
            "Give a model with nn.Conv2d, nn.Linear and the like.",
        )
    unread = [path for path, p in model.named_parameters() if id(p) not in read]
    if unread:
        count = sum(sizes[id(p)] for path, p in model.named_parameters() if path in set(unread))
        raise InputError(
            f"{count} parameters of {name} do not reach its result: "
            f"{', '.join(unread[:4])}{' and others' if len(unread) > 4 else ''}",
            "Build the model without them (for example aux_logits=False), or delete them.",
        )
    return network


def _result(model: nn.Module, out: Any, recorder: Recorder, drafts: Drafts) -> int:
    """The layer whose output the model returns."""
    kind = type(model).__name__
    if not isinstance(out, Tensor):
        raise InputError(
            f"{kind} returns a {type(out).__name__}, not one tensor", "Wrap it so that it returns its logits."
        )
    value = recorder.value_of(out)
    if not isinstance(value, Map) or value.source == IMAGE:
        raise InputError(f"the result of {kind} does not come from any layer", "Return the network's logits.")
    return drafts.as_result(value.source, tuple(out.shape))
