"""Many networks that share one description: the layers that any of them has, and which has which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nax_bo.network.spec import INPUT, LayerSpec, NetworkSpec, Shape


@dataclass(frozen=True)
class NetworkBatch:
    """n networks, layer by layer; a single :class:`NetworkSpec` is a batch whose numbers are no arrays.

    Attributes:
        name: Of the family.
        input_shape: (channels, height, width) of the images.
        layers: Every layer that some network has; sizes are numbers, or arrays of length n.
        present: For each layer True, or which networks have it (length n).
        sources: For each input of each layer, the position in ``layers`` of what computes it, -1 for the image; an
            array of length n where networks differ, because an absent layer hands on its first input.
        static_names: Layers with weights that the description has, in order, those of no network included.
    """

    name: str
    input_shape: Shape
    layers: tuple[LayerSpec, ...]
    present: tuple[Any, ...]
    sources: tuple[tuple[Any, ...], ...]
    static_names: tuple[str, ...]

    @classmethod
    def of(cls, network: NetworkSpec) -> NetworkBatch:
        """The batch of one network."""
        at = {INPUT: -1} | {layer.name: i for i, layer in enumerate(network.layers)}
        sources = tuple(tuple(at[name] for name in layer.inputs) for layer in network.layers)
        always = (True,) * len(network.layers)
        names = tuple(layer.name for layer in network.static_layers)
        return cls(network.name, network.input_shape, network.layers, always, sources, names)
