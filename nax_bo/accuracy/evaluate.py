"""Noise-aware accuracy of one design at one fidelity."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.fidelity import fidelity as rung
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.training import train
from nax_bo.crossbar import accuracy, monte_carlo
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec


def evaluate(
    network: NetworkSpec,
    chip: ChipSpec,
    data: DataSet,
    *,
    fidelity: str = "full",
    seed: int = 0,
    conditions: Conditions | None = None,
    timeout_s: float = float("inf"),
) -> AccuracyReport:
    """Train the network for the chip and measure it on programmed chips that it was not trained on.

    Args:
        network, chip: The design.
        data: Images to train and test on.
        fidelity: Rung of the ladder (:mod:`nax_bo.accuracy.fidelity`).
        seed: Seed of weights, batches and all noise.
        conditions: Non-idealities; default all of them, read right after programming.
        timeout_s: When training gives up.

    Raises:
        InputError: Unknown fidelity or device, or a chip that does not fit the network.
        EvaluationError: The training diverged or took too long.
    """
    start = perf_counter()
    level = rung(fidelity)
    noise = conditions or Conditions()
    model = train(network, chip, data, epochs=level.epochs, seed=seed, conditions=noise, timeout_s=timeout_s)
    images, labels = data.test_images, data.test_labels
    model.mode = level.mode
    draws = monte_carlo(
        model,
        images,
        labels,
        draws=level.max_draws,
        min_draws=level.min_draws,
        seed=seed,
        conditions=noise,
        target_standard_error=level.target_standard_error,
    )
    model.mode = "ideal"
    model.program(seed, replace(noise, programming_noise=False, read_noise=False, faults=False, ir_drop=False, time_s=0.0))
    clean = accuracy(model, images, labels)
    return AccuracyReport(tuple(draws), clean, len(labels), fidelity, perf_counter() - start)
