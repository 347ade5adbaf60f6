"""Networks as symbolic graphs: layer tables for the cost model, torch modules for training."""

from nax_bo.network.families import mlp, resnet, vgg
from nax_bo.network.graph import Graph
from nax_bo.network.mobilenet import InvertedBlock, mobilenet
from nax_bo.network.named import named_network, network_names
from nax_bo.network.spec import LayerSpec, NetworkSpec
from nax_bo.network.vit import vit

__all__ = [
    "Graph",
    "InvertedBlock",
    "LayerSpec",
    "NetworkSpec",
    "mlp",
    "mobilenet",
    "named_network",
    "network_names",
    "resnet",
    "vgg",
    "vit",
]
