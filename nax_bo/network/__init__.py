"""Networks as symbolic graphs: layer tables for the cost model, torch modules for training."""

from nax_bo.network.families import mlp, resnet, vgg
from nax_bo.network.graph import Graph
from nax_bo.network.spec import LayerSpec, NetworkSpec

__all__ = ["Graph", "LayerSpec", "NetworkSpec", "mlp", "resnet", "vgg"]
