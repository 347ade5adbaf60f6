"""A converted network: calibrate it, program it, read it in any mode, train it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from nax_bo.crossbar.adc import converter
from nax_bo.crossbar.layers import MODES, CrossbarLayer, Mode, ReadState
from nax_bo.crossbar.quantise import InputRange
from nax_bo.crossbar.training import weight_noise
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions


class CrossbarNetwork(nn.Module):
    """A model whose convolutions and linear layers run on crossbars. Made by :func:`nax_bo.crossbar.convert`.

    In training mode (``network.train()``) layers run the noise-aware path, in evaluation mode they are read in
    :attr:`mode`.
    """

    def __init__(
        self, model: nn.Module, chip: ChipSpec, layers: dict[str, CrossbarLayer], state: ReadState
    ) -> None:
        super().__init__()
        self.model = model
        self.chip = chip
        self.layers = layers
        self._state = state
        self.draws = 0

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
    def draw(self) -> int:
        """Which of the programmed chips is read."""
        return self._state.draw

    @draw.setter
    def draw(self, draw: int) -> None:
        if not 0 <= draw < max(1, self.draws):
            raise InputError(f"draw {draw} of {self.draws}", "Program more draws, or count from 0.")
        self._state.draw = draw

    @override
    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.model(images)
        return out

    def calibrate(self, images: Tensor) -> None:
        """Set input ranges and converter ranges on ``images``, passed through the unquantised model.

        Raises:
            InputError: No images, or they lead to NaN.
        """
        if len(images) == 0:
            raise InputError("calibration without images", "Pass at least one image; 64 are usual.")
        with _captured(self.layers.values()) as inputs, self._reading("float"):
            self(images)
        for name, layer in self.layers.items():
            if name not in inputs:
                continue
            low, high = (float(v) for v in torch.aminmax(inputs[name]))
            array = layer.hardware.array
            layer.input_range = InputRange.of(low, high, array.input_bits)
            layer.converter = self._best_converter(layer)

    def _best_converter(self, layer: CrossbarLayer):
        array = layer.hardware.array
        fraction = 1.0 if array.adc_range == "calibrated" else float(array.adc_range)
        assert layer.input_range is not None
        return converter(array, max(layer.blocks.sizes), layer.input_range.signed, fraction)

    def program(self, seed: int | Generator, conditions: Conditions | None = None, draws: int = 1) -> None:
        """Write the present weights into the cells of ``draws`` chips.

        Args:
            seed: Seed, or a generator, of all randomness, that of later reads included.
            conditions: Which non-idealities, and when the chip is read; default all, at once.
            draws: Number of chips; :attr:`draw` selects which one is read.
        """
        if draws < 1:
            raise InputError(f"draws = {draws}", "Program at least one chip.")
        generator = seed if isinstance(seed, Generator) else Generator().manual_seed(seed)
        for layer in self.layers.values():
            layer.program(conditions or Conditions(), generator, draws)
        self._state.generator = Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        self.draws = draws
        self.draw = 0

    def set_training_noise(self, conditions: Conditions | None, seed: int) -> None:
        """Noise of the training path: as under ``conditions``, fresh at every step; ``None``: quantisation alone."""
        generator = Generator().manual_seed(seed)
        for layer in self.layers.values():
            h = layer.hardware
            noisy = conditions is not None and not h.digital
            layer.noise = weight_noise(h.array, h.device, conditions) if noisy and conditions else None
            layer.train_noise_generator = generator

    @contextmanager
    def _reading(self, mode: Mode) -> Iterator[None]:
        before, training = self._state.mode, self.training
        self._state.mode = mode
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self._state.mode = before
            self.train(training)


@contextmanager
def _captured(layers: Iterable[CrossbarLayer]) -> Iterator[dict[str, Tensor]]:
    seen: dict[str, Tensor] = {}
    handles = [layer.register_forward_pre_hook(_keep(seen)) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _keep(seen: dict[str, Tensor]):
    def hook(layer: CrossbarLayer, args: tuple[Tensor, ...]) -> None:
        seen[layer.name] = args[0].detach()

    return hook
