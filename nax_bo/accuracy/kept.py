"""Trained networks that are kept: weights and everything that reading them on the same chips again takes.

One safetensors file holds one design. Tensor ``K.NAME`` is parameter or buffer ``NAME`` of training ``K``, called as
in ``nax_bo.network.torch_build.build(network)``, as plain torch wants it. What converters do to outputs is taken up by
the batch normalisations: ``K@chip.NAME`` are their statistics on the chip. The metadata entry ``naxbo`` is one JSON
text, so that reading runs no code:

- ``network``, ``chip``, ``conditions``: what was trained, for what, and how it was read,
- ``data``: specification, fingerprint, class names, shape, and per channel what was subtracted and divided by,
- ``trainings``: for each its seed, the accuracy of the plain torch network, and, per layer, how inputs become codes
  and the ranges of the converters,
- ``chip_seeds``: of the programmed chips, in the order of ``accuracy.draws``; the trainings take turns,
- ``accuracy``: what was measured (:class:`~nax_bo.accuracy.report.AccuracyReport`, without the seconds).

Not kept: the fits of the ``fast`` and ``adaptive`` modes (full trainings are read exactly) and the optimiser's state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.report import AccuracyReport
from nax_bo.accuracy.training import idealise
from nax_bo.crossbar import CrossbarNetwork, accuracy, convert
from nax_bo.crossbar.saved import Calibration, calibration_from, calibration_of, plain_calibration
from nax_bo.crossbar.saved import pack as pack_tensors
from nax_bo.crossbar.saved import unpack as unpack_tensors
from nax_bo.crossbar.sites import Site
from nax_bo.errors import InputError, NaxboError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import Network, build

FORMAT = 1
"""Of the metadata; files of later ones are refused."""

_HINT = "Export it again: naxbo export NUMBER --form weights."


@dataclass(frozen=True)
class TrainedNetwork:
    """One training of a design.

    Attributes:
        seed: Of its initial weights, batches and noise.
        weights: Parameters and buffers of the plain torch network by name, on the CPU.
        chip_statistics: Of these buffers, those that differ on the chip.
        float_accuracy: Of the plain torch network on the test images.
        calibration: Per crossbar layer and call: input range, and converter (None where the layer is digital).
    """

    seed: int
    weights: Mapping[str, Tensor]
    chip_statistics: Mapping[str, Tensor]
    float_accuracy: float
    calibration: Mapping[str, Calibration]

    @classmethod
    def of(cls, model: CrossbarNetwork, seed: int, data: DataSet) -> TrainedNetwork:
        """A copy of ``model``, which is left off any chip: read in floating point, with statistics to match.

        Args:
            model: Calibrated, with the statistics that it has on its chip.
            seed: Of the training.
            data: What it was trained on.
        """
        ranges = {name: calibration_of(layer.sites) for name, layer in model.layers.items()}
        if missing := [name for name, found in ranges.items() if not found]:
            raise InputError(
                f"layer {missing[0]!r} has not been calibrated", "Call network.calibrate(images) first."
            )
        on_chip = _copied(model.model)
        idealise(model, data.train_images, "float")
        right = accuracy(model, data.test_images, data.test_labels)
        plain = _copied(model.model)
        moved = {k: v for k, v in on_chip.items() if not torch.equal(v, plain[k])}
        return cls(seed, plain, moved, right, ranges)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers but for torch's count of batches, on which nothing depends."""
    return {
        name: value.detach().cpu().clone().contiguous()
        for name, value in model.state_dict().items()
        if not _is_count(name)
    }


@dataclass(frozen=True)
class Trained:
    """The trainings of one design, and the seeds of the chips they were measured on, in the order of the draws."""

    networks: tuple[TrainedNetwork, ...]
    chip_seeds: tuple[int, ...]


@dataclass(frozen=True)
class DataFacts:
    """What has to be known of the images to use a network that was trained on them.

    Attributes:
        spec: Specification of the data set.
        fingerprint: Of its images and labels.
        class_names: In the order of the network's outputs.
        input_shape: Channels, height, width.
        mean, std: Per channel, subtracted from the stored pixels and divided by; empty if the loader does not say.
        source: Where it came from, in words.
    """

    spec: str
    fingerprint: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    source: str = ""

    @classmethod
    def of(cls, spec: str, data: DataSet) -> DataFacts:
        """Those of a loaded data set."""
        return cls(
            spec, data.fingerprint, data.class_names, data.input_shape, data.mean, data.std, data.source
        )


@dataclass(frozen=True)
class KeptDesign:
    """What one file holds.

    Attributes:
        network, chip, conditions: What was trained, for which chip, and how chips are read.
        data: On what.
        recipe: How, by name.
        seed: Of the design.
        trained: The trainings and the chips.
        accuracy: What was measured on them; its ``seconds`` are 0.
    """

    network: NetworkSpec
    chip: ChipSpec
    conditions: Conditions
    data: DataFacts
    recipe: str
    seed: int
    trained: Trained
    accuracy: AccuracyReport

    def only(self, training: int) -> KeptDesign:
        """One of the trainings with its own chips and its own accuracy; raises InputError if there is no such one."""
        networks = self.trained.networks
        if not 0 <= training < len(networks):
            raise InputError(
                f"there is no training {training}",
                f"The design was trained {len(networks)} times: count from 0.",
            )
        mine = slice(training, None, len(networks))
        own = replace(self.accuracy, draws=self.accuracy.draws[mine], trainings=1, confidence=None)
        chosen = Trained((networks[training],), self.trained.chip_seeds[mine])
        return replace(self, trained=chosen, accuracy=own)

    def float_network(self, training: int = 0) -> Network:
        """The plain torch network of one training, in evaluation mode."""
        return self._built(self.only(training).trained.networks[0].weights)

    def _built(self, weights: Mapping[str, Tensor]) -> Network:
        network = build(self.network, 0)
        network.load_state_dict({**_counts(network), **weights})
        return network.eval()

    def on_chip(self, training: int = 0) -> CrossbarNetwork:
        """One training on its chip, calibrated as it was measured and read exactly; program it to read it."""
        found = self.only(training).trained.networks[0]
        model = convert(self._built({**found.weights, **found.chip_statistics}), self.chip)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # sums keep their order
        for name, layer in model.layers.items():
            layer.sites = [Site(*ranges) for ranges in found.calibration[name]]
        model.eval()
        model.mode = "exact"
        return model


def pack(kept: KeptDesign) -> bytes:
    """The file's content; the same design gives the same bytes."""
    about: dict[str, Any] = {
        "format": FORMAT,
        "naxbo": version("naxbo"),
        "network": kept.network.to_dict(),
        "chip": kept.chip.to_dict(),
        "conditions": asdict(kept.conditions),
        "data": asdict(kept.data),
        "recipe": kept.recipe,
        "seed": kept.seed,
        "trainings": [
            {
                "seed": n.seed,
                "float_accuracy": n.float_accuracy,
                "calibration": {name: plain_calibration(r) for name, r in n.calibration.items()},
            }
            for n in kept.trained.networks
        ],
        "chip_seeds": list(kept.trained.chip_seeds),
        "accuracy": {k: v for k, v in kept.accuracy.to_dict().items() if k != "seconds"},
    }
    tensors: dict[str, Tensor] = {}
    for turn, network in enumerate(kept.trained.networks):
        tensors |= {f"{turn}.{name}": value for name, value in network.weights.items()}
        tensors |= {f"{turn}@chip.{name}": value for name, value in network.chip_statistics.items()}
    return pack_tensors(tensors, about)


def read_kept(path: Path) -> KeptDesign:
    """Read a file that :func:`pack` made; nothing in it is run.

    Raises:
        InputError: It cannot be read, is damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
    except OSError as ex:
        raise InputError(f"{path} cannot be read: {ex.strerror or ex}", _HINT) from ex
    return unpack(content, str(path))


def unpack(content: bytes, name: str) -> KeptDesign:
    """Inverse of :func:`pack`; errors call what is read ``name``.

    Raises:
        InputError: It is damaged, or something else.
    """
    tensors, about = unpack_tensors(content, name, _HINT)
    try:
        return _from_plain(about, tensors)
    except NaxboError as ex:
        raise InputError(f"{name}: {ex.message}", ex.hint or _HINT) from ex
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, RecursionError) as ex:
        raise InputError(f"{name} is damaged: {type(ex).__name__}: {ex}", _HINT) from ex


def _from_plain(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> KeptDesign:
    if about["format"] != FORMAT:
        raise InputError(
            f"the weights are of format {about['format']}, this naxbo reads {FORMAT}",
            "Install a newer naxbo.",
        )
    networks = tuple(
        TrainedNetwork(
            int(training["seed"]),
            _under(tensors, f"{turn}."),
            _under(tensors, f"{turn}@chip."),
            float(training["float_accuracy"]),
            {name: calibration_from(sites) for name, sites in training["calibration"].items()},
        )
        for turn, training in enumerate(about["trainings"])
    )
    facts = about["data"]
    kept = KeptDesign(
        NetworkSpec.from_dict(about["network"]),
        ChipSpec.from_dict(about["chip"]),
        Conditions(**about["conditions"]),
        DataFacts(
            str(facts["spec"]),
            str(facts["fingerprint"]),
            tuple(map(str, facts["class_names"])),
            _shape(facts["input_shape"]),
            tuple(map(float, facts["mean"])),
            tuple(map(float, facts["std"])),
            str(facts["source"]),
        ),
        str(about["recipe"]),
        int(about["seed"]),
        Trained(networks, tuple(map(int, about["chip_seeds"]))),
        AccuracyReport.from_dict({**about["accuracy"], "seconds": 0.0}),
    )
    _check(kept)
    return kept


def _check(kept: KeptDesign) -> None:
    """Raise InputError unless weights, calibration and chips belong to the network and to each other."""
    trainings, chips = kept.trained.networks, kept.trained.chip_seeds
    if not trainings or len(trainings) != kept.accuracy.trainings or len(chips) != len(kept.accuracy.draws):
        raise InputError(
            f"{len(trainings)} trainings and {len(chips)} chips do not belong to an accuracy of "
            f"{kept.accuracy.trainings} and {len(kept.accuracy.draws)}"
        )
    if any(not 0 <= s < 1 << 63 for s in (*chips, *(t.seed for t in trainings))):
        raise InputError("a seed is out of range")
    with torch.device("meta"):  # shapes alone: a file cannot ask for memory that it does not fill
        shapes = {k: v.shape for k, v in build(kept.network, 0).state_dict().items() if not _is_count(k)}
    layers = {layer.name for layer in kept.network.static_layers}
    for turn, network in enumerate(trainings):
        found = {k: v.shape for k, v in network.weights.items()}
        wrong = {k for k in shapes.keys() | found.keys() if shapes.get(k) != found.get(k)}
        wrong |= {k for k, v in network.chip_statistics.items() if shapes.get(k) != v.shape}
        if wrong:
            raise InputError(f"tensor {turn}.{min(wrong)} is missing, or not as the network has it")
        values = [*network.weights.items(), *network.chip_statistics.items()]
        if bad := [k for k, v in values if v.dtype != torch.float32 or not bool(torch.isfinite(v).all())]:
            raise InputError(f"tensor {turn}.{min(bad)} holds something else than finite 32-bit numbers")
        if set(network.calibration) != layers:
            raise InputError(f"training {turn} is not calibrated for the layers of the network")


def _counts(network: nn.Module) -> dict[str, Tensor]:
    return {k: v for k, v in network.state_dict().items() if _is_count(k)}


def _is_count(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _shape(values: Sequence[Any]) -> tuple[int, int, int]:
    channels, height, width = map(int, values)
    return channels, height, width
