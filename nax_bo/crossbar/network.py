"""A converted network: calibrate it, program it, read it in any mode, train it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from nax_bo.crossbar.arithmetic.calibration import DEFAULT_VECTORS
from nax_bo.crossbar.arithmetic.quantise import InputRange
from nax_bo.crossbar.conversion_report import ConversionReport, noting_products
from nax_bo.crossbar.explain import Explanation, explain
from nax_bo.crossbar.generators import generator_on
from nax_bo.crossbar.layers import MODES, CrossbarLayer, Mode, Pass, ReadState
from nax_bo.crossbar.training import TrainingState, weight_noise
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions


class CrossbarNetwork(nn.Module):
    """A model whose convolutions and linear layers run on crossbars. Made by :func:`nax_bo.crossbar.convert`.

    In training mode (``network.train()``) layers run the noise-aware path, in evaluation mode they are read in
    :attr:`mode`.

    Attributes:
        model: The converted model.
        chip: What it runs on.
        layers: Layers on crossbars by name, in the order in which they are computed.
        draws, chip_seeds: How many chips were programmed, and from which seeds.
    """

    def __init__(
        self,
        model: nn.Module,
        chip: ChipSpec,
        layers: dict[str, CrossbarLayer],
        state: ReadState,
        report: ConversionReport | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.chip = chip
        self.layers = layers
        self._state = state
        self._report = report or ConversionReport(tuple(layers))
        self.draws = 0
        self.chip_seeds: tuple[int, ...] = ()
        self._read_generators: list[Generator] = []
        self._images: Tensor | None = None
        self._outside: dict[str, str] = {}
        self._conditions: Conditions | None = None
        self._fitted_to: Conditions | None = None
        self._fitted_all = False

    @property
    def mode(self) -> Mode:
        """How layers are read in evaluation mode: ``float``, ``ideal``, ``fast``, ``adaptive`` or ``exact``."""
        return self._state.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise InputError(f"unknown mode {mode!r}", f"Use one of {', '.join(MODES)}.")
        self._state.mode = mode

    @property
    def converter_in_loop(self) -> bool:
        """Whether training rounds and clips partial sums as converters do; switch it on for the last epochs, say."""
        return self._state.converter_in_loop

    @converter_in_loop.setter
    def converter_in_loop(self, on: bool) -> None:
        self._state.converter_in_loop = on

    @property
    def quick_wires(self) -> bool:
        """Whether IR drop is left to its operating point even where that is rough; for cheap looks."""
        return self._state.quick_wires

    @quick_wires.setter
    def quick_wires(self, on: bool) -> None:
        self._state.quick_wires = on

    @property
    def draw(self) -> int:
        """Which of the programmed chips is read."""
        return self._state.draw

    @draw.setter
    def draw(self, draw: int) -> None:
        if not 0 <= draw < max(1, self.draws):
            raise InputError(f"draw {draw} of {self.draws}", "Program more draws, or count from 0.")
        self._state.draw = draw
        self._state.generator = self._read_generators[draw] if self._read_generators else None

    @override
    def forward(self, images: Tensor) -> Tensor:
        mode = self._state.mode
        if mode in ("fast", "adaptive") and not self.training and not self._fits(adaptive=mode == "adaptive"):
            self.fit(adaptive=mode == "adaptive")
        # a sum is several times faster than a search, and NaN if any image is
        asked = images.is_floating_point() and not self.training and images.device.type == "cpu"
        suspect = asked and math.isnan(float(images.sum()))  # a device would have to be waited for
        if suspect and bool(torch.isnan(images).any()):
            raise InputError("the images hold NaN", "Check how they were loaded and normalised.")
        return self._run(images)

    def _run(self, images: Tensor) -> Tensor:
        """One forward pass of the model, in which every layer must have been read.

        Raises:
            InputError: A layer was not: the model never calls it, or something reads its weights in its place.
        """
        state = self._state
        simulated = self.training or state.mode != "float" or state.work != "read"
        state.passes += 1
        fused = torch.backends.mha.get_fastpath_enabled()
        if simulated:  # torch's fused transformer kernels read weights past the layers that hold them
            torch.backends.mha.set_fastpath_enabled(False)
        state.inside = True
        try:
            out: Tensor = self.model(images)
        finally:
            state.inside = False
            torch.backends.mha.set_fastpath_enabled(fused)
        if simulated and not self.training:
            missed = [name for name, layer in self.layers.items() if layer.last_pass != state.passes]
            if missed:
                raise InputError(
                    f"layer{'s' * (len(missed) > 1)} {', '.join(map(repr, missed))} of the model did not run: what was "
                    "computed in their place was not simulated",
                    "If the model does not use them here, name them in convert(..., leave_float=[...]).",
                )
        return out

    def calibrate(
        self,
        images: Tensor,
        ranges: Mapping[CrossbarLayer, InputRange] | None = None,
        vectors: int = DEFAULT_VECTORS,
        conditions: Conditions | None = None,
    ) -> None:
        """Choose input ranges and converter ranges on ``images``, layer after layer, each fed with quantised inputs.

        The images are kept: the fast and the adaptive mode fit themselves to the exact one on them, once for each
        kind of conditions, when they are first used.

        Args:
            images: Some training images.
            ranges: Input ranges of some layers, learned in training, say; those of the others are chosen.
            vectors: About so many input vectors of a layer choose its converter's range.
            conditions: Their converter noise is weighed when ranges are chosen; default: none.

        Raises:
            InputError: No images, or they lead to NaN or infinite values.
        """
        if len(images) == 0:
            raise InputError("calibration without images", "Pass at least one image; 64 are usual.")
        self._state.ranges, self._state.vectors, self._state.conditions = ranges or {}, vectors, conditions
        try:
            with self._reading("ideal", "calibrate"), noting_products(self.model) as outside:
                self._run(images)
        finally:
            self._state.ranges = {}
        self._images, self._fitted_to = images, None
        self._outside = outside

    def report(self) -> ConversionReport:
        """What was converted, what stays in floating point and why, and, once calibrated, what is clipped."""
        layers = self.layers.items()
        calibrated = self._images is not None
        left = self._report.left_float
        outside = {
            name: why
            for name, why in self._outside.items()
            if not any(name.startswith(f"{x}.") for x in left)
        }
        return replace(
            self._report,
            left_float=left | outside,
            calls={name: len(layer.sites) for name, layer in layers} if calibrated else {},
            inputs_clipped={
                name: max(site.inputs_clipped for site in layer.sites) for name, layer in layers
            } if calibrated else {},
            weights_clipped={name: layer.weights_clipped() for name, layer in layers},
        )  # fmt: skip

    def _fits(self, *, adaptive: bool) -> bool:
        known = self._fitted_to is not None and self._fitted_to == self._conditions
        return known and (self._fitted_all or not adaptive)

    def fit(self, *, adaptive: bool = True) -> None:
        """Fit the cheap modes to the exact mode of the chip as programmed, on the calibration images.

        Called when needed. Later chips programmed under the same conditions use the same fit.

        Args:
            adaptive: Whether the adaptive mode is fitted too, which takes two more exact reads.

        Raises:
            InputError: Not calibrated, or not programmed.
        """
        if self._images is None:
            raise InputError("the network has not been calibrated", "Call network.calibrate(images) first.")
        if self._conditions is None:
            raise InputError("the network has not been programmed", "Call network.program(seed) first.")
        for layer in self.layers.values():
            layer.forget_fit()
        own = self._state.generator
        if own is not None:  # a copy: the chip's later reads do not depend on whether it was fitted to
            self._state.generator = Generator("cpu").set_state(own.get_state())
        try:
            with self._reading("exact", "fit all" if adaptive else "fit fast"):
                self._run(self._images)
        finally:
            self._state.generator = own
        self._fitted_to, self._fitted_all = self._conditions, adaptive

    def program(
        self, seed: int | Generator | Sequence[int], conditions: Conditions | None = None, draws: int = 1
    ) -> None:
        """Write the present weights into the cells of one or more chips.

        Several chips at once are programmed faster than one after the other.

        Args:
            seed: Seed, or a generator, of all randomness, that of later reads included; or one seed per chip.
            conditions: Which non-idealities, and when the chip is read; default all, at once.
            draws: Number of chips, unless a sequence of seeds is given; :attr:`draw` selects which one is read.

        Raises:
            InputError: No chip, or weights that are not finite.
        """
        seeds = _chip_seeds(seed, draws)
        if not seeds:
            raise InputError(f"draws = {draws}", "Program at least one chip.")
        device = self._device
        generators = [generator_on(device, s) for s in seeds]
        self._conditions = conditions or Conditions()
        for layer in self.layers.values():
            layer.program_chips(self._conditions, generators)
        if not all(layer.fitted for layer in self.layers.values()):
            self._fitted_to = None
        # reads take one number each, on the host: none waits for a device
        on_host = device.type == "cpu"
        self._read_generators = generators if on_host else [Generator("cpu").manual_seed(s) for s in seeds]
        self.draws, self.chip_seeds = len(generators), tuple(seeds)
        self.draw = 0

    @property
    def calibration_images(self) -> Tensor | None:
        """The images of the last :meth:`calibrate`; None before it."""
        return self._images

    @property
    def conditions(self) -> Conditions | None:
        """Those of the last :meth:`program`; None before it."""
        return self._conditions

    def resume(
        self, images: Tensor | None, seeds: Sequence[int], conditions: Conditions | None, draw: int
    ) -> None:
        """Take up a calibration whose ranges the layers hold already, and program the chips anew.

        Args:
            images: Those of the calibration; None: not calibrated.
            seeds: Of the chips; none: not programmed.
            conditions: Under which they are programmed.
            draw: Which chip is read.
        """
        self._images = None if images is None else images.to(self._device)
        self._fitted_to = None
        if seeds:
            self.program(list(seeds), conditions)
            self.draw = draw

    def explain(self, layer_name: str, conditions: Conditions | None = None, seed: int = 0) -> Explanation:
        """What one layer's weights and inputs become on the chip, and where its output error comes from.

        Measured on the calibration images, for a chip freshly programmed with the present weights.

        Args:
            layer_name: A key of :attr:`layers`.
            conditions: Default: those of the last :meth:`program`, or all non-idealities.
            seed: Of the chip.

        Raises:
            InputError: No such layer, or not calibrated.
        """
        if layer_name not in self.layers:
            raise InputError(f"no crossbar layer {layer_name!r}", f"There are: {', '.join(self.layers)}.")
        if self._images is None:
            raise InputError("the network has not been calibrated", "Call network.calibrate(images) first.")
        seen: list[Tensor] = []
        layer = self.layers[layer_name]
        handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            with self._reading("ideal", "read"):
                self._run(self._images)
        finally:
            handle.remove()
        layer.site = 0  # where the inputs of the first call were seen
        return explain(layer, seen[0], conditions or self._conditions or Conditions(), seed)

    def set_training_noise(self, conditions: Conditions | None, seed: int) -> None:
        """Noise of the training path: as under ``conditions``, fresh at every step; ``None``: quantisation alone."""
        device = self._device
        generator = generator_on(device, seed)
        for layer in self.layers.values():
            h = layer.hardware
            noisy = conditions is not None and not h.digital
            noise = weight_noise(h.array, h.device, conditions) if noisy and conditions else None
            noise = None if noise is None else noise.to(device)
            layer.training_state = TrainingState(noise, generator, h.weight_clip)

    @property
    def _device(self) -> torch.device:
        """Where the network is, and its cells and noise are made."""
        return next((layer.weight.device for layer in self.layers.values()), torch.device("cpu"))

    @contextmanager
    def _reading(self, mode: Mode, work: Pass) -> Iterator[None]:
        before, training = self._state.mode, self.training
        self._state.mode, self._state.work = mode, work
        if training:
            self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self._state.mode, self._state.work = before, "read"
            if training:
                self.train()


def _chip_seeds(seed: int | Generator | Sequence[int], draws: int) -> list[int]:
    if isinstance(seed, Sequence):
        return [int(s) for s in seed]
    if isinstance(seed, int) and draws == 1:
        return [seed]
    root = seed if isinstance(seed, Generator) else Generator("cpu").manual_seed(seed)
    return [
        int(s) for s in torch.randint(2**62, (max(0, draws),), generator=root, device=root.device).tolist()
    ]
