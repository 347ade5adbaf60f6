"""A calibrated, programmed network in a file, and back: read again, it gives the same outputs.

One safetensors file. Tensors: ``model.NAME``, parameters and buffers of the converted model, and ``images``, on which
it was calibrated. The metadata entry ``naxbo`` is one JSON text: what the network runs on (chip, cells, wires of every
layer), input ranges and converters of every call of a layer, the conditions and seeds under which chips were
programmed, and the mode. Cells are not in it: programming again from the same seeds gives the same chips, and a chip
that was read before begins its read noise anew. The cheap modes fit themselves again when they are first used.
Reading a file runs no code. What the model computes is not in it either: it is loaded into a network that was
converted in the same way.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from nax_bo.crossbar.arithmetic.adc import Converter
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.network import CrossbarNetwork
from nax_bo.crossbar.sites import Site
from nax_bo.errors import InputError, NaxboError
from nax_bo.files import write_whole
from nax_bo.hardware.chip import Conditions

FORMAT = 1

_KIND = "programmed network"
_MODEL, _IMAGES = "model.", "images"
_SEEDS = 1 << 63

Calibration = tuple[tuple[InputRange, Converter | None], ...]
"""Input range, and converter (None where the layer is digital), of each call of a layer."""


def save(network: CrossbarNetwork, path: str | Path) -> Path:
    """Write what reading ``network`` takes; returns the path.

    Args:
        network: Calibrated or not, programmed or not, on any device.
        path: A new file, or one to write over.

    Raises:
        InputError: The file cannot be written.
    """
    model = network.model.state_dict()
    tensors = {f"{_MODEL}{name}": value.detach().cpu().contiguous() for name, value in model.items()}
    if network.calibration_images is not None:
        tensors[_IMAGES] = network.calibration_images.detach().cpu().contiguous()
    conditions = network.conditions
    calibrated = {
        name: [s for s in layer.sites if s.input_range is not None] for name, layer in _layers(network)
    }
    about = {
        "format": FORMAT,
        "kind": _KIND,
        "hardware": _hardware(network),
        "calibration": {name: plain_calibration(calibration_of(sites)) for name, sites in calibrated.items()},
        "clipped": {name: [site.inputs_clipped for site in sites] for name, sites in calibrated.items()},
        "conditions": None if conditions is None else asdict(conditions),
        "chip_seeds": list(network.chip_seeds),
        "draw": network.draw,
        "mode": network.mode,
        "quick_wires": network.quick_wires,
        "channels_last": [name for name, value in model.items() if _channels_last(value)],
    }
    return write_whole(Path(path), pack(_unshared(tensors), about))


def restore(network: CrossbarNetwork, path: str | Path) -> CrossbarNetwork:
    """Load a file that :func:`save` made into a network that was converted like the saved one; returns the network.

    In evaluation mode it then gives the outputs of the saved network as it was after programming. On a refusal the
    network is as it was.

    Args:
        network: From ``convert``, with the same model, chip and options.
        path: The file.

    Raises:
        InputError: It cannot be read, is damaged, or is of another model or chip.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as ex:
        raise InputError(f"{path} cannot be read: {ex.strerror or ex}", "Save the network again.") from ex
    tensors, about = unpack(content, str(path), "Save the network again: nax_bo.crossbar.save.")
    try:
        _into(network, tensors, about)
    except NaxboError as ex:
        raise InputError(f"{path}: {ex.message}", ex.hint) from ex
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as ex:
        raise InputError(f"{path} is damaged: {type(ex).__name__}: {ex}", "Save the network again.") from ex
    return network


def _into(network: CrossbarNetwork, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    if about.get("kind") != _KIND or about["format"] != FORMAT:
        raise InputError(
            f"it holds no {_KIND} of format {FORMAT}",
            "Weights of a study are read by: naxbo evaluate --weights.",
        )
    own = json.loads(json.dumps(_hardware(network)))
    if wrong := [n for n in own.keys() | about["hardware"].keys() if own.get(n) != about["hardware"].get(n)]:
        raise InputError(
            f"layer {min(wrong)!r} runs on other hardware than the saved one, or is not in both",
            "Convert the same model with the same chip and options.",
        )
    weights = {name[len(_MODEL) :]: value for name, value in tensors.items() if name.startswith(_MODEL)}
    shapes = {name: (value.shape, value.dtype) for name, value in network.model.state_dict().items()}
    if bad := [
        n for n in shapes.keys() | weights.keys() if n not in weights or shapes.get(n) != _kind(weights[n])
    ]:
        raise InputError(
            f"tensor {min(bad)!r} is not as the model has it", "Build the model as it was saved."
        )
    calibration = {name: calibration_from(about["calibration"][name]) for name, _ in _layers(network)}
    clipped = {name: [float(x) for x in about["clipped"][name]] for name in calibration}
    conditions = None if about["conditions"] is None else Conditions(**about["conditions"])
    seeds = [int(s) for s in about["chip_seeds"]]
    if any(not 0 <= s < _SEEDS for s in seeds) or not 0 <= int(about["draw"]) < max(1, len(seeds)):
        raise InputError("a seed or a draw is out of range", "Save the network again.")
    last = {str(name) for name in about["channels_last"]}
    network.mode, network.quick_wires = str(about["mode"]), bool(about["quick_wires"])  # type: ignore[assignment]
    network.model.load_state_dict(weights)
    for name, value in network.model.named_parameters():
        if name in last:
            value.data = value.data.contiguous(memory_format=torch.channels_last)
    for name, layer in _layers(network):
        pairs = zip(calibration[name], clipped[name], strict=True)
        layer.sites = [Site(*ranges, inputs_clipped=share) for ranges, share in pairs] or [Site()]
    network.resume(tensors.get(_IMAGES), seeds, conditions, int(about["draw"]))


def _layers(network: CrossbarNetwork) -> Sequence[tuple[str, Any]]:
    return list(network.layers.items())


def _hardware(network: CrossbarNetwork) -> dict[str, str]:
    """What every layer runs on, as text that differs if anything does."""
    return {name: repr(layer.hardware) for name, layer in network.layers.items()}


def _kind(value: Tensor) -> tuple[torch.Size, torch.dtype]:
    return value.shape, value.dtype


def _channels_last(value: Tensor) -> bool:
    return value.dim() == 4 and not value.is_contiguous()


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tied weights stand under each of their names: safetensors wants every tensor by itself."""
    seen: set[int] = set()
    out = {}
    for name, value in tensors.items():
        out[name] = value.clone() if value.data_ptr() in seen else value
        seen.add(value.data_ptr())
    return out


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """A safetensors file with ``about`` as its only metadata; the same content gives the same bytes."""
    # one entry: safetensors shuffles several
    metadata = {"naxbo": json.dumps(about, sort_keys=True, allow_nan=False)}
    content: bytes = save_tensors(dict(tensors), metadata=metadata)
    return content


def unpack(content: bytes, name: str, hint: str) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Tensors and metadata of a file that :func:`pack` made; errors call it ``name``.

    Raises:
        InputError: It is damaged, or something else; with ``hint``.
    """
    try:
        tensors = load_tensors(content)
        # the header's length: https://github.com/huggingface/safetensors#format
        (size,) = struct.unpack("<Q", content[:8])
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        if "naxbo" not in metadata:
            raise InputError(
                f"{name} holds weights, but naxbo did not write them: nothing says of what network", hint
            )
        about = json.loads(metadata["naxbo"])
    except (SafetensorError, ValueError, struct.error, RecursionError) as ex:
        raise InputError(f"{name} cannot be read as weights: {ex}", hint) from ex
    if not isinstance(about, dict):
        raise InputError(f"{name} is damaged: its metadata is no table", hint)
    return tensors, about


def calibration_of(sites: Sequence[Site]) -> Calibration:
    """Ranges of a layer's calls; empty if it was not calibrated."""
    return tuple((site.input_range, site.converter) for site in sites if site.input_range is not None)


def plain_calibration(ranges: Calibration) -> list[dict[str, Any]]:
    """As JSON values."""
    return [{"inputs": asdict(i), "converter": None if c is None else asdict(c)} for i, c in ranges]


def calibration_from(sites: Sequence[Mapping[str, Any]]) -> Calibration:
    """Inverse of :func:`plain_calibration`.

    Raises:
        ValueError, KeyError, TypeError: They are no ranges.
    """
    return tuple(
        (
            _input_range(**site["inputs"]),
            None if site["converter"] is None else _converter(**site["converter"]),
        )
        for site in sites
    )


def _input_range(scale: float, low: int, high: int) -> InputRange:
    if not (0 < scale < float("inf") and low <= 0 < high):
        raise ValueError(f"no range of inputs: {scale}, {low} to {high}")
    return InputRange(float(scale), int(low), int(high))


def _converter(step: float, low: int, high: int, largest_sum: float) -> Converter:
    if not (0 < step < float("inf") and low < 0 <= high and 0 < largest_sum < float("inf")):
        raise ValueError(f"no converter: step {step}, {low} to {high}")
    return Converter(float(step), int(low), int(high), float(largest_sum))
