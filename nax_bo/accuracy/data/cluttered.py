"""Digits moved about and joined by pieces of others: hardly larger than digits, and not solved by two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.digits import TEST_SHARE
from nax_bo.accuracy.data.sampling import stratified_split
from nax_bo.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nax_bo.accuracy.data.registry import LoadOptions

SIDE = 10
"""Pixels; the digit itself takes eight."""

PIECE_SIDE = 3
_SCENES = 0xC1077E4
"""Of the generator of transformations."""


def load_cluttered(options: LoadOptions) -> DataSet:
    """Digits of :func:`~nax_bo.accuracy.data.digits.load_digits`, transformed: 1 x 10 x 10, 0 .. 16, ten classes.

    Each digit is put anywhere into 10 x 10 pixels, together with a 3 x 3 piece of another digit of the same half (after
    the cluttered MNIST of Mnih et al. 2014, arXiv:1406.6247); the brighter shows. Everything follows from a fixed seed,
    the halves from ``options.seed``.

    Why this is the default: on plain digits two layers of 16 channels are as good as any on an ideal chip (98 %), so
    that neither depth nor width nor noise decides. Here, with 6-bit weights and 7-bit converters on SRAM, two layers of
    8 channels reach 72 %, three of 16 to 24 93 %, and four of 24 to 48 95 %.
    """
    if options.path is not None:
        raise InputError(
            f"cluttered-digits takes no path, but '{options.path}' was given",
            "for images of your own use folder:PATH",
        )
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels, labels = bunch.images.astype(np.float32), bunch.target.astype(np.int64)
    parts = stratified_split(labels, TEST_SHARE, options.seed)
    scenes = []
    for half, index in enumerate(parts):
        rng = np.random.default_rng([_SCENES, half])
        images = np.stack([_scene(digit, pixels[index], rng) for digit in pixels[index]])
        scenes.append((images[:, None].round().astype(np.uint8), labels[index]))
    return data_set_from_pixels(
        "cluttered-digits",
        train=scenes[0],
        test=scenes[1],
        class_names=tuple(str(digit) for digit in range(10)),
        source=f"scikit-learn digits moved and cluttered; stratified {len(parts[0])}/{len(parts[1])} split "
        f"(seed {options.seed})",
        image_size=options.image_size,
    )


def _scene(digit: NDArray[np.float32], others: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    scene = np.zeros((SIDE, SIDE), dtype=np.float32)
    other = others[rng.integers(len(others))]
    y, x = rng.integers(0, len(other) - PIECE_SIDE + 1, size=2)
    _put(scene, other[y : y + PIECE_SIDE, x : x + PIECE_SIDE], rng)
    _put(scene, digit, rng)
    return scene


def _put(scene: NDArray[np.float32], piece: NDArray[np.float32], rng: Generator) -> None:
    """Lay ``piece`` anywhere over ``scene``; the brighter shows."""
    height, width = piece.shape
    y, x = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
    place = scene[y : y + height, x : x + width]
    np.maximum(place, piece, out=place)
