"""Put a torch model onto crossbars."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Literal

from torch import Tensor, nn

from nax_bo.crossbar.attention import CrossbarAttention
from nax_bo.crossbar.conversion_report import ConversionReport
from nax_bo.crossbar.finding import PLAIN, Found, Place, execution_order, find, keeps_forward
from nax_bo.crossbar.kept import KeptForward
from nax_bo.crossbar.layers import CrossbarConv2d, CrossbarLayer, CrossbarLinear, Hardware, ReadState
from nax_bo.crossbar.network import CrossbarNetwork
from nax_bo.crossbar.physics.wires import Wire, wire_of_cell
from nax_bo.crossbar.transposed import CrossbarConvTranspose
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.hardware.chip.devices import Device
from nax_bo.hardware.chip.devices import device as find_device
from nax_bo.network.spec import NetworkSpec


def convert(
    model: nn.Module,
    chip: ChipSpec,
    *,
    device: Device | None = None,
    wire: Wire | None = None,
    first_last: Literal["crossbar", "digital"] = "crossbar",
    weight_clip: float | None = None,
    coverage: float = 0.99,
    network: NetworkSpec | None = None,
    leave_float: Collection[str] = (),
) -> CrossbarNetwork:
    """A copy of ``model`` whose matrix products with constant weights run on the arrays of ``chip``.

    These are ``nn.Conv2d``, ``nn.Conv1d``, ``nn.Linear``, their transposed forms and the projections of
    ``nn.MultiheadAttention``, wherever they stand; subclasses, parametrised layers and layers with hooks keep their
    forward (:mod:`nax_bo.crossbar.kept`). A layer that stands in two places is one layer; called twice, it has one set
    of arrays, and ranges for each call. Layers in ``chip.digital_layers`` are quantised and multiplied exactly;
    normalisation, activations, pooling and products of two activations are computed in floating point. What else
    stays in floating point is listed by :meth:`~nax_bo.crossbar.CrossbarNetwork.report`.

    Layers are called as their modules are (``attn.in_proj`` and so on within attention), or as in the spec of a nax_bo
    Network; :func:`~nax_bo.interop.torch_import.from_torch` calls them so, too. The i-th of n layers, as they are
    computed, gets ``chip.array(i, n)``.

    Args:
        model: Any torch module; it is not changed.
        chip: The chip.
        device: Cells, instead of the shipped device called ``chip.device``.
        wire: Wire resistance, instead of that of ``chip.technology_nm`` across the device's cells.
        first_last: ``"digital"``: the first and the last of these layers are digital too.
        weight_clip: Clip weights at this many root mean squares of their channel, in training and when programming.
        coverage: Fraction of the converters' error energy that the adaptive mode simulates exactly.
        network: What the model computes, as ``from_torch`` gives it, for the order of layers where it cannot be
            traced.
        leave_float: Layers, or modules with all that is in them, that stay in floating point.

    Raises:
        InputError: No such layer, per-layer settings for another number of layers or in an order that cannot be found
            out, an unknown device, a name that the model does not have, a layer whose own forward cannot be kept; a
            clip that is not positive, a coverage outside [0, 1].
    """
    if weight_clip is not None and not weight_clip > 0:
        raise InputError(f"weight_clip = {weight_clip}", "Use None, or a positive number such as 2.5.")
    if not 0 <= coverage <= 1:
        raise InputError(f"coverage = {coverage}", "Use a fraction from 0 to 1.")
    find(model, leave_float)  # lazy modules cannot be copied before they have run
    model = _copied(model)
    found = find(model, leave_float)
    names = _ordered(model, found, network, needed=len(chip.arrays) > 1 or first_last == "digital")
    if not names:
        raise InputError(
            "the model has no Conv2d, Linear or other layer that runs on crossbars", "Only those do."
        )
    if unknown := sorted(set(chip.digital_layers) - set(names)):
        raise InputError(f"digital layer {unknown[0]!r} is not in the model", f"It has: {', '.join(names)}.")
    cells = device or find_device(chip.device)
    wires = wire or wire_of_cell(chip.technology_nm, cells.cell_area_f2)
    outer = (names[0], names[-1]) if first_last == "digital" else ()
    hardware = {
        name: Hardware(
            chip.array(i, len(names)),
            cells,
            wires,
            chip.mapping,
            name in outer or name in chip.digital_layers,
            coverage,
            weight_clip,
        )
        for i, name in enumerate(names)
    }
    state = ReadState()
    made: dict[str, CrossbarLayer] = {}
    for place in found.places:
        replacement, layers = _converted(place, hardware, state)
        made |= layers
        for layer_name, layer in layers.items():
            layer.name = layer_name
        if replacement is None:
            continue
        for parent, attribute in place.parents:
            if attribute:
                setattr(parent, attribute, replacement)
            else:
                model = replacement  # the model was a single layer
    layers = {name: made[name] for name in names}
    return CrossbarNetwork(model, chip, layers, state, ConversionReport(tuple(names), dict(found.left)))


def _copied(model: nn.Module) -> nn.Module:
    """A copy. Weights that pruning or weight norm computed last are copied without their graph, which torch refuses."""
    computed = {
        id(v): v.detach().clone()
        for module in model.modules()
        for v in vars(module).values()
        if isinstance(v, Tensor) and not v.is_leaf
    }
    return copy.deepcopy(model, computed)


def _ordered(model: nn.Module, found: Found, network: NetworkSpec | None, *, needed: bool) -> list[str]:
    try:
        return execution_order(model, found.places, network)
    except InputError:
        if needed or network is not None:
            raise
        return [name for place in found.places for name in place.layers]


def _converted(
    place: Place, hardware: dict[str, Hardware], state: ReadState
) -> tuple[nn.Module | None, dict[str, CrossbarLayer]]:
    """What stands in a module's place (``None``: the module itself), and the layers in it."""
    module: Any = place.module
    if isinstance(module, nn.MultiheadAttention):
        parts = dict(zip(CrossbarAttention.parts(module), place.layers, strict=True))
        attention = CrossbarAttention(module, state, {part: hardware[name] for part, name in parts.items()})
        return attention, {parts[part]: layer for part, layer in attention.projections.items()}
    own = hardware[place.name]
    if not isinstance(module, PLAIN):
        if keeps_forward(module):
            raise InputError(
                f"layer {place.name!r} ({type(module).__name__}) has weights, hooks or a forward of its own",
                f"Leave it in floating point: convert(..., leave_float=[{place.name!r}]).",
            )
        transposed = CrossbarConvTranspose(module, own, state)
        return transposed, {place.name: transposed.layer}
    if keeps_forward(module):
        kept = KeptForward(module, place.name, own, state)
        setattr(module, "forward", kept)  # noqa: B010 - a method of the class, replaced in this one module
        return None, {place.name: kept.layer}
    layer: CrossbarLayer = (
        CrossbarLinear(module, own, state)
        if isinstance(module, nn.Linear)
        else CrossbarConv2d(module, own, state)
    )
    layer.train(module.training)
    return layer, {place.name: layer}


def noise_aware(
    model: nn.Module,
    chip: ChipSpec,
    conditions: Conditions | None = None,
    *,
    seed: int = 0,
    device: Device | None = None,
    weight_clip: float | None = None,
    converter_in_loop: bool = False,
    network: NetworkSpec | None = None,
) -> CrossbarNetwork:
    """:func:`convert`, ready to be trained with the device noise of ``conditions`` (default: all of it, at once).

    Train it like any module: ``network.train()``, an optimiser over ``network.parameters()``. Programming noise, drift
    and faults enter through the weights, drawn anew at each step; read noise and IR drop do not. With
    ``converter_in_loop`` (also an attribute of the network) the sum of each row block is converted, too: see
    :mod:`nax_bo.crossbar.converter_training`.
    """
    converted = convert(model, chip, device=device, weight_clip=weight_clip, network=network)
    converted.set_training_noise(conditions or Conditions(), seed)
    converted.converter_in_loop = converter_in_loop
    converted.train()
    return converted
