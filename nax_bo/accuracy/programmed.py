"""Networks that take their weights as they are: put on a chip, calibrated, normalised, and not trained."""

from __future__ import annotations

import torch
from torch import nn

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.training import calibration_images, fit_normalisation, taking_statistics
from nax_bo.crossbar import CrossbarNetwork, Mode, noise_aware
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec


def programmed(
    module: nn.Module,
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    *,
    vectors: int,
    seed: int,
    conditions: Conditions,
    mode: Mode,
    normalised: bool = True,
) -> CrossbarNetwork:
    """``module`` with its converters and normalisation fitted to programmed chips.

    Args:
        module: The network with its weights.
        network: What it computes.
        chip: The chip it runs on.
        data: Its first training images are calibrated on.
        vectors: About so many input vectors of a layer choose its converter's range.
        seed: Of the chip that normalisation is fitted to.
        conditions: Non-idealities.
        mode: How the network will be read.
        normalised: Whether the normalisations of ``module`` hold its own statistics, on which ranges depend; a slice
            of a super-network has none yet, and takes those of the images first.

    Raises:
        InputError: The chip does not fit the network.
    """
    model = noise_aware(module.to(data.train_images.device), chip, conditions, seed=seed, network=network)
    model.quick_wires = mode == "fast"
    model.eval()
    examples = calibration_images(data.train_images)
    if not normalised:
        model.mode = "float"
        with taking_statistics(model), torch.no_grad():
            model(examples)
        model.mode = mode
    model.calibrate(examples, None, vectors, conditions)
    fit_normalisation(model, examples, seed, conditions, mode)
    return model
