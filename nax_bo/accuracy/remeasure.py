"""Measuring a kept design again: the same chips, more of them, later, or other ones; without training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean
from time import perf_counter

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.evaluate import chip_seeds, read_chips
from nax_bo.accuracy.fidelity import FULL
from nax_bo.accuracy.kept import KeptDesign
from nax_bo.accuracy.recipes import recipe as named_recipe
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.training import calibration_images, fit_normalisation, idealise
from nax_bo.crossbar import CrossbarNetwork, accuracy
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.hardware.chip.variation import chips_differ

_RESOLUTION = ("converter_errors", "converter_finest_step")
"""Conditions that decide which ranges a converter can have."""


@dataclass(frozen=True)
class Remeasured:
    """What came of it.

    Attributes:
        accuracy: On the chips that were read.
        calibrated_anew: Whether converters and normalisation were fitted to another chip than the network was
            trained for; else they are those that were kept.
        same: Whether nothing was changed, so that this must be the accuracy that the file states.
    """

    accuracy: AccuracyReport
    calibrated_anew: bool
    same: bool


def remeasure(
    kept: KeptDesign,
    data: DataSet,
    *,
    chip: ChipSpec | None = None,
    conditions: Conditions | None = None,
    chips: int | None = None,
    seed: int | None = None,
) -> Remeasured:
    """Measure kept networks on programmed chips.

    Other conditions (drift time, noise) meet converters and normalisation as they were kept: nobody calibrates a chip
    again. Another chip (converter bits, array size, device) is calibrated anew, on the training images and as after a
    training, but the weights are not trained for it: a study would train them, so this is what a change costs an
    existing network, and a lower bound of what the other chip can do.

    Args:
        kept: The design.
        data: Images to measure on; the training images serve calibration.
        chip: Other than the design's; None: its own.
        conditions: Other than the design's; None: its own.
        chips: Programmed chips altogether; by default those that were measured before.
        seed: Of the chips; by default the design's, of which the chips that were measured before come first.

    Raises:
        InputError: Data or chip do not fit the network.
    """
    start = perf_counter()
    new, noise = chip or kept.chip, conditions or kept.conditions
    _check_fit(kept, data)
    if chips is not None and chips < 1:
        raise InputError(f"chips = {chips}", "Read at least one.")
    anew = _calibration_differs(kept, new, noise)
    models = [model_on(kept, turn, data, new, noise) for turn in range(len(kept.trained.networks))]
    differ = chips_differ(new, noise)
    seeds = _seeds(kept, differ, chips, seed)
    readings = [
        read_chips(
            model,
            data.test_images,
            data.test_labels,
            seeds[turn :: len(models)],
            len(seeds) // len(models),
            noise,
        )
        for turn, model in enumerate(models)
    ]
    found = [next(readings[i % len(models)]) for i in range(len(seeds))]
    for model in models:
        idealise(model, data.train_images)
    report = AccuracyReport(
        draws=tuple(right for right, _ in found),
        clean=fmean(accuracy(model, data.test_images, data.test_labels) for model in models),
        test_images=len(data.test_labels),
        fidelity=FULL.name,
        seconds=perf_counter() - start,
        confidence=fmean(confidence for _, confidence in found),
        trainings=len(models),
        chips_differ=differ,
    )
    unchanged = new == kept.chip and noise == kept.conditions and data.fingerprint == kept.data.fingerprint
    return Remeasured(report, anew, unchanged and seeds == kept.trained.chip_seeds)


def model_on(
    kept: KeptDesign, training: int, data: DataSet, chip: ChipSpec, conditions: Conditions
) -> CrossbarNetwork:
    """One training on ``chip``: calibrated as it was kept if that is its own, else anew."""
    model = replace(kept, chip=chip).on_chip(training)
    if not _calibration_differs(kept, chip, conditions):
        return model
    examples = calibration_images(data.train_images)
    learned = {
        layer: layer.calibrated_range()
        for i, layer in enumerate(model.layers.values())
        if chip.array(i, len(model.layers)).input_bits == kept.chip.array(i, len(model.layers)).input_bits
    }
    vectors = named_recipe(kept.recipe, FULL.recipe, kept.network).calibration_vectors
    model.calibrate(examples, learned, vectors, conditions)
    fit_normalisation(model, examples, kept.trained.networks[training].seed, conditions, "exact")
    return model


def _seeds(kept: KeptDesign, differ: bool, chips: int | None, seed: int | None) -> tuple[int, ...]:
    """Seeds of the chips to read, the trainings taking turns; one each where all chips are alike."""
    trainings, stored = len(kept.trained.networks), kept.trained.chip_seeds
    if not differ:
        return stored[:trainings]
    if chips is None and seed is None and kept.accuracy.chips_differ:
        return stored
    wanted = max(chips or FULL.max_draws, trainings)
    more = chip_seeds(kept.seed if seed is None else seed, max(wanted, len(stored)))
    known = stored if seed is None else ()
    return (*known, *(s for s in more if s not in known))[:wanted]


def _calibration_differs(kept: KeptDesign, chip: ChipSpec, conditions: Conditions) -> bool:
    """Whether ranges that were found for the design say nothing about ``chip``."""
    if any(getattr(conditions, name) != getattr(kept.conditions, name) for name in _RESOLUTION):
        return True
    layers = len(kept.network.static_layers)
    return _as_read(chip, layers) != _as_read(kept.chip, layers)


def _as_read(chip: ChipSpec, layers: int) -> tuple[object, ...]:
    """What of a chip can change what its arrays return."""
    arrays = [replace(chip.array(i, layers), adc_type="sar", mux=1, duplication=1) for i in range(layers)]
    return arrays, chip.device, chip.technology_nm, chip.digital_layers, chip.mapping


def _check_fit(kept: KeptDesign, data: DataSet) -> None:
    if data.input_shape != kept.data.input_shape:
        raise InputError(
            f"the weights are for images of {kept.data.input_shape}, {data.name!r} has {data.input_shape} (C, H, W)",
            "Name the data that they were trained on with --data.",
        )
    if data.class_names != kept.data.class_names:
        raise InputError(
            f"the weights tell {', '.join(kept.data.class_names[:4])}, ... apart, "
            f"{data.name!r} has {', '.join(data.class_names[:4])}, ...",
            "Name the data that they were trained on with --data.",
        )
