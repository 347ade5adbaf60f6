"""A training-free score of a network: how differently its rectifiers answer to different images.

Mellor, Turner, Storkey, Crowley: Neural Architecture Search without Training, ICML 2021, arXiv:2006.04647, in the form
of XPert's release (``compute_score.py``): the kernel of equal answers, summed over all rectifiers of a freshly drawn
network, and the logarithm of its determinant. The release's dropping of channels (5 %) is left out.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import build

BATCH = 128
"""Images that are compared."""


def naswot(network: NetworkSpec, images: Tensor, seed: int = 1) -> float:
    """``log |K|`` of a network with random weights, on up to :data:`BATCH` images; NaN if nothing in it rectifies.

    ``K_ij`` counts the units that answer alike, both on or both off, to images i and j. More is better; minus infinity
    where two images are told apart by no unit.
    """
    model = build(network, seed).train()  # batch normalisation by the batch's own statistics, as there
    batch = images[:BATCH]
    kernel = torch.zeros(len(batch), len(batch), dtype=torch.float64)
    counted = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
        nonlocal counted
        on = (inputs[0].detach().flatten(1) > 0).to(torch.float64)
        kernel.add_(on @ on.T + (1.0 - on) @ (1.0 - on).T)
        counted += 1

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.ReLU, nn.ReLU6))]
    try:
        with torch.no_grad():
            model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not counted:
        return math.nan
    sign, log = torch.linalg.slogdet(kernel)
    return float(log) if sign > 0 else -math.inf
