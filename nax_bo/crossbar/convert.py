"""Put a torch model onto crossbars."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Literal

from torch import nn

from nax_bo.crossbar.layers import CrossbarConv2d, CrossbarLayer, CrossbarLinear, Hardware, ReadState
from nax_bo.crossbar.network import CrossbarNetwork
from nax_bo.crossbar.physics.wires import Wire, wire_of_cell
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.hardware.chip.devices import Device
from nax_bo.hardware.chip.devices import device as find_device


def convert(
    model: nn.Module,
    chip: ChipSpec,
    *,
    device: Device | None = None,
    wire: Wire | None = None,
    first_last: Literal["crossbar", "digital"] = "crossbar",
    weight_clip: float | None = None,
    coverage: float = 0.99,
) -> CrossbarNetwork:
    """A copy of ``model`` whose ``nn.Conv2d`` and ``nn.Linear`` layers run on the arrays of ``chip``.

    The i-th such layer, in the order of ``model.named_modules()`` (for a nax_bo Network: of its static layers), gets
    ``chip.array(i, n)``. Layers in ``chip.digital_layers`` are quantised and multiplied exactly; normalisation,
    activations, pooling and attention products are computed in floating point, as is ``nn.MultiheadAttention`` with
    its own projections.

    Args:
        model: Any torch module; it is not changed.
        chip: The chip.
        device: Cells, instead of the shipped device called ``chip.device``.
        wire: Wire resistance, instead of that of ``chip.technology_nm`` across the device's cells.
        first_last: ``"digital"``: the first and the last of these layers are digital too.
        weight_clip: Clip weights at this many root mean squares of their channel, in training and when programming.
        coverage: Fraction of the converters' error energy that the adaptive mode simulates exactly.

    Raises:
        InputError: No such layer, per-layer settings for another number of layers, an unknown device, or a digital
            layer that the model does not have; a clip that is not positive, a coverage outside [0, 1].
    """
    if weight_clip is not None and not weight_clip > 0:
        raise InputError(f"weight_clip = {weight_clip}", "Use None, or a positive number such as 2.5.")
    if not 0 <= coverage <= 1:
        raise InputError(f"coverage = {coverage}", "Use a fraction from 0 to 1.")
    model = copy.deepcopy(model)
    found = list(_static_layers(model))
    if not found:
        raise InputError("the model has no Conv2d or Linear layer", "Only those run on crossbars.")
    names = [name for _, _, name, _ in found]
    if unknown := sorted(set(chip.digital_layers) - set(names)):
        raise InputError(f"digital layer {unknown[0]!r} is not in the model", f"It has: {', '.join(names)}.")
    cells = device or find_device(chip.device)
    wires = wire or wire_of_cell(chip.technology_nm, cells.cell_area_f2)
    state = ReadState()
    layers: dict[str, CrossbarLayer] = {}
    for i, (parent, attribute, name, module) in enumerate(found):
        outer = first_last == "digital" and i in (0, len(found) - 1)
        digital = outer or name in chip.digital_layers
        hardware = Hardware(
            chip.array(i, len(found)), cells, wires, chip.mapping, digital, coverage, weight_clip
        )
        made = CrossbarConv2d if isinstance(module, nn.Conv2d) else CrossbarLinear
        layer: CrossbarLayer = made(module, hardware, state)  # type: ignore[arg-type]
        layer.name = name
        if attribute:
            setattr(parent, attribute, layer)
        else:
            model = layer  # the model was a single layer
        layers[name] = layer
    return CrossbarNetwork(model, chip, layers, state)


def noise_aware(
    model: nn.Module,
    chip: ChipSpec,
    conditions: Conditions | None = None,
    *,
    seed: int = 0,
    device: Device | None = None,
    weight_clip: float | None = None,
    converter_in_loop: bool = False,
) -> CrossbarNetwork:
    """:func:`convert`, ready to be trained with the device noise of ``conditions`` (default: all of it, at once).

    Train it like any module: ``network.train()``, an optimiser over ``network.parameters()``. Programming noise, drift
    and faults enter through the weights, drawn anew at each step; read noise and IR drop do not. With
    ``converter_in_loop`` (also an attribute of the network) the sum of each row block is converted, too: see
    :mod:`nax_bo.crossbar.converter_training`.
    """
    network = convert(model, chip, device=device, weight_clip=weight_clip)
    network.set_training_noise(conditions or Conditions(), seed)
    network.converter_in_loop = converter_in_loop
    network.train()
    return network


def _static_layers(model: nn.Module) -> Iterator[tuple[nn.Module, str, str, nn.Module]]:
    """(parent, attribute, name, layer), in order; names of a nax_bo Network are those of its spec."""
    fused = {
        id(child) for m in model.modules() if isinstance(m, nn.MultiheadAttention) for child in m.modules()
    }
    for path, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and id(module) not in fused:
            owner, _, attribute = path.rpartition(".")
            yield model.get_submodule(owner), attribute, _name(path), module


def _name(path: str) -> str:
    if path.startswith("blocks.") and path.endswith(".op"):
        return path.removeprefix("blocks.").removesuffix(".op")
    return path or "layer"
