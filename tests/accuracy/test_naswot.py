"""NASWOT against its definition, written out."""

import math

import numpy as np
import pytest
import torch

from nax_bo.accuracy.naswot import naswot
from nax_bo.network import Graph, vgg
from nax_bo.network.torch_build import build


def test_the_score_is_the_log_determinant_of_equal_answers() -> None:
    network = vgg((1, 6, 6), 10, [5, 4])
    images = torch.rand(7, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    model, x = build(network, 3).train(), images
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    kernel = np.zeros((7, 7))
    with torch.no_grad():
        for convolution, norm in zip(convolutions, norms, strict=False):  # the classifier is the last
            before = norm(convolution(x))
            on = (before > 0).flatten(1).numpy()
            kernel += (on[:, None, :] == on[None, :, :]).sum(axis=2)
            x = before.relu()
    assert naswot(network, images, seed=3) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-9)


def test_more_units_tell_images_apart_better_and_equal_images_not_at_all() -> None:
    images = torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    wide, narrow = (naswot(vgg((1, 6, 6), 10, [n, n]), images) for n in (32, 4))
    assert wide > narrow
    assert naswot(vgg((1, 6, 6), 10, [4]), images[:1].repeat(2, 1, 1, 1)) == -math.inf


def test_a_network_without_rectifiers_has_no_score() -> None:
    graph = Graph("linear", (1, 4, 4))
    graph.linear(graph.flatten("input"), 10)
    assert math.isnan(naswot(graph.build(), torch.rand(4, 1, 4, 4)))
