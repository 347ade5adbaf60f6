"""Any torch model as a :class:`~nax_bo.network.NetworkSpec`, by watching it run once on a blank image.

The operations that the model computes are recorded as torch dispatches them (``TorchDispatchMode`` in inference mode,
which sees ``linear``, ``conv2d`` or ``scaled_dot_product_attention`` whole), so that no Python code stands in the way,
and under the path of the module that computes them. ``torch.export`` gives the same operations after seconds of tracing
and refuses more models; ``torch.fx`` sees Python's calls instead, of which there are many spellings.
"""

from nax_bo.interop.torch_import.importing import from_torch

__all__ = ["from_torch"]
